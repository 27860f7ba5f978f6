# SPDX-License-Identifier: Apache-2.0
"""Security headers of every answer: a policy without inline scripts or styles, no framing, no sniffing, no caching of pages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from aiohttp import web as http
from aiohttp.typedefs import Handler, Middleware

if TYPE_CHECKING:
    from web.host import Host

HEADERS: Final[Mapping[str, str]] = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; media-src 'self'; connect-src 'self'; frame-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
    "Cache-Control": "no-store",
}


def add_headers(response: http.StreamResponse, secure: bool) -> None:
    """What a handler set itself stays."""
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    if secure:
        response.headers.setdefault("Strict-Transport-Security", "max-age=31536000")


def security_headers(host: Host) -> Middleware:
    @http.middleware
    async def middleware(request: http.Request, handler: Handler) -> http.StreamResponse:
        response = await handler(request)
        if not response.prepared:
            host.add_headers(response)
            host.remember_stranger(request, response)
        return response

    return middleware

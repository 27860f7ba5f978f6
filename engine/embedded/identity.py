# SPDX-License-Identifier: Apache-2.0
"""Who an INVITE says is calling: From, and what a provider asserts beyond it (RFC 3325; Remote-Party-ID), as mod_sofia reads them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from engine.embedded.sip.syntax import MalformedMessage, NameAddr, parse_name_addr, parse_uri

if TYPE_CHECKING:
    from engine.embedded.sip.message import Request

_ASSERTED = ("remote-party-id", "p-asserted-identity", "p-preferred-identity")
"""Each outweighs those before it."""
_HIDES = {"yes": (True, True), "full": (True, True), "name": (True, False), "number": (False, True)}


class Identity(NamedTuple):
    number: str
    """User part; "" when nothing names one."""
    name: str
    hide_name: bool = False
    hide_number: bool = False


def identity_of(request: Request) -> Identity:
    """The caller's number and name, and whether he wants them withheld; a header that can't be read is passed over."""
    number = _user(request.from_)
    name = request.from_.display.strip() or number
    hide_name = hide_number = False
    for header in _ASSERTED:
        asserted = _first(request, header)
        if asserted is None:
            continue
        number = _user(asserted) or number
        name = asserted.display.strip() or name
        if header == "remote-party-id":
            hide_name, hide_number = _HIDES.get(asserted.params.get("privacy", "").lower(), (False, False))
    if any(word.strip() == "id" for word in (request.header("privacy") or "").lower().split(";")):
        hide_name = hide_number = True
    return Identity(number, name, hide_name, hide_number)


def _first(request: Request, header: str) -> NameAddr | None:
    try:
        values = request.values(header)
        return parse_name_addr(values[0]) if values else None
    except MalformedMessage:
        return None


def _user(address: NameAddr) -> str:
    try:
        return parse_uri(address.uri_text).user
    except MalformedMessage:
        return ""

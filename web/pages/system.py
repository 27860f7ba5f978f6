# SPDX-License-Identifier: Apache-2.0
"""What an administrator may want to know of the installation: plugins that did not start, and mail that had no server to go to."""

from __future__ import annotations

import email
import email.policy
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path
from typing import Final

from aiohttp import web as http

from engine.sdk import N_, NotFound, Page
from web.visit import Visit

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,150}\.eml")
_MOST_SHOWN: Final = 200


@dataclass(frozen=True, slots=True)
class Letter:
    name: str
    at: datetime
    to: str
    subject: str


async def plugins(visit: Visit) -> http.Response:
    return visit.render("shell/plugins.html", states=visit.ctx.registry.states)


def _folder(visit: Visit) -> Path:
    """Letters lie apart by customer, so that nobody reads another's."""
    return visit.ctx.settings.state / "mail" / str(visit.account_id)


def _letters(folder: Path) -> Iterator[Letter]:
    found = sorted(folder.glob("*.eml"), key=lambda p: p.stat().st_mtime, reverse=True) if folder.is_dir() else []
    for path in found[:_MOST_SHOWN]:
        message = _read(path)
        yield Letter(path.name, datetime.fromtimestamp(path.stat().st_mtime, UTC), str(message["To"] or ""), str(message["Subject"] or ""))


def _read(path: Path) -> EmailMessage:
    message = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    return message


async def mail(visit: Visit) -> http.Response:
    return visit.render("shell/mail.html", letters=list(_letters(_folder(visit))), server=visit.ctx.settings.mail.host)


def _named(visit: Visit) -> Path:
    name = visit.request.match_info["name"]
    path = _folder(visit) / name
    if not _NAME.fullmatch(name) or not path.is_file():
        raise NotFound()
    return path


async def letter(visit: Visit) -> http.Response:
    path = _named(visit)
    message = _read(path)
    plain = message.get_body(("plain",))
    attachments = [
        (part.get_filename() or part.get_content_type(), len(part.get_payload(decode=True) or b"")) for part in message.iter_attachments()
    ]
    return visit.render(
        "shell/letter.html",
        name=path.name,
        message=message,
        text=plain.get_content() if plain else "",
        has_html=message.get_body(("html",)) is not None,
        attachments=attachments,
        at=datetime.fromtimestamp(path.stat().st_mtime, UTC),
    )


async def letter_html(visit: Visit) -> http.Response:
    """The HTML of a letter for a sandboxed frame: no scripts, nothing loaded from anywhere."""
    body = _read(_named(visit)).get_body(("html",))
    if body is None:
        raise NotFound()
    return http.Response(
        text=body.get_content(),
        content_type="text/html",
        headers={
            "Content-Security-Policy": "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'",
            "X-Frame-Options": "SAMEORIGIN",
        },
    )


async def letter_file(visit: Visit) -> http.StreamResponse:
    path = _named(visit)
    return http.FileResponse(path, headers={"Content-Type": "message/rfc822", "Content-Disposition": f'attachment; filename="{path.name}"'})


PAGES = (
    Page("GET", "/system/plugins", plugins, "admin", name="system.plugins", menu=N_("Plugins"), menu_section="service"),
    Page("GET", "/system/mail", mail, "admin", name="system.mail", menu=N_("Mail"), menu_section="service"),
    Page("GET", "/system/mail/{name}", letter, "admin", name="system.letter"),
    Page("GET", "/system/mail/{name}/html", letter_html, "admin", name="system.letter.html"),
    Page("GET", "/system/mail/{name}/file", letter_file, "admin", name="system.letter.file"),
)

# SPDX-License-Identifier: Apache-2.0
"""The mail that had no server to go to, for the administrator to read."""

from __future__ import annotations

from engine.sdk import N_, NotFound, Page
from plugins.notifications.mail import KeptMail, Mailer
from web.sdk import Visit, http


def _mailer(visit: Visit) -> Mailer:
    return Mailer(visit.ctx.settings)


def framed(html: str) -> http.Response:
    """The HTML of a letter for a sandboxed frame: no scripts, nothing loaded from anywhere."""
    return http.Response(
        text=html,
        content_type="text/html",
        headers={
            "Content-Security-Policy": "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'",
            "X-Frame-Options": "SAMEORIGIN",
        },
    )


def _named(visit: Visit) -> KeptMail:
    return _mailer(visit).kept_mail(visit.account_id, visit.request.match_info["name"])


async def mail(visit: Visit) -> http.Response:
    letters = _mailer(visit).kept(visit.account_id)
    return visit.render("notifications/mail.html", letters=letters, server=visit.ctx.settings.mail.host)


async def letter(visit: Visit) -> http.Response:
    kept = _named(visit)
    attachments = [
        (part.get_filename() or part.get_content_type(), len(part.get_payload(decode=True) or b""))
        for part in kept.message.iter_attachments()
    ]
    html = kept.message.get_body(("html",)) is not None
    return visit.render("notifications/letter.html", letter=kept, has_html=html, attachments=attachments)


async def letter_html(visit: Visit) -> http.Response:
    body = _named(visit).message.get_body(("html",))
    if body is None:
        raise NotFound()
    return framed(body.get_content())


async def letter_file(visit: Visit) -> http.StreamResponse:
    kept = _named(visit)
    headers = {"Content-Type": "message/rfc822", "Content-Disposition": f'attachment; filename="{kept.file.name}"'}
    return http.FileResponse(kept.file, headers=headers)


PAGES = (
    Page("GET", "/system/mail", mail, "admin", name="notifications.mail", menu=N_("Mail"), menu_section="service", icon="mail"),
    Page("GET", "/system/mail/{name}", letter, "admin", name="notifications.letter"),
    Page("GET", "/system/mail/{name}/html", letter_html, "admin", name="notifications.letter.html"),
    Page("GET", "/system/mail/{name}/file", letter_file, "admin", name="notifications.letter.file"),
)

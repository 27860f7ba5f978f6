# SPDX-License-Identifier: Apache-2.0
"""«Настройка оповещений» (DIR-3): how the letters about missed calls, messages and faxes are worded, with variables and a preview."""

from __future__ import annotations

from html import escape

import msgspec

from engine.sdk import N_, Letter, LetterKind, NotFound, Page, fill, template_of
from plugins.notifications.web import framed
from plugins.notifications.wording import problems, set_template, take_back
from web.sdk import Form, Nothing, Visit, confirm, http


class TemplateForm(msgspec.Struct, frozen=True, kw_only=True):
    subject: str = ""
    html: str = ""


def _kind(visit: Visit) -> LetterKind:
    kind = visit.ctx.registry.letters().get(visit.request.match_info["letter"])
    if kind is None:
        raise NotFound()
    return kind


async def templates(visit: Visit) -> http.Response:
    kinds = visit.ctx.registry.letters().values()
    return visit.render("notifications/templates.html", kinds=[(kind, template_of(visit.snapshot, kind.id)) for kind in kinds])


async def template(visit: Visit) -> http.Response:
    kind, language = _kind(visit), visit.snapshot.account.language
    now = template_of(visit.snapshot, kind.id)
    subject, html = kind.starter(language)
    form = Form(visit, TemplateForm, now or TemplateForm(subject=subject, html=html))
    if visit.is_post:
        with form.saving():
            wish = form.read()
            async with visit.edit() as edit:
                await set_template(edit, kind, wish.subject, wish.html)
            return visit.go(visit.url("notifications.template", letter=kind.id), message=visit.t("Saved."))
    example = kind.example(visit.snapshot, visit.language)
    return visit.render("notifications/template.html", status=form.status, kind=kind, form=form, is_own=now is not None, example=example)


async def preview(visit: Visit) -> http.Response:
    """What is typed, filled with an example, for the frame beside the form; before anything is typed, as it would be sent now."""
    kind, language = _kind(visit), visit.snapshot.account.language
    values = kind.example(visit.snapshot, language)
    if not visit.is_post:
        return _shown(kind.letter(visit.snapshot, values, language))
    subject, html = visit.text("subject"), visit.text("html")
    found = problems(kind, subject, html)
    if found:
        return framed("".join(f"<p>{escape(visit.tell(problem))}</p>" for problem in found))
    return _shown(fill(subject, html, values))


def _shown(letter: Letter) -> http.Response:
    return framed(f"<p><b>{escape(letter.subject)}</b></p><hr>{letter.html}")


async def standard(visit: Visit) -> http.Response:
    kind = _kind(visit)
    form = Form(visit, Nothing)
    back = visit.url("notifications.template", letter=kind.id)
    if visit.is_post:
        with form.saving():
            async with visit.edit() as edit:
                await take_back(edit, kind)
            return visit.go(back, message=visit.t("The standard wording holds again."))
    question = visit.t("Go back to the standard wording of “{title}”?", title=visit.t(kind.title))
    return confirm(visit, question, back=back, form=form, button=visit.t("Take the standard wording"))


PAGES = (
    Page(
        "GET", "/notification-templates", templates, "admin", name="notifications.templates", menu=N_("Notification settings"),
        menu_section="directories", icon="mail",
    ),
    Page("GET", "/notification-templates/{letter}", template, "admin", name="notifications.template"),
    Page("POST", "/notification-templates/{letter}", template, "admin"),
    Page("GET", "/notification-templates/{letter}/preview", preview, "admin", name="notifications.preview"),
    Page("POST", "/notification-templates/{letter}/preview", preview, "admin"),
    Page("GET", "/notification-templates/{letter}/standard", standard, "admin", name="notifications.standard"),
    Page("POST", "/notification-templates/{letter}/standard", standard, "admin"),
)  # fmt: skip

# SPDX-License-Identifier: Apache-2.0
"""Pages of voicemail: settings beside users and groups (VM-1, VM-3), one's own mail (ACC-4), the messages (STA-2)."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta
from tortoise.queryset import QuerySet

from engine.sdk import N_, NotFound, Page, Ref, SoundElement, User, format_datetime, people
from plugins.voicemail import service
from plugins.voicemail.models import MessageRow
from plugins.voicemail.part import OWNERS, Mailbox, mailbox_of
from plugins.voicemail.service import Listener
from web.sdk import (
    Form,
    MailForm,
    Nothing,
    NoticeForm,
    Visit,
    by_days_and_number,
    by_owner,
    chat_choices,
    check_choice,
    confirm,
    elements,
    http,
    media_file,
    notice_choices,
    owner_choices,
    page_of,
)


class MailboxForm(NoticeForm, frozen=True, kw_only=True):
    active: bool = True
    greeting: Ref | None = None
    beep: bool = True
    max_seconds: Annotated[int, Meta(ge=5, le=service.MOST_SECONDS)] = 120
    silence_seconds: Annotated[int, Meta(ge=0, le=30)] = 5


def listener(visit: Visit) -> Listener:
    return Listener(visit.account_id, visit.user.id, visit.may("manager"))


# settings ---------------------------------------------------------------------------------------------------------------


async def mailbox(visit: Visit) -> http.Response:
    owner = visit.about()
    box = mailbox_of(visit.snapshot, owner.ref)
    form = Form(visit, MailboxForm, box)
    sounds = elements(visit, SoundElement)
    if visit.is_post:
        with form.saving():
            wish = form.read()
            check_choice("greeting", wish.greeting, sounds)
            async with visit.edit() as edit:
                await service.set_mailbox(edit, owner.ref, **msgspec.structs.asdict(wish))
            return visit.go(visit.url("voicemail.settings", of=owner.ref), message=visit.t("Saved."))
    return visit.render(
        "voicemail/mailbox.html", status=form.status, owner=owner, title=people.mailbox_title(visit.snapshot, owner.ref), form=form,
        sounds=sounds, notices=notice_choices(visit), chats=await chat_choices(visit, box.chats),
        of_user=owner.kind == User.kind, is_set=visit.snapshot.attached(owner.ref, Mailbox) is not None,
    )  # fmt: skip


async def own(visit: Visit) -> http.Response:
    me = Ref(User.kind, visit.user.id)
    if visit.snapshot.element(me) is None:
        raise NotFound()
    box = visit.snapshot.attached(me, Mailbox)
    form = Form(visit, MailForm, box)
    if visit.is_post:
        with form.saving():
            if box is None:
                raise NotFound()  # whether he has voicemail at all is the administrator's business
            async with visit.edit() as edit:
                await service.set_mailbox(edit, me, **msgspec.structs.asdict(form.read()))
            return visit.go(visit.url("voicemail.own"), message=visit.t("Saved."))
    return visit.render("voicemail/own.html", status=form.status, form=form, box=box, notices=notice_choices(visit))


# messages ---------------------------------------------------------------------------------------------------------------


async def messages(visit: Visit) -> http.Response:
    who = listener(visit)
    rows = await page_of(visit, _filtered(visit, service.audible(visit.snapshot, who)), "at", size=25)
    boxes = await owner_choices(visit, service.audible(visit.snapshot, who))
    return visit.render("voicemail/messages.html", rows=rows, query=visit.query, boxes=boxes)


def _filtered(visit: Visit, query: QuerySet[MessageRow]) -> QuerySet[MessageRow]:
    """What the filter form asks; values that mean nothing are ignored, so that an old bookmark still works."""
    wish = visit.query
    if wish.get("heard") in ("yes", "no"):
        query = query.filter(heard=wish["heard"] == "yes")
    return by_days_and_number(visit, by_owner(query, wish.get("box", "")), "at")


async def _message(visit: Visit) -> MessageRow:
    return await service.message(visit.snapshot, listener(visit), visit.id())


async def sound(visit: Visit) -> http.StreamResponse:
    """The sound of one message; whoever plays it has heard it."""
    row = await _message(visit)
    name = ""
    if visit.query.get("download"):
        at = format_datetime("en", row.at, str(visit.zone)).replace("/", "-").replace(":", "-").replace(",", "")
        name = f"{at} {row.caller_number or ''}.wav"
    response = media_file(visit, row.path, download_as=name)
    if visit.request.method == "GET":
        await service.mark_heard(row, True)
    return response


async def heard(visit: Visit) -> http.Response:
    row = await _message(visit)
    await service.mark_heard(row, visit.text("heard") == "yes")
    return visit.go(visit.url("voicemail.list"))


async def delete(visit: Visit) -> http.Response:
    row = await _message(visit)
    form = Form(visit, Nothing)
    if visit.is_post:
        with form.saving():
            await service.delete_message(visit.ctx, row)
            return visit.go(visit.url("voicemail.list"), message=visit.t("The message is deleted."))
    at = format_datetime(visit.language, row.at, str(visit.zone))
    question = visit.t("Delete the message of {at} left for “{title}”?", at=at, title=row.owner_title)
    return confirm(visit, question, back=visit.url("voicemail.list"), form=form)


PAGES = (
    Page("GET", "/mailboxes/{of}", mailbox, "admin", name="voicemail.settings", menu=N_("Voicemail"), icon="voicemail", beside=OWNERS),
    Page("POST", "/mailboxes/{of}", mailbox, "admin", beside=OWNERS),
    Page("GET", "/profile/voicemail", own, "user", name="voicemail.own", menu=N_("Voicemail"), icon="voicemail", beside=("profile",)),
    Page("POST", "/profile/voicemail", own, "user", beside=("profile",)),
    Page("GET", "/voicemail", messages, "user", name="voicemail.list", menu=N_("Voicemail"), menu_section="statistics", icon="voicemail"),
    Page("GET", "/voicemail/{id}/sound", sound, "user", name="voicemail.sound"),
    Page("POST", "/voicemail/{id}/heard", heard, "user", name="voicemail.heard"),
    Page("GET", "/voicemail/{id}/delete", delete, "user", name="voicemail.delete"),
    Page("POST", "/voicemail/{id}/delete", delete, "user"),
)

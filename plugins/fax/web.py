# SPDX-License-Identifier: Apache-2.0
"""Pages of fax: settings beside users and groups (VM-2, VM-3), one's own mail (ACC-4), the faxes (STA-3)."""

from __future__ import annotations

import msgspec
from tortoise.queryset import QuerySet

from engine.sdk import N_, NotFound, Page, Ref, User, format_datetime, page_image, people
from plugins.fax import service, texts
from plugins.fax.models import FaxRow
from plugins.fax.part import OWNERS, Machine, machine_of
from web.sdk import (
    Form,
    MailForm,
    Nothing,
    NoticeForm,
    Visit,
    by_days_and_number,
    by_owner,
    chat_choices,
    confirm,
    http,
    media_file,
    notice_choices,
    owner_choices,
    page_of,
)


class MachineForm(NoticeForm, frozen=True, kw_only=True):
    active: bool = True


# settings ---------------------------------------------------------------------------------------------------------------


async def machine(visit: Visit) -> http.Response:
    owner = visit.about()
    now = machine_of(visit.snapshot, owner.ref)
    form = Form(visit, MachineForm, now)
    if visit.is_post:
        with form.saving():
            async with visit.edit() as edit:
                await service.set_machine(edit, owner.ref, **msgspec.structs.asdict(form.read()))
            return visit.go(visit.url("fax.settings", of=owner.ref), message=visit.t("Saved."))
    return visit.render(
        "fax/machine.html", status=form.status, owner=owner, title=people.mailbox_title(visit.snapshot, owner.ref), form=form,
        notices=notice_choices(visit), chats=await chat_choices(visit, now.chats), of_user=owner.kind == User.kind,
        is_set=visit.snapshot.attached(owner.ref, Machine) is not None, possible=visit.ctx.settings.switch.takes_faxes,
    )  # fmt: skip


async def own(visit: Visit) -> http.Response:
    me = Ref(User.kind, visit.user.id)
    if visit.snapshot.element(me) is None:
        raise NotFound()
    mine = visit.snapshot.attached(me, Machine)
    form = Form(visit, MailForm, mine)
    if visit.is_post:
        with form.saving():
            if mine is None:
                raise NotFound()  # whether he has a fax at all is the administrator's business
            async with visit.edit() as edit:
                await service.set_machine(edit, me, **msgspec.structs.asdict(form.read()))
            return visit.go(visit.url("fax.own"), message=visit.t("Saved."))
    return visit.render("fax/own.html", status=form.status, form=form, machine=mine, notices=notice_choices(visit))


# faxes ------------------------------------------------------------------------------------------------------------------


def _readable(visit: Visit) -> QuerySet[FaxRow]:
    return service.readable(visit.snapshot, visit.user.id, visit.may("manager"))


async def faxes(visit: Visit) -> http.Response:
    rows = await page_of(visit, _filtered(visit, _readable(visit)), "at", size=25)
    owners = await owner_choices(visit, _readable(visit))
    possible = visit.ctx.settings.switch.takes_faxes
    return visit.render("fax/faxes.html", rows=rows, query=visit.query, owners=owners, possible=possible)


def _filtered(visit: Visit, query: QuerySet[FaxRow]) -> QuerySet[FaxRow]:
    """What the filter form asks; values that mean nothing are ignored, so that an old bookmark still works."""
    wish = visit.query
    if wish.get("seen") in ("yes", "no"):
        query = query.filter(seen=wish["seen"] == "yes")
    return by_days_and_number(visit, by_owner(query, wish.get("owner", "")), "at")


async def _fax(visit: Visit) -> FaxRow:
    return await service.fax(visit.snapshot, visit.user.id, visit.may("manager"), visit.id())


async def fax(visit: Visit) -> http.Response:
    """One fax with its pages; whoever opens it has seen it."""
    row = await _fax(visit)
    await service.mark_seen(row, True)
    return visit.render("fax/fax.html", fax=row, title=people.mailbox_title(visit.snapshot, Ref(row.owner_kind, row.owner_id)))


async def page(visit: Visit) -> http.Response:
    """A page as a picture: phones show no PDF inside a page."""
    row = await _fax(visit)
    number = visit.request.match_info["page"]
    if not number.isdecimal() or not 1 <= int(number[:6]) <= row.pages:
        raise NotFound()
    root = visit.ctx.settings.media_root.resolve()
    file = (root / row.path).resolve()
    if not file.is_relative_to(root) or not file.is_file():
        raise NotFound()
    return http.Response(
        body=await page_image(file, int(number)), content_type="image/png", headers={"Cache-Control": "private, max-age=3600"}
    )


async def file(visit: Visit) -> http.StreamResponse:
    """The PDF or the TIFF; a browser shows the PDF itself unless it is downloaded."""
    row = await _fax(visit)
    pdf = visit.query.get("as") != "tiff"
    if pdf and not row.pdf:
        raise NotFound()
    name = texts.file_name(row, "pdf" if pdf else "tif") if visit.query.get("download") else ""
    response = media_file(visit, row.pdf_path if pdf else row.path, download_as=name)
    if visit.request.method == "GET":
        await service.mark_seen(row, True)
    return response


async def seen(visit: Visit) -> http.Response:
    row = await _fax(visit)
    await service.mark_seen(row, visit.text("seen") == "yes")
    return visit.go(visit.url("fax.list"))


async def delete(visit: Visit) -> http.Response:
    row = await _fax(visit)
    form = Form(visit, Nothing)
    if visit.is_post:
        with form.saving():
            await service.delete_fax(visit.ctx, row)
            return visit.go(visit.url("fax.list"), message=visit.t("The fax is deleted."))
    at = format_datetime(visit.language, row.at, str(visit.zone))
    question = visit.t("Delete the fax of {at} that came for “{title}”?", at=at, title=row.owner_title)
    return confirm(visit, question, back=visit.url("fax.list"), form=form)


PAGES = (
    Page("GET", "/fax-machines/{of}", machine, "admin", name="fax.settings", menu=N_("Fax"), icon="fax", beside=OWNERS),
    Page("POST", "/fax-machines/{of}", machine, "admin", beside=OWNERS),
    Page("GET", "/profile/fax", own, "user", name="fax.own", menu=N_("Fax"), icon="fax", beside=("profile",)),
    Page("POST", "/profile/fax", own, "user", beside=("profile",)),
    Page("GET", "/faxes", faxes, "user", name="fax.list", menu=N_("Faxes"), menu_section="statistics", icon="fax"),
    Page("GET", "/faxes/{id}", fax, "user", name="fax.fax"),
    Page("GET", "/faxes/{id}/pages/{page}", page, "user", name="fax.page"),
    Page("GET", "/faxes/{id}/file", file, "user", name="fax.file"),
    Page("POST", "/faxes/{id}/seen", seen, "user", name="fax.seen"),
    Page("GET", "/faxes/{id}/delete", delete, "user", name="fax.delete"),
    Page("POST", "/faxes/{id}/delete", delete, "user"),
)

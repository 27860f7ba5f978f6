# SPDX-License-Identifier: Apache-2.0
"""«Выгрузка и загрузка»: the configuration as one file, down and up."""

from __future__ import annotations

from typing import Final

import msgspec
from aiohttp import web as http

from engine.sdk import Page, Problem
from web.forms import Form
from web.host import LARGE_BODY
from web.visit import Visit

MEGABYTES: Final = LARGE_BODY // 1024 // 1024 - 1
"""What the cabinet takes; larger files go by the command line."""


class LeaveForm(msgspec.Struct, frozen=True):
    secrets: bool = False


class ArriveForm(msgspec.Struct, frozen=True):
    file: str = ""


async def portable(visit: Visit) -> http.Response:
    return _page(visit, Form(visit, LeaveForm, name="leave"), Form(visit, ArriveForm, name="arrive"))


def _page(visit: Visit, leave: Form[LeaveForm], arrive: Form[ArriveForm]) -> http.Response:
    status = next((form.status for form in (leave, arrive) if not form.ok), 200)
    return visit.render("shell/portable.html", status=status, leave=leave, arrive=arrive, megabytes=MEGABYTES)


async def leave(visit: Visit) -> http.Response:
    """The file, for download. A form and no link, so that nothing but a click of the administrator brings passwords out."""
    form = Form(visit, LeaveForm, name="leave")
    with form.saving():
        data = await visit.ctx.export_account(visit.account_id, with_secrets=form.read().secrets)
        name = f"vats-{visit.snapshot.account.number}-{visit.snapshot.revision}.json"
        headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
        return http.Response(body=data, content_type="application/json", headers=headers)
    return _page(visit, form, Form(visit, ArriveForm, name="arrive"))


async def arrive(visit: Visit) -> http.Response:
    form = Form(visit, ArriveForm, name="arrive")
    with form.saving():
        sent = visit.posted.get("file")
        if not isinstance(sent, http.FileField) or not sent.filename:
            raise Problem("file", "Choose a file.")
        await visit.ctx.import_account(visit.account_id, visit.actor, sent.file.read())
        return visit.go(visit.url("home"), message=visit.t("The settings are taken over from the file."))
    return _page(visit, Form(visit, LeaveForm, name="leave"), form)


PAGES = (
    Page("GET", "/portable", portable, "admin", name="portable"),
    Page("POST", "/portable/export", leave, "admin", name="portable.export"),
    Page("POST", "/portable/import", arrive, "admin", name="portable.import"),
)

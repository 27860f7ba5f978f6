# SPDX-License-Identifier: Apache-2.0
"""Main settings of the PBX that the core keeps (PBX-1…PBX-5); the root group's own page is the groups plugin's."""

from __future__ import annotations

from aiohttp import web as http

from engine.sdk import Page, SoundElement, people
from web.forms import Form
from web.picker import elements, timezones
from web.visit import Visit


async def pbx(visit: Visit) -> http.Response:
    account = visit.snapshot.account
    form = Form(visit, people.PbxWish, account)
    if visit.is_post:
        with form.saving():
            wish = form.read()
            async with visit.edit() as edit:
                await people.edit_pbx(edit, wish)
            return visit.go(visit.url("pbx"), message=visit.t("Saved."))
    return visit.render(
        "shell/pbx.html",
        status=form.status,
        form=form,
        account=account,
        sounds=elements(visit, SoundElement),
        zones=timezones(visit, account.timezone),
        root_url=visit.url_of(visit.snapshot.root.ref) if visit.snapshot.root else "",
    )


PAGES = (
    Page("GET", "/pbx", pbx, "admin", name="pbx"),
    Page("POST", "/pbx", pbx, "admin"),
)

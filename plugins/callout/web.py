# SPDX-License-Identifier: Apache-2.0
"""The page of CallOut's phrases (CO-3)."""

from __future__ import annotations

import msgspec

from engine.sdk import N_, Page, Ref, SoundElement
from plugins.callout import service
from plugins.callout.part import CallOutPhrases, phrases_of
from web.sdk import Form, Visit, elements, http


class PhrasesForm(msgspec.Struct, frozen=True, kw_only=True):
    enter_number: Ref | None = None
    bad_number: Ref | None = None
    enter_pin: Ref | None = None
    bad_pin: Ref | None = None


async def phrases(visit: Visit) -> http.Response:
    form = Form(visit, PhrasesForm, phrases_of(visit.snapshot))
    if visit.is_post:
        with form.saving():
            wish = CallOutPhrases(id=0, **msgspec.structs.asdict(form.read()))
            async with visit.edit() as edit:
                await service.save_phrases(edit, wish)
            return visit.go(visit.url(CallOutPhrases.kind), message=visit.t("Saved."))
    users = visit.snapshot.core.users
    flagged = [(u, c.address) for u in users for c in u.contacts if c.by_number]
    return visit.render(
        "callout/phrases.html", status=form.status, form=form, sounds=elements(visit, SoundElement), flagged=flagged,
        with_pin=[u for u in users if u.pin],
    )  # fmt: skip


PAGES = (
    Page("GET", "/callout", phrases, "admin", name=CallOutPhrases.kind, menu=N_("CallOut"), menu_section="settings", icon="out"),
    Page("POST", "/callout", phrases, "admin"),
)

# SPDX-License-Identifier: Apache-2.0
"""The page of the feature codes (PBX-6)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from engine.sdk import N_, Feature, Page
from plugins.codes import service
from plugins.codes.part import DEFAULTS, FeatureCodes, codes_of
from web.sdk import Form, Visit, http

FIELDS: Final[Sequence[tuple[Feature, str, str]]] = (
    ("blind", N_("New call without consultation"), N_("The other party goes to the internal number, or to one outside, at once.")),
    ("consult", N_("New call with consultation"), N_("The other party hears music meanwhile; whoever hangs up then connects the two.")),
    ("toggle", N_("Switch between the parties"), N_("During a consultation.")),
    ("cancel", N_("Cancel the transfer"), N_("Back to the first party, also while somebody is still being rung.")),
    ("fax", N_("To the reception of a fax"), N_("To the fax of your first group.")),
    ("voicemail", N_("To the recording of a voice message"), N_("To the voicemail of your first group.")),
    ("pickup", N_("Pick up a call in the group"), N_("Dialled from an idle phone: whoever has waited longest in one of your groups.")),
)


class CodesForm(msgspec.Struct, frozen=True, kw_only=True):
    blind: tuple[str, ...] = ()
    consult: tuple[str, ...] = ()
    toggle: tuple[str, ...] = ()
    cancel: tuple[str, ...] = ()
    fax: tuple[str, ...] = ()
    voicemail: tuple[str, ...] = ()
    pickup: tuple[str, ...] = ()


async def codes(visit: Visit) -> http.Response:
    form = Form(visit, CodesForm, codes_of(visit.snapshot))
    if visit.is_post:
        with form.saving():
            wish = FeatureCodes(id=0, **msgspec.structs.asdict(form.read()))
            async with visit.edit() as edit:
                await service.save_codes(edit, wish)
            return visit.go(visit.url(FeatureCodes.kind), message=visit.t("Saved."))
    fields = [(name, visit.t(title), visit.t(what)) for name, title, what in FIELDS]
    return visit.render("codes/codes.html", status=form.status, form=form, fields=fields, defaults=DEFAULTS.patterns)


PAGES = (
    Page("GET", "/codes", codes, "admin", name=FeatureCodes.kind, menu=N_("Feature codes"), menu_section="settings", icon="menu"),
    Page("POST", "/codes", codes, "admin"),
)

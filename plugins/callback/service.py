# SPDX-License-Identifier: Apache-2.0
"""Settings of CallBack (CB-1), inside an edit: nothing is saved when it raises."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from engine.sdk import N_, Edit, ElementStore, Finding, Invalid, NotFound, Problem, Snapshot, User, as_findings, references
from plugins.callback.models import SettingsRow
from plugins.callback.part import OWNERS, CallBackPart, CallBackSettings, owner_of, settings_of
from plugins.groups.api import Group

NOBODY_TO_RING = N_("“{title}” rings nobody (“No ringing”), so its CallBack must call the client first.")


def check(part: CallBackPart, whole: Snapshot) -> Iterable[Finding]:
    wanted = {owner_of(ref) for e in whole.elements() for ref in references(e) if ref.kind in OWNERS}
    for settings in part.settings:
        yield from as_findings(settings.ref, problems(settings))
        if settings.parent is not None and not isinstance(whole.element(settings.parent), User | Group):
            yield Finding("error", settings.ref, N_("CallBack is kept of users and groups only."))
    for element in whole.elements():
        if not isinstance(element, Group) or element.method != "NONE":
            continue
        settings = settings_of(whole, element.ref)
        if settings.first == "employee" and (settings.id or element.ref in wanted):
            yield Finding("error", element.ref, NOBODY_TO_RING, {"title": element.title})


store: ElementStore[CallBackPart] = ElementStore(CallBackPart, {"settings": SettingsRow}, check)


def problems(settings: CallBackSettings) -> list[Problem]:
    found = []
    if not 1 <= settings.attempts <= 20:
        found.append(Problem("attempts", N_("From 1 to 20.")))
    for field in ("pause_seconds", "delay_seconds"):
        if not 0 <= getattr(settings, field) <= 86_400:
            found.append(Problem(field, N_("From 0 to 86400 seconds.")))
    return found


async def save_settings(edit: Edit, wish: CallBackSettings) -> None:
    """Those of `wish.parent`; `wish.id` does not matter. Raises Invalid, NotFound."""
    if found := problems(wish):
        raise Invalid(found)
    owner = edit.before.element(wish.parent) if wish.parent is not None else None
    if not isinstance(owner, User | Group):
        raise NotFound
    if isinstance(owner, Group) and owner.method == "NONE" and wish.first == "employee":
        raise Problem("first", NOBODY_TO_RING, title=owner.title)
    known = settings_of(edit.before, owner.ref)
    if known.id:
        await store.save(edit.account_id, msgspec.structs.replace(wish, id=known.id), edit.tx)
    else:
        await store.insert(edit.account_id, wish, edit.tx)

# SPDX-License-Identifier: Apache-2.0
"""Pages of CallBack: settings beside users and groups (CB-1), one's own settings (ACC-4), the tasks with their attempts (STA-6)."""

from __future__ import annotations

from typing import Final

import msgspec
from tortoise.queryset import QuerySet

from engine.sdk import N_, Element, NotFound, Page, Ref, SoundElement, User, people
from plugins.callback import service, tasks
from plugins.callback.models import Attempt, Task
from plugins.callback.part import FIRST, CallBackSettings, First, settings_of
from plugins.groups.api import Group
from web.sdk import Form, Visit, elements, http, page_of

STATES: Final = {
    "waiting": N_("waits"),
    "calling": N_("is being called"),
    "done": N_("reached"),
    "failed": N_("not reached"),
    "cancelled": N_("cancelled"),
    "closed": N_("has called in himself"),
}
RESULTS: Final = {"": N_("is being called"), "reached": N_("reached"), "no_answer": N_("no answer"), "not_made": N_("was not made")}


class SettingsForm(msgspec.Struct, frozen=True, kw_only=True):
    first: First = "employee"
    attempts: int = 3
    pause_seconds: int = 300
    delay_seconds: int = 10
    phrase: Ref | None = None


async def settings(visit: Visit) -> http.Response:
    owner = visit.about()
    return await _edit(visit, owner, visit.url("callback.of", of=owner.ref), back=visit.url_of(owner.ref))


async def own(visit: Visit) -> http.Response:
    owner = visit.snapshot.users.get(visit.user.id)
    if owner is None:
        raise NotFound()
    return await _edit(visit, owner, visit.url("callback.own"), back="")


async def _edit(visit: Visit, owner: Element, here: str, *, back: str) -> http.Response:
    form = Form(visit, SettingsForm, settings_of(visit.snapshot, owner.ref))
    if visit.is_post:
        with form.saving():
            wish = CallBackSettings(id=0, parent=owner.ref, **msgspec.structs.asdict(form.read()))
            async with visit.edit() as edit:
                await service.save_settings(edit, wish)
            return visit.go(here, message=visit.t("Saved."))
    return visit.render(
        "callback/settings.html", status=form.status, form=form, owner=owner, back=back, sounds=elements(visit, SoundElement),
        types=[(value, visit.t(title)) for value, title in FIRST.items()],
    )  # fmt: skip


async def overview(visit: Visit) -> http.Response:
    rows = await page_of(visit, _visible(visit).prefetch_related("tries"), "requested_at")
    calls = {attempt.call_id for task in rows.items for attempt in task.tries}
    seen = people.visible_calls(visit.account_id, visit.user.id, visit.may("manager")).filter(call_id__in=sorted(calls))
    records = dict(await seen.values_list("call_id", "id")) if calls else {}
    targets = {(t.target_kind, t.target_id): visit.snapshot.element(Ref(t.target_kind, t.target_id)) for t in rows.items}
    return visit.render(
        "callback/tasks.html", rows=rows, targets=targets, records=records,
        types={value: visit.t(title) for value, title in FIRST.items()},
        states={value: visit.t(title) for value, title in STATES.items()},
        results={value: visit.t(title) for value, title in RESULTS.items()},
        in_order=_in_order,
    )  # fmt: skip


def _in_order(attempts: list[Attempt]) -> list[Attempt]:
    return sorted(attempts, key=lambda attempt: attempt.number)


async def cancel(visit: Visit) -> http.Response:
    await tasks.cancel(_visible(visit), visit.id())
    return visit.go(visit.url("callback.tasks"), message=visit.t("Nobody will be called any more for this task."))


def _visible(visit: Visit) -> QuerySet[Task]:
    return tasks.visible(visit.account_id, visit.user.id, visit.may("manager"))


BESIDE: Final = (User.kind, Group.kind)
PAGES = (
    Page("GET", "/callback/of/{of}", settings, "admin", name="callback.of", menu=N_("CallBack"), icon="calls", beside=BESIDE),
    Page("POST", "/callback/of/{of}", settings, "admin", beside=BESIDE),
    Page("GET", "/callback/own", own, "user", name="callback.own", menu=N_("My CallBack"), menu_section="extra", icon="calls"),
    Page("POST", "/callback/own", own, "user"),
    Page("GET", "/callback", overview, "user", name="callback.tasks", menu=N_("CallBack"), menu_section="statistics", icon="calls"),
    Page("POST", "/callback/{id}/cancel", cancel, "user", name="callback.cancel"),
)

# SPDX-License-Identifier: Apache-2.0
"""«Проверить до сохранения»: a form that is posted with `try` does everything a save does but save, and says what would become of calls."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from engine.sdk import N_, Edit, Refused, Replay, Snapshot, beside, last_calls, new_findings, prechecking, way_words

if TYPE_CHECKING:
    from web.visit import Visit

CALLS: Final = 200
"""So many of the last calls are tried; the visitor waits for them."""
SHOWN: Final = 5
"""Examples; the form is below them."""
TRY: Final = "try"
"""The name of the button."""


class Tried(Refused):
    """Ends a form's handler as a refusal does: nothing is saved, and the form shows what was typed."""

    def __init__(self) -> None:
        super().__init__(N_("This was only a check; nothing is saved."))


@dataclass(frozen=True, slots=True)
class Moved:
    """A call that goes elsewhere; `url`: its page."""

    call: int
    at: object
    caller: str | None
    dialled: str
    before: str
    now: str
    url: str


@dataclass(frozen=True, slots=True)
class Trial:
    """What a save would do. `changed` is False when the form says what is kept already."""

    changed: bool
    calls: int = 0
    elsewhere: int = 0
    moved: Sequence[Moved] = ()
    warnings: Sequence[tuple[str, str]] = ()
    """(text, page of the element)."""


@asynccontextmanager
async def trying(visit: Visit, door: AbstractAsyncContextManager[Edit]) -> AsyncIterator[Edit]:
    """An edit whose changes are checked as at a save and dropped; calls are tried once nobody waits for the database any more."""
    async with door as edit:
        yield edit
        before, after = edit.before, await edit.checked()
        edit.drop()
    visit.tried = await _trial(visit, before, after)
    raise Tried


async def _trial(visit: Visit, before: Snapshot, after: Snapshot) -> Trial:
    if (before.core, before.parts) == (after.core, after.parts):
        return Trial(changed=False)
    registry = visit.ctx.registry
    found = new_findings(before, after, registry.actions(), registry.parts())
    calls = await last_calls(visit.account_id, CALLS)
    replay = await beside(prechecking(before, after, registry.actions(), calls))
    warnings = [(visit.t(f.message, **f.params), visit.url_of(f.where) if f.where and before.element(f.where) else "") for f in found]
    return Trial(True, replay.calls, replay.elsewhere, moved(visit, before, after, replay)[:SHOWN], warnings)


def moved(visit: Visit, before: Snapshot, after: Snapshot, replay: Replay) -> list[Moved]:
    """The examples of a comparison, in words."""
    actions = visit.ctx.registry.actions()
    page = "stats.call" if "stats.call" in visit.host.pages else ""
    return [
        Moved(
            e.call.id, e.call.at, e.call.caller, e.call.dialled, way_words(visit.t, before, e.before, actions),
            way_words(visit.t, after, e.after, actions), visit.url(page, id=e.call.id) if page else "",
        )
        for e in replay.examples
    ]  # fmt: skip

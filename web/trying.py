# SPDX-License-Identifier: Apache-2.0
"""«Проверить до сохранения»: a form that is posted with `try` does everything a save does but save, and says what would become of calls."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from engine.sdk import (
    N_,
    Edit,
    Example,
    Refused,
    Snapshot,
    beside,
    last_calls,
    names_of,
    new_findings,
    prechecking,
    shut_out,
    way_words,
)
from web.warning import taken_over

if TYPE_CHECKING:
    from web.visit import Visit

SHOWN: Final = 5
"""Examples; the form is below them."""
TRY: Final = "try"
"""The name of the button."""


Trials = dict[object, tuple[int, int]]
"""Session → how many calls its trial has made, of how many: for whoever waits longer than a second (vats.js)."""


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
    visit.tried = await _trial(visit, before, after, taken_over(visit, edit, after))
    raise Tried


async def _trial(visit: Visit, before: Snapshot, after: Snapshot, others: Sequence[str]) -> Trial:
    if (before.core, before.parts) == (after.core, after.parts):
        return Trial(changed=False)
    registry = visit.ctx.registry
    found = list(shut_out(before, after, visit.ctx.phone_addresses(visit.account_id)))
    found += await beside(new_findings(before, after, registry.actions(), registry.parts()))
    calls = await last_calls(visit.account_id)
    with _telling(visit, len(calls)) as made:
        replay = await beside(prechecking(before, after, registry.actions(), calls, made))
    warnings = [(text, "") for text in others]
    warnings += [(visit.t(f.message, **f.params), visit.url_of(f.where) if f.where and before.element(f.where) else "") for f in found]
    return Trial(True, replay.calls, replay.elsewhere, moved(visit, before, after, replay.examples[:SHOWN]), warnings)


@contextmanager
def _telling(visit: Visit, count: int) -> Iterator[Callable[[int], None]]:
    trials, who = visit.host.trials, visit.session and visit.session.id

    def made(done: int) -> None:
        trials[who] = (done, count)

    made(0)
    try:
        yield made
    finally:
        trials.pop(who, None)


def moved(visit: Visit, before: Snapshot, after: Snapshot, examples: Sequence[Example]) -> list[Moved]:
    """The examples of a comparison, in words."""
    actions = visit.ctx.registry.actions()
    then, now = (names_of(visit.t, whole, actions) for whole in (before, after))
    page = "stats.call" if "stats.call" in visit.host.pages else ""
    return [
        Moved(
            e.call.id, e.call.at, e.call.caller, e.call.dialled, way_words(visit.t, before, e.before, then),
            way_words(visit.t, after, e.after, now), visit.url(page, id=e.call.id) if page else "",
        )
        for e in examples
    ]  # fmt: skip

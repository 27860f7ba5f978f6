# SPDX-License-Identifier: Apache-2.0
"""A form that would overwrite what somebody else has saved since it was opened: who, what, and what the form would make of it.

`Visit.edit` keeps the clash, the host shows the form's page again, with what was typed, and base.html shows the clash over it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Final

from engine.sdk import N_, Clash, Edit, Revised, Told, ToldLine, differences

if TYPE_CHECKING:
    from web.visit import Visit

MOST: Final = 50
"""So many of the revisions since are looked through for who it was."""
YOU: Final = N_("you, in another window")


@dataclass(frozen=True, slots=True)
class Clashed:
    """`by`: the revisions that brought it, newest first."""

    clash: Clash
    by: Sequence[Revised]


@asynccontextmanager
async def telling(visit: Visit, door: AbstractAsyncContextManager[Edit]) -> AsyncIterator[Edit]:
    """An edit whose Clash is kept for the page. Raises it all the same."""
    try:
        async with door as edit:
            yield edit
    except Clash as clash:
        visit.clashed = Clashed(clash, await _authors(visit, clash))
        raise


async def _authors(visit: Visit, clash: Clash) -> list[Revised]:
    since = clash.now.revision - clash.then.revision
    return [
        one
        for one in await visit.ctx.journal(visit.account_id, min(since, MOST), clash.now.revision + 1)
        if one.before is not None
        and clash.concerns(differences({"core": one.before.core, **one.before.parts}, {"core": one.after.core, **one.after.parts}))
    ]


@dataclass(frozen=True, slots=True)
class ClashLine:
    """`theirs`, `mine`: of one field; None when the thing as a whole came or went."""

    told: Told
    mine_told: Told
    theirs: ToldLine | None
    mine: ToldLine | None


def clash_lines(visit: Visit, clashed: Clashed) -> list[ClashLine]:
    """What both have changed, field by field; a thing that went has one line without a field."""
    clash, lines = clashed.clash, []
    for both in clash.both:
        theirs = visit.speaker(clash.then, clash.now).tell([both.theirs])
        mine = visit.speaker(clash.now, clash.mine).tell([both.mine])
        if not theirs or not mine:
            continue  # seen in another line: a number of the numbering plan in the element that has it
        named = {line.title: line for line in mine[0].lines}
        shared = [(line, named[line.title]) for line in theirs[0].lines if line.title in named]
        if theirs[0].what == "added":  # what both would have set for the first time
            shared = [(replace(line, before="", after=line.before, many=False), line) for line in mine[0].lines]
        whole = both.theirs.what == "removed" or both.mine.what != "changed" or not shared
        lines += [ClashLine(theirs[0], mine[0], None, None)] if whole else [ClashLine(theirs[0], mine[0], *pair) for pair in shared]
    return lines


def clash_authors(visit: Visit, clashed: Clashed) -> list[tuple[str, datetime]]:
    """(who, when last), newest first."""
    found: dict[str, datetime] = {}
    for one in clashed.by:
        mine = one.row.actor_user_id == visit.user.id and one.row.channel == "web"
        found.setdefault(visit.t(YOU) if mine else one.row.actor_name, one.row.at)
    return list(found.items())

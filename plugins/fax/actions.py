# SPDX-License-Identifier: Apache-2.0
"""A call at a fax machine: answer, receive, keep what came (VM-2, ACT-9, ACT-10)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import ClassVar, Final

from engine.sdk import (
    N_,
    Branch,
    Call,
    Choice,
    Done,
    Entry,
    Fax,
    Faxed,
    Missed,
    Nesting,
    Outcome,
    Place,
    Ref,
    Sentence,
    Served,
    Snapshot,
    Step,
    TimeUp,
    fall_back,
    people,
)
from plugins.fax.facts import FaxDropped, FaxReceived
from plugins.fax.part import GROUP_FAX, USER_FAX, machine_of
from plugins.groups.api import failed, places_of_groups, places_of_users

AFTER: Final = timedelta(seconds=1)
LONGEST: Final = timedelta(hours=1)
"""A fax may take no longer: a page takes half a minute, at the slowest two."""

SENTENCES: Final[Mapping[str, Sentence]] = {
    "fax_machine": Sentence(N_("Fax of {who}")),
    "fax_impossible": Sentence(N_("The embedded switch receives no faxes: FreeSWITCH is needed"), "bad"),
    "fax_received": Sentence(N_("A fax has come for {who}, pages: {pages}"), "accent"),
    "fax_incomplete": Sentence(N_("A fax for {who} broke off, pages kept: {pages}"), "bad"),
    "fax_empty": Sentence(N_("No page has come: no fax is kept"), "bad"),
}


class _ToFax:
    kind: ClassVar[str]
    places: ClassVar[frozenset[Place]] = frozenset({"rule", "key", "no_answer"})

    async def run(self, call: Call, entry: Entry, router: Nesting) -> Outcome:
        owner = call.snapshot.owner(entry.target)
        fax = call.fax if entry.by == "repeat" else None  # an engine before us may have begun it: it is received to its end
        if fax is None:
            title = people.mailbox_title(call.snapshot, owner)
            if not title:
                return Missed("gone")
            if not machine_of(call.snapshot, owner).active:
                call.note(Step("closed", {"title": title, "why": "inactive"}, owner))
                return Missed("inactive")
            call.note(Step("fax_machine", {"who": title}, owner))
            if not call.takes_faxes:
                call.note(Step("fax_impossible"))
                return _otherwise(call, owner, router)
            call.answer()
            fax = call.receive_fax(f"fax/{call.snapshot.account.id}/{call.now:%Y/%m}/{call.id}.tif")
        if fax.pages is None:
            fax = await _received(call, fax)
        if _kept(call, owner, fax):
            return Done()
        await _still_there(call)
        return _otherwise(call, owner, router)

    def left(self, call: Call, entry: Entry, router: Nesting) -> None:
        """What came while no engine ran is a fax like any other."""
        if call.fax is not None:
            _kept(call, call.snapshot.owner(entry.target), call.fax)


class ToUserFax(_ToFax):
    """«Факс пользователя»."""

    kind: ClassVar[str] = USER_FAX
    title: ClassVar[str] = N_("Fax of a user")

    def choices(self, snapshot: Snapshot) -> Iterable[Choice]:
        return places_of_users(snapshot, self.kind)


class ToGroupFax(_ToFax):
    """«Факс группы», that of the PBX itself among them (R25)."""

    kind: ClassVar[str] = GROUP_FAX
    title: ClassVar[str] = N_("Fax of a group")

    def choices(self, snapshot: Snapshot) -> Iterable[Choice]:
        return places_of_groups(snapshot, self.kind)


async def _received(call: Call, fax: Fax) -> Fax:
    until = fax.begun_at + LONGEST
    while True:
        match await call.next(until):
            case Faxed(over) if over.path == fax.path:
                return over
            case TimeUp():
                call.end_fax(fax)


async def _still_there(call: Call) -> None:
    """The end of a fax is heard of a moment before that of the call. Raises CallGone when the sender has hung up, as machines do."""
    until = call.now + AFTER
    while not isinstance(await call.next(until), TimeUp):
        pass


def _otherwise(call: Call, owner: Ref, router: Nesting) -> Outcome:
    """As if nobody had answered: the group's no-answer action, of a user that of his first group (R2, R8); not again when it led here."""
    snapshot = call.snapshot
    branch = snapshot.get(owner, Branch) or snapshot.first_group(owner.id) or snapshot.root
    if branch is None:
        return Missed("no_fax")
    failed(call, branch, "no_answer")
    passed = {entry.target for entry in router.trail}
    if branch.ref in passed or branch.fallback() in passed:
        return Missed("no_fax")
    return fall_back(branch, Missed("no_fax"))


def _kept(call: Call, owner: Ref, fax: Fax) -> bool:
    if not fax.pages:
        call.note(Step("fax_empty", {"why": fax.trouble}))
        call.fact(FaxDropped(account=call.snapshot.account.id, call=call.id, at=fax.begun_at, path=fax.path))
        return False
    who = people.mailbox_title(call.snapshot, owner) or str(owner)  # who has gone meanwhile
    told: dict[str, str | int] = {"who": who, "pages": fax.pages}
    call.note(Step("fax_received", told, owner) if fax.complete else Step("fax_incomplete", told, owner))
    account = call.snapshot.account.id
    call.fact(
        FaxReceived(
            account=account, call=call.id, at=fax.begun_at, owner=owner, caller_number=call.caller.number, caller_name=call.caller.name,
            dialled=call.caller.dialled, path=fax.path, pages=fax.pages, complete=fax.complete, sender=fax.sender, trouble=fax.trouble,
        )
    )  # fmt: skip
    call.fact(Served(account=account, call=call.id, at=call.now, how="fax"))
    return True

# SPDX-License-Identifier: Apache-2.0
"""A call in a group (GRP-3…GRP-9, R2, R3) and at a single user (R8). No switch, no clock, no database here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import ClassVar, Final

from engine.sdk import (
    N_,
    NO_ANSWER,
    TRANSFER_RINGS,
    USER_BUSY,
    Branch,
    Call,
    CallGone,
    Choice,
    Chosen,
    Entry,
    Forward,
    Member,
    Missed,
    Nesting,
    NoOne,
    Outcome,
    Place,
    Sentence,
    Snapshot,
    Step,
    Target,
    TimeUp,
    User,
    Won,
    called_alone,
    fall_back,
    plan,
    ring,
    said,
    shut,
    talk,
    tell_of_recording,
)
from plugins.groups.api import Why, failed, fit_members
from plugins.groups.part import Group

SENTENCES: Final[Mapping[str, Sentence]] = {
    "attempt": Sentence(N_("Attempt {number} of {of}")),
    "distribution_failed": Sentence(N_("Nobody in “{title}” took the call: {why}"), "bad"),
}


class ToGroup:
    """«Перевод на группу» (ACT-1), also the root group, extensions of groups and nested groups."""

    kind: ClassVar[str] = Group.kind
    title: ClassVar[str] = N_("Transfer to group")
    places: ClassVar[frozenset[Place]] = frozenset({"rule", "key", "no_answer", "extension"})

    def choices(self, snapshot: Snapshot) -> Iterable[Choice]:
        return [Choice(e.ref, e.title) for e in snapshot.elements() if isinstance(e, Group)]

    async def run(self, call: Call, entry: Entry, router: Nesting) -> Outcome:
        group = call.snapshot.get(entry.target, Group)
        if group is None:
            return Missed("gone")
        if (why := shut(call, group)) is not None:
            if entry.by == "nested":
                return Missed(why)  # stepped over (GRP-4)
            failed(call, group, why)
            return fall_back(group, Missed(why))
        greeting = None if entry.skips_greeting else call.snapshot.sound(group.greeting)
        if greeting is not None:
            call.answer()
            with _missed_if_left(call, group):
                await said(call, greeting)
        result = Missed("empty")
        attempts = 0 if group.method == "NONE" else max(1, group.attempts)
        for attempt in range(attempts):
            if attempt:
                with _missed_if_left(call, group):
                    await _between(call, group)
                call.note(Step("attempt", {"number": attempt + 1, "of": attempts}))
            outcome = await self._attempt(call, group, router, again=attempt > 0 or entry.again or entry.by == "repeat")
            if not isinstance(outcome, Missed):
                return outcome
            result = outcome
        failed(call, group, _why(result))
        return fall_back(group, result)

    def leads(self, snapshot: Snapshot, target: Target) -> Iterable[Target]:
        group = snapshot.get(target, Group)
        if group is None:
            return
        if group.method != "NONE":  # nobody is rung, nested groups and menus are not tried either
            yield from (child.ref for child in snapshot.branches(target))
        if group.no_answer is not None:
            yield group.no_answer

    def left(self, call: Call, entry: Entry, router: Nesting) -> None:
        group = call.snapshot.get(entry.target, Group)
        if group is not None:
            failed(call, group, "left")

    async def _attempt(self, call: Call, group: Group, router: Nesting, *, again: bool) -> Outcome:
        """One pass: nested groups and menus by priority, then the users (R3). `again`: without greetings."""
        for child in call.snapshot.branches(group.ref):
            outcome = await router.attempt(call, Entry(child.ref, "nested", again))
            if not isinstance(outcome, Missed):
                return outcome
        members = fit_members(call, group, group.members)
        order: list[Member] = list(call.shuffle(members)) if group.method == "RANDOM" else []
        waves = plan(group.method, members, order)
        if members and not again:
            with _missed_if_left(call, group):
                await tell_of_recording(call, router, _users(call.snapshot, group), group.ref)
        call.ringback(call.snapshot.sound(group.music))
        with _missed_if_left(call, group):
            rung = await ring(call, waves)
        return await _outcome(call, router, rung)


class ToUser:
    """«Перевод на пользователя» (ACT-2), and a user's extension (OUT-1)."""

    kind: ClassVar[str] = User.kind
    title: ClassVar[str] = N_("Transfer to user")
    places: ClassVar[frozenset[Place]] = frozenset({"rule", "key", "no_answer", "extension"})

    def choices(self, snapshot: Snapshot) -> Iterable[Choice]:
        return [Choice(u.ref, u.title) for u in snapshot.core.users]

    async def run(self, call: Call, entry: Entry, router: Nesting) -> Outcome:
        user = call.snapshot.get(entry.target, User)
        if user is None:
            return Missed("gone")
        group, resort = _group_of(call.snapshot, user, router), _resort(call.snapshot, user, router.trail)
        why = shut(call, user)
        if why is not None:
            result = Missed(why)
        else:
            with _missed_if_left(call, resort):
                contacts = called_alone(call, user, group=group)
                if contacts and not entry.again:
                    await tell_of_recording(call, router, [user])
                call.ringback(call.snapshot.sound(group.music) if group else None)
                phones = plan("BY_USER", [Member(1, contacts)])
                rung = await ring(call, phones, within=TRANSFER_RINGS if entry.by == "transfer" else None)
            outcome = await _outcome(call, router, rung)
            if not isinstance(outcome, Missed):
                return outcome
            result = outcome
        if entry.by == "transfer":
            return result  # R20: it goes back
        if not call.caller.external:  # R8: an employee hears busy or no answer
            instead = call.snapshot.stand_in(user.ref)
            return Forward(instead) if instead is not None else result
        if resort is None:
            return result
        failed(call, resort, why or _why(result))
        if resort.no_answer == user.ref:
            return result  # he is whom the group falls back on: not again and again
        return fall_back(resort, result)

    def leads(self, snapshot: Snapshot, target: Target) -> Iterable[Target]:
        own = snapshot.first_group(target.id) or snapshot.root
        fallback = own.fallback() if own is not None else None  # R8
        return () if fallback is None else (fallback,)

    def left(self, call: Call, entry: Entry, router: Nesting) -> None:
        user = call.snapshot.get(entry.target, User)
        group = _resort(call.snapshot, user, router.trail) if user is not None else None
        if group is not None:
            failed(call, group, "left")


def _group_of(snapshot: Snapshot, user: User, router: Nesting) -> Group | None:
    """In whose name a single user is rung (R14): the group the call came through, else the user's first group, else the root."""
    for entry in reversed(router.trail):
        passed = snapshot.get(entry.target, Group)
        if passed is not None:
            return passed
    return _own_group(snapshot, user)


def _resort(snapshot: Snapshot, user: User, trail: Sequence[Entry]) -> Group | None:
    """R8: whose no-answer action follows him: that of the group which led the call to him, reached directly of his first group.

    Directly is by a rule, a key or his extension, whatever the menu is in.
    """
    at = max((n for n, entry in enumerate(trail) if entry.target == user.ref), default=0)
    before = snapshot.element(trail[at - 1].target) if at else None
    if isinstance(before, Group):
        return before
    if isinstance(before, User) and trail[at].by == "action":
        return _resort(snapshot, before, trail[:at])
    return _own_group(snapshot, user)


def _own_group(snapshot: Snapshot, user: User) -> Group | None:
    own = snapshot.first_group(user.id) or snapshot.root
    return own if isinstance(own, Group) else None


def _users(snapshot: Snapshot, group: Group) -> list[User]:
    return [user for member in group.members if (user := snapshot.users.get(member.user)) is not None]


async def _outcome(call: Call, router: Nesting, rung: Won | Chosen | NoOne) -> Outcome:
    if isinstance(rung, Won):
        return await talk(call, router, rung)
    busy = isinstance(rung, NoOne) and rung.all_busy
    return Missed("no_answer", USER_BUSY if busy else NO_ANSWER)


async def _between(call: Call, group: Group) -> None:
    """The phrase, then the pause (GRP-6)."""
    phrase = call.snapshot.sound(group.phrase)
    if phrase is not None:
        call.answer()
        await said(call, phrase)
        call.ringback(call.snapshot.sound(group.music))
    until = call.now + timedelta(seconds=group.pause_seconds)
    while not isinstance(await call.next(until), TimeUp):
        pass


def _why(result: Missed) -> Why:
    if result.why == "empty":
        return "empty"
    return "busy" if result.cause == USER_BUSY else "no_answer"


@contextmanager
def _missed_if_left(call: Call, group: Branch | None) -> Iterator[None]:
    """A caller who leaves while he waits is missed by the group he waits in (R1)."""
    try:
        yield
    except CallGone:
        if group is not None:
            failed(call, group, "left")
        raise

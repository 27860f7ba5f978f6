# SPDX-License-Identifier: Apache-2.0
"""A call in a menu (IVR-2…IVR-5, R4, R22), with keys live while the menu's own users ring."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import ClassVar, Final

from engine.sdk import (
    N_,
    NOTHING,
    REPEAT,
    Call,
    Choice,
    Chosen,
    Entry,
    Forward,
    Key,
    KeyReader,
    Missed,
    Nesting,
    NoOne,
    Outcome,
    Place,
    Playback,
    Played,
    Sentence,
    Snapshot,
    Sound,
    Step,
    Target,
    TimeUp,
    Won,
    closed_because,
    listen,
    plan,
    ring,
    shut,
    talk,
)
from plugins.groups.api import fit_members
from plugins.ivr.part import Menu

TIMEOUT = "T"
ROUNDS_WITHOUT_TIMEOUT_ACTION = 3
"""R4: an unset T plays the file up to three times."""

SENTENCES: Final[Mapping[str, Sentence]] = {
    "key_chosen": Sentence(N_("Key {key} is chosen")),
    "extension_dialled": Sentence(N_("The caller dials extension {number}")),
    "menu_timeout": Sentence(N_("Nothing was dialled in time"), "bad"),
}


class ToMenu:
    """«IVR-меню» (ACT-7), and menus nested in groups."""

    kind: ClassVar[str] = Menu.kind
    title: ClassVar[str] = N_("IVR menu")
    places: ClassVar[frozenset[Place]] = frozenset({"rule", "key", "no_answer", "extension"})

    def choices(self, snapshot: Snapshot) -> Iterable[Choice]:
        return [Choice(e.ref, e.title) for e in snapshot.elements() if isinstance(e, Menu)]

    async def run(self, call: Call, entry: Entry, router: Nesting) -> Outcome:
        menu = call.snapshot.get(entry.target, Menu)
        if menu is None:
            return Missed("gone")
        if (why := shut(call, menu)) is not None:
            return Missed(why)
        return await _Visit(call, menu, router).serve(greet=not entry.skips_greeting)


class _Visit:
    """One stay of one call in one menu."""

    def __init__(self, call: Call, menu: Menu, router: Nesting) -> None:
        self.call, self.menu, self.router = call, menu, router
        self.targets: dict[str, Target] = {k.key: k.target for k in menu.keys}
        gap = timedelta(seconds=menu.digit_gap_seconds)
        idle = frozenset(key for key, target in self.targets.items() if target == NOTHING)
        dialable = call.snapshot.dialable
        barred = frozenset(call.snapshot.extensions.keys() - dialable)  # USR-2: such an extension is ignored as if nothing was dialled
        self.reader = KeyReader(frozenset(self.targets) - idle - {TIMEOUT}, dialable, gap, idle | barred)
        self.unheard = 0
        """Rounds of the file that nobody has answered by a key."""

    async def serve(self, *, greet: bool) -> Outcome:
        self.call.answer()
        greeting = self.call.snapshot.sound(self.menu.greeting) if greet else None
        while True:
            result = await self._round(greeting)
            greeting = None
            if result is not None:
                return result
            if not self.router.hop(self.call):
                return Missed("menu_timeout")  # a leg that hears nothing and says nothing does not stay for ever

    async def _round(self, greeting: Sound | None) -> Outcome | None:
        """Greeting and file with keys live, then the users or the timeout; None = once more from the file."""
        sounds = [s for s in (greeting, self.call.snapshot.sound(self.menu.file)) if s is not None]
        playback: Playback | None = self.call.play(*sounds) if sounds else None
        users = self._has_users()
        until = None if playback else self._patience(users)
        while True:
            match await listen(self.call, self.reader, until):
                case Chosen() as chosen:
                    if playback is not None:
                        self.call.stop(playback)
                    return self._decide(chosen)
                case Key(leg) if leg == self.call.party:  # IVR-2: any digit stops the file, also one that begins an extension
                    if playback is not None:
                        self.call.stop(playback)
                        playback = None
                    users = self._has_users()
                    until = self._patience(users)
                case Played(done, _) if done == playback:
                    users = self._has_users()
                    until = self._patience(users)
                case TimeUp():
                    return await self._ring_users() if users else self._timeout()

    def _has_users(self) -> bool:
        """IVR-5: somebody inside is active and in hours; whether his phones can ring is seen when they are rung."""
        users = (self.call.snapshot.users.get(m.user) for m in self.menu.members)
        return any(user is not None and not closed_because(self.call, user) for user in users)

    def _patience(self, users: bool) -> datetime:
        """How long the caller may think after the file. With users inside there is no timeout: they are rung when it is over."""
        return self.call.now + timedelta(seconds=0 if users else self.menu.timeout_seconds)

    async def _ring_users(self) -> Outcome | None:
        """IVR-5: by “Последовательный с первого”, keys and extensions stay live, the timeout action is ignored."""
        self.call.ringback(None)
        members = fit_members(self.call, self.menu, self.menu.members)
        match await ring(self.call, plan("SEQUENTIAL", members), self.reader):
            case Won() as won:
                return await talk(self.call, self.router, won)
            case Chosen() as chosen:
                return self._decide(chosen)
            case NoOne():
                return Missed("no_answer")

    def _timeout(self) -> Outcome | None:
        self.call.note(Step("menu_timeout"))
        target = self.targets.get(TIMEOUT)
        if target is None:  # R4
            self.unheard += 1
            return Missed("menu_timeout") if self.unheard >= ROUNDS_WITHOUT_TIMEOUT_ACTION else None
        if target == REPEAT:
            return None
        return Missed("menu_timeout") if target == NOTHING else Forward(target)

    def _decide(self, chosen: Chosen) -> Outcome | None:
        """Where the choice leads; None = the file again."""
        if chosen.extension:
            self.call.note(Step("extension_dialled", {"number": chosen.extension}))
            target = self.call.snapshot.extension(chosen.extension)
            return Forward(target, "extension") if target else None
        self.call.note(Step("key_chosen", {"key": chosen.key}))
        target = self.targets[chosen.key]
        return None if target == REPEAT else Forward(target)

# SPDX-License-Identifier: Apache-2.0
"""Keys and extensions typed into a call: a pure reader (R22) and the loop that feeds it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache

from engine.calls.call import Call, Event, Key, Step, TimeUp

ANY_OTHER = "D"
"""The menu's key for every input that matches nothing (IVR-3)."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """What the caller chose: a key of the menu (also "D"), or an extension."""

    key: str = ""
    extension: str = ""


@dataclass(slots=True)
class KeyReader:
    """Single keys and longer extensions live together: the longest match wins, `gap` between digits, # ends (R22)."""

    keys: Collection[str]
    extensions: Collection[str] = ()
    gap: timedelta = timedelta(seconds=2)
    ignored: Collection[str] = ()
    """Keys that are known and do nothing, so that D is not for them; and extensions, for which no key waits (USR-2)."""
    typed: str = ""
    deadline: datetime | None = None
    _prefixes: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        known = {*self.keys, *(key for key in self.ignored if len(key) == 1)}
        self._prefixes = _prefixes_of(frozenset(self.extensions)) | (_prefixes_of(frozenset(self.ignored)) - known)

    def press(self, digit: str, now: datetime) -> Chosen | None:
        """Take one digit; a choice, or None while more may follow (then `deadline` is set) or nothing matched."""
        if digit == "#" and self.typed:
            return self.decide()
        self.typed += digit
        if self.typed in self._prefixes:
            self.deadline = now + self.gap
            return None
        return self.decide()

    def decide(self) -> Chosen | None:
        """What was typed so far is all there will be."""
        typed, self.typed, self.deadline = self.typed, "", None
        if typed in self.extensions:
            return Chosen(extension=typed)
        if typed in self.keys:
            return Chosen(key=typed)
        return Chosen(key=ANY_OTHER) if ANY_OTHER in self.keys and typed not in self.ignored else None


@lru_cache(maxsize=256)
def _prefixes_of(extensions: frozenset[str]) -> frozenset[str]:
    """What may become an extension; remembered, since every menu of an account asks for the same ones."""
    return frozenset(e[:n] for e in extensions for n in range(1, len(e)))


async def listen(call: Call, keys: KeyReader | None, until: datetime | None = None) -> Chosen | Event:
    """The next decision or event; a digit that decides nothing yet comes as its Key.

    TimeUp at `until`, later only for one who types (R22).
    """
    while True:
        own = keys.deadline if keys else None
        event = await call.next(own or until, keys=keys is not None)
        if keys is not None and isinstance(event, Key) and event.leg == call.party:
            call.note(Step("key", {"digit": event.digit}))
            return keys.press(event.digit, call.now) or event
        if keys is not None and isinstance(event, TimeUp) and own is not None and call.now >= own:
            decided = keys.decide()
            if decided is not None:
                return decided
        else:
            return event

# SPDX-License-Identifier: Apache-2.0
"""Who has sent the served party on by a code and still listens: he may take it back until somebody else talks with it (R20)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from engine.calls.call import Ended, Event, Key, Leg
from engine.calls.codes import Code, CodeReader, Codes
from engine.errors import Recalled


class Recall:
    """Of one call; `Call.next` shows it every event. `serve` makes another leg the served one."""

    def __init__(self, codes: Callable[[], Codes], serve: Callable[[Leg], None]) -> None:
        self.leg: Leg | None = None
        self._codes, self._serve = codes, serve
        self.stays: Leg | None = None
        """Who is served when he hangs up; None when the party itself is being sent on."""
        self._reader = CodeReader({})

    def begin(self, leg: Leg | None, stays: Leg | None) -> None:
        self.leg, self.stays = leg, stays
        codes = self._codes()
        self._reader = CodeReader({feature: codes[feature] for feature in codes if feature in ("cancel", "toggle")})

    def end(self) -> Leg | None:
        """Somebody talks with the party: who has listened till now."""
        leg, self.leg = self.leg, None
        return leg

    def takes(self, event: Event, now: datetime) -> bool:
        """Whether the event was his alone. Raises Recalled."""
        match event:
            case Key(leg, digit) if leg == self.leg:
                self._reader.expire(now)
                if any(isinstance(heard, Code) for heard in self._reader.press(digit, now)):
                    raise Recalled
                return True
            case Ended(leg) if leg == self.leg:
                self.leg = None
                if self.stays is not None:
                    self._serve(self.stays)
                return True
            case Ended(leg) if self.leg is not None and leg == self.stays:
                raise Recalled(left=True)
            case _:
                return False

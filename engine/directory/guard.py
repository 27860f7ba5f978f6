# SPDX-License-Identifier: Apache-2.0
"""Stops password guessing over SIP: counts failures per address and says who is not to be answered for a while.

Fed and asked by the directory's answers.
"""

from __future__ import annotations

import time
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable

WRONG_PASSWORDS = 10
UNKNOWN_NAMES = 30
WINDOW_SECONDS = 60.0
BAR_SECONDS = 60.0
_REMEMBERED = 50_000


class Guard:
    """Ten wrong passwords in a minute bar one (address, SIP account), thirty unknown names bar one address.

    An account that has given its password from the address before is not hit by its neighbours' guessing of names.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures: OrderedDict[Hashable, deque[float]] = OrderedDict()
        self._barred: OrderedDict[Hashable, float] = OrderedDict()
        self._known: OrderedDict[tuple[str, int], None] = OrderedDict()

    def is_barred(self, address: str, sip_account_id: int | None) -> bool:
        """Whether a request from `address` for this SIP account (None: an unknown name) must be refused unseen."""
        if sip_account_id is not None and self._running((address, sip_account_id)):
            return True
        return self._running(address) and (sip_account_id is None or (address, sip_account_id) not in self._known)

    def wrong_password(self, address: str, sip_account_id: int) -> None:
        self._count((address, sip_account_id), WRONG_PASSWORDS)

    def unknown_name(self, address: str) -> None:
        self._count(address, UNKNOWN_NAMES)

    def proved(self, address: str, sip_account_id: int) -> None:
        """A right password: the pair is trusted from now on and its failures are forgotten."""
        pair = (address, sip_account_id)
        self._failures.pop(pair, None)
        self._known[pair] = None
        self._known.move_to_end(pair)
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)

    def _running(self, key: Hashable) -> bool:
        until = self._barred.get(key)
        if until is None:
            return False
        if until <= self._clock():
            del self._barred[key]
            return False
        return True

    def _count(self, key: Hashable, limit: int) -> None:
        if self._running(key):
            return
        now = self._clock()
        times = self._failures.setdefault(key, deque(maxlen=limit))
        self._failures.move_to_end(key)
        times.append(now)
        if len(times) == limit and now - times[0] <= WINDOW_SECONDS:
            del self._failures[key]
            self._barred[key] = now + BAR_SECONDS
        # addresses are the attacker's to choose: what is remembered about them must not grow without end
        for table in (self._failures, self._barred):
            while len(table) > _REMEMBERED:
                table.popitem(last=False)

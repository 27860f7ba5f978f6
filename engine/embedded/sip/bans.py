# SPDX-License-Identifier: Apache-2.0
"""Counts failed log-ins and says who is not listened to for a while; the agent's guard asks before looking at a password."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Hashable

from engine.embedded.sip.contract import BanRules


class _Counter:
    """Events per key within a sliding window; the keys longest unused are forgotten first."""

    def __init__(self, limit: int, rules: BanRules, now: Callable[[], float]) -> None:
        self._limit = limit
        self._rules = rules
        self._now = now
        self._seen: OrderedDict[Hashable, deque[float]] = OrderedDict()
        self._banned: OrderedDict[Hashable, float] = OrderedDict()

    def count(self, key: Hashable) -> bool:
        """One more; True when this one made the ban."""
        now = self._now()
        times = self._seen.setdefault(key, deque(maxlen=self._limit))
        self._seen.move_to_end(key)
        times.append(now)
        if len(times) == self._limit and now - times[0] <= self._rules.window:
            del self._seen[key]
            self._banned[key] = now + self._rules.refused_for
            self._banned.move_to_end(key)
            self._trim(self._banned)
            return True
        self._trim(self._seen)
        return False

    def _trim(self, entries: OrderedDict[Hashable, deque[float]] | OrderedDict[Hashable, float]) -> None:
        while len(entries) > self._rules.remembered:
            entries.popitem(last=False)

    def banned(self, key: Hashable) -> bool:
        until = self._banned.get(key)
        if until is None:
            return False
        if until > self._now():
            return True
        del self._banned[key]
        return False

    def forget(self, key: Hashable) -> None:
        self._seen.pop(key, None)


class Bans:
    """Wrong passwords count per (address, account), unknown names per address.

    An address banned for unknown names is still open to accounts that have logged in from it before.
    """

    def __init__(self, rules: BanRules, now: Callable[[], float]) -> None:
        self._rules = rules
        self._wrong = _Counter(rules.wrong_passwords, rules, now)
        self._unknown = _Counter(rules.unknown_names, rules, now)
        self._trusted: OrderedDict[tuple[str, str], None] = OrderedDict()

    def refuses(self, address: str, account: str) -> bool:
        """Whether this account (user@realm) from this address is refused without a look at its password."""
        if self._wrong.banned((address, account)):
            return True
        return self._unknown.banned(address) and (address, account) not in self._trusted

    def wrong_password(self, address: str, account: str) -> bool:
        """True when a ban begins with this one."""
        return self._wrong.count((address, account))

    def unknown_name(self, address: str) -> bool:
        """True when a ban begins with this one."""
        return self._unknown.count(address)

    def succeeded(self, address: str, account: str) -> None:
        """A good password clears the account's failures from there and makes the pair trusted."""
        key = (address, account)
        self._wrong.forget(key)
        self.trust(address, account)

    def trust(self, address: str, account: str) -> None:
        """Also called for the bindings read from disk at start."""
        key = (address, account)
        self._trusted[key] = None
        self._trusted.move_to_end(key)
        while len(self._trusted) > self._rules.remembered:
            self._trusted.popitem(last=False)

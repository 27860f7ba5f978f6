# SPDX-License-Identifier: Apache-2.0
"""Legs whose talk the engine has ended: what is ordered for them waits until they have parked, and orders keep their order."""

from __future__ import annotations

from collections.abc import Callable, Collection


class Parting:
    """Of one call. `parted` is called when the last one has parked or is over; `is_alive` says whether a leg is still there."""

    def __init__(self, is_alive: Callable[[str], bool], parted: Callable[[], None]) -> None:
        self._is_alive, self._parted = is_alive, parted
        self._legs: set[str] = set()
        self._waiting: list[tuple[frozenset[str], Callable[[], object]]] = []

    def begin(self, uuids: Collection[str]) -> None:
        self._legs.update(uuids)
        if not self._legs:
            self._parted()

    def when_parked(self, uuids: Collection[str], order: Callable[[], object]) -> None:
        """Give an order now, or as soon as these legs have parked."""
        legs = frozenset(uuids)
        if legs & self._legs or any(legs & others for others, _ in self._waiting):
            self._waiting.append((legs, order))
        else:
            order()

    def is_free(self, uuid: str) -> None:
        """The leg has parked, or is over."""
        if uuid not in self._legs:
            return
        self._legs.discard(uuid)
        waiting, self._waiting = self._waiting, []
        for legs, order in waiting:
            if all(map(self._is_alive, legs)):
                self.when_parked(legs, order)
        if not self._legs:
            self._parted()

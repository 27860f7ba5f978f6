# SPDX-License-Identifier: Apache-2.0
"""Feature codes in the digits of one leg (PBX-6, R21): a pure reader that withholds what may become a code and gives back what did not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, TypeAlias

from engine.snapshot import Feature

Codes: TypeAlias = Mapping[Feature, tuple[str, ...]]
"""Patterns by what they do. 0–9, * and # are themselves, “d” is exactly one digit."""

NUMBERED: Final[frozenset[Feature]] = frozenset({"blind", "consult"})
"""These are told whom to call: by the digits at the “d”s, or, where a pattern has none, by digits after it, ended by # or a pause."""
DIALLED: Final[frozenset[Feature]] = frozenset({"pickup"})
"""Dialled from an idle phone; the others are typed into a talk."""
SIGNS: Final = "0123456789*#"
WITHHELD: Final = timedelta(seconds=2)
"""How long a digit that may begin a code waits for the next one."""
NUMBER_GAP: Final = timedelta(seconds=3)
"""The pause that ends a number typed after a code."""


@dataclass(frozen=True, slots=True)
class Code:
    """A code was typed. `number`: the digits that say whom to call; may be empty when nothing was typed."""

    feature: Feature
    number: str = ""


@dataclass(frozen=True, slots=True)
class Passed:
    """These digits are no code: they are for the other party."""

    digits: str


Heard: TypeAlias = Code | Passed


def fits(sign: str, digit: str) -> bool:
    """Whether a typed digit is what one sign of a pattern stands for."""
    return sign == digit or (sign == "d" and digit.isdigit())


def collide(one: str, other: str) -> bool:
    """Whether something can be typed that begins with both patterns: then one of them could never be told from the other."""
    return all(fits(a, b) or fits(b, a) for a, b in zip(one, other, strict=False))


def is_code(codes: Codes, feature: Feature, dialled: str) -> bool:
    """Whether a whole number that was dialled is this code."""
    return any(len(p) == len(dialled) and all(map(fits, p, dialled)) for p in codes.get(feature, ()))


@dataclass(slots=True)
class CodeReader:
    """Of one leg in one talk. What `press` and `expire` return is in the order in which it was typed, and nothing is lost."""

    codes: Codes
    typed: str = ""
    """Withheld: it may become a code."""
    deadline: datetime | None = None
    """When `expire` must be called."""
    _numbering: Feature | None = None
    """A code whose number is being typed, into `_number`."""
    _number: str = ""

    def press(self, digit: str, now: datetime) -> list[Heard]:
        if self._numbering is not None:
            return self._number_digit(digit, now)
        self.typed += digit
        found = self._whole()
        if found is not None:
            feature, number = found
            self.typed, self.deadline = "", None
            if number is None:
                self._numbering, self._number, self.deadline = feature, "", now + NUMBER_GAP
                return []
            return [Code(feature, number)]
        if self._may_become():
            self.deadline = now + WITHHELD
            return []
        first, rest = self.typed[0], self.typed[1:]
        self.typed, self.deadline = "", None
        heard: list[Heard] = [Passed(first)]
        for later in rest:  # it may begin inside what was withheld
            heard += self.press(later, now)
        return _merged(heard)

    def expire(self, now: datetime) -> list[Heard]:
        """The pause that was waited for is there; nothing when it is not."""
        if self.deadline is None or now < self.deadline:
            return []
        self.deadline = None
        if self._numbering is not None:
            return [self._numbered()]
        typed, self.typed = self.typed, ""
        return [Passed(typed)] if typed else []

    def _number_digit(self, digit: str, now: datetime) -> list[Heard]:
        if digit == "#":
            return [self._numbered()]
        if not digit.isdigit():  # “*”: he has mistyped and begins anew
            self._numbering, self._number, self.deadline = None, "", None
            return self.press(digit, now)
        self._number += digit
        self.deadline = now + NUMBER_GAP
        return []

    def _numbered(self) -> Code:
        assert self._numbering is not None
        code = Code(self._numbering, self._number)
        self._numbering, self._number, self.deadline = None, "", None
        return code

    def _whole(self) -> tuple[Feature, str | None] | None:
        """The code that was typed, with its number; None for the number when it is still to be typed."""
        for feature, pattern in self._patterns():
            if len(pattern) == len(self.typed) and all(map(fits, pattern, self.typed)):
                if feature not in NUMBERED:
                    return feature, ""
                digits = "".join(digit for sign, digit in zip(pattern, self.typed, strict=True) if sign == "d")
                return feature, digits or None
        return None

    def _may_become(self) -> bool:
        return any(len(p) > len(self.typed) and all(map(fits, p, self.typed)) for _, p in self._patterns())

    def _patterns(self) -> Iterator[tuple[Feature, str]]:
        return ((feature, p) for feature, patterns in self.codes.items() if feature not in DIALLED for p in patterns)


def _merged(heard: list[Heard]) -> list[Heard]:
    merged: list[Heard] = []
    for one in heard:
        if isinstance(one, Passed) and merged and isinstance(merged[-1], Passed):
            merged[-1] = Passed(merged[-1].digits + one.digits)
        else:
            merged.append(one)
    return merged

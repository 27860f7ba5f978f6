# SPDX-License-Identifier: Apache-2.0
"""Saving the feature codes, inside an edit: nothing is saved when it raises. What can't be told apart is refused (R21)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from engine.sdk import (
    CODE_SIGNS,
    EMERGENCY,
    N_,
    NUMBERED_CODES,
    Edit,
    ElementStore,
    Feature,
    Finding,
    Invalid,
    Problem,
    Snapshot,
    collide,
)
from plugins.codes.models import CodesRow
from plugins.codes.part import FeatureCodes, FeatureCodesPart, codes_of

MOST_SIGNS: Final = 12
MOST_PATTERNS: Final = 8
COLLIDES: Final = N_("The codes {code} and {other} can't be told apart: one begins like the other.")
COLLIDES_WITH_EXTENSION: Final = N_("The code {code} and the internal number {number} can't be told apart: one begins like the other.")
COLLIDES_WITH_EMERGENCY: Final = N_("The code {code} would take calls to the emergency number {number}.")


def check(part: FeatureCodesPart, whole: Snapshot) -> Iterable[Finding]:
    """Also extensions that came later: they are refused, or the codes must change."""
    if len(part.codes) > 1:
        yield Finding("error", part.codes[1].ref, N_("A PBX has one set of feature codes only."))
    codes = codes_of(whole)
    for problem in problems(codes, whole):
        params = {name: str(value) for name, value in problem.params.items()}
        yield Finding("error", codes.ref if codes.id else None, problem.message, params)


store: ElementStore[FeatureCodesPart] = ElementStore(FeatureCodesPart, {"codes": CodesRow}, check)


def problems(codes: FeatureCodes, whole: Snapshot) -> Iterator[Problem]:
    """Everything that is wrong with them, by field."""
    known: list[str] = []
    for feature, patterns in codes.patterns.items():
        if len(patterns) > MOST_PATTERNS:
            yield Problem(feature, N_("At most {count} codes."), count=MOST_PATTERNS)
        for pattern in patterns:
            yield from _badly_written(feature, pattern)
            yield from (Problem(feature, COLLIDES, code=pattern, other=other) for other in known if collide(pattern, other))
            known.append(pattern)
    yield from _taken(codes.pickup, whole)


def _badly_written(feature: Feature, pattern: str) -> Iterator[Problem]:
    if not pattern or not set(pattern) <= {*CODE_SIGNS, "d"}:
        yield Problem(feature, N_("A code consists of 0–9, *, # and d (one digit): “{code}” does not."), code=pattern)
    elif "d" in pattern and feature not in NUMBERED_CODES:
        yield Problem(feature, N_("This code is followed by no number, so there can't be a d in it: {code}."), code=pattern)
    elif feature != "pickup" and not set(pattern) & {"*", "#"}:  # that one is dialled, not typed in a talk
        yield Problem(feature, N_("A code without * or # would be taken for keys pressed in other people’s menus: {code}."), code=pattern)
    elif len(pattern) > MOST_SIGNS:
        yield Problem(feature, N_("A code has at most {count} signs: {code}."), count=MOST_SIGNS, code=pattern)


def _taken(dialled: Iterable[str], whole: Snapshot) -> Iterator[Problem]:
    """What is dialled from an idle phone must be no one's number."""
    for code in dialled:
        yield from (Problem("pickup", COLLIDES_WITH_EXTENSION, code=code, number=n) for n in sorted(whole.extensions) if collide(code, n))
        yield from (Problem("pickup", COLLIDES_WITH_EMERGENCY, code=code, number=n) for n in EMERGENCY if collide(code, n))


async def save_codes(edit: Edit, wish: FeatureCodes) -> None:
    """`wish.id` does not matter: there is one set, made when it is first saved. Raises Invalid."""
    if found := list(problems(wish, edit.before)):
        raise Invalid(found)
    known = codes_of(edit.before)
    if known.id:
        await store.save(edit.account_id, msgspec.structs.replace(wish, id=known.id), edit.tx)
    else:
        await store.insert(edit.account_id, wish, edit.tx)

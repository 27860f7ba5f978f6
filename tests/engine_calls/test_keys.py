# SPDX-License-Identifier: Apache-2.0
"""Keys and extensions typed while something else has a time limit too (R22)."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from engine.calls.call import Event, Key, TimeUp
from engine.calls.keys import Chosen, KeyReader, listen
from engine.plugin.testing import AT, OUTSIDER, office
from engine.rehearsal import Script
from engine.rehearsal.rehearsed import RehearsedCall


def typing(*keys: tuple[float, str]) -> RehearsedCall:
    call = RehearsedCall(office((), {}), OUTSIDER, Script(keys=keys), AT)
    call.answer()
    return call


async def decision(call: RehearsedCall, reader: KeyReader, until: datetime) -> Chosen | Event:
    """What comes of the digits; single ones that decide nothing are passed over."""
    while isinstance(event := await listen(call, reader, until), Key):
        pass
    return event


@pytest.mark.feature("R22", "IVR-4")
async def test_whoever_types_is_not_interrupted_by_the_menus_timeout() -> None:
    call = typing((4, "2"), (5.5, "0"), (7, "1"))
    reader = KeyReader("2", ("201",))
    assert await decision(call, reader, AT + timedelta(seconds=5)) == Chosen(extension="201")


@pytest.mark.feature("R22")
async def test_the_time_between_digits_ends_what_is_typed_also_after_the_timeout() -> None:
    call = typing((4, "2"))
    assert await decision(call, KeyReader("2", ("201",)), AT + timedelta(seconds=5)) == Chosen(key="2")
    assert call.now == AT + timedelta(seconds=6)


@pytest.mark.feature("R22", "R4")
async def test_digits_that_come_to_nothing_leave_the_timeout_as_it_was() -> None:
    call = typing((4, "3"))
    assert await decision(call, KeyReader("2", ("301",)), AT + timedelta(seconds=5)) == TimeUp()
    assert call.now == AT + timedelta(seconds=6)
    call = typing((1, "3"))
    assert await decision(call, KeyReader("2", ("301",)), AT + timedelta(seconds=5)) == TimeUp()
    assert call.now == AT + timedelta(seconds=5)

# SPDX-License-Identifier: Apache-2.0
"""The demonstration's past: calls of working hours, and missed ones that tell whose phones rang."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from functools import partial
from zoneinfo import ZoneInfo

import pytest

from engine.i18n import translate
from engine.plugin.testing import sip_user
from engine.telling import timeline
from plugins.stats.demo import CALLS, CLOSES, OPENS, _incoming, moments

MOSCOW = ZoneInfo("Europe/Moscow")


@pytest.mark.parametrize("now", [datetime(2026, 1, 12, hour, tzinfo=UTC) for hour in (0, 7, 12, 22)])
def test_calls_of_the_past_are_of_working_hours(now: datetime) -> None:
    found = moments(now, MOSCOW, random.Random(7))
    assert len(found) == CALLS
    assert found == sorted(found)
    for at in found:
        assert at.weekday() < 5
        assert OPENS <= at.hour < CLOSES
        assert now - timedelta(days=14) < at < now


@pytest.mark.parametrize(
    ("why", "last"),
    [("left", "Ringing of 202 is stopped: the caller hung up"), ("no_answer", "202 did not take the call: no answer")],
)
def test_a_missed_call_tells_whose_phones_rang(why: str, last: str) -> None:
    trace = _incoming(15, 0, (sip_user(201), sip_user(202)), None, why, None, None)
    told = [line.text for line in timeline(partial(translate, "en"), trace)]
    for who in ("201", "202"):
        assert f"Rings {who}, up to 20 s" in told
        assert f"The phone rings: {who}" in told
    assert last in told

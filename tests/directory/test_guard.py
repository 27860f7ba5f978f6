# SPDX-License-Identifier: Apache-2.0
"""Counting of failures: who is barred, for how long, and who is not hit."""

from __future__ import annotations

import pytest

from engine.directory import Guard
from engine.directory import guard as module


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def guard(clock: Clock) -> Guard:
    return Guard(clock)


def test_the_tenth_wrong_password_bars_this_account_from_this_address(guard: Guard, clock: Clock) -> None:
    for _ in range(9):
        guard.wrong_password("a", 1)
    assert not guard.is_barred("a", 1)
    guard.wrong_password("a", 1)
    assert guard.is_barred("a", 1)
    assert not guard.is_barred("a", 2)
    assert not guard.is_barred("b", 1)
    clock.now += 59.9
    guard.wrong_password("a", 1)  # does not lengthen it
    assert guard.is_barred("a", 1)
    clock.now += 0.2
    assert not guard.is_barred("a", 1)


def test_ten_in_more_than_a_minute_are_let_pass(guard: Guard, clock: Clock) -> None:
    for _ in range(30):
        guard.wrong_password("a", 1)
        clock.now += 7
    assert not guard.is_barred("a", 1)


def test_a_right_password_forgets_the_wrong_ones(guard: Guard) -> None:
    for _ in range(9):
        guard.wrong_password("a", 1)
    guard.proved("a", 1)
    guard.wrong_password("a", 1)
    assert not guard.is_barred("a", 1)


def test_thirty_unknown_names_bar_the_address_but_not_who_lives_there(guard: Guard, clock: Clock) -> None:
    guard.proved("a", 1)
    for _ in range(30):
        assert not guard.is_barred("a", 2)
        guard.unknown_name("a")
    assert guard.is_barred("a", None)
    assert guard.is_barred("a", 2)
    assert not guard.is_barred("a", 1)
    clock.now += 61
    assert not guard.is_barred("a", None)


def test_what_attackers_choose_does_not_fill_the_memory(guard: Guard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_REMEMBERED", 100)
    for i in range(1000):
        guard.unknown_name(f"a{i}")
        guard.proved(f"a{i}", 1)
        for _ in range(10):
            guard.wrong_password(f"a{i}", 2)
    assert max(len(guard._failures), len(guard._barred), len(guard._known)) <= 100

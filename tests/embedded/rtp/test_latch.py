# SPDX-License-Identifier: Apache-2.0
"""Symmetric RTP: whose packets are taken, and where ours go."""

import socket

import pytest

from engine.embedded.rtp.latch import Latch, usable

SIGNALLED, NATTED, STRANGER, MOVED = ("10.0.0.5", 4000), ("198.51.100.7", 61000), ("203.0.113.9", 5), ("10.0.0.6", 4002)


def offer(
    latch: Latch, address: tuple[str, int], *, silent: int = 160, same_ssrc: bool = False, sequence: int = 11, clock: int = 0
) -> bool:
    if address == latch.source:
        return True
    return latch.accept(
        address, silent=silent, same_ssrc=same_ssrc, sequence=sequence, last_sequence=10, clock=clock
    )  # fmt: skip


@pytest.fixture
def latch() -> Latch:
    latch = Latch(socket.AF_INET)
    latch.signal(SIGNALLED, 0)
    return latch


def test_sends_to_the_signalled_address_until_rtp_comes(latch: Latch) -> None:
    assert latch.destination == SIGNALLED
    assert offer(latch, NATTED)
    assert latch.destination == NATTED


def test_a_stranger_is_refused_once_locked(latch: Latch) -> None:
    assert offer(latch, NATTED)
    assert not offer(latch, STRANGER)
    assert not offer(latch, STRANGER, silent=15_999)
    assert latch.destination == NATTED


def test_a_stranger_with_the_right_ssrc_is_refused_while_the_phone_talks(latch: Latch) -> None:
    assert offer(latch, NATTED)
    assert not offer(latch, STRANGER, same_ssrc=True, silent=320)


def test_the_signalled_address_wins_against_a_stranger_who_was_first(latch: Latch) -> None:
    assert offer(latch, STRANGER)
    assert offer(latch, SIGNALLED)
    assert latch.destination == SIGNALLED
    assert not offer(latch, STRANGER)


def test_a_nat_that_changes_the_port_is_followed_at_once(latch: Latch) -> None:
    assert offer(latch, NATTED)
    assert offer(latch, ("198.51.100.7", 61001), same_ssrc=True, silent=800)
    assert latch.destination == ("198.51.100.7", 61001)
    assert latch.changes == 1


def test_the_same_ssrc_with_another_sequence_is_no_nat(latch: Latch) -> None:
    assert offer(latch, NATTED)
    assert not offer(latch, STRANGER, same_ssrc=True, silent=1600, sequence=40_000)
    assert not offer(latch, STRANGER, same_ssrc=True, silent=1600, sequence=9)


def test_after_two_seconds_of_silence_anybody_may_come(latch: Latch) -> None:
    assert offer(latch, NATTED)
    assert offer(latch, MOVED, silent=16_000)
    assert latch.destination == MOVED


def test_a_new_address_in_the_sdp_is_learnt_anew_without_the_old_one(latch: Latch) -> None:
    assert offer(latch, NATTED)
    latch.signal(MOVED, 8000)
    assert latch.destination == MOVED
    assert not offer(latch, NATTED, clock=8160), "a last packet of the old source"
    assert latch.destination == MOVED
    assert offer(latch, NATTED, clock=16_000), "but it does go on from there"


def test_the_same_address_again_keeps_what_was_learnt(latch: Latch) -> None:
    assert offer(latch, NATTED)
    latch.signal(SIGNALLED, 8000)
    assert latch.destination == NATTED
    assert offer(latch, NATTED)


def test_rtp_that_overtakes_the_first_sdp_is_not_lost() -> None:
    latch = Latch(socket.AF_INET)
    assert offer(latch, NATTED)
    latch.signal(SIGNALLED, 8000)
    assert latch.destination == NATTED
    assert latch.source == NATTED


@pytest.mark.parametrize(
    "address", [("phone.example", 4000), ("0.0.0.0", 4000), ("10.0.0.5", 0), ("10.0.0.5", 70_000), ("::1", 4000), ("", 1)]
)
def test_what_cannot_be_sent_to(address: tuple[str, int]) -> None:
    assert usable(address, socket.AF_INET) is None


def test_ipv6() -> None:
    assert usable(("::1", 4000), socket.AF_INET6) == ("::1", 4000)

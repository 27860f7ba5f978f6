# SPDX-License-Identifier: Apache-2.0
"""The built-in phone: two of them call each other without a switch between."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from engine.cli.phone import Line, Phone, PhoneError
from engine.cli.phone_call import PhoneCall, Say
from engine.cli.tone import longest_tone_seconds

HOST = "127.0.81.1"


@asynccontextmanager
async def phones(tmp_path: Path, **answering: float) -> AsyncIterator[tuple[Phone, Phone, list[tuple[str, str, str]]]]:
    """The caller, the answerer and what both said."""
    said: list[tuple[str, str, str]] = []

    def say_of(name: str) -> Say:
        return lambda what, more: said.append((name, what, more))

    async with AsyncExitStack() as stack:
        anna = Phone(
            Line(HOST, "anna", "", "example.test"), wav=tmp_path / "anna.wav", tone_hz=1100, say=say_of("anna"), host=HOST, **answering
        )
        await anna.open()
        stack.push_async_callback(anna.close)
        boris = Phone(
            Line(f"{HOST}:{anna.port}", "boris", "", "example.test"), wav=tmp_path / "boris.wav", tone_hz=700, say=say_of("boris"), host=HOST
        )
        await boris.open()
        stack.push_async_callback(boris.close)
        yield boris, anna, said


async def test_two_phones_hear_each_other(tmp_path: Path) -> None:
    async with asyncio.timeout(20), phones(tmp_path, answer_after_seconds=0.1) as (boris, anna, said):
        call = boris.dial("anna")
        await call.is_answered.wait()
        assert anna.call is not None
        call.press("5#")
        await wait_until(lambda: anna.call is not None and anna.call.keys_heard == "5#")
        # 20 ms a packet; the first ones may come before the tone
        await wait_until(lambda: received(call) > 80 and anna.call is not None and received(anna.call) > 80)
        call.hang_up()
        await anna.call.is_ended.wait()
        await anna.call.recorded.wait()
        await call.recorded.wait()
        assert call.end is not None
        assert not call.end.by_remote
        assert anna.call.end is not None
        assert anna.call.end.by_remote
    assert longest_tone_seconds(tmp_path / "boris.wav", 1100) >= 1.0
    assert longest_tone_seconds(tmp_path / "anna.wav", 700) >= 1.0
    assert longest_tone_seconds(tmp_path / "anna.wav", 1100) == 0
    assert ("boris", "ringing", "") in said
    assert said.index(("boris", "ringing", "")) < said.index(("boris", "answered", ""))


async def wait_until(holds: Callable[[], bool]) -> None:
    """For what has no event of its own: a short poll inside the test's time limit."""
    while not holds():
        await asyncio.sleep(0.02)


def received(call: PhoneCall) -> int:
    return call.audio.stream.stats.received if call.audio.stream is not None else 0


async def test_a_caller_who_gives_up_leaves_no_file(tmp_path: Path) -> None:
    async with asyncio.timeout(20), phones(tmp_path, answer_after_seconds=30) as (boris, anna, _):
        call = boris.dial("anna")
        await anna.has_call.wait()
        call.hang_up()
        await call.is_ended.wait()
        await call.recorded.wait()
        assert anna.call is not None
        await anna.call.is_ended.wait()
        assert call.end is not None
        assert call.end.code == 487
    assert not (tmp_path / "boris.wav").exists()


async def test_a_second_call_hears_busy(tmp_path: Path) -> None:
    async with asyncio.timeout(20), phones(tmp_path, answer_after_seconds=0.05) as (boris, anna, _):
        first = boris.dial("anna")
        await first.is_answered.wait()
        second = boris.dial("anna")
        await second.is_ended.wait()
        assert second.end is not None
        assert second.end.code == 486
        assert anna.call is not None
        assert not anna.call.is_ended.is_set()
        first.hang_up()
        await anna.call.is_ended.wait()


async def test_strangers_do_not_reach_the_phone(tmp_path: Path) -> None:
    async with asyncio.timeout(20), phones(tmp_path) as (_, anna, _said), AsyncExitStack() as stack:
        stranger = Phone(
            Line(f"{HOST}:{anna.port}", "eve", "", "example.test"),
            wav=tmp_path / "eve.wav",
            tone_hz=0,
            say=lambda *_: None,
            host="127.0.81.2",
        )
        await stranger.open()
        stack.push_async_callback(stranger.close)
        call = stranger.dial("anna")
        await call.is_ended.wait()
        assert call.end is not None
        assert call.end.code == 403
        assert anna.call is None


async def test_a_server_without_a_name_is_said(tmp_path: Path) -> None:
    with pytest.raises(PhoneError, match=r"nowhere\.invalid"):
        Phone(Line("nowhere.invalid", "a", "", "b"), wav=tmp_path / "a.wav", tone_hz=0, say=lambda *_: None)


async def test_an_unanswered_registration_is_said(tmp_path: Path) -> None:
    async with asyncio.timeout(20), phones(tmp_path) as (boris, _, _said):
        with pytest.raises(PhoneError, match="does not register boris@example.test"):
            await boris.register(within_seconds=3)

# SPDX-License-Identifier: Apache-2.0
"""The built-in phone: two of them call each other without a switch between."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from engine.cli.phone import Line, Phone, PhoneError
from engine.cli.phone_call import Say
from engine.cli.tone import longest_tone_seconds

HOST = "127.0.81.1"


class Diary:
    """What the phones said, in order; tests wait for entries."""

    def __init__(self) -> None:
        self.entries: list[tuple[str, str, str]] = []
        self._changed = asyncio.Event()

    def of(self, name: str) -> Say:
        def say(what: str, more: str) -> None:
            self.entries.append((name, what, more))
            self._changed.set()

        return say

    async def has(self, *entry: str) -> None:
        while entry not in self.entries:
            self._changed.clear()
            await self._changed.wait()


@asynccontextmanager
async def phones(tmp_path: Path, answer_after_seconds: float = 0.1) -> AsyncIterator[tuple[Phone, Phone, Diary]]:
    """The caller, the answerer and what both said."""
    diary = Diary()
    async with AsyncExitStack() as stack:
        line = Line(HOST, "anna", "", "example.test")
        wav = tmp_path / "anna.wav"
        anna = Phone(line, wav=wav, tone_hz=1100, say=diary.of("anna"), host=HOST, answer_after_seconds=answer_after_seconds)
        await anna.open()
        stack.push_async_callback(anna.close)
        line = Line(f"{HOST}:{anna.port}", "boris", "", "example.test")
        boris = Phone(line, wav=tmp_path / "boris.wav", tone_hz=700, say=diary.of("boris"), host=HOST)
        await boris.open()
        stack.push_async_callback(boris.close)
        yield boris, anna, diary


async def test_two_phones_hear_each_other(tmp_path: Path) -> None:
    async with asyncio.timeout(20), phones(tmp_path) as (boris, anna, diary):
        call = boris.dial("anna")
        await call.is_answered.wait()
        assert anna.call is not None
        call.press("wwww5#")  # w: half a second in which boris is silent and hears anna
        await diary.has("anna", "heard key", "#")
        assert anna.call.keys_heard == "5#"
        anna.call.press("wwww9")
        await diary.has("boris", "heard key", "9")
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
    said = diary.entries
    assert said.index(("boris", "ringing", "")) < said.index(("boris", "answered", ""))


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
        with pytest.raises(PhoneError, match=r"does not register boris@example\.test"):
            await boris.register(within_seconds=3)

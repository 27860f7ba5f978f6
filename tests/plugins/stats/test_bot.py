# SPDX-License-Identifier: Apache-2.0
"""Calls in Telegram: current, last, and recordings as playable sound, within everybody's rights (BOT-3, BOT-4, ACC-4)."""

from __future__ import annotations

import math
import subprocess
import wave
from array import array
from collections.abc import AsyncIterator
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import pytest

from engine import clock
from engine.db import models
from engine.sdk import CallEnded
from tests.bot.office import Company, Office, bot_running, open_office

pytestmark = [pytest.mark.kind("bot"), pytest.mark.feature("BOT-4")]


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    async with open_office(tmp_path / "state") as made, bot_running(made):
        yield made


def answered(office: Office, **fields: Any) -> CallEnded:
    now = clock.now()
    talk = {"answered_at": now - timedelta(seconds=30), "talked": True, "missed": False, "missed_why": "", "cause": "NORMAL_CLEARING"}
    return office.call(**{**talk, **fields})


def recorded(office: Office, path: str, seconds: float = 2.0) -> str:
    """A stereo telephone recording in the media folder."""
    file = office.ctx.settings.media_root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(file), "wb") as out:
        out.setnchannels(2)
        out.setsampwidth(2)
        out.setframerate(8000)
        tone = (int(9000 * math.sin(n / 8000 * 440 * 2 * math.pi)) for n in range(int(8000 * seconds)))
        out.writeframes(array("h", (v for sample in tone for v in (sample, 0))).tobytes())
    return path


def decoded(sound: bytes) -> array[int]:
    """What a listener hears, 8 kHz mono."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", "-", "-f", "s16le", "-ar", "8000", "-ac", "1", "-"]
    return array("h", subprocess.run(command, input=sound, capture_output=True, check=True).stdout)


async def live(company: Company, call: str, user: int | None = None, **state: Any) -> None:
    legs = [{"label": "+79271234567", "user": None, "state": "answered"}, {"label": "203", "user": user, "state": "talking"}]
    full = {"direction": "in", "caller": "+79271234567", "dialled": "+74951234567", "place": "Продажи <1>", "legs": legs,
            "started_at": (clock.now() - timedelta(seconds=65)).isoformat(), "talk_started_at": None, **state}  # fmt: skip
    await models.LiveCallRow.create(account_id=company.id, call_id=call, state=full, updated_at=clock.now())


@pytest.mark.feature("STA-8", "ACC-1")
async def test_current_calls(office: Office) -> None:
    boss, oleg, anna = await office.linked("manager"), await office.linked("other"), await office.linked("user")
    theirs = await office.linked("admin", office.theirs)
    await live(office.ours, "one", office.ours.users["user"])
    await live(office.ours, "two", caller=None, place=None, talk_started_at=(clock.now() - timedelta(seconds=10)).isoformat())
    for person, seen in ((boss, 2), (anna, 1), (oleg, 0), (theirs, 0)):
        await person.send("/calls")
        text = (await person.read()).text
        assert text.startswith(f"Current calls: {seen}\n" if seen else "Nobody is calling")
    text = boss.messages[-1].text
    assert "+7 927 123-45-67 ← +7 495 123-45-67 · Продажи <1> · waiting 1:0" in text
    assert "Number withheld ← +7 495 123-45-67 · talking 0:1" in text


async def test_last_calls(office: Office) -> None:
    boss, oleg, anna = await office.linked("manager"), await office.linked("other"), await office.linked("user")
    theirs, russian = await office.linked("admin", office.theirs), await office.linked("manager", language="ru")
    await boss.send("/last")
    assert (await boss.read()).text == "No calls yet."
    await office.end(office.call(started_at=clock.now() - timedelta(minutes=9)))
    await office.end(answered(office, caller_number="+79990000000"), user=office.ours.users["user"], recording="recordings/a.wav")
    await office.end(answered(office, direction="out", caller_number="203", dialled="+79161112233", answered_at=None, talked=False,
                              started_at=clock.now() - timedelta(minutes=5)))  # fmt: skip
    await boss.send("/last")
    lines = (await boss.read()).text.splitlines()
    assert "+7 999 000-00-00 ← +7 495 123-45-67 · 0:30" in lines[1]
    assert lines[2].endswith("203 → +7 916 111-22-33 · no talk")
    assert lines[3].endswith("+7 927 123-45-67 ← +7 495 123-45-67 · call missed")
    assert list(boss.messages[-1].buttons) == ["▶ 1"]
    await russian.send("/last")
    assert (await russian.read()).text.splitlines()[3].endswith("пропущен")
    for person, seen in ((anna, 1), (oleg, 0), (theirs, 0)):
        await person.send("/last")
        assert len((await person.read()).text.splitlines()) == (seen + 1 if seen else 1)


async def test_many_current_calls_fit_into_one_message(office: Office) -> None:
    boss = await office.linked("manager")
    for number in range(40):
        await live(office.ours, f"call-{number}", place="<Ж>" * 60)
    await boss.send("/calls")
    text = (await boss.read()).text
    assert text.startswith("Current calls: 40\n")
    assert text.endswith("\n…")


@pytest.mark.feature("BOT-3", "STA-1")
async def test_a_recording_comes_as_a_voice_message(office: Office) -> None:
    anna = await office.linked("user")
    path = recorded(office, f"recordings/{office.ours.id}/a.wav")
    await office.end(answered(office), user=office.ours.users["user"], recording=path)
    await anna.send("/last")
    await anna.read()
    press = await anna.press("▶ 1")
    assert "recording" in await press.answered()
    message = await anna.read(30)
    voice = message.data["voice"]
    assert (voice["duration"], "+7 927 123-45-67" in message.text) == (2, True)
    samples = decoded(office.api.files[voice["file_id"]].data)
    assert len(samples) == pytest.approx(16000, abs=800)
    crossings = sum(a < 0 <= b for a, b in pairwise(samples))
    assert crossings / (len(samples) / 8000) == pytest.approx(440, abs=10), "not the tone that was recorded"


@pytest.mark.feature("BOT-3", "ACC-1", "ACC-4")
async def test_whose_recording_it_is(office: Office) -> None:
    boss, oleg, theirs = await office.linked("manager"), await office.linked("other"), await office.linked("admin", office.theirs)
    stranger = office.api.user("Stranger", "en")
    path = recorded(office, f"recordings/{office.ours.id}/a.wav")
    call = await office.end(answered(office), user=office.ours.users["user"], recording=path)
    lost = await office.end(answered(office), user=office.ours.users["user"], recording="recordings/gone.wav")
    outside = await office.end(answered(office), user=office.ours.users["user"], recording="../vats.sqlite3")
    cases = [(stranger, str(call.id), "This chat is not linked yet")]
    cases += [(person, str(call.id), "Not found.") for person in (theirs, oleg)]
    cases += [(boss, str(lost.id), "The recording is not there."), (boss, str(outside.id), "The recording is not there.")]
    cases += [(boss, junk, "Not found.") for junk in ("", "x", "-1", "99999", "²")]
    for person, data, said in cases:
        await person.send("/help")
        message = await person.read()
        press = await person.press_data(f"recording:{data}", message)
        assert (await press.answered()).startswith(said), (person.title, data)
    assert office.api.files == {}


@pytest.mark.feature("BOT-3")
async def test_somebody_who_takes_no_voice_messages_gets_a_file(office: Office) -> None:
    boss = await office.linked("manager")
    path = recorded(office, f"recordings/{office.ours.id}/a.wav", 0.5)
    await office.end(answered(office), user=office.ours.users["user"], recording=path)
    await boss.send("/last")
    await boss.read()
    boss.voice_forbidden = True
    await boss.press("▶ 1")
    message = await boss.read(30)
    assert message.data["document"]["mime_type"] == "audio/ogg"

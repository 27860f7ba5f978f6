# SPDX-License-Identifier: Apache-2.0
"""Phones that are gone without a BYE: a talk ends when nothing more comes from one of the two; who is alone may be silent."""

from __future__ import annotations

import msgspec
import pytest

from engine.embedded.config import Config
from tests.embedded.conftest import Configure, House, dialled, joined, parked, tone_file

LIMIT, HOLD_LIMIT = 1.0, 3.0


@pytest.fixture
def configure() -> Configure:
    def shorter(config: Config) -> Config:
        return msgspec.structs.replace(config, rtp_timeout_seconds=LIMIT, rtp_hold_timeout_seconds=HOLD_LIMIT)

    return shorter


async def test_only_a_talk_is_watched_and_a_hold_longer(house: House) -> None:
    a, b = await house.phone("101"), await house.phone("102", register=True)
    longer = tone_file(house.folder / "longer.wav", 500, 2 * LIMIT)
    async with house.esl() as esl:
        _, uuid = await parked(esl, a)
        call = await dialled(esl, b, "leg")
        # both are silent while each is alone: that counts for nothing, then or later
        await esl.execute(uuid, "playback", str(longer))
        await esl.find("PLAYBACK_STOP", uuid)
        await joined(esl, uuid, "leg")
        a.say(700)
        b.say(900)
        await a.hears(900)
        await b.hears(700)
        await call.hold()
        b.quiet()
        hold = await esl.event("CHANNEL_HOLD")
        end = await esl.find("CHANNEL_HANGUP", "leg", HOLD_LIMIT + 10)
        await call.ended()
        # its partner is free for what the engine wants
        await esl.find("CHANNEL_UNBRIDGE", uuid)
        assert await esl.api(f"uuid_exists {uuid}") == "true"
    assert end["Hangup-Cause"] == "MEDIA_TIMEOUT"
    assert int(end["Event-Date-Timestamp"]) - int(hold["Event-Date-Timestamp"]) > 1_000_000 * (HOLD_LIMIT - 0.2)


@pytest.mark.parametrize("gone", ["caller", "callee"])
async def test_a_phone_that_falls_silent_in_a_talk_is_gone(house: House, gone: str) -> None:
    a, b = await house.phone("101"), await house.phone("102", register=True)
    async with house.esl() as esl:
        talk, uuid = await parked(esl, a)
        call = await dialled(esl, b, "leg")
        await joined(esl, uuid, "leg")
        a.say(700)
        b.say(900)
        await a.hears(900)
        await b.hears(700)
        (a if gone == "caller" else b).quiet()
        end = await esl.find("CHANNEL_HANGUP", uuid if gone == "caller" else "leg", LIMIT + 10)
        await (talk if gone == "caller" else call).ended()
    assert end["Hangup-Cause"] == "MEDIA_TIMEOUT"

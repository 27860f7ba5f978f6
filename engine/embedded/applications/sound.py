# SPDX-License-Identifier: Apache-2.0
"""Applications that play and record."""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import NamedTuple

from engine.embedded import recordings, text
from engine.embedded.channel import Channel, Why
from engine.embedded.events import Headers
from engine.embedded.rtp import PlayEnd, RecordEnd
from engine.esl.words import separate


class Heard(enum.Enum):
    """How a sound ended."""

    WHOLE = enum.auto()
    MISSING = enum.auto()
    KEY = enum.auto()
    BREAK = enum.auto()
    GONE = enum.auto()


class Sounded(NamedTuple):
    how: Heard
    key: str = ""


async def play(
    channel: Channel, sound: str, *, keys: str = "", loop: bool = False, on_key: Callable[[str], None] | None = None
) -> Sounded:
    """Play one text of FreeSWITCH's notation until its end, one of `keys`, uuid_break, or the channel goes.

    `on_key` is told of every key in `keys`, also of those that come before the playback has ended.
    """
    sound = text.braces(sound, "{")[1].strip()
    if not channel.pre_answer() or channel.media.player is None:
        return Sounded(Heard.GONE)
    ends: list[PlayEnd] = []
    pressed: list[str] = []

    def ended(end: PlayEnd) -> None:
        ends.append(end)
        channel.notify()

    def key(digit: str) -> None:
        if digit in keys:
            pressed.append(digit)
            if on_key is not None:
                on_key(digit)

    player = channel.media.player
    began = channel.switch.loop.time()
    layer = player.push(channel.switch.media.source(sound), ended, loop=loop)
    if layer.missing:
        player.remove(layer)
        return Sounded(Heard.MISSING)
    about: Headers = {"Playback-File-Path": sound, "Playback-File-Type": sound.partition("://")[0] if "://" in sound else "file"}
    channel.fire("PLAYBACK_START", about)
    channel.digit_readers.append(key)
    why = await channel.wait(lambda: bool(ends or pressed))
    channel.digit_readers.remove(key)
    player.remove(layer)
    milliseconds = int((channel.switch.loop.time() - began) * 1000)
    channel.set("playback_ms", str(milliseconds))
    channel.set("playback_seconds", str(milliseconds // 1000))
    channel.set("playback_samples", str(milliseconds * 8))
    channel.fire("PLAYBACK_STOP", {**about, "Playback-Status": "done" if ends else "break"})
    if why is Why.DONE:
        return Sounded(Heard.KEY, pressed[0]) if pressed else Sounded(Heard.WHOLE)
    return Sounded(Heard.BREAK if why is Why.BREAK else Heard.GONE)


def terminators(channel: Channel) -> str:
    """The keys that end a playback: `playback_terminators`, `*` when unset."""
    keys = channel.get("playback_terminators")
    if keys is None:
        return "*"
    return {"any": "1234567890*#", "none": ""}.get(keys.lower(), keys)


_RESPONSES = {Heard.MISSING: "FILE NOT FOUND", Heard.GONE: "PLAYBACK ERROR"}


async def playback(channel: Channel, data: str) -> bool:
    return await _playback(channel, data, loop=False)


async def endless_playback(channel: Channel, data: str) -> bool:
    return await _playback(channel, data, loop=True)


async def _playback(channel: Channel, data: str, *, loop: bool) -> bool:
    channel.set("playback_terminator_used", None)
    heard = await play(channel, data, keys=terminators(channel), loop=loop)
    if heard.key:
        channel.set("playback_terminator_used", heard.key)
    channel.respond(_RESPONSES.get(heard.how, "FILE PLAYED"))
    return heard.how is not Heard.BREAK


async def record(channel: Channel, data: str) -> bool:
    """`record FILE [max seconds [threshold [silent seconds]]]`: what the party says, until a terminator key or a limit."""
    words = separate(data, " ")
    path = words[0] if words else ""
    numbers = [text.number(word) for word in words[1:4]] + [0, 0, 0]
    limit, threshold, silent = numbers[:3]
    for name in ("silence_hits_exhausted", "playback_terminator_used"):
        channel.set(name, None)
    if not path or not channel.pre_answer():
        return True
    keys = terminators(channel)
    ends: list[RecordEnd] = []
    pressed: list[str] = []

    def key(digit: str) -> None:
        if digit in keys:
            pressed.append(digit)

    begun = recordings.start(
        channel, path, limit=limit or None, silence=(threshold or 200, silent) if silent else None, only_read=True, done=ends.append
    )
    if not begun:
        return True
    channel.digit_readers.append(key)
    why = await channel.wait(lambda: bool(ends or pressed))
    channel.digit_readers.remove(key)
    if pressed:
        channel.set("playback_terminator_used", pressed[0])
    if not ends:
        recordings.stop(channel, path)
        await channel.wait(lambda: bool(ends), until=channel.switch.loop.time() + 2, breakable=False, nested=False)
    return why is not Why.BREAK


async def record_session(channel: Channel, data: str) -> None:
    """`record_session FILE [max seconds]`: the call from here on, beside everything else."""
    words = separate(data, " ")
    if words and words[0]:
        channel.switch.record_when_ready(channel, words[0], text.number(words[1]) if len(words) > 1 else 0)


async def mkdir(channel: Channel, data: str) -> None:
    """Nothing to do: recordings make their folders themselves."""


async def stop_record_session(channel: Channel, data: str) -> None:
    recordings.stop(channel, data.strip() or "all")


async def record_session_mask(channel: Channel, data: str) -> None:
    recordings.mask(channel, data.strip(), True)


async def record_session_unmask(channel: Channel, data: str) -> None:
    recordings.mask(channel, data.strip(), False)


async def gentones(channel: Channel, data: str) -> bool:
    """`gentones %(200,100,425)[|loops]`."""
    tones, _, loops = data.partition("|")
    return await playback(channel, f"tone_stream://{tones};loops={text.number(loops, 1)}")


APPLICATIONS = {
    "playback": playback,
    "endless_playback": endless_playback,
    "loop_playback": endless_playback,
    "mkdir": mkdir,
    "record": record,
    "record_session": record_session,
    "stop_record_session": stop_record_session,
    "record_session_mask": record_session_mask,
    "record_session_unmask": record_session_unmask,
    "gentones": gentones,
}

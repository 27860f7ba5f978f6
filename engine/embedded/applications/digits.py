# SPDX-License-Identifier: Apache-2.0
"""Applications that read keys from a party or send some to it."""

from __future__ import annotations

import re
from functools import partial

from engine.embedded import text
from engine.embedded.applications.sound import Heard, play
from engine.embedded.channel import Channel, Why
from engine.esl.words import separate


class _Collector:
    """Keys of one attempt, until `maximum`, a terminator, or a pause."""

    def __init__(self, channel: Channel, maximum: int, terminators: str) -> None:
        self._channel = channel
        self._maximum = maximum
        self._terminators = terminators
        self.digits = ""
        self.terminator = ""

    def __enter__(self) -> _Collector:
        self._channel.digit_readers.append(self._key)
        return self

    def __exit__(self, *_: object) -> None:
        self._channel.digit_readers.remove(self._key)

    def _key(self, digit: str) -> None:
        if self.is_complete():
            return
        if digit in self._terminators:
            self.terminator = digit
        else:
            self.digits += digit

    def is_complete(self) -> bool:
        return bool(self.terminator) or len(self.digits) >= self._maximum

    def _moved(self, had: int) -> bool:
        return self.is_complete() or len(self.digits) > had

    async def collect(self, sound: str, first: float, pause: float) -> Why:
        """Play, then wait `first` seconds for the first key and `pause` for each further one."""
        channel = self._channel
        if sound and not self.digits:
            heard = await play(channel, sound, keys="0123456789*#ABCD", on_key=self._key)
            if heard.how in (Heard.GONE, Heard.BREAK):
                return Why.GONE if heard.how is Heard.GONE else Why.BREAK
        while not self.is_complete():
            had = len(self.digits)
            until = channel.switch.loop.time() + (pause if had else first)
            why = await channel.wait(partial(self._moved, had), until=until)
            if why is not Why.DONE:
                return why
        return Why.DONE


async def play_and_get_digits(channel: Channel, data: str) -> bool:
    """`min max tries timeout terminators file invalid_file variable regexp [digit_timeout]`."""
    words = separate(data, " ") + [""] * 10
    minimum, maximum, tries, timeout = (text.number(word) for word in words[:4])
    terminators = "" if words[4].lower() == "none" else words[4]
    sound, invalid, variable, pattern = (_none(word) for word in words[5:9])
    pause = text.number(words[9]) / 1000 or timeout / 1000
    channel.set("read_terminator_used", None)
    channel.set("read_result", None)
    if variable:
        channel.set(variable, None)
    result, why = "failure", Why.DONE
    for _ in range(max(1, tries)):
        with _Collector(channel, max(1, maximum), terminators) as collector:
            why = await collector.collect(sound, timeout / 1000, pause)
        digits = collector.digits
        if collector.terminator:
            channel.set("read_terminator_used", collector.terminator)
        if why in (Why.GONE, Why.BREAK):
            break
        if len(digits) >= minimum and (not pattern or _matches(pattern, digits)):
            if variable:
                channel.set(variable, digits)
            result = "success"
            break
        result = "timeout" if why is Why.TIMEOUT and not digits else "failure"
        if variable:
            channel.set(f"{variable}_invalid", digits)
        if invalid and (await play(channel, invalid)).how is Heard.GONE:
            break
    channel.set("read_result", result)
    return why is not Why.BREAK


async def read(channel: Channel, data: str) -> bool:
    """`read min max file variable timeout terminators`."""
    words = separate(data, " ") + [""] * 6
    minimum, maximum = text.number(words[0]), max(1, text.number(words[1], 1))
    sound, variable = _none(words[2]), words[3]
    timeout = text.number(words[4], 1000) / 1000
    terminators = "" if words[5].lower() == "none" else words[5] or "#"
    channel.set("read_result", None)
    channel.set("read_terminator_used", None)
    with _Collector(channel, maximum, terminators) as collector:
        why = await collector.collect(sound, timeout, timeout)
    if collector.terminator:
        channel.set("read_terminator_used", collector.terminator)
    enough = len(collector.digits) >= minimum and bool(collector.digits or collector.terminator)
    if variable:
        channel.set(variable, collector.digits)
    channel.set("read_result", "success" if enough else "timeout" if why is Why.TIMEOUT else "failure")
    return why is not Why.BREAK


async def send_dtmf(channel: Channel, data: str) -> None:
    """`digits[@milliseconds]`."""
    channel.switch.send_dtmf(channel, data.strip())


def _none(word: str) -> str:
    return "" if word.lower() in ("silence", "_undef_") else word


def _matches(pattern: str, digits: str) -> bool:
    try:
        return re.search(pattern, digits) is not None
    except re.error:
        return False


APPLICATIONS = {"play_and_get_digits": play_and_get_digits, "read": read, "send_dtmf": send_dtmf, "queue_dtmf": send_dtmf}

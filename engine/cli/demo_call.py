# SPDX-License-Identifier: Apache-2.0
"""A call by built-in phones, for `vats demo-call`: one phone dials, presses keys and says a tone, another one answers with its own tone.

Whether they were really joined is judged by the sound: each must have heard the other's tone.
"""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.cli.phone import Line, Phone
from engine.cli.phone_call import PhoneCall
from engine.cli.tone import longest_tone_seconds

HEARD_SECONDS = 0.5
"""A tone counts as heard when it sounded this long without a break."""


@dataclass(frozen=True, slots=True)
class DemoEvent:
    """Something that one of the phones saw; `seconds` since the start."""

    seconds: float
    phone: str
    what: str
    more: str = ""

    def __str__(self) -> str:
        return f"{self.seconds:6.2f} s  {self.phone}: {self.what} {self.more}".rstrip()


@dataclass(frozen=True, slots=True)
class Answerer:
    """The second phone: registers, answers by itself and says its tone."""

    line: Line
    say_tone_hz: int = 1100
    answer_after_seconds: float = 1.0
    wav: Path | None = None
    """Where it keeps what it heard; None: nowhere."""


@dataclass(frozen=True, slots=True)
class DemoCallResult:
    """What came of the call. Tones in seconds of the longest stretch heard."""

    answered: bool
    callee_answered: bool
    seconds: float
    """From dialling to the end."""
    code: int | None
    """SIP status of a call that was not answered."""
    caller_heard_seconds: float
    callee_heard_seconds: float
    wav: Path

    @property
    def joined(self) -> bool:
        """Both phones heard each other."""
        return self.caller_heard_seconds >= HEARD_SECONDS and self.callee_heard_seconds >= HEARD_SECONDS


async def run(
    server: str,
    login: str,
    password: str,
    domain: str,
    number: str,
    keys: Sequence[tuple[float, str]],
    say_tone_hz: int,
    out_wav: Path,
    on_event: Callable[[DemoEvent], None],
    *,
    answerer: Answerer | None = None,
    register: bool = True,
    talk_seconds: float = 4.0,
    limit_seconds: float = 60.0,
    host: str = "0.0.0.0",
) -> DemoCallResult:
    """Make one call and return when it is over.

    `keys`: (seconds after the answer, digits). The caller hangs up `talk_seconds` after the answerer has picked up (without one:
    after the last key), at the latest after `limit_seconds`. Raises PhoneError when a phone can't start or register.
    """
    loop = asyncio.get_running_loop()
    begun = loop.time()

    def say_of(phone: str) -> Callable[[str, str], None]:
        return lambda what, more: on_event(DemoEvent(loop.time() - begun, phone, what, more))

    with tempfile.TemporaryDirectory(prefix="vats-call-") as folder:
        callee_wav = (answerer.wav if answerer else None) or Path(folder) / "callee.wav"
        async with contextlib.AsyncExitStack() as phones:
            caller = Phone(Line(server, login, password, domain), wav=out_wav, tone_hz=say_tone_hz, say=say_of(login), host=host)
            callee = None
            if answerer is not None:
                callee = Phone(
                    answerer.line,
                    wav=callee_wav,
                    tone_hz=answerer.say_tone_hz,
                    say=say_of(answerer.line.login),
                    answer_after_seconds=answerer.answer_after_seconds,
                    host=host,
                )
                await phones.enter_async_context(_opened(callee, register=True))
            await phones.enter_async_context(_opened(caller, register=register))
            dialled = loop.time()
            call = caller.dial(number)
            await _talk(call, callee, keys, talk_seconds, limit_seconds)
            seconds = loop.time() - dialled
        other = callee.call if callee is not None else None
        code = call.end.code if call.end is not None else None
        return DemoCallResult(
            answered=call.is_answered.is_set(),
            callee_answered=other is not None and other.is_answered.is_set(),
            seconds=seconds,
            code=code,
            caller_heard_seconds=_heard(out_wav, answerer.say_tone_hz) if answerer is not None else 0.0,
            callee_heard_seconds=_heard(callee_wav, say_tone_hz),
            wav=out_wav,
        )


@contextlib.asynccontextmanager
async def _opened(phone: Phone, *, register: bool) -> AsyncIterator[None]:
    try:
        await phone.open()
        if register:
            await phone.register()
        yield
    finally:
        await phone.close()


async def _talk(
    call: PhoneCall, callee: Phone | None, keys: Sequence[tuple[float, str]], talk_seconds: float, limit_seconds: float
) -> None:
    """Lead the call to its end, hanging up ourselves when nobody else does."""
    script = asyncio.create_task(_script(call, callee, keys, talk_seconds), name="demo call")
    try:
        async with asyncio.timeout(limit_seconds):
            await call.is_ended.wait()
    except TimeoutError:
        call.hang_up()
        await call.is_ended.wait()
    finally:
        script.cancel()
        await asyncio.wait([script])
    if not script.cancelled():
        script.result()  # a mistake in the script must not pass for a quiet call
    await call.recorded.wait()


async def _script(call: PhoneCall, callee: Phone | None, keys: Sequence[tuple[float, str]], talk_seconds: float) -> None:
    await call.is_answered.wait()
    loop = asyncio.get_running_loop()
    answered = loop.time()
    for seconds, digits in sorted(keys):
        await asyncio.sleep(answered + seconds - loop.time())
        call.press(digits)
    if callee is not None:
        await callee.has_call.wait()
        if callee.call is not None:
            await callee.call.is_answered.wait()
    await asyncio.sleep(talk_seconds)
    call.hang_up()


def _heard(wav: Path, hz: int) -> float:
    return longest_tone_seconds(wav, hz) if hz and wav.exists() else 0.0

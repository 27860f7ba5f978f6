# SPDX-License-Identifier: Apache-2.0
"""The clock of the media layer."""

import asyncio
from collections.abc import Callable

import pytest

from engine.embedded.rtp.pacer import SLOTS, Pacer


class Ticked:
    def __init__(self) -> None:
        self.clocks: list[int] = []
        self.then: Callable[[], None] | None = None

    def tick(self, clock: int) -> None:
        self.clocks.append(clock)
        if self.then is not None:
            self.then()


class Wall:
    """A time that the test sets."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
async def wall(monkeypatch: pytest.MonkeyPatch) -> Wall:
    wall = Wall()
    monkeypatch.setattr(asyncio.get_running_loop(), "time", wall)
    return wall


def run(pacer: Pacer, times: int) -> None:
    for _ in range(times):
        pacer.run()


def test_streams_are_spread_over_the_slots() -> None:
    pacer = Pacer(lambda: None)
    slots = [pacer.join() for _ in range(2 * SLOTS)]
    assert sorted(slots) == sorted(2 * list(range(SLOTS)))
    pacer.leave(7)
    assert pacer.join() == 7


def test_each_stream_is_ticked_every_20_ms() -> None:
    pacer = Pacer(lambda: None)
    one, other = Ticked(), Ticked()
    pacer.wake(one, 3)
    pacer.wake(other, 4)
    for _ in range(60):
        pacer.step()
    assert one.clocks == [24, 184, 344]
    assert other.clocks == [32, 192, 352]
    pacer.rest(one, 3)
    for _ in range(20):
        pacer.step()
    assert len(one.clocks) == 3


async def test_a_short_stall_is_made_good(wall: Wall) -> None:
    pacer, stream = Pacer(lambda: None), Ticked()
    pacer.wake(stream, 5)
    pacer.start()
    wall.now += 0.0985
    run(pacer, 5)
    assert stream.clocks == [40, 200, 360, 520, 680]
    assert pacer.skipped_ticks == 0
    pacer.stop()


async def test_after_a_long_stall_the_missed_time_is_left_out(wall: Wall) -> None:
    pacer, stream = Pacer(lambda: None), Ticked()
    pacer.wake(stream, 5)
    pacer.start()
    wall.now += 3.0
    run(pacer, 10)
    assert pacer.skipped_ticks == 2999
    assert pacer.clock == 24_000
    assert stream.clocks == []
    wall.now += 0.005
    run(pacer, 1)
    assert stream.clocks == [24_040], "the stream kept its place in the frame"
    pacer.stop()


async def test_however_late_the_loop_gets_its_turn(wall: Wall) -> None:
    received = 0

    def receive() -> None:
        nonlocal received
        received += 1

    pacer, slow = Pacer(receive), Ticked()

    def take_25_ms() -> None:
        wall.now += 0.025

    slow.then = take_25_ms
    pacer.wake(slow, 1)
    pacer.start()
    wall.now += 0.001
    for times in range(1, 5):
        pacer.run()
        assert received == times
        assert len(slow.clocks) == times, "run() comes back after one frame although it can never be on time"
    pacer.stop()


async def test_a_stream_that_raises_is_taken_out_and_the_clock_goes_on() -> None:
    pacer, bad, good = Pacer(lambda: None), Ticked(), Ticked()
    errors: list[dict[str, object]] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: errors.append(context))
    enough = asyncio.Event()

    def fail() -> None:
        raise RuntimeError("a bug")

    bad.then = fail
    good.then = lambda: enough.set() if len(good.clocks) == 3 else None
    pacer.wake(bad, 1)
    pacer.wake(good, 1)
    pacer.start()
    async with asyncio.timeout(5):
        await enough.wait()
    pacer.stop()
    assert len(bad.clocks) == 1
    assert [str(error["exception"]) for error in errors] == ["a bug"]


async def test_a_stream_woken_while_the_pacer_sleeps_is_ticked_at_its_next_slot(wall: Wall) -> None:
    pacer, stream = Pacer(lambda: None), Ticked()
    deadlines: list[float] = []
    loop = asyncio.get_running_loop()
    call_at = loop.call_at

    def noted(when: float, callback: Callable[[], None]) -> asyncio.TimerHandle:
        deadlines.append(round(when - 100, 6))
        return call_at(when, callback)

    loop.call_at = noted  # type: ignore[method-assign,assignment]
    pacer.start()
    assert deadlines == [0.02], "nothing to do: it looks up once a frame"
    pacer.wake(stream, 6)
    assert deadlines[-1] == 0.006
    pacer.every_tick = True
    wall.now += 0.006
    pacer.poll()
    assert stream.clocks == [48]
    pacer.stop()


async def test_poll_does_nothing_before_time_or_inside_a_tick(wall: Wall) -> None:
    pacer, stream = Pacer(lambda: None), Ticked()
    stream.then = pacer.poll
    pacer.poll()
    pacer.wake(stream, 1)
    pacer.start()
    pacer.poll()
    assert stream.clocks == []
    wall.now += 0.0015
    pacer.poll()
    assert stream.clocks == [8]
    assert pacer.now() == 8
    pacer.stop()
    pacer.poll()

# SPDX-License-Identifier: Apache-2.0
"""A node without a switch: orders are written down, events are put in by hand, scenarios run as they do live."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from engine.calls.call import Caller, Leg, Step
from engine.calls.leg import LegState
from engine.calls.live import LiveCall
from engine.calls.node import Node
from engine.calls.reception import Admission, Ending, Rejection
from engine.esl.event import Event
from engine.facts import Fact
from engine.gates import Gates
from engine.snapshot import Snapshot

Serve = Callable[[LiveCall], Awaitable[Ending]]
OUTSIDER = Caller("+79271234567", "", True, None, 1, "+74951234567")


class Orders:
    """Takes the place of engine.esl.Switch; `given` holds (order, channel, further words)."""

    connected = True

    def __init__(self) -> None:
        self.given: list[tuple[Any, ...]] = []

    def playback(self, uuid: str, *sounds: str, loop: bool = False) -> str:
        self.given.append(("playback", uuid, *sounds))
        return f"run-{len(self.given)}"

    def claim(self, uuid: str, reply: Callable[[int], None]) -> None:
        self.given.append(("sched_del", uuid))
        asyncio.get_running_loop().call_soon(reply, 1)

    def stop_timers(self, uuid: str) -> None:
        self.claim(uuid, lambda deleted: None)

    async def exists(self, uuid: str) -> bool:
        return False

    async def close(self) -> None: ...

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *words, **options: self.given.append((name, *words))

    def of(self, name: str) -> list[list[Any]]:
        return [words for order, *words in self.given if order == name]


@dataclass
class Written:
    """A journal that remembers."""

    parties: list[str]

    def opened(self, call: LiveCall) -> None:
        self.parties.append(call.party.id)

    def leg(self, call: LiveCall, state: LegState) -> None:
        if state.leg == call.party:
            self.parties.append(state.uuid)

    def step(self, call: LiveCall, at: datetime, step: Step) -> None: ...
    def fact(self, call: LiveCall, fact: Fact) -> None: ...
    def ended(self, call: LiveCall, ended_at: datetime) -> None: ...


class Nobody:
    def admit(self, event: Event) -> Rejection:
        raise AssertionError("these calls are begun by the tests")


class Floor:
    """One node and the events of its imaginary switch."""

    def __init__(self, snapshot: Snapshot, orders: Orders | None = None) -> None:
        self.snapshot = snapshot
        self.orders = orders or Orders()
        self.journal = Written([])
        self.node = Node(
            lambda node: self.orders,  # type: ignore[arg-type, return-value]  # the switch's double
            Nobody(), self.journal, Gates(),
            media_root_on_switch="/media", early_media=True, unanswered_limit_seconds=50.0, account_of_domain=lambda domain: 1,
        )  # fmt: skip

    def call(self, uuid: str, serve: Serve, caller: Caller = OUTSIDER, *, user: int | None = None, answered: bool = True) -> LiveCall:
        leg = Leg(uuid, caller.number or "", user, external=caller.external)
        direction = "in" if caller.external else "out"
        admission = Admission(self.snapshot, caller, leg, direction, "incoming" if caller.external else "outgoing", serve)  # type: ignore[arg-type]
        made = self.node.begin(admission, datetime.now(UTC), answered=answered)
        self.node.run(made, serve)
        return made

    def says(self, name: str, uuid: str, **headers: str) -> None:
        """An event of the switch; headers by their names in Python."""
        known = {
            "other": "Other-Leg-Unique-ID", "cause": "Hangup-Cause", "subclass": "Event-Subclass", "run": "Application-UUID",
            "response": "Application-Response", "digit": "DTMF-Digit", "dialled": "Caller-Destination-Number",
            "source": "variable_transfer_source", "disposition": "variable_endpoint_disposition",
            "direction": "Call-Direction", "call": "variable_vats_call",
        }  # fmt: skip
        self.node.on_event(Event.of({"Event-Name": name, "Unique-ID": uuid, **{known[k]: v for k, v in headers.items()}}))

    def stops(self, uuid: str, file: str, ms: int, silence: str = "") -> None:
        """A recording is over."""
        self.node.on_event(Event.of({
            "Event-Name": "RECORD_STOP", "Unique-ID": uuid, "Record-File-Path": file, "variable_record_ms": str(ms),
            "variable_silence_hits_exhausted": silence,
        }))  # fmt: skip

    def arrives(self, uuid: str) -> None:
        """A caller parks."""
        self.says("CHANNEL_PARK", uuid, direction="inbound")

    async def until(self, seen: Callable[[], object]) -> None:
        """Let the scenarios run until this holds; they never wait for anything but events."""
        for _ in range(100):
            if seen():
                return
            await asyncio.sleep(0)
        raise AssertionError("it does not come to that")

    def dialled(self) -> list[str]:
        """Channels of the legs dialled so far."""
        return [words[0] for words in self.orders.of("originate")]

    def answers(self, *uuids: str) -> None:
        for uuid in uuids:
            self.says("CHANNEL_ANSWER", uuid)
            self.says("CHANNEL_PARK", uuid)

    def hangs_up(self, uuids: Iterable[str], cause: str = "NORMAL_CLEARING") -> None:
        for uuid in uuids:
            self.says("CHANNEL_HANGUP_COMPLETE", uuid, cause=cause)

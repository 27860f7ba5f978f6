# SPDX-License-Identifier: Apache-2.0
"""One channel: a party's call as FreeSWITCH shows it, and the task that runs its applications.

The task is the only place where applications run. Commands from outside change the state (`hangup`, `redirect`) or queue
messages (`queue`) and wake it. An application that waits does so in `wait`, where nested messages are executed.
"""

from __future__ import annotations

import asyncio
import enum
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import uuid4

from engine.embedded import causes
from engine.embedded.events import Headers
from engine.embedded.media import ChannelMedia
from engine.embedded.profile import CallerProfile, now_us
from engine.embedded.record import ChannelRecord, State
from engine.log import call_id

if TYPE_CHECKING:
    from engine.embedded.bridge import Bridge
    from engine.embedded.leg import Leg
    from engine.embedded.rtp import RecordingHandle
    from engine.embedded.switch import Switch

log = logging.getLogger(__name__)


class Why(enum.Enum):
    """Why a wait ended."""

    DONE = enum.auto()
    TIMEOUT = enum.auto()
    BREAK = enum.auto()
    GONE = enum.auto()
    """Hung up, transferred, bridged away: the application must return at once."""


@dataclass(frozen=True, slots=True)
class Message:
    """A queued `sendmsg` (or a broadcast)."""

    application: str
    argument: str = ""
    event_uuid: str = ""
    lock: bool = False
    loops: int = 1
    hold_other: bool = False
    """The bridged party hears music meanwhile (hold-bleg, holdb)."""
    hangup_cause: str = ""
    """Set: hang up instead."""


_MOST_MESSAGES = 10_000


class Channel(ChannelRecord):
    def __init__(self, switch: Switch, *, uuid: str, direction: str, name: str, profile: CallerProfile) -> None:
        media = ChannelMedia(switch.media, self._dtmf, self._media_timeout)
        super().__init__(switch, media, uuid=uuid, direction=direction, name=name, profile=profile)
        self.leg: Leg | None = None
        self.bridge: Bridge | None = None
        self.partner_uuid = ""
        self.extension: deque[tuple[str, str]] = deque()
        self.parked = False
        self.recordings: dict[str, RecordingHandle] = {}
        self.digit_readers: list[Callable[[str], None]] = []
        self.observers: list[Callable[[], None]] = []
        self.epoch = 0
        self.locked = False
        self.executing = 0
        self.hold_started = 0
        self._broken = False
        self._private: deque[Message] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._loop = asyncio.get_running_loop()
        self.ended = self._loop.create_future()

    # -- states ------------------------------------------------------------------------------------------------------

    def redirect(self, state: State) -> None:
        """Leave what it does and go on in this state."""
        if self.is_down():
            return
        self.state = state
        self.epoch += 1
        self._broken = False  # a break meant what it leaves: it must not end what comes next
        self.switch.redirected(self)
        self.notify()

    def start(self, state: State) -> None:
        """Begin the channel's task."""
        self.state = state
        self.switch.start_task(self._run())

    async def _run(self) -> None:
        call_id.set(self.uuid)
        try:
            await self._live()
        finally:
            # also when an application has failed: no channel may stay behind without its task
            self.hangup("CRASH")
            self.media.close()
            self.switch.finish(self)
            self.ended.set_result(None)

    async def _live(self) -> None:
        while not self.is_down():
            epoch, state = self.epoch, self.state
            self.running_state = state
            self.fire("CHANNEL_STATE")
            await self.switch.run_state(self, state)
            if not self.is_down() and self.epoch == epoch and self.state is state:
                # the state has nothing more to do
                self.hangup("NORMAL_CLEARING")
        self.running_state = State.HANGUP
        if self.recordings:
            for recording in list(self.recordings.values()):
                recording.stop()
            # the writer needs milliseconds; a full disk must not keep the channel for ever
            until = self._loop.time() + 2.0
            while self.recordings and self._loop.time() < until:
                await self._sleep(until)

    async def execute_extension(self) -> None:
        epoch = self.epoch
        while self.extension and self.epoch == epoch and not self.is_down():
            application, data = self.extension.popleft()
            await self.execute(application, data)

    # -- hang up -----------------------------------------------------------------------------------------------------

    def hangup(self, cause: str, disposition: str = "") -> None:
        """End the call. `disposition` says how the other side ended it (recv_bye …); empty: we do it."""
        if self.is_down():
            return
        self.cause = cause
        self.state = State.HANGUP
        self.profile.times.hungup = now_us()
        self.set("hangup_cause", cause)
        self.set("hangup_cause_q850", str(causes.NUMBERS.get(cause, 16)))
        if disposition:
            self.set("sip_hangup_disposition", disposition)
        elif self.leg is not None:
            self.set("sip_hangup_disposition", self.leg.disposition)
        self.set_callstate("HANGUP")
        self.fire("CHANNEL_HANGUP")
        if self.leg is not None and not disposition:
            self.leg.end(cause)
        self.epoch += 1
        self._private.clear()
        self.changed()

    # -- progress ----------------------------------------------------------------------------------------------------

    def ring_ready(self) -> bool:
        """180 to an inbound party; False when it can't be."""
        if self.is_down() or self.leg is None:
            return False
        if not (self.ringing or self.early or self.answered):
            if self.direction == "inbound":
                self.leg.ring()
            self.mark_ringing()
        return True

    def pre_answer(self) -> bool:
        """Early media to an inbound party; True when there is media afterwards."""
        if self.is_down() or self.leg is None:
            return False
        if self.answered or self.early:
            return True
        if self.direction != "inbound" or not self.leg.progress():
            return self.media.ready
        self.set("endpoint_disposition", "EARLY MEDIA")
        self.mark_early()
        return True

    def answer(self) -> bool:
        if self.is_down() or self.leg is None:
            return False
        if self.answered:
            return True
        if self.direction != "inbound" or not self.leg.answer():
            return False
        self.set("endpoint_disposition", "ANSWER")
        self.mark_answered()
        return True

    def mark_ringing(self) -> None:
        if not self.ringing:
            self.ringing = True
            self.profile.times.progress = now_us()
            self.set_callstate("RINGING")
            self.fire("CHANNEL_PROGRESS")
            self.changed()

    def mark_early(self) -> None:
        if not self.early:
            self.early = True
            self.profile.times.progress_media = now_us()
            self.set_callstate("EARLY")
            self.fire("CHANNEL_PROGRESS_MEDIA")
            self.changed()

    def mark_answered(self) -> None:
        if not self.answered:
            self.answered = True
            self.profile.times.answered = now_us()
            self.set_callstate("ACTIVE")
            self.fire("CHANNEL_ANSWER")
            if self.bridge is not None:
                self.bridge.watch()
            self.changed()

    def _media_timeout(self, seconds: float) -> None:
        if self.bridge is not None and not self.is_down():
            log.info("%s: no RTP for %.0f s in a talk", self.name, seconds)
            self.hangup("MEDIA_TIMEOUT")

    # -- digits ------------------------------------------------------------------------------------------------------

    def _dtmf(self, digit: str, samples: int) -> None:
        # FreeSWITCH reports no key of an unanswered party
        if self.is_down() or not self.answered:
            return
        self.fire("DTMF", {"DTMF-Digit": digit, "DTMF-Duration": str(samples), "DTMF-Source": "RTP"})
        if self.digit_readers:
            self.digit_readers[-1](digit)
            self.notify()

    def info_dtmf(self, digit: str, milliseconds: int) -> None:
        """A key by SIP INFO; the bridged party gets it too, unless the bridge keeps this leg's keys."""
        self._dtmf(digit, milliseconds * 8)
        if self.bridge is not None and self.bridge.passes_keys(self) and (peer := self.bridge.other(self)).media.stream is not None:
            peer.media.stream.send_dtmf(digit, milliseconds)

    # -- waiting and executing ---------------------------------------------------------------------------------------

    def notify(self) -> None:
        """Something changed that a wait may be about."""
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def changed(self) -> None:
        """Progress or end of the call: tell those who dial it or talk with it."""
        self.notify()
        for observer in tuple(self.observers):
            observer()

    def queue(self, message: Message) -> bool:
        """Let the channel do this when its turn comes; False when too much waits already."""
        if self.is_down() or len(self._private) >= _MOST_MESSAGES:
            return False
        self._private.append(message)
        self.notify()
        return True

    def forget_queued(self) -> None:
        """What was to be done and has not been begun will not be done."""
        self._private.clear()

    def break_(self, *, everything: bool) -> None:
        """uuid_break: end the innermost application that plays or waits; `everything` drops queued ones too."""
        if everything:
            self.forget_queued()
        if self.executing:
            self._broken = True
            self.notify()

    async def wait(
        self, done: Callable[[], bool], *, until: float | None = None, breakable: bool = True, nested: bool = True
    ) -> Why:
        """Wait for a condition (looked at after every `notify`) or the loop's time `until`; runs queued messages meanwhile."""
        epoch = self.epoch
        while True:
            if self.epoch != epoch or self.is_down():
                return Why.GONE
            if done():
                return Why.DONE
            if self._broken:
                self._broken = False
                if breakable:
                    return Why.BREAK
            if nested and self._private and not self.locked:
                await self._perform(self._private.popleft())
                continue
            if until is not None and self._loop.time() >= until:
                return Why.TIMEOUT
            await self._sleep(until)

    async def _sleep(self, until: float | None) -> None:
        self._waiter = self._loop.create_future()
        timer = None if until is None else self._loop.call_at(until, self.notify)
        try:
            await self._waiter
        finally:
            self._waiter = None
            if timer is not None:
                timer.cancel()

    async def _perform(self, message: Message) -> None:
        if message.hangup_cause:
            self.hangup(message.hangup_cause)
            return
        locked_before = self.locked
        self.locked = locked_before or message.lock
        music = self.bridge.music_for(self) if message.hold_other and self.bridge is not None else None
        epoch = self.epoch
        rounds = 0
        while message.loops < 0 or rounds < message.loops:
            rounds += 1
            began = self._loop.time()
            finished = await self.execute(message.application, message.argument, message.event_uuid)
            if self.is_down() or self.epoch != epoch or not finished or (message.loops != 1 and self._loop.time() - began < 0.5):
                break
        if music is not None:
            music()
        self.locked = locked_before

    async def execute(self, application: str, data: str, event_uuid: str = "") -> bool:
        """Run an application with its events; False when it was broken off by uuid_break."""
        run = self.switch.applications.get(application.lower())
        if run is None:
            log.warning("%s: there is no application %s", self.name, application)
            self.hangup("DESTINATION_OUT_OF_ORDER")
            return False
        expanded = self.expand(data)
        identity: Headers = {
            "Application": application,
            "Application-Data": expanded,
            "Application-UUID": event_uuid or str(uuid4()),
        }
        self.application, self.application_data = application, expanded
        self.set("current_application", application)
        self.set("current_application_data", expanded)
        self.set("current_application_response", None)
        self.fire("CHANNEL_EXECUTE", identity)
        self._broken = False
        self.executing += 1
        finished = await run(self, expanded)
        self.executing -= 1
        response = self.get("current_application_response") or "_none_"
        self.fire("CHANNEL_EXECUTE_COMPLETE", {**identity, "Application-Response": response})
        return finished is not False

    def respond(self, response: str) -> None:
        """What Application-Response of the running application will say."""
        self.set("current_application_response", response)

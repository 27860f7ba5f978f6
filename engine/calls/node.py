# SPDX-License-Identifier: Apache-2.0
"""One switch node and the calls on it: takes its events, claims new calls, runs their scenarios."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection
from datetime import datetime

from engine import clock
from engine.calls import causes
from engine.calls.call import Callee, Caller, Leg, Presence, Step
from engine.calls.crossings import Crossings
from engine.calls.guards import Guards
from engine.calls.journal import Journal, SilentJournal
from engine.calls.leg import LegState
from engine.calls.live import LiveCall
from engine.calls.marks import marks
from engine.calls.ordered import Ordered
from engine.calls.phones import Phones, PresenceListener
from engine.calls.reception import Admission, Ending, Reception, Rejection
from engine.calls.trunks import Route, to_number, to_sip
from engine.errors import CallGone, SwitchError
from engine.esl.event import Event
from engine.esl.switch import Refusal, Switch
from engine.facts import Fact
from engine.facts.ended import Direction
from engine.gates import DialQuestion, Gates
from engine.log import call_id
from engine.numbering import is_emergency
from engine.snapshot import Contact, Snapshot

log = logging.getLogger(__name__)

LINGER_SECONDS = 10.0
"""How long a finished scenario waits for the switch to confirm that every leg is gone."""


class Node:
    """Implements engine.calls.surroundings.Surroundings. One per engine; everything happens on one event loop."""

    def __init__(
        self,
        make_switch: Callable[[Node], Switch],
        reception: Reception,
        journal: Journal,
        gates: Gates,
        *,
        media_root_on_switch: str,
        early_media: bool,
        takes_faxes: bool = False,
        unanswered_limit_seconds: float,
        account_of_domain: Callable[[str], int | None],
        on_changed: Callable[[LiveCall], None] = lambda call: None,
        on_presence: PresenceListener = lambda account, login, registered: None,
        name: str = "node",
    ) -> None:
        self.name = name
        self.early_media = early_media
        self.takes_faxes = takes_faxes
        self.calls: dict[str, LiveCall] = {}
        self.phones = Phones(account_of_domain, on_presence)
        self.accepting = True
        self._reception, self._journal, self._gates = reception, journal, gates
        self._media_root = media_root_on_switch.rstrip("/")
        self._unanswered_limit = unanswered_limit_seconds
        self._on_changed = on_changed
        self.by_leg: dict[str, LiveCall] = {}
        """Whose each leg is, by its channel."""
        self._claiming: set[str] = set()
        self.tasks: set[asyncio.Task[None]] = set()
        """What runs beside the events, until the node closes down."""
        self._late: dict[str, asyncio.TimerHandle] = {}
        self.switch = make_switch(self)
        self.guards = Guards(self.switch, self.calls)
        self.crossings = Crossings(self, reception)

    # -- events -------------------------------------------------------------------------------------------------------------

    def on_event(self, event: Event) -> None:
        """Every event of the connection, in order."""
        call = self.by_leg.get(event.uuid)
        if call is not None:
            state = call.legs.get(event.uuid)
            if state is not None:
                if event.name == "CHANNEL_PARK" and state.leg == call.party:
                    self.guards.left_alone(call)
                    if event.sent_by_phone:
                        self.switch.stop_timers(event.uuid)  # the dialplan has armed its timer again
                if event.name != "CHANNEL_BRIDGE" or not self.crossings.joined(call, event):
                    call.feed(event, state)
            return
        match event.name:
            case "CHANNEL_BRIDGE" if event.other_uuid in self.by_leg:
                self.crossings.newcomer(self.by_leg[event.other_uuid], event.other_uuid, event.uuid)
            case "CHANNEL_PARK" if event.direction == "inbound" and not event.vats_call:  # else a call that the sweep takes up
                self.on_parked(event)
            case "CHANNEL_HANGUP_COMPLETE":
                self._claiming.discard(event.uuid)
            case "CUSTOM":
                self.phones.on_event(event)

    def on_parked(self, event: Event, *, abandoned: bool = False) -> None:
        """A caller waits for somebody: claim him (the first to delete the dialplan's timer wins) and serve him.

        `abandoned`: nobody else can be serving him; his timer may have been deleted by an engine that died before it wrote him down.
        """
        if not self.accepting or event.uuid in self._claiming:
            return
        self._claiming.add(event.uuid)

        def claimed(deleted: int) -> None:
            if event.uuid not in self._claiming:
                return  # he has hung up meanwhile
            self._claiming.discard(event.uuid)
            if deleted == 1 or (abandoned and deleted == 0):
                self.serve(event)
            elif deleted == 0:
                log.info("call %s was taken by somebody else or has gone", event.uuid)

        self.switch.claim(event.uuid, claimed)

    def serve(self, event: Event) -> None:
        """Begin the scenario of a claimed caller."""
        try:
            admitted = self._reception.admit(event)
        except Exception:  # his timer is deleted: without an answer he would hear silence for ever
            log.exception("it can't be told whose call this is", extra={"call": event.uuid})
            admitted = Rejection(503, "the engine has failed")
        if isinstance(admitted, Rejection):
            log.warning("refused %s: %s", admitted.code, admitted.why, extra={"call": event.uuid})
            self.switch.respond(event.uuid, admitted.code)
            return
        call = self.begin(admitted, event.created_at or clock.now(), answered=event.answer_state == "answered")
        self.mark_served(call, admitted.leg)
        self.run(call, admitted.serve, fresh=True)

    def order(self, call_uuid: str, snapshot: Snapshot, caller: Caller, ordered: Ordered, direction: Direction = "out") -> LiveCall:
        """A call that nobody has dialled: its parties are called one after the other by its scenario. KeyError when it exists."""
        if call_uuid in self.calls:
            raise KeyError(call_uuid)
        call = LiveCall(self, snapshot, caller, None, started_at=clock.now(), id=call_uuid)
        call.direction, call.ordered = direction, ordered
        self.calls[call.id] = call
        self._journal.opened(call)
        return call

    def begin(self, admitted: Admission, started_at: datetime, *, answered: bool) -> LiveCall:
        """Make the live call and write it down."""
        state = LegState(admitted.leg, "in", admitted.reason, started_at, admitted.trunk, number=admitted.number)
        state.answered_at = clock.now() if answered else None
        call = LiveCall(self, admitted.snapshot, admitted.caller, state, started_at=started_at)
        call.direction = admitted.direction
        self.calls[call.id] = call
        self.enrol(call, state)
        self._journal.opened(call)
        self._journal.leg(call, state)
        return call

    def adopt_call(self, call: LiveCall) -> None:
        """A call that an earlier engine began."""
        self.calls[call.id] = call
        for state in call.open_legs():
            self.enrol(call, state)

    def disown(self, call: LiveCall) -> None:
        """Undo `adopt_call`."""
        self.calls.pop(call.id, None)
        for leg_uuid in [leg for leg in call.legs if self.by_leg.get(leg) is call]:
            del self.by_leg[leg_uuid]
        for state in call.open_legs():
            self.left(call, state)

    def run(self, call: LiveCall, serve: Callable[[LiveCall], Awaitable[Ending]], *, fresh: bool = False) -> None:
        """Run a scenario as a task of its own. `fresh`: just claimed, so there is no timer that the guard would replace."""
        if fresh:
            self.guards.begin(call)
        elif not call.gone and not call.bridged and not call.faxes.running:
            self.guards.arm(call)
        if call.direction == "in" and call.ordered is None and not call.gone and not call.answered:
            left = self._unanswered_limit - (clock.now() - call.started_at).total_seconds()
            self._late[call.id] = asyncio.get_running_loop().call_later(max(0.0, left), call.answer_late)
        task = asyncio.create_task(self._serve(call, serve), name=f"call {call.id}")
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _serve(self, call: LiveCall, serve: Callable[[LiveCall], Awaitable[Ending]]) -> None:
        token = call_id.set(call.id)
        try:
            ending = await serve(call)
        except CallGone:
            ending = Ending()
        except Exception:  # the edge of a call: the caller must not be left in silence by a bug
            log.exception("the scenario failed")
            ending = Ending(causes.NORMAL_TEMPORARY_FAILURE)
        try:
            await self._finish(call, ending)
        except Exception:  # the edge of its record: what fails here must be heard of
            log.exception("the call can't be written down")
        finally:
            call_id.reset(token)

    async def _finish(self, call: LiveCall, ending: Ending) -> None:
        """Leave nothing ringing, wait for the true end of every leg, write the call down."""
        self.guards.forget(call)
        for state in call.open_legs():
            if state.leg != call.party:  # also one that was to be joined: its caller may have left before the switch did it
                call.release(state.leg, causes.ORIGINATOR_CANCEL if state.answered_at is None else causes.NORMAL_CLEARING)
        if not call.gone and call.party.id:
            self.switch.kill(call.party.id, ending.cause or causes.NORMAL_CLEARING)
        while call.open_legs():
            try:
                async with asyncio.timeout(LINGER_SECONDS):
                    while call.open_legs():
                        call.all_ended.clear()
                        await call.all_ended.wait()
            except TimeoutError:
                await self._end_stubborn(call)
        self.close(call, clock.now())

    async def _end_stubborn(self, call: LiveCall) -> None:
        for state in call.open_legs():
            try:
                if await self.switch.exists(state.uuid):
                    log.warning("leg %s does not end; killed again", state.uuid)
                    self.switch.kill(state.uuid, causes.NORMAL_CLEARING)
                call.leg_over(state, causes.ENGINE_LOST)
            except (SwitchError, TimeoutError) as error:  # the sweep after the reconnect knows how its legs ended
                log.info("can't ask about leg %s: %s", state.uuid, error)

    def close(self, call: LiveCall, ended_at: datetime) -> None:
        """The call's true end."""
        handle = self._late.pop(call.id, None)
        if handle is not None:
            handle.cancel()
        for leg_uuid in list(call.legs):
            if self.by_leg.get(leg_uuid) is call:
                del self.by_leg[leg_uuid]
        self.calls.pop(call.id, None)
        self.guards.forget(call)
        call.over.set()
        try:
            self._journal.ended(call, ended_at)
        finally:
            self._on_changed(call)

    def on_refused(self, refusal: Refusal) -> None:
        """An order failed; only a refused originate means something to a call.

        When the connection was lost the phone may well be ringing: the sweep after the reconnect knows.
        """
        if refusal.order != "originate" or refusal.lost:
            return
        call = self.by_leg.get(refusal.uuid)
        if call is not None:
            call.refused(refusal.uuid, refusal.cause.split()[0] if refusal.cause else causes.NORMAL_TEMPORARY_FAILURE)

    def call_of(self, leg_uuid: str) -> str:
        call = self.by_leg.get(leg_uuid)
        return call.id if call else ""

    # -- Surroundings ------------------------------------------------------------------------------------------------------------

    def path_on_switch(self, sound_or_file: str) -> str:
        recipe, _, rest = sound_or_file.partition(":")
        if recipe == "tone" and rest:
            return f"tone_stream://{rest}"
        if recipe == "silence" and rest:
            return f"silence_stream://{rest}"
        return f"{self._media_root}/{sound_or_file}"

    def routes(self, call: LiveCall, callee: Callee, caller_id: str | None, without: Collection[int] = ()) -> tuple[Route, ...]:
        contact, caller = callee.contact, callee.shows or call.caller
        if contact is not None and contact.kind == "sip":
            phones = self.phones.registrations.of(call.snapshot.account.id, contact.address)
            return to_sip(call.snapshot, callee, caller, phones, caller_id)
        dialled = caller.dialled if caller.external else ""
        route = to_number(call.snapshot, callee, caller, dialled, self.phones.lines.of_trunk, caller_id, without)
        if not route.refusal:
            number = callee.number or (contact.address if contact else "")
            question = DialQuestion(call.snapshot.account.id, number, callee.reason, callee.user.id if callee.user else None, route.trunk)
            why = None if is_emergency(number) else self._gates.refusal(question)  # R17
            if why is not None:
                call.note(Step("gate_closed", {"who": callee.label, "why": why}))
                return (Route(refusal=causes.OUTGOING_CALL_BARRED),)
        return (route,)

    def presence(self, call: LiveCall, contact: Contact) -> Presence:
        registered = contact.kind == "phone" or bool(self.phones.registrations.of(call.snapshot.account.id, contact.address))
        return Presence(registered, self.phones.lines.of(contact.id))

    def mark_served(self, call: LiveCall, leg: Leg) -> None:
        self.switch.setvar_multi(leg.id, {**marks(self, call, leg, "a"), "park_after_bridge": "true"})

    def enrol(self, call: LiveCall, state: LegState) -> None:
        self.by_leg[state.uuid] = call
        self.phones.lines.take(call.id, state.leg.contact, state.trunk)

    def left(self, call: LiveCall, state: LegState) -> None:
        self.phones.lines.free(call.id, state.leg.contact, state.trunk)

    def changed(self, call: LiveCall) -> None:
        self._on_changed(call)

    def journal_step(self, call: LiveCall, at: datetime, step: Step) -> None:
        self._journal.step(call, at, step)

    def journal_fact(self, call: LiveCall, fact: Fact) -> None:
        self._journal.fact(call, fact)
        self._gates.tell(fact)

    def journal_leg(self, call: LiveCall, state: LegState) -> None:
        self._journal.leg(call, state)

    def guard(self, call: LiveCall, armed: bool) -> None:
        if armed:
            self.guards.arm(call)
        else:
            self.guards.disarm(call)

    async def close_down(self) -> None:
        """Stop deciding: the calls live on in the switch and are found again by the next engine.

        The command port closes first, so that what the cancelled scenarios tidy up reaches neither switch nor journal.
        """
        self.accepting = False
        self._journal = SilentJournal()
        await self.switch.close()
        for task in list(self.tasks):
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        for handle in self._late.values():
            handle.cancel()

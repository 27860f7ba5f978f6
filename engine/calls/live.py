# SPDX-License-Identifier: Apache-2.0
"""LiveCall: the Call of one conversation on a real switch. `feed` takes the switch's events, `next` gives typed ones."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TypeVar

from engine import clock
from engine.calls.call import (
    NOBODY,
    Answered,
    Callee,
    Caller,
    EarlyMedia,
    Ended,
    Event,
    Fax,
    Faxed,
    Held,
    Key,
    Leg,
    LegReason,
    Message,
    MessageOver,
    Playback,
    Presence,
    Recording,
    Ringing,
    Step,
    TimeUp,
)
from engine.calls.causes import ATTENDED_TRANSFER, BLIND_TRANSFER, NORMAL_CLEARING, REPLACED
from engine.calls.dialling import Dialling
from engine.calls.early import Early
from engine.calls.faxes import Faxes
from engine.calls.inbox import Inbox
from engine.calls.joins import Joins
from engine.calls.leg import LegState
from engine.calls.messages import Messages
from engine.calls.moving import Moving
from engine.calls.ordered import Ordered
from engine.calls.playing import Playing
from engine.calls.presence import is_own
from engine.calls.recall import Recall
from engine.calls.recordings import Recordings
from engine.calls.ringback import Ringback
from engine.calls.surroundings import Surroundings
from engine.calls.trunks import shown_to_people
from engine.errors import CallGone
from engine.esl.event import Event as SwitchEvent
from engine.facts import Fact
from engine.facts.ended import Direction
from engine.snapshot import Contact, Ref, Snapshot, Sound

T = TypeVar("T")

END_FOLLOWS_SECONDS = 1.0
"""Within which a channel's own end comes after the answer that its originate has failed."""


class LiveCall:
    """Implements engine.calls.Call over the event socket. Made by the node; all methods run on its event loop."""

    def __init__(
        self, node: Surroundings, snapshot: Snapshot, caller: Caller, first: LegState | None, *, started_at: datetime, id: str = ""
    ) -> None:
        self.id = first.uuid if first else id
        self.snapshot = snapshot
        self.caller = caller
        self.party = first.leg if first else NOBODY
        self.started_at = started_at
        self.direction: Direction = "in"
        self.ordered: Ordered | None = None
        """Set when nobody has dialled the call."""
        self.legs: dict[str, LegState] = {first.uuid: first} if first else {}
        self.steps: list[tuple[datetime, Step]] = []
        self.facts: list[Fact] = []
        self.talked_with: LegState | None = None
        self.talk_started_at: datetime | None = None
        self.gone = False
        self.all_ended = asyncio.Event()
        self.over = asyncio.Event()
        """Its record is written: no leg is left, its lines are free."""
        self._answered = first is not None and first.answered_at is not None
        self._node = node
        self._loop = asyncio.get_running_loop()
        self._inbox = Inbox()
        self._playing = Playing(node, self.emit)
        self._recordings = Recordings(node, self.emit, self.note)
        self.messages = Messages(node, self.emit, self.note)
        self.faxes = Faxes(node, self.emit, self.note)
        self._ringback = Ringback(self, node, self._playing)
        self._place: Ref | None = None
        self._early = Early(self, node)
        self._dialling = Dialling(self, node)
        self.joins = Joins(self, node)
        self.recall = Recall(lambda: self.snapshot.codes.feature_codes(), self.serve)
        self.moving = Moving(self, node, self._playing)

    # -- state ---------------------------------------------------------------------------------------------------------

    @property
    def now(self) -> datetime:
        return clock.now()

    @property
    def answered(self) -> bool:
        return self._answered

    @property
    def bridged(self) -> bool:
        served = self.legs.get(self.party.id)
        return bool(served and served.peer)

    @property
    def expecting(self) -> LegState | None:
        """Who will talk with whoever answers: the party, or, while a consultation rings, who consults."""
        consults = self.recall.leg if self.recall.stays is not None else None
        return self.legs.get((consults or self.party).id)

    def expects(self, leg_uuid: str) -> bool:
        """Whether whoever answers will talk with this leg."""
        return self.expecting is not None and self.expecting.uuid == leg_uuid

    def rings_in(self, groups: Collection[Ref]) -> LegState | None:
        """An employee's phone that rings for one of these groups, while nobody talks there yet."""
        if self.gone or self.expecting is None or self.expecting.peer:
            return None
        # a number outside that is called shows the number of its caller's group, and rings for nobody in it
        ringing = (s for s in self.open_legs() if s.leg.contact and s.direction == "out" and s.answered_at is None and not s.released)
        return next((s for s in ringing if s.group in groups), None)

    @property
    def playing(self) -> frozenset[str]:
        """Ids of the playbacks whose end has not been heard of."""
        return self._playing.open

    def expect_end(self, playbacks: frozenset[str]) -> None:
        """The end of these may have escaped us: they are over when something queued behind them has run."""
        self._playing.expect_end(self.party, playbacks)

    @property
    def message(self) -> Message | None:
        return self.messages.last

    @property
    def fax(self) -> Fax | None:
        return self.faxes.last

    def open_legs(self) -> list[LegState]:
        return [s for s in self.legs.values() if s.alive]

    def restore_talk(self) -> None:
        """After a restart: who talked with whom, and since when, from the steps and legs."""
        self._answered = any(s.answered_at is not None for s in self.legs.values() if s.leg == self.party)
        for at, step in self.steps:
            if step.what == "talk":
                self.talk_started_at = self.talk_started_at or at
                who = step.facts.get("who")
                same = [s for s in self.legs.values() if s.leg.label == who and s.answered_at]
                before = [s for s in same if s.answered_at and s.answered_at <= at]  # he may have been rung again later
                if same:
                    self.talked_with = before[-1] if before else same[0]
        self._recordings.restore((step for _, step in self.steps), self.party)

    def serve(self, leg: Leg) -> None:
        """The scenario serves this leg from now on: the first party of an ordered call, or who was left when the caller transferred."""
        before = self.legs.get(self.party.id)
        if not self.legs[leg.id].alive:  # both have left at once
            self.gone = True
            self._inbox.wake()
            return
        if before is not None and before.alive and before.leg != leg:
            self._node.guard(self, armed=False)  # the timer of one who is not served any more would tear his talk apart
        first, self.party = self.party == NOBODY, leg
        self._answered = True
        self._node.mark_served(self, leg)
        self._playing.take_over(self.moving.off_hold(leg))
        if first or not self.bridged:
            self._node.guard(self, armed=True)
        self._node.journal_leg(self, self.legs[leg.id])  # the journal knows whom we serve
        self._recordings.go_on(before, leg)

    def legs_of(self, reason: LegReason) -> list[LegState]:
        return [s for s in self.legs.values() if s.reason == reason]

    # -- the one await -------------------------------------------------------------------------------------------------

    async def next(self, until: datetime | None = None, *, keys: bool = False) -> Event:
        while True:
            if self.gone:
                return self._last_words()
            while (event := self._inbox.take()) is not None:
                if not self._stale(event) and not self.recall.takes(event, self.now):
                    return event
                if self.gone:
                    return self._last_words()
            delay = None
            if until is not None:
                delay = (until - self.now).total_seconds()
                if delay <= 0:
                    await asyncio.sleep(0)  # other calls get their turn, however often this one asks with no time left
                    if self.gone:
                        return self._last_words()
                    return TimeUp()
            await self._inbox.wait(delay)

    def _last_words(self) -> MessageOver | Faxed:
        """What the party has left for somebody before it went. Raises CallGone when that is nothing more."""
        words = self._inbox.last_words()
        if words is None:
            raise CallGone
        return words

    def emit(self, event: Event) -> None:
        """Give the scenario an event."""
        self._inbox.put(event)

    def _stale(self, event: Event) -> bool:
        match event:
            case Answered(leg) | Ended(leg) | Ringing(leg) | EarlyMedia(leg) | Key(leg) | Held(leg):
                state = self.legs.get(leg.id)
                return state is None or state.released
            case _:
                return False

    # -- events of the switch --------------------------------------------------------------------------------------------

    def feed(self, event: SwitchEvent, state: LegState) -> None:
        """Take an event of one of this call's legs."""
        match event.name:
            case "CHANNEL_CREATE":
                state.created = True
                if state.released:  # it was given up before the switch had it: the order to end it found nothing
                    self._node.switch.kill(state.uuid, state.release_cause)
            case "CHANNEL_EXECUTE_COMPLETE":
                if self.faxes.executed(event):
                    self._node.guard(self, armed=True)
                else:
                    self._playing.over(event, self.id)
            case "CHANNEL_ANSWER":
                if state.answered_at is None:
                    state.answered_at = self.now
                    self._dialling.rings_no_more(state)
                    self._node.journal_leg(self, state)
                    self._node.changed(self)
                if state.leg == self.party:
                    self._answered = True
                if state.early and not state.ready:
                    state.ready = True
                    self.emit(Answered(state.leg))
            case "CHANNEL_PROGRESS" | "CHANNEL_PROGRESS_MEDIA":
                state.alerting = state.alerting or event.name == "CHANNEL_PROGRESS"
                if state.direction == "out" and state.ringing_at is None:
                    state.ringing_at = self.now
                    self.emit(Ringing(state.leg))
            case "CHANNEL_PARK":
                self._parked(event, state)
            case "CHANNEL_BRIDGE":
                self.joins.seen(state.uuid, event.other_uuid)
            case "CHANNEL_UNBRIDGE":
                state.peer = ""
            case "DTMF":
                if self._answered or state.leg != self.party:
                    self.emit(Key(state.leg, event.digit))
            case "CHANNEL_HOLD" | "CHANNEL_UNHOLD":
                state.held = event.name == "CHANNEL_HOLD"
                self.emit(Held(state.leg, event.name == "CHANNEL_HOLD"))
            case "RECORD_STOP":
                self._record_over(event)
            case "CUSTOM" if event.subclass == "spandsp::rxfaxpageresult":
                self.faxes.page(event)
            case "CUSTOM" if event.subclass == "sofia::transferor":
                state.leaving = True
            case "CHANNEL_HANGUP_COMPLETE":
                state.refused_with = event.proto_specific_hangup_cause
                self.leg_over(state, event.hangup_cause)

    def _parked(self, event: SwitchEvent, state: LegState) -> None:
        self.moving.is_free(state.uuid)
        if event.endpoint_disposition == "ATTENDED_TRANSFER":
            return  # a transferring phone's consultation leg; the switch ends it itself
        if state.direction == "out" and not state.ready and state.leg != self.party:
            if state.answered_at is None and event.answer_state != "answered":
                state.early = True
                self.emit(EarlyMedia(state.leg))
                return
            state.ready = True
            self.emit(Answered(state.leg))
            return
        if event.sent_by_phone or event.endpoint_disposition == "BLIND_TRANSFER":
            self.joins.parked_by_transfer(event, state)

    def _record_over(self, event: SwitchEvent) -> None:
        path = event.record_file_path
        if self.messages.stopped(path, event.record_ms / 1000, by_silence=event.by_silence):
            return
        self._recordings.stopped(path, event.record_ms)

    def leg_over(self, state: LegState, cause: str, *, at: datetime | None = None, by: datetime | None = None) -> None:
        """A leg has ended, by an event, a refused originate or a sweep. `by`: it ended between `at` and then."""
        if not state.alive:
            return
        state.ended_at, state.ended_by, state.cause = at or self.now, by, cause
        self._dialling.rings_no_more(state)
        self._node.left(self, state)
        self._node.journal_leg(self, state)
        self._node.changed(self)
        if not self.open_legs():
            self.all_ended.set()
        self.moving.is_free(state.uuid)
        if self._early.ends(state.leg):
            self._ringback.again()  # another line may be tried
        if self.moving.consults and self.moving.outlives(state.uuid) and (state.leaving or cause in (BLIND_TRANSFER, *REPLACED)):
            self.joins.hold_back(state)
        elif state.leg == self.party and self.moving.outlives(state.uuid):
            self.emit(Ended(state.leg, cause))
        elif state.leg == self.party and self._may_be_replaced(state):
            self.joins.hold_back(state)
        elif state.leg == self.party:
            self.messages.party_left(state.ended_at)
            self.faxes.over()
            if state.leaving and any(s.alive and s.peer for s in self.legs.values() if s is not state):
                return  # a caller who transferred his callee away; the callee's PARK follows
            self.gone = True
            self._inbox.wake()
        elif cause in (BLIND_TRANSFER, *REPLACED) or state.leaving:
            self.joins.hold_back(state)
        else:
            self.emit(Ended(state.leg, cause))

    def _may_be_replaced(self, state: LegState) -> bool:
        """Whether another phone may have taken the place of this leg, which has ended: of one that talked only (INVITE with Replaces)."""
        talked = state.answered_at is not None and any(s.answered_at for s in self.open_legs())
        return talked and state.cause in REPLACED and not state.leaving

    def party_left(self) -> None:
        """Nobody has taken its place."""
        self.gone = True
        self._inbox.wake()

    def refused(self, leg_uuid: str, cause: str) -> None:
        """An originate has failed."""
        state = self.legs.get(leg_uuid)
        if state is None:
            return
        if state.created:  # its own end, which says by what answer (R16), is on the way and may come after this
            self._loop.call_later(END_FOLLOWS_SECONDS, self.leg_over, state, cause)
        else:
            self.leg_over(state, cause)

    def talks(self, state: LegState) -> None:
        """The party talks with this leg from now on."""
        if self.talk_started_at is None:
            self.talk_started_at = self.now
        self.talked_with = state
        self._node.changed(self)

    # -- orders ----------------------------------------------------------------------------------------------------------

    def answer(self) -> None:
        if not self._answered:
            self._answered = True
            self._node.switch.answer(self.party.id)
            self.note(Step("answer"))

    def answer_late(self) -> None:
        """R11: operators cut unanswered calls; answer, and go on with the same ringback."""
        if not self._answered and not self.gone:
            self.note(Step("answered_to_hold_the_line"))
            self.answer()
            self._ringback.again()

    def ringback(self, music: Sound | None) -> None:
        self._ringback.begin(music)

    def let_hear(self, leg: Leg) -> None:
        if self._early.let_hear(leg):
            self._playing.forget_background()

    def play(self, *sounds: Sound, loop: bool = False) -> Playback:
        self._ringback.end()
        playback = self._playing.play(self.party, sounds, loop=loop)
        self.note(Step("play", {"sound": " + ".join(s.path for s in sounds)}))
        return playback

    def stop(self, playback: Playback) -> None:
        self._playing.stop(self.party, playback)
        self._inbox.forget(playback)

    @property
    def recordings(self) -> list[Recording]:
        return self._recordings.all

    def record(self, leg: Leg, path: str) -> Recording:
        return self._recordings.begin(leg, path)

    def end_recording(self, recording: Recording) -> None:
        self._recordings.end(recording, recording.leg or self.party)

    def record_message(self, path: str, *, limit: timedelta, until_silence: timedelta) -> Message:
        self._let_go()
        self._ringback.end()
        return self.messages.record(self.party, path, self.now, limit, until_silence)

    def end_message(self, message: Message) -> None:
        self.messages.end(self.party, message)

    @property
    def takes_faxes(self) -> bool:
        return self._node.takes_faxes

    def receive_fax(self, path: str) -> Fax:
        self._let_go()
        self._ringback.end()
        self._node.guard(self, armed=False)  # should the engine die, the fax comes in all the same
        return self.faxes.receive(self.party, path, self.now)

    def end_fax(self, fax: Fax) -> None:
        if self.fax == fax:
            self.faxes.over()

    def dial(self, callee: Callee, *, caller_id: str | None = None) -> tuple[Leg, ...]:
        return self._dialling.dial(callee, caller_id)

    def dial_instead(self, leg: Leg) -> Leg | None:
        return self._dialling.dial_instead(leg)

    def enlist(self, state: LegState) -> None:
        """A leg that is being dialled belongs to this call."""
        self.legs[state.uuid] = state
        self.all_ended.clear()
        self._node.enrol(self, state)
        self._node.journal_leg(self, state)

    def release(self, leg: Leg, cause: str = NORMAL_CLEARING) -> None:
        state = self.legs.get(leg.id)
        if state is None or state.released:
            return
        state.released, state.release_cause = True, cause
        self.joins.forget(state)
        if state.alive:
            self._node.switch.kill(leg.id, cause)

    def bridge(self, one: Leg, other: Leg) -> None:
        served = self.party in (one, other)
        first, state = self.legs.get(one.id), self.legs.get(other.id)
        early = self._early.becomes_talk(one, other)
        joined = first is not None and first.peer == other.id
        if served:
            self._ringback.ends_with_the_bridge()
            self._let_go(one, other)
        for leg in (one, other):
            self.moving.off_hold(leg)
        if joined and (not served or self.talked_with in (first, state)):
            return  # phones have joined them (pickup, Replaces)
        if served:
            self._node.guard(self, armed=False)
            self.answer()
        for leg in (one, other):
            self.moving.restore_context(leg)
        if not joined and not early:  # else the switch has done it for the early media, or is about to
            self.moving.bridge(one, other)
        if state is not None and first is not None:
            state.peer, first.peer = one.id, other.id
            if served:
                self.talks(state if other != self.party else first)

    def hold(self, leg: Leg, music: Sound | None) -> None:
        if leg == self.party:
            self._ringback.end()
        self.moving.hold(leg, music)

    def tell(self, leg: Leg, sound: Sound) -> None:
        self.moving.tell(leg, sound)

    def send_keys(self, leg: Leg, digits: str) -> None:
        self._node.switch.send_dtmf(leg.id, digits)

    def show(self, leg: Leg, party: Leg) -> None:
        state = self.legs.get(party.id)
        if leg.contact is None or leg.external or state is None:
            return
        caller = self.caller if party.id == self.id else None
        number = shown_to_people(caller.number) if caller is not None else party.label
        user = self.snapshot.users.get(party.user or 0) if party.contact else None
        self._node.switch.display(leg.id, (caller.name if caller is not None else user.title if user is not None else "") or number, number)

    def part(self, one: Leg, other: Leg) -> None:
        self.moving.part(one, other)

    def outlive(self, *legs: Leg) -> None:
        self.moving.outlive(*legs)

    def attend(self, leg: Leg | None, stays: Leg | None = None) -> None:
        state = self.legs.get(leg.id) if leg is not None else None
        self.recall.begin(leg if state is not None and state.alive else None, stays)
        if leg is not None and self.recall.leg is None and leg == self.party and stays is not None:
            self.serve(stays)

    def _let_go(self, *talk: Leg) -> None:
        """Who has sent the party on by a code and listens has done so, unless it talks with himself now."""
        listened = self.recall.end()
        if listened is not None and listened not in talk:
            self.release(listened, BLIND_TRANSFER)

    @property
    def attending(self) -> Leg | None:
        return self.recall.leg

    def pick_up(self, groups: Sequence[Ref]) -> bool:
        return self._node.crossings.pick_up(self, groups)

    def presence(self, contact: Contact) -> Presence:
        return self._node.presence(self, contact)

    def involved(self, contact: Contact) -> bool:
        return is_own(self.snapshot, self.caller, contact) or any(s.alive and s.leg.contact == contact.id for s in self.legs.values())

    def shuffle(self, items: Sequence[T]) -> Sequence[T]:
        return random.sample(list(items), len(items))

    def note(self, step: Step) -> None:
        at = self.now
        self.steps.append((at, step))
        self._node.journal_step(self, at, step)
        if step.target is not None and step.what == "enters" and self.party.id:
            if self._place is None:
                self._loop.call_soon(self._mark_place)
            self._place = step.target
        self._node.changed(self)

    def _mark_place(self) -> None:
        """Once a turn of the loop: a call runs through several elements at once, and a successor needs only the last."""
        place, self._place = self._place, None
        if not self.gone:
            self._node.switch.setvar(self.party.id, "vats_at", str(place))

    def fact(self, fact: Fact) -> None:
        self.facts.append(fact)
        self._node.journal_fact(self, fact)

    # -- moving legs between calls ------------------------------------------------------------------------------------------

    def give_up(self, leg_uuid: str) -> LegState | None:
        """Hand a leg over to another call; its history here ends with its transfer."""
        state = self.legs.get(leg_uuid)
        if state is None or not state.alive:
            return None
        now = self.now  # nobody pays twice for the time before
        moved = replace(state, peer="", released=False, started_at=now, answered_at=now if state.answered_at else None)
        state.ended_at, state.cause, state.released, state.moved = now, ATTENDED_TRANSFER, True, True
        if not self.open_legs():
            self.all_ended.set()
        if state.leg == self.party:
            self.gone = True
            self._inbox.wake()
        return moved

    def take_over(self, state: LegState) -> None:
        self.legs[state.uuid] = state
        self.all_ended.clear()

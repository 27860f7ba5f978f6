# SPDX-License-Identifier: Apache-2.0
"""Calling out: one or several legs at once or one after the other, the first that answers wins; for originate and bridge."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.embedded import text
from engine.embedded.channel import Channel, Why
from engine.embedded.dial import Destination, DialError, resolve
from engine.embedded.leg import Leg
from engine.embedded.profile import CallerProfile
from engine.embedded.record import State
from engine.embedded.rtp import NoPort
from engine.embedded.sip.contract import InviteTarget
from engine.embedded.sip.syntax import MalformedMessage

if TYPE_CHECKING:
    from engine.embedded.switch import Switch

log = logging.getLogger(__name__)

DEFAULT_TIMEOUT = 60
_NOT_FOR_LEG = frozenset(("origination_uuid", "originate_timeout"))


@dataclass(frozen=True, slots=True)
class Outcome:
    """`channel` has answered (or sends early media, unless that is ignored); else `cause` says why not."""

    channel: Channel | None
    cause: str


class Originate:
    """One dial string being dialled; `originator` is the channel that runs `bridge`, None for the originate command."""

    def __init__(
        self,
        switch: Switch,
        dial_string: str,
        *,
        originator: Channel | None = None,
        timeout: int = DEFAULT_TIMEOUT,
        caller_id_name: str = "",
        caller_id_number: str = "",
    ) -> None:
        self._switch = switch
        self._originator = originator
        self.variables, self._rest = text.braces(dial_string, "{")
        self._caller_id = (caller_id_name, caller_id_number)
        asked = self.variables.get("originate_timeout") or (originator.get("call_timeout") if originator else None)
        self._timeout = text.number(asked or "", timeout) or timeout
        self._changed = asyncio.Event()
        self._legs: list[Channel] = []
        self._failures: list[str] = []
        self._first_uuid = self.variables.pop("origination_uuid", "")

    async def run(self) -> Outcome:
        """Never raises for what a dial string may hold."""
        cause = "INVALID_NUMBER_FORMAT"
        for group in _split(self._rest, "|"):
            outcome = await self._group(_split(group, ","))
            if outcome.channel is not None or outcome.cause == "ORIGINATOR_CANCEL":
                return outcome
            cause = outcome.cause
        return Outcome(None, cause)

    async def _group(self, places: list[str]) -> Outcome:
        self._legs, self._failures = [], []
        loop = self._switch.loop
        for place in places:
            own, destination = text.braces(place, "[")
            variables = {**self.variables, **own}
            try:
                targets = await resolve(self._switch, destination)
            except DialError as error:
                self._failures.append(error.cause)
                self._note(None, error.cause)
                continue
            for target in targets:
                self._call(target, variables)
        if self._originator is not None and self._originator.is_down():
            return self._give_up("ORIGINATOR_CANCEL")
        winner, why = await self._wait(loop.time() + self._timeout)
        return self._result(winner, why)

    def _result(self, winner: Channel | None, why: Why) -> Outcome:
        for leg in self._legs:
            leg.observers.remove(self._wake)
        if winner is not None:
            for leg in self._legs:
                self._note(leg, "NONE" if leg is winner else leg.cause or "LOSE_RACE")
                if leg is not winner:
                    leg.hangup("LOSE_RACE")
            return Outcome(winner, "SUCCESS")
        if why is Why.GONE:
            return self._give_up("ORIGINATOR_CANCEL", observed=False)
        if why is Why.TIMEOUT:
            return self._give_up("NO_ANSWER", observed=False)
        for leg in self._legs:
            self._note(leg, leg.cause)
            if self._originator is not None and (last := leg.get("proto_specific_hangup_cause")):
                self._originator.set("last_bridge_proto_specific_hangup_cause", last)
        causes = [*self._failures, *(leg.cause for leg in self._legs)]
        return Outcome(None, causes[0] if causes else "DESTINATION_OUT_OF_ORDER")

    def _give_up(self, cause: str, *, observed: bool = True) -> Outcome:
        for leg in self._legs:
            if observed:
                leg.observers.remove(self._wake)
            leg.hangup(cause)
            self._note(leg, leg.cause)
        return Outcome(None, cause)

    def _note(self, leg: Channel | None, cause: str) -> None:
        if self._originator is None:
            return
        if leg is not None:
            self._originator.push("originated_legs", f"{leg.uuid};{leg.profile.callee_id_name};{leg.profile.callee_id_number}")
        self._originator.push("originate_causes", f"{leg.uuid if leg else ''};{cause}")

    # -- waiting -----------------------------------------------------------------------------------------------------

    def _wake(self) -> None:
        self._changed.set()
        if self._originator is not None:
            self._originator.notify()

    def _won(self) -> Channel | None:
        for leg in self._legs:
            if leg.is_down():
                continue
            if leg.answered or (leg.early and not leg.is_true("ignore_early_media")):
                return leg
        return None

    def _settled(self) -> bool:
        return self._won() is not None or all(leg.is_down() for leg in self._legs)

    async def _wait(self, until: float) -> tuple[Channel | None, Why]:
        ringback = _Ringback(self._originator, self.variables) if self._originator is not None else None

        def settled() -> bool:
            if ringback is not None:
                ringback.look(self._legs)
            return self._settled()

        if self._originator is not None:
            why = await self._originator.wait(settled, until=until, breakable=False)
        else:
            why = await self._watch(settled, until)
        if ringback is not None:
            ringback.stop()
        return (self._won() if why is Why.DONE else None), why

    async def _watch(self, settled: Callable[[], bool], until: float) -> Why:
        loop = self._switch.loop
        timer = loop.call_at(until, self._changed.set)
        try:
            while not settled():
                if loop.time() >= until:
                    return Why.TIMEOUT
                self._changed.clear()
                await self._changed.wait()
        finally:
            timer.cancel()
        return Why.DONE

    # -- a leg -------------------------------------------------------------------------------------------------------

    def _call(self, target: Destination, variables: dict[str, str]) -> None:
        switch = self._switch
        uuid = variables.pop("origination_uuid", "") or self._first_uuid or switch.new_uuid()
        self._first_uuid = ""
        if uuid in switch.channels:
            log.warning("originate: the uuid %s is in use", uuid)
            self._failures.append("DESTINATION_OUT_OF_ORDER")
            return
        if len(switch.channels) >= switch.config.max_sessions:
            self._failures.append("SWITCH_CONGESTION")
            return
        channel = self._channel(uuid, target, variables)
        try:
            channel.media.open(*switch.addresses_towards(target))
            offer = channel.media.offer()
            invite = _invite(channel, target)
        except (NoPort, OSError, MalformedMessage) as error:
            log.error("originate to %s: %s", target.uri, error)
            self._failures.append("NORMAL_CIRCUIT_CONGESTION")
            channel.media.close()
            return
        switch.add(channel)
        self._legs.append(channel)
        channel.observers.append(self._wake)
        channel.fire("CHANNEL_CREATE")
        channel.fire("CHANNEL_OUTGOING")
        channel.fire("CHANNEL_ORIGINATE")
        if target.gateway is not None:
            target.gateway.calls["out"] += 1
        leg = Leg(channel)
        channel.leg = leg
        channel.start(State.CONSUME_MEDIA)
        leg.call = switch.agent.invite(invite, leg, offer)
        channel.set("sip_call_id", leg.call.call_id)
        channel.set("sip_local_network_addr", channel.media.shown)
        if limit := text.number(variables.get("leg_timeout", "")):
            switch.loop.call_later(limit, _leg_timeout, channel)

    def _channel(self, uuid: str, target: Destination, variables: dict[str, str]) -> Channel:
        name, number = self._number(variables)
        profile = CallerProfile(
            dialplan="XML",
            context="default",
            caller_id_name=name,
            caller_id_number=number,
            orig_caller_id_name=name,
            orig_caller_id_number=number,
            callee_id_name=variables.get("origination_callee_id_name", "Outbound Call"),
            callee_id_number=variables.get("origination_callee_id_number", target.number),
            ani=number,
            destination_number=target.number,
            network_addr=target.peer,
        )
        channel = Channel(self._switch, uuid=uuid, direction="outbound", name=target.name, profile=profile)
        for key, value in {**target.variables, **variables}.items():
            if key not in _NOT_FOR_LEG:
                channel.set(key, value)
        channel.set("origination_uuid", uuid)
        channel.set("is_outbound", "true")
        channel.set("channel_name", target.name)
        channel.set("sofia_profile_name", target.profile)
        channel.set("sip_profile_name", "gateway" if target.gateway else target.profile)
        channel.set("sip_destination_url", target.uri)
        channel.set("originate_early_media", "false" if text.true(variables.get("ignore_early_media")) else "true")
        if self._originator is not None:
            self._inherit(channel, self._originator)
        return channel

    def _number(self, variables: dict[str, str]) -> tuple[str, str]:
        name, number = self._caller_id
        if self._originator is not None:
            profile = self._originator.profile
            name = self._originator.get("effective_caller_id_name") or profile.caller_id_name
            number = self._originator.get("effective_caller_id_number") or profile.caller_id_number
        number = variables.get("origination_caller_id_number") or number or "0000000000"
        return variables.get("origination_caller_id_name") or name or "Outbound Call", number

    @staticmethod
    def _inherit(channel: Channel, originator: Channel) -> None:
        """Variables named in export_vars go with the call; the two know each other."""
        for name in (originator.get("export_vars") or "").split(","):
            if name.strip() and (value := originator.get(name.strip())):
                channel.set(name.strip(), value)
        channel.set("originator", originator.uuid)
        channel.set("originating_leg_uuid", originator.uuid)
        channel.set("call_uuid", originator.get("call_uuid") or originator.uuid)
        channel.other(originator, "originator")


class _Ringback:
    """What the caller hears while `bridge` dials: 180 passed on, or the sound of `ringback` / `transfer_ringback`."""

    def __init__(self, originator: Channel, variables: dict[str, str]) -> None:
        self._originator = originator
        name = "transfer_ringback" if originator.answered else "ringback"
        self._sound = originator.get(name) or variables.get(name) or ""
        self._instant = originator.is_true("instant_ringback")
        self._stop: Callable[[], None] | None = None

    def look(self, legs: list[Channel]) -> None:
        if self._stop is not None or not (self._instant or any(leg.ringing or leg.early for leg in legs)):
            return
        originator = self._originator
        if not self._sound:
            originator.ring_ready()
            self._stop = _nothing
            return
        if originator.pre_answer() and originator.media.player is not None:
            player = originator.media.player
            layer = player.put_under(originator.switch.media.source(self._sound))
            self._stop = lambda: player.remove(layer)

    def stop(self) -> None:
        if self._stop is not None:
            self._stop()


def _nothing() -> None:
    return


def _leg_timeout(channel: Channel) -> None:
    if not channel.answered:
        channel.hangup("ALLOTTED_TIMEOUT")


def _invite(channel: Channel, target: Destination) -> InviteTarget:
    profile = channel.profile
    gateway = target.gateway
    from_user = profile.caller_id_number
    if gateway is not None and not gateway.caller_id_in_from:
        from_user = gateway.username
    domain = channel.get("sip_invite_domain") or target.domain
    shown = domain or channel.media.shown
    headers: list[tuple[str, str]] = []
    number, name = profile.caller_id_number, profile.caller_id_name.replace('"', "'").replace("\\", "")
    match (channel.get("sip_cid_type") or "rpid").lower():
        case "pid":
            headers.append(("P-Asserted-Identity", f'"{name}" <sip:{number}@{shown}>'))
        case "rpid":
            headers.append(("Remote-Party-ID", f'"{name}" <sip:{number}@{shown}>;party=calling;screen=yes;privacy=off'))
    for key, value in channel.variables.items():
        if key.startswith("sip_h_") and isinstance(value, str):
            headers.append((key[6:], value.replace("\r", " ").replace("\n", " ")))
    return InviteTarget(
        listener=target.profile,
        uri=target.uri,
        from_user=from_user,
        from_domain=domain,
        from_display="" if profile.caller_id_name == number else profile.caller_id_name,
        to_uri=f"sip:{target.flow.aor}" if target.flow is not None else "",
        hop=target.hop,
        flow=target.flow,
        headers=tuple(headers),
        credentials=target.credentials,
        contact_user=f"gw+{gateway.name}" if gateway is not None else "mod_sofia",
    )


def _split(dial_string: str, delimiter: str) -> list[str]:
    """Parts outside of brackets and quotes."""
    parts, start, index = [], 0, 0
    while index < len(dial_string):
        character = dial_string[index]
        if character in "[{" and (end := text.closing(dial_string, index)) > 0:
            index = end
        elif character == delimiter:
            parts.append(dial_string[start:index])
            start = index + 1
        index += 1
    parts.append(dial_string[start:])
    return [part.strip() for part in parts if part.strip()]

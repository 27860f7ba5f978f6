# SPDX-License-Identifier: Apache-2.0
"""Whose call is this? A parked leg becomes an admission: from a trunk by DID and source, from a phone by its login (R5, R27)."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network

from engine.calls.call import Leg, LegReason
from engine.calls.cdr import failed_groups
from engine.calls.live import LiveCall
from engine.calls.reception import Admission, Ending, Rejection
from engine.calls.trunks import gateway_name
from engine.errors import VatsError
from engine.esl.event import Event
from engine.numbering import presented_e164, user_part
from engine.routing.action import Entry, RoutingAction, Waiting
from engine.routing.arrival import begin, by_line, by_phone, start_of
from engine.routing.carry_out import CORE_ORDERS, go_on, to_the_end
from engine.routing.conversation import sent_on, stay
from engine.routing.order_action import OrderAction
from engine.routing.outbound import dial_number
from engine.routing.router import Router, ending
from engine.snapshot import Did, Ref, Snapshot, Trunk

log = logging.getLogger(__name__)
_QUOTED = re.compile(r'\\(["\\])')
"""FreeSWITCH leaves the backslashes of a quoted display name (RFC 3261, quoted-pair) where they are."""


@dataclass(slots=True)
class TrunkIndex:
    """Every customer's trunks and DIDs, for the question where a provider's call belongs. Look-ups do not grow with customers."""

    by_gateway: dict[str, Trunk] = field(default_factory=dict)
    """Registering trunks: whoever calls the Contact we have registered is that provider, from whatever address."""
    by_did: dict[str, tuple[Snapshot, Did]] = field(default_factory=dict)
    _networks: dict[tuple[int, int], dict[int, set[int]]] = field(default_factory=dict)
    """(IP version, host bits) → network address without those bits → ids of the non-registering trunks that call from there."""

    @classmethod
    def of(cls, snapshots: Iterable[Snapshot]) -> TrunkIndex:
        index = cls()
        for snapshot in snapshots:
            if not snapshot.account.active:
                continue
            for trunk in snapshot.core.trunks:
                if trunk.active:
                    index._add(trunk)
            for did in snapshot.core.dids:
                index.by_did[did.number] = snapshot, did
        return index

    def _add(self, trunk: Trunk) -> None:
        if trunk.registers:
            self.by_gateway[gateway_name(trunk.id)] = trunk
        for source in () if trunk.registers else trunk.sources:
            try:
                network = ip_network(source, strict=False)
            except ValueError:
                log.error("trunk %d: %r is no address or network", trunk.id, source)
                continue
            host_bits = network.max_prefixlen - network.prefixlen
            known = self._networks.setdefault((network.version, host_bits), {})
            known.setdefault(int(network.network_address) >> host_bits, set()).add(trunk.id)

    def calls_from(self, address: str) -> list[set[int]]:
        """Ids of the non-registering trunks whose provider may call from this address, by the networks it lies in."""
        try:
            source = ip_address(address)
        except ValueError:
            return []
        bits = int(source)
        return [
            known[bits >> host_bits]
            for (version, host_bits), known in self._networks.items()
            if version == source.version and bits >> host_bits in known
        ]


@dataclass(slots=True)
class FrontDesk:
    """The node's Reception, over the current snapshots and routing actions."""

    snapshots: Callable[[], Iterable[Snapshot]]
    snapshot: Callable[[int], Snapshot]
    account_of_domain: Callable[[str], int | None]
    actions: Callable[[], Mapping[str, RoutingAction]]
    orders: Callable[[], Mapping[str, OrderAction]] = lambda: {order.kind: order for order in CORE_ORDERS}
    _index: TrunkIndex | None = None

    def forget(self) -> None:
        """Some configuration has changed."""
        self._index = None

    @property
    def index(self) -> TrunkIndex:
        if self._index is None:
            self._index = TrunkIndex.of(self.snapshots())
        return self._index

    def admit(self, event: Event) -> Admission | Rejection:
        return self._from_trunk(event) if event.context == "from-trunk" else self._from_phone(event)

    # -- from a provider ---------------------------------------------------------------------------------------------------

    def _from_trunk(self, event: Event) -> Admission | Rejection:
        address = event.sip_received_ip or event.sip_network_ip or event.network_addr
        known = self.index.by_gateway.get(event.sip_gateway)
        callers = [{known.id}] if known else self.index.calls_from(address)
        if not callers:
            return Rejection(403, f"a call from {address}, which is no trunk's address")
        number = presented_e164(event.destination_number)
        found = self.index.by_did.get(number or "")
        if found is None:
            return Rejection(404, f"nobody has the number {event.destination_number}")
        snapshot, did = found
        presented = None if event.hide_number == "true" else presented_e164(event.caller_number)
        arrival = by_line(snapshot, did, {trunk for ids in callers for trunk in ids}, presented, _name(event))
        if arrival is None:
            return Rejection(403, f"{did.number} came by a line of another customer")
        caller = arrival.caller
        leg = Leg(event.uuid, caller.number or "anonymous", external=True)
        return Admission(snapshot, caller, leg, arrival.direction, "incoming", self.serve, caller.trunk, did.number)

    async def serve(self, call: LiveCall) -> Ending:
        """A call that has been let in, from its beginning."""
        actions = self.actions()
        outcome = await begin(call, Router(actions, dial_number), start_of(call.snapshot, actions, call.caller))
        return ending(outcome, call.answered)

    async def resume(self, call: LiveCall, at: Ref | None, talking_with: Leg | None, *, joined: bool = True) -> Ending:
        """Go on with a call that an earlier engine began: its talk, or the element it was in (without greeting).

        What was deleted meanwhile is left out (R26): the call goes back to where it came from, one from outside at last to the PBX itself.
        """
        router = Router(self.actions(), dial_number, trail=trail_of(call))
        if talking_with is not None:
            if call.recordings:
                router.recording = call.recordings[-1]
            outcome = await stay(call, router, talking_with, call.legs[talking_with.id].group, joined=joined)
            return await to_the_end(call, router, outcome, self.orders())
        if at is None and call.ordered is not None:
            return await go_on(call, call.ordered, self.actions(), self.orders())
        if at is not None:
            if router.trail and all(entry.target != at for entry in router.trail):
                at = router.trail[-1].target  # the switch remembers a nested element that the call had come back from
            leaves_something = call.message is not None or call.fax is not None  # whose it is does not matter to who speaks or sends
            if not leaves_something and router.serves(at) and _is_gone(call.snapshot, at):
                router.trail = [entry for entry in router.trail if not _is_gone(call.snapshot, entry.target)]
                at = _before(call, router.trail) or at
            return await to_the_end(call, router, await router.route(call, Entry(at, "repeat")), self.orders())
        return await self.serve(call)

    async def transferred(self, call: LiveCall, number: str, by: Leg) -> Ending:
        """A phone has sent the served party to `number` while no engine listened."""
        router = Router(self.actions(), dial_number, trail=trail_of(call))
        if call.recordings:
            router.recording = call.recordings[-1]
        group = call.legs[by.id].group if by.id in call.legs else None
        return await to_the_end(call, router, sent_on(call, number, by, group), self.orders())

    def left(self, call: LiveCall) -> None:
        """The caller has left, while no engine listened, the element he was in: the last one that had not failed before."""
        if (call.direction != "in" or call.talk_started_at is not None) and call.message is None and call.fax is None:
            return
        actions, trail, failed = self.actions(), trail_of(call), failed_groups(call.facts)
        here = next((entry for entry in reversed(trail) if entry.target not in failed), None)
        action = actions.get(here.target.kind) if here is not None else None
        if here is not None and isinstance(action, Waiting):
            action.left(call, here, Router(actions, dial_number, trail=trail))

    # -- from a phone ------------------------------------------------------------------------------------------------------------

    def _from_phone(self, event: Event) -> Admission | Rejection:
        realm = event.sip_auth_realm or event.sip_from_host
        account_id = self.account_of_domain(realm)
        if account_id is None:
            return Rejection(403, f"no account serves the domain {realm}")
        try:
            snapshot = self.snapshot(account_id)
        except VatsError as error:
            return Rejection(403, f"account {account_id}: {error}")
        login, dialled = event.sip_auth_username, user_part(event.destination_number)
        arrival = by_phone(snapshot, login, dialled)
        if arrival is None or arrival.contact is None:
            return Rejection(403, f"{login}@{realm} is nobody's phone")
        leg = Leg(event.uuid, login, arrival.caller.user, arrival.contact.id)
        reason: LegReason = "outgoing" if arrival.direction == "out" else "internal"
        return Admission(snapshot, arrival.caller, leg, arrival.direction, reason, self.serve, None, dialled)


def trail_of(call: LiveCall) -> list[Entry]:
    """The way to where the call is, from its trace; nested elements that were closed or have failed are no part of it (GRP-4)."""
    left = {s.target for _, s in call.steps if s.what == "closed"} | set(failed_groups(call.facts))
    entered = (s for _, s in call.steps if s.what == "enters" and not (s.facts.get("by") == "nested" and s.target in left))
    return [Entry(s.target, "repeat") for s in entered if s.target is not None]


def _is_gone(snapshot: Snapshot, place: Ref) -> bool:
    """Whether the element of this place, or at which it is a place, has been deleted; places without an element have the id 0."""
    return place.id != 0 and snapshot.element(snapshot.owner(place)) is None


def _before(call: LiveCall, trail: Sequence[Entry]) -> Ref | None:
    """Where a call goes whose element is gone; None: nowhere."""
    if trail:
        return trail[-1].target
    root = call.snapshot.root
    return root.ref if root is not None and call.direction == "in" else None


def _name(event: Event) -> str:
    name = _QUOTED.sub(r"\1", event.caller_name)
    if event.hide_name == "true" or name.lower() in ("", "unknown", "anonymous") or name == event.caller_number or presented_e164(name):
        return ""  # switches put the number of From where no name is told
    return name[:80]

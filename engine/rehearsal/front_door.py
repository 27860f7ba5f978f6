# SPDX-License-Identifier: Apache-2.0
"""A rehearsed call that comes in by the same door as a real one: whose number is it, who calls, where does it start (R5, R16)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from engine.errors import Problem, Refused
from engine.gates import DialQuestion
from engine.i18n import N_
from engine.numbering import is_emergency, pretty, to_e164
from engine.rehearsal.question import Question
from engine.rehearsal.script import Script
from engine.rehearsal.service import Rehearsal, at_once, rehearsing
from engine.routing.action import RoutingAction
from engine.routing.arrival import Arrival, by_line, by_phone, own_number, start_of
from engine.settings import Settings
from engine.snapshot import Snapshot, User

ALERTS: Final = 0.5
"""Seconds until a phone that is called says that it rings."""
_SEPARATORS = re.compile(r"[\s().\-\u00a0\u2010-\u2015]+")


def as_installed(script: Script, settings: Settings, gate: Callable[[DialQuestion], str | None]) -> Script:
    """The script with what this installation's switch and gates do."""
    switch = settings.switch
    limit = float(switch.unanswered_limit_seconds)
    return replace(script, early_media=switch.early_media, takes_faxes=switch.takes_faxes, unanswered_limit=limit, gate=gate)


class NotAdmitted(Refused):
    """No call happens: it is refused before any scenario. The message says why."""


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """A whole call, from the door to its end."""

    arrival: Arrival
    rehearsal: Rehearsal


def rehearse_call(
    snapshot: Snapshot, actions: Mapping[str, RoutingAction], question: Question, at: datetime, *, seed: int = 1
) -> Rehearsed:
    """What would happen to this call at `at` (aware). Raises NotAdmitted, and Problem ("to", "caller") for what is no number at all."""
    return at_once(calling(snapshot, actions, question, at, seed=seed))


async def calling(
    snapshot: Snapshot, actions: Mapping[str, RoutingAction], question: Question, at: datetime, *, seed: int = 1
) -> Rehearsed:
    """The same as work for `beside`."""
    arrival = arrive(snapshot, question)
    script = question.script
    script = replace(
        script,
        alerts=ALERTS if script.alerts is None else script.alerts,
        unanswered_limit=script.unanswered_limit if arrival.direction == "in" else None,
    )
    start = start_of(snapshot, actions, arrival.caller)
    contact = arrival.contact.id if arrival.contact else None
    done = await rehearsing(
        snapshot, actions, start, arrival.caller, script, at, seed=seed, direction=arrival.direction, contact=contact
    )
    return Rehearsed(arrival, done)


def arrive(snapshot: Snapshot, question: Question) -> Arrival:
    """Who calls and what he has dialled. Raises like `rehearse_call`."""
    dialled = _SEPARATORS.sub("", question.to.strip())
    if not re.fullmatch(r"\+?[0-9*#]{1,32}", dialled):
        raise Problem("to", N_("“{number}” is no number that can be called."), number=question.to)
    if not snapshot.account.active:
        raise NotAdmitted(N_("The account is switched off: its calls are refused."))
    if question.caller is not None and (login := _phone(snapshot, question.caller)) is not None:
        arrival = by_phone(snapshot, login, dialled)
        if arrival is None:
            raise NotAdmitted(N_("The phone {login} may not call: its user is switched off."), login=login)
        return arrival
    caller = to_e164(question.caller, snapshot.account.area_code) if question.caller is not None else None
    if question.caller is not None and caller is None:
        raise Problem("caller", N_("“{number}” is neither a phone number nor an internal number with a phone."), number=question.caller)
    did = own_number(snapshot, dialled)
    if did is None:
        shown = pretty(to_e164(dialled, snapshot.account.area_code) or dialled)
        if snapshot.extension(dialled) is not None or is_emergency(dialled):
            raise NotAdmitted(N_("{number} can be dialled by employees only. Say which of them calls."), number=shown)
        raise NotAdmitted(N_("{number} is none of this PBX’s numbers: such a call is refused."), number=shown)
    found = by_line(snapshot, did, [trunk.id for trunk in snapshot.core.trunks if trunk.active], caller, "")
    if found is None:
        raise NotAdmitted(N_("No line that is switched on brings calls to {number}: they are refused."), number=pretty(did.number))
    return found


def _phone(snapshot: Snapshot, caller: str) -> str | None:
    """The SIP login that calls, when the caller is one of the PBX: a login, or an internal number of a user with a phone."""
    if caller in snapshot.sip_accounts:
        return caller
    user = snapshot.get(snapshot.extension(caller), User)
    logins = [c.address for c in user.contacts if c.kind == "sip" and c.address in snapshot.sip_accounts] if user else []
    return next(iter(logins), None)

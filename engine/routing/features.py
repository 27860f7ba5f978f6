# SPDX-License-Identifier: Apache-2.0
"""What employees do by codes in a talk (PBX-6): transfers, consultations, to the fax or mailbox of their group (R15, R19–R21)."""

from __future__ import annotations

from datetime import timedelta

from engine.calls.call import Call, Callee, Leg, Step
from engine.calls.causes import BLIND_TRANSFER
from engine.calls.ringing import Member
from engine.calls.talk import Coded, HoldExpired, Transfer
from engine.routing.action import Entry, GoTo, Missed, Nesting, Outcome
from engine.routing.callees import TRANSFER_RINGS, again, callees
from engine.routing.consultation import Asked, consult
from engine.routing.moves import Back, Returns, aside
from engine.routing.opening import shut, unrung_because
from engine.routing.restrictions import is_forbidden, outside_number
from engine.routing.tones import REFUSED, RINGING
from engine.snapshot import Branch, Feature, Ref, User


async def obey(
    call: Call, router: Nesting, coded: Coded, group: Ref | None, max_hold: timedelta | None
) -> Back | Returns | HoldExpired | Transfer | Outcome:
    """Do what the code says. `group`: the one the talk came through; `max_hold`: of the one who waits (R14). Raises CallGone."""
    by, number, feature = coded.by, coded.code.number, coded.code.feature
    held = coded.other if by == call.party else call.party
    user = call.snapshot.users.get(by.user or 0)
    if feature in ("blind", "consult"):
        why = _refusal(call, user, number)
        if why:
            return _refused(call, coded, why)
        if feature == "consult":

            def whom(number: str, by: Leg) -> Asked:
                return _asked(call, number, call.snapshot.users.get(by.user or 0), by, group)

            asked = whom(number, by)
            if not any(member.callees for member in asked.members):
                return _refused(call, coded, "empty")
            return await consult(call, asked, held, coded.other, max_hold, whom)
        call.note(Step("transfer_asked", {"by": by.label, "number": number}))
        await aside(call, by, held)
        call.hold(by, RINGING)
        return GoTo(number, by.user, group, back=again(call, by, group), waits=by)
    if feature in ("fax", "voicemail"):
        return await _leave_at(call, router, coded, feature, held)
    return _refused(call, coded, "nothing_to_cancel")


def _refused(call: Call, coded: Coded, why: str) -> Back:
    call.note(Step("code_refused", {"by": coded.by.label, "number": coded.code.number or None, "why": why}))
    call.tell(coded.by, REFUSED)
    return Back(coded.other, goes_on=True)


def _refusal(call: Call, user: User | None, number: str) -> str:
    """Why nobody can be called by these digits, as a reason of a Step; "" when somebody can."""
    target = call.snapshot.extension(number)
    if target is not None:
        return "already_in_call" if user is not None and target == user.ref else ""
    outside = outside_number(call.snapshot, number) if number else None
    if outside is None:
        return "no_such_number"
    return "gate" if is_forbidden(call.snapshot, user, outside) else ""


async def _leave_at(call: Call, router: Nesting, coded: Coded, feature: Feature, held: Leg) -> Back | Returns | Outcome:
    """The other party goes to the fax or the mailbox of the employee's first group (R15)."""
    by = coded.by
    own = call.snapshot.first_group(by.user or 0) or call.snapshot.root
    target = call.snapshot.codes.place_of_code(feature, own.ref) if own is not None else None
    if target is None or not router.serves(target):
        return _refused(call, coded, "no_plugin")
    if feature == "fax" and not call.takes_faxes:
        return _refused(call, coded, "no_faxes")
    call.note(Step("sent_by_code", {"by": by.label}, target))
    await aside(call, by, held)
    call.release(by, BLIND_TRANSFER)
    outcome = await router.attempt(call, Entry(target, "transfer"))
    return Returns(by) if isinstance(outcome, Missed) else outcome


def _asked(call: Call, number: str, user: User | None, by: Leg, group: Ref | None) -> Asked:
    """Who is rung for a consultation: the phones of a user, of a group's users all at once, or a number outside."""
    snapshot = call.snapshot
    element = snapshot.element(target) if (target := snapshot.extension(number)) is not None else None
    through = element if isinstance(element, Branch) else None
    if isinstance(element, User):
        users = [element]
    elif isinstance(element, Branch):
        users = _users(call, element)
    else:
        outside = outside_number(snapshot, number) or number
        own = snapshot.first_group(user.id) if user is not None else None
        callee = Callee(outside, None, user, outside, group or (own.ref if own is not None else None), "transfer", TRANSFER_RINGS)
        return Asked(number, by, user, (Member(1, ((1, callee),)),))
    return Asked(number, by, user, tuple(Member(1, callees(u, snapshot.account, group=through)) for u in users if _takes(call, u)))


def _users(call: Call, group: Branch) -> list[User]:
    """A group's users and those of groups inside it, each once; nobody where it is closed (GRP-9), and no menu's."""
    if shut(call, group) is not None:
        return []
    own = [u for u in call.snapshot.core.users if group.place_of(u.id) is not None]
    inside = (u for b in call.snapshot.branches(group.ref) if b.kind == group.kind for u in _users(call, b))
    return list({u.id: u for u in (*own, *inside)}.values())


def _takes(call: Call, user: User) -> bool:
    """Whether a user is active, within his hours and has contacts; why not, in the trace."""
    why = unrung_because(call, user)
    if why:
        call.note(Step("skipped", {"who": user.title, **why}))
    return not why


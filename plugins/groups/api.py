# SPDX-License-Identifier: Apache-2.0
"""What neighbours may use of groups: memberships, ringing a branch's own users, places that go by users and groups."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

from engine.sdk import Branch, Call, Choice, DistributionFailed, Member, Membership, Ref, Snapshot, Step, callees, people, unrung_because
from plugins.groups.part import Group

Why: TypeAlias = Literal["no_answer", "busy", "left", "closed", "inactive", "empty"]

__all__ = ["Group", "Membership", "failed", "fit_members", "places_of_groups", "places_of_users"]


def fit_members(call: Call, branch: Branch, memberships: Sequence[Membership]) -> list[Member]:
    """The branch's users that may be rung now; the trace says why the others are not."""
    snapshot: Snapshot = call.snapshot
    fit = []
    for membership in memberships:
        user = snapshot.users.get(membership.user)
        if user is None:
            continue
        why = unrung_because(call, user)
        if why:
            call.note(Step("skipped", {"who": user.title, **why}))
            continue
        fit.append(Member(membership.priority, callees(user, snapshot.account, group=branch)))
    return fit


def failed(call: Call, group: Branch, why: Why) -> None:
    """Nobody of the group has taken the call (R1)."""
    call.note(Step("distribution_failed", {"title": group.title, "why": why}, group.ref))
    call.fact(DistributionFailed(account=call.snapshot.account.id, call=call.id, at=call.now, group=group.ref, why=why))


def places_of_users(snapshot: Snapshot, kind: str) -> list[Choice]:
    """Targets of a kind that goes by the users' ids, such as “voicemail of a user”."""
    return [Choice(Ref(kind, user.id), user.title) for user in snapshot.core.users]


def places_of_groups(snapshot: Snapshot, kind: str) -> list[Choice]:
    """Targets of a kind that goes by the groups' ids; the root's bears the name of the PBX (R25)."""
    groups = [element.ref for element in snapshot.elements() if isinstance(element, Group)]
    return [Choice(Ref(kind, group.id), people.mailbox_title(snapshot, group)) for group in groups]

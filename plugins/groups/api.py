# SPDX-License-Identifier: Apache-2.0
"""What neighbours may use of groups: memberships, and ringing a branch's own users."""

from __future__ import annotations

from collections.abc import Sequence

from engine.sdk import Branch, Call, Member, Snapshot, Step, callees, closed_because
from plugins.groups.part import Group, Membership

__all__ = ["Group", "Membership", "fit_members"]


def fit_members(call: Call, branch: Branch, memberships: Sequence[Membership]) -> list[Member]:
    """The branch's users that may be rung now; the trace says why the others are not."""
    snapshot: Snapshot = call.snapshot
    fit = []
    for membership in memberships:
        user = snapshot.users.get(membership.user)
        if user is None:
            continue
        why = closed_because(call, user) or ({} if user.contacts else {"why": "no_contacts"})
        if why:
            call.note(Step("skipped", {"who": user.title, **why}))
            continue
        fit.append(Member(membership.priority, callees(user, snapshot.account, group=branch)))
    return fit

# SPDX-License-Identifier: Apache-2.0
"""Whose calls somebody may see (ACC-4); asked by every list of calls, in cabinet and bot alike."""

from __future__ import annotations

from tortoise.expressions import Q, Subquery
from tortoise.queryset import QuerySet

from engine.db.models import CallLeg, CallRecord


def visible_calls(account_id: int, user_id: int, everything: bool) -> QuerySet[CallRecord]:
    """`everything`: managers and administrators. An employee's own: he talked or called, or one of his phones rang."""
    calls = CallRecord.of(account_id)
    if everything:
        return calls
    rang = CallLeg.of(account_id).filter(user_id=user_id).values("call_id")
    return calls.filter(Q(user_id=user_id) | Q(id__in=Subquery(rang)))

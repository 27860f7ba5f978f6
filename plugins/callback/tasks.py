# SPDX-License-Identifier: Apache-2.0
"""Clients who wait to be called back, from their wish to its end (R24). Rows only: engines ring when they claim the orders.

A task is made by the fact of its request, its attempts are orders, and their results come with the facts of their calls, each in
the transaction of the other. Whatever dies in between, a client is called exactly once for each attempt.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import Any, Final

from tortoise.queryset import QuerySet

from engine.sdk import CallEnded, Context, NotFound, Ref, clock, models
from plugins.callback.attempt import CallBackAttempt
from plugins.callback.facts import CallBackRequested
from plugins.callback.models import Attempt, Task

log = logging.getLogger(__name__)

AT_ONCE: Final = 100
GIVEN_UP_AFTER: Final = timedelta(seconds=60)
"""An order that was carried out, of which there is neither a call nor a record for so long: its engine died before it rang anybody."""


def open_key(account: int, number: str) -> str:
    return f"{account}:{number}"


# facts ----------------------------------------------------------------------------------------------------------------


async def requested(fact: CallBackRequested, tx: Any) -> None:
    """A task, or the one that this number has already."""
    key = open_key(fact.account, fact.number)
    waiting = await Task.of(fact.account, tx).filter(open_key=key).first()
    if waiting is not None:
        await Task.of(fact.account, tx).filter(id=waiting.id).update(requests=waiting.requests + 1, request_call=fact.call)
        return
    await Task.create(
        account_id=fact.account, number=fact.number, did=fact.did, target_kind=fact.target.kind, target_id=fact.target.id,
        calls_first=fact.first, attempts=fact.attempts, pause_seconds=fact.pause_seconds, open_key=key, requested_at=fact.at,
        due_at=fact.at + timedelta(seconds=fact.delay_seconds), request_call=fact.call, using_db=tx,
    )  # fmt: skip


async def ended(fact: CallEnded, tx: Any) -> None:
    """The result of an attempt; a client who has called in himself and talked waits no longer."""
    attempt = await Attempt.of(fact.account, tx).filter(call_id=fact.call).prefetch_related("task").first()
    if attempt is not None:
        legs = models.CallLeg.of(fact.account, tx).filter(call_id=fact.record_id or 0, reason="callback_client")
        reached = await legs.filter(answered_at__isnull=False).exists()
        await _result(attempt, "reached" if reached else "no_answer", fact.ended_at, tx)
    elif fact.direction == "in" and fact.talked and fact.caller_number is not None:
        theirs = Task.of(fact.account, tx).filter(open_key=open_key(fact.account, fact.caller_number))
        # a call that has led to the wish itself may have had a talk before
        await theirs.exclude(request_call=fact.call).update(state="closed", open_key=None, due_at=None, closed_at=fact.ended_at)


async def _result(attempt: Attempt, result: str, at: datetime, tx: Any) -> None:
    task = attempt.task
    await Attempt.of(attempt.account_id, tx).filter(id=attempt.id).update(result=result)
    changes: dict[str, Any] = {"missing_since": None}
    if result == "not_made":
        changes["made"] = task.made - 1
    if result == "reached" and task.state == "calling":
        changes |= {"state": "done", "open_key": None, "closed_at": at}
    elif task.state == "calling" and (result == "not_made" or task.made < task.attempts):
        changes |= {"state": "waiting", "due_at": at + timedelta(seconds=task.pause_seconds if result == "no_answer" else 0)}
    elif task.state == "calling":
        changes |= {"state": "failed", "open_key": None, "closed_at": at}
    await Task.of(task.account_id, tx).filter(id=task.id).update(**changes)


# the job --------------------------------------------------------------------------------------------------------------


class Caretaker:
    """Places the orders of attempts that are due, and looks after those of which nothing is heard."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx

    async def run(self) -> None:
        now = clock.now()
        for task in await Task.filter(state="waiting", due_at__lte=now).order_by("due_at").limit(AT_ONCE):
            if not await _is_calling_in(task):
                await self._place(task, now)
        for attempt in await Attempt.filter(result="", task__state__in=("calling", "cancelled", "closed")).prefetch_related("task"):
            await self._look_after(attempt, now)

    async def _place(self, task: Task, now: datetime) -> None:
        target = Ref(task.target_kind, task.target_id)
        async with self._ctx.transaction() as tx:
            mine = Task.of(task.account_id, tx).filter(id=task.id, state="waiting")
            if not self._exists(task.account_id, target):
                await mine.update(state="failed", open_key=None, due_at=None, closed_at=now)
                return
            if not await mine.update(state="calling", made=task.made + 1, due_at=None, missing_since=None):
                return  # he was cancelled, or has called in, since
            number = await Attempt.of(task.account_id, tx).filter(task_id=task.id).count() + 1
            wish: dict[str, Any] = {
                "task": task.id, "number": task.number, "target": str(target), "first": task.calls_first, "did": task.did,
            }  # fmt: skip
            key = f"callback:{task.id}:{number}"
            order = await self._ctx.orders.place(task.account_id, CallBackAttempt.kind, wish, key=key, tx=tx)
            await Attempt.create(
                account_id=task.account_id, task_id=task.id, number=number, at=now, order_id=order, call_id=f"order-{order}", using_db=tx
            )

    def _exists(self, account: int, target: Ref) -> bool:
        try:
            return self._ctx.snapshot(account).element(target) is not None
        except NotFound:
            return False

    async def _look_after(self, attempt: Attempt, now: datetime) -> None:
        """An order that was refused, or whose call is nowhere: the attempt was not made, another takes its place."""
        order = await models.CallOrder.of(attempt.account_id).filter(id=attempt.order_id).first()
        if order is not None and order.status in ("new", "claimed"):
            return
        if order is not None and order.status == "done":
            if await models.LiveCallRow.of(attempt.account_id).filter(call_id=attempt.call_id).exists():
                return
            if await models.CallRecord.of(attempt.account_id).filter(call_id=attempt.call_id).exists():
                return  # its fact follows
            since = attempt.task.missing_since
            if since is None:
                await Task.of(attempt.account_id).filter(id=attempt.task_id).update(missing_since=now)
            if since is None or now - since < GIVEN_UP_AFTER:
                return
        log.warning("attempt %d of callback task %d was not made", attempt.number, attempt.task_id)
        async with self._ctx.transaction() as tx:
            fresh = await Attempt.of(attempt.account_id, tx).filter(id=attempt.id, result="").prefetch_related("task").first()
            if fresh is not None:
                await _result(fresh, "not_made", now, tx)


async def _is_calling_in(task: Task) -> bool:
    """Whether the client is on a call with us at this moment: the attempt waits for its end."""
    calls = await models.LiveCallRow.of(task.account_id).all()
    return any(row.state.get("caller") == task.number for row in calls)


# people ---------------------------------------------------------------------------------------------------------------


def visible(account: int, user: int, everything: bool) -> QuerySet[Task]:
    """Managers and administrators see all tasks, an employee those that lead to him (STA-6)."""
    tasks = Task.of(account)
    return tasks if everything else tasks.filter(target_kind="core.user", target_id=user)


async def cancel(tasks: QuerySet[Task], id: int) -> None:
    """No further attempt; one that is being made goes on. NotFound unless it is one of `tasks`; of one that is over nothing changes."""
    task = await tasks.filter(id=id).first()
    if task is None:
        raise NotFound
    await Task.of(task.account_id).filter(id=task.id, state__in=("waiting", "calling")).update(
        state="cancelled", open_key=None, due_at=None, closed_at=clock.now()
    )


async def forget(account: int, number: str, tx: Any) -> None:
    """The number is erased: its tasks go with their attempts."""
    await Task.of(account, tx).filter(number=number).delete()

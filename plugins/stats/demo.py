# SPDX-License-Identifier: Apache-2.0
"""The demo account's past week: calls that were talked, missed, recorded nowhere, so that lists and charts have something to show."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from engine.sdk import Branch, Edit, Ref, User, clock, models

CALLERS = (
    ("+79271234567", "Марина"), ("+79161112233", ""), ("+74957776655", "ООО «Лютик»"), ("+78462001122", ""), ("+79035554411", "Пётр"),
)  # fmt: skip
CALLS = 60
DAYS = 7
"""Of work, weekends left out."""
OPENS, CLOSES = 9, 18
RINGS_AFTER, RINGS_FOR = 3, 20
"""Seconds: from the greeting to the key, and how long phones ring."""


def moments(now: datetime, zone: ZoneInfo, chance: random.Random) -> list[datetime]:
    """`CALLS` moments within working hours of the last working days, the oldest first; calls of then are over now."""
    local = now.astimezone(zone)
    hours = [
        opens
        for back in range(3 * DAYS)
        for opens in [(local - timedelta(days=back)).replace(hour=OPENS, minute=0, second=0, microsecond=0)]
        if opens.weekday() < 5 and opens + timedelta(hours=CLOSES - OPENS) <= local
    ][:DAYS]
    return sorted(chance.choice(hours) + timedelta(seconds=chance.randrange((CLOSES - OPENS) * 3600 - 900)) for _ in range(CALLS))


async def fill(edit: Edit) -> None:
    now = await edit.preview()
    chance = random.Random(7)  # noqa: S311 — the same past for every demonstration
    did = now.core.dids[0].number if now.core.dids else ""
    users = [u for u in now.users.values() if u.contacts]
    group, menu = now.named("groups.group", "Отдел продаж"), now.named("ivr.menu", "Главное меню")
    sales = now.element(group) if group else None
    rung = [now.users[m.user] for m in sales.members] if isinstance(sales, Branch) else users[:2]
    for n, moment in enumerate(moments(clock.now(), ZoneInfo(now.account.timezone), chance)):
        started = moment.astimezone(UTC)
        caller: str | None
        number, name = chance.choice(CALLERS)
        talked = chance.random() < 0.75
        wait, talk = chance.randrange(RINGS_AFTER + 1, RINGS_AFTER + RINGS_FOR), chance.randrange(20, 400) if talked else 0
        user = chance.choice(users) if users else None
        direction = chance.choices(("in", "out", "internal"), (7, 2, 1))[0] if user else "in"
        gives_up = chance.random() < 0.5
        why = ""
        if direction == "in":
            served = chance.choice(rung) if talked and rung else None
            caller, dialled = number, did
            if not talked:
                why = "left" if gives_up else "no_answer"
                wait = wait if gives_up else RINGS_AFTER + RINGS_FOR
        else:
            caller, name, served = user.extension if user else None, user.title if user else "", user
            dialled = number if direction == "out" else chance.choice([u.extension or "" for u in users if u is not user])
        if direction == "in":
            trace = _incoming(wait, talk, rung, served, why, menu, group)
        else:
            trace = _talk(wait, talk, dialled) if talked else []
        by_group = group if direction == "in" else None
        record = await models.CallRecord.create(
            account_id=edit.account_id, call_id=f"demo-{edit.account_id}-{n}", started_at=started,
            answered_at=started + timedelta(seconds=wait) if talked else None, ended_at=started + timedelta(seconds=wait + talk),
            direction=direction, caller_number=caller, caller_name=name, dialled=dialled, did=did if direction == "in" else None,
            user_id=served.id if served else None, user_title=served.title if served else "",
            group_kind=by_group.kind if by_group else None, group_id=by_group.id if by_group else None,
            group_title="Отдел продаж" if by_group else None,
            cause="NORMAL_CLEARING" if talked else "NO_ANSWER" if why == "no_answer" else "ORIGINATOR_CANCEL",
            talk_seconds=talk, wait_seconds=wait, missed=bool(why), missed_why=why, talked=talked,
            revision=now.revision, trace=trace, using_db=edit.tx,
        )  # fmt: skip
        await models.CallLeg.create(
            account_id=edit.account_id, call_id=record.id, uuid=f"demo-{edit.account_id}-{n}-a", label=caller,
            reason="incoming" if direction == "in" else "internal", direction="in", started_at=started, answered_at=record.answered_at,
            ended_at=record.ended_at, cause=record.cause, using_db=edit.tx,
        )  # fmt: skip


def _incoming(
    wait: int, talk: int, rung: Sequence[User], served: User | None, why: str, menu: Ref | None, group: Ref | None
) -> list[dict[str, object]]:
    """Into the menu, its key 1, then every phone of the department rings at once: one is taken, or the call is missed."""
    at, over = RINGS_AFTER * 1000, wait * 1000
    steps = [
        _step(0, "enters", {"title": "Главное меню", "kind": "ivr.menu", "by": "rule"}, menu),
        _step(0, "answer", {}),
        _step(at, "key", {"digit": "1"}),
        _step(at, "key_chosen", {"key": "1"}),
        _step(at, "enters", {"title": "Отдел продаж", "kind": "groups.group", "by": "action"}, group),
    ]
    phones = {user.contacts[0].label: user for user in rung}
    steps += [_step(at, "rings", {"who": who, "seconds": RINGS_FOR}) for who in phones]
    steps += [_step(at + 200, "phone_rings", {"who": who}) for who in phones]
    if served is not None:
        taken = served.contacts[0].label
        lost = [_step(over, "cancelled", {"who": who, "why": "LOSE_RACE"}) for who in phones if who != taken]
        return [*steps, *_talk(wait, talk, taken, lost)]
    if why == "left":
        steps += [_step(over, "caller_left", {}), *(_step(over, "cancelled", {"who": who, "why": "left"}) for who in phones)]
    else:
        steps += [_step(over, "no", {"who": who, "cause": "NO_ANSWER"}) for who in phones]
        steps += [_step(over, "distribution_failed", {"title": "Отдел продаж", "why": why}, group), _step(over, "hangs_up", {})]
    return steps


def _talk(wait: int, talk: int, who: str, between: Sequence[dict[str, object]] = ()) -> list[dict[str, object]]:
    begun, over = wait * 1000, (wait + talk) * 1000
    told = {"who": who}
    return [
        _step(begun, "answered", told), *between, _step(begun, "talk", told),
        _step(over, "talk_over", {**told, "cause": "NORMAL_CLEARING"}),
    ]  # fmt: skip


def _step(at: int, what: str, facts: Mapping[str, object], target: Ref | None = None) -> dict[str, object]:
    return {"at": at, "what": what, "facts": dict(facts), **({"target": str(target)} if target else {})}

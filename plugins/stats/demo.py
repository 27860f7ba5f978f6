# SPDX-License-Identifier: Apache-2.0
"""The demo account's past week: calls that were talked, missed, recorded nowhere, so that lists and charts have something to show."""

from __future__ import annotations

import random
from datetime import timedelta

from engine.sdk import Edit, clock, models

CALLERS = (
    ("+79271234567", "Марина"), ("+79161112233", ""), ("+74957776655", "ООО «Лютик»"), ("+78462001122", ""), ("+79035554411", "Пётр"),
)  # fmt: skip
CALLS = 60


async def fill(edit: Edit) -> None:
    now = await edit.preview()
    chance = random.Random(7)  # noqa: S311 — the same past for every demonstration
    did = now.core.dids[0].number if now.core.dids else ""
    users = [u for u in now.users.values() if u.contacts]
    group = now.named("groups.group", "Отдел продаж")
    for n in range(CALLS):
        started = clock.now().replace(minute=0, second=0, microsecond=0) - timedelta(
            days=n % 7, hours=chance.randrange(0, 10), minutes=chance.randrange(60)
        )
        caller: str | None
        number, name = chance.choice(CALLERS)
        talked = chance.random() < 0.75
        wait, talk = chance.randrange(4, 25), chance.randrange(20, 400) if talked else 0
        user = chance.choice(users) if users else None
        direction = chance.choices(("in", "out", "internal"), (7, 2, 1))[0] if user else "in"
        if direction == "in":
            caller, name, dialled, served = number, name, did, user if talked else None
        else:
            caller, name, served = user.extension if user else None, user.title if user else "", user
            dialled = number if direction == "out" else chance.choice([u.extension or "" for u in users if u is not user])
        with_whom = dialled if direction != "in" else served.title if served else ""
        by_group = group if direction == "in" else None
        record = await models.CallRecord.create(
            account_id=edit.account_id, call_id=f"demo-{edit.account_id}-{n}", started_at=started,
            answered_at=started + timedelta(seconds=wait) if talked else None, ended_at=started + timedelta(seconds=wait + talk),
            direction=direction, caller_number=caller, caller_name=name, dialled=dialled, did=did if direction == "in" else None,
            user_id=served.id if served else None, user_title=served.title if served else "",
            group_kind=by_group.kind if by_group else None, group_id=by_group.id if by_group else None,
            group_title="Отдел продаж" if by_group else None,
            cause="NORMAL_CLEARING" if talked else "ORIGINATOR_CANCEL", talk_seconds=talk, wait_seconds=wait,
            missed=direction == "in" and not talked, missed_why="left" if direction == "in" and not talked else "", talked=talked,
            revision=now.revision, trace=_trace(direction, wait, talk, with_whom), using_db=edit.tx,
        )  # fmt: skip
        await models.CallLeg.create(
            account_id=edit.account_id, call_id=record.id, uuid=f"demo-{edit.account_id}-{n}-a", label=caller,
            reason="incoming" if direction == "in" else "internal", direction="in", started_at=started, answered_at=record.answered_at,
            ended_at=record.ended_at, cause=record.cause, using_db=edit.tx,
        )  # fmt: skip


def _trace(direction: str, wait: int, talk: int, who: str) -> list[dict[str, object]]:
    steps: list[dict[str, object]] = []
    if direction == "in":
        steps += [
            {"at": 0, "what": "enters", "facts": {"title": "Главное меню", "kind": "ivr.menu", "by": "rule"}},
            {"at": 0, "what": "answer", "facts": {}},
            {"at": 3000, "what": "key_chosen", "facts": {"key": "1"}},
            {"at": 3000, "what": "enters", "facts": {"title": "Отдел продаж", "kind": "groups.group", "by": "action"}},
        ]
    if talk:
        steps.append({"at": wait * 1000, "what": "answered", "facts": {"who": who}})
        steps.append({"at": wait * 1000, "what": "talk", "facts": {"who": who}})
        steps.append({"at": (wait + talk) * 1000, "what": "talk_over", "facts": {"who": who, "cause": "NORMAL_CLEARING"}})
    elif direction == "in":
        steps.append({"at": wait * 1000, "what": "distribution_failed", "facts": {"title": "Отдел продаж", "why": "left"}})
    return steps

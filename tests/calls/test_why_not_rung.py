# SPDX-License-Identifier: Apache-2.0
"""Why did it not ring? The record of a call says of every member of the group whether he was rung, and why he was not."""

from __future__ import annotations

from contextlib import AsyncExitStack
from functools import partial

import pytest

from engine.i18n import translate
from engine.people import UserWish, create_user
from engine.telling import names_of, timeline, with_plugins
from plugins.groups.api import Membership
from plugins.schedules.api import Schedule
from plugins.schedules.service import save_schedule
from tests.calls.pbx import Pbx
from tests.calls.test_distribution import sip

pytestmark = pytest.mark.asyncio(loop_scope="session")

EXPECTED = {
    ("User 201", "inactive"),
    ("User 202", "no_contacts"),
    ("User 203", "outside_hours"),
    ("204", "inactive"),
    ("205", "outside_hours"),
    ("206", "not_registered"),
    ("207", "lines_busy"),
    ("208", "USER_BUSY"),
    ("209", "CALL_REJECTED"),
    ("210", "NO_USER_RESPONSE"),
    ("211", "NO_ANSWER"),
    ("212", "LOSE_RACE"),
    ("214, 215", "answered_first"),
}
"""Whom the trace names, and why."""


@pytest.mark.feature("R12", "USR-3", "GRP-3", "GRP-4")
async def test_the_record_names_the_reason_of_every_member(shared: Pbx) -> None:
    office = shared
    async with office.edit() as edit:
        never = (await save_schedule(edit, Schedule(id=0, title="Never"))).ref
    users = {
        "201": await office.user("201", active=False),
        "203": await office.user("203", schedule=never),
        "204": await office.user("204", sip("204", active=False)),
        "205": await office.user("205", sip("205", schedule=never)),  # type: ignore[arg-type]  # any field of the wish
        "211": await office.user("211", sip("211", timeout_seconds=1)),
    }
    async with office.edit() as edit:
        users["202"] = await create_user(edit, UserWish(title="User 202", extension="202"))
    for extension in ("206", "207", "208", "209", "210", "212", "213", "214", "215"):
        users[extension] = await office.user(extension, sip(extension, timeout_seconds=20))
    turns = {"212": 3, "213": 3, "214": 4, "215": 5}
    members = tuple(Membership(user, turns.get(extension, 1)) for extension, user in sorted(users.items()))
    await office.rule(await office.group("Sales", method="SEQUENTIAL", members=members))
    async with AsyncExitStack() as stack:
        phones = {
            login: await stack.enter_async_context(office.telephone(login))
            for login in ("207", "208", "209", "210", "211", "212", "213", "214", "215")
        }
        provider = await stack.enter_async_context(office.provider())
        phones["211"].unattended = True
        busy = await phones["207"].call("214")
        colleague = await phones["214"].answers()
        await busy.answered()
        call = await provider.calls(office.did[1:])
        await phones["208"].refuses(486)
        await phones["209"].refuses(603)
        await phones["210"].refuses(480)
        loser = await phones["212"].takes()
        winner = await phones["213"].takes()
        await winner.answer()
        await call.answered()
        await loser.cancelled()
        await call.hang_up()
        await winner.ended()
        await busy.hang_up()
        await colleague.ended()
    record = next(r for r in await office.records(2) if r.did == office.did)
    told = {
        (str(step["facts"].get("who") or step["facts"]["whom"]), str(step["facts"].get("why") or step["facts"].get("cause")))
        for step in record.trace if step["what"] in ("skipped", "no", "cancelled", "not_reached")
    }  # fmt: skip
    assert told == EXPECTED
    sentences = with_plugins(office.runtime.ctx.registry.sentences())
    for language, last in (("en", "somebody with a higher priority"), ("ru", "приоритет")):
        words = partial(translate, language)
        lines = timeline(words, record.trace, names_of(words, office.snapshot, office.runtime.ctx.registry.actions()), sentences)
        words = "\n".join(line.text for line in lines)
        for who in ("User 201", "User 202", "User 203", *(f"User {extension} ({extension})" for extension in range(204, 216))):
            assert who in words
        assert last in words
        assert "NO_ANSWER" not in words
        assert "why" not in words

# SPDX-License-Identifier: Apache-2.0
"""Why did it not ring? The record of a call says of every member of the group whether he was rung, and why he was not."""

from __future__ import annotations

from contextlib import AsyncExitStack
from functools import partial

import pytest

from engine.db.models import SipAccount
from engine.i18n import translate
from engine.people import UserWish, create_user
from engine.snapshot import Ref
from engine.telling import names_of, timeline, with_plugins
from plugins.groups.api import Membership
from plugins.ivr.part import MenuKey
from plugins.schedules.api import Schedule
from plugins.schedules.service import save_schedule
from tests.calls.pbx import Pbx
from tests.calls.test_distribution import refused, sip

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


@pytest.mark.feature("ACT-2", "ACT-3", "R8", "USR-3")
async def test_the_record_says_why_a_user_called_by_himself_did_not_ring(shared: Pbx) -> None:
    office = shared
    async with office.edit() as edit:
        bare = await create_user(edit, UserWish(title="User 201", extension="201"))
    off, orphan = await office.user("202", sip("202", active=False)), await office.user("203")
    async with office.edit() as edit:
        await SipAccount.of(office.account, edit.tx).filter(login="203").delete()
    await office.user("204")
    await office.change(office.root, no_answer=None)
    menu = await office.menu("Menu", timeout_seconds=1, keys=(MenuKey("T", Ref("core.user", bare)),))
    empty = await office.group("Sales", no_answer=Ref("core.user", orphan))
    rule = await office.rule(Ref("core.user", bare))
    assert await refused(office) == 480  # by the number
    for target in (Ref("core.user", off), Ref("core.extension", 203), empty):
        await office.change(office.snapshot.element(rule), target=target)  # type: ignore[arg-type]  # it is there
        assert await refused(office) == 480
    await office.change(office.snapshot.element(rule), target=menu)  # type: ignore[arg-type]  # as above
    async with office.provider() as caller:
        call = await caller.calls(office.did[1:])
        await call.answered()
        await call.ended()
    async with office.telephone("204") as colleague:
        assert await (await colleague.call("201")).refused() == 480
    records = await office.records(6)
    told = [[step["facts"] for step in record.trace if step["what"] == "skipped"] for record in records]
    by_label = {"User 201": "no_contacts", "202": "inactive", "203": "no_account"}
    assert [[facts["who"] for facts in one] for one in told] == [["User 201"], ["202"], ["203"], ["203"], ["User 201"], ["User 201"]]
    assert all(facts["why"] == by_label[facts["who"]] for one in told for facts in one)
    sentences = with_plugins(office.runtime.ctx.registry.sentences())
    for language, said in (("en", "no contacts"), ("ru", "нет контактов")):
        words = partial(translate, language)
        lines = timeline(words, records[0].trace, names_of(words, office.snapshot, office.runtime.ctx.registry.actions()), sentences)
        assert any("User 201" in line.text and said in line.text and line.tone == "bad" for line in lines)

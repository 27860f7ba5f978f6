# SPDX-License-Identifier: Apache-2.0
"""CallBack in the cabinet: settings beside users and groups (CB-1), one's own (ACC-4), the tasks with their attempts (STA-6)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from engine import clock
from engine.people import delete_user
from engine.revisions import Actor
from engine.sdk import InUse, Invalid, Ref
from plugins.callback.models import Attempt, Task
from plugins.callback.part import CallBackSettings, settings_of
from plugins.callback.service import save_settings
from plugins.callback.tasks import cancel, visible
from plugins.groups.part import Group
from plugins.groups.service import save_group
from plugins.numbers.part import Rule
from plugins.numbers.service import save_rule
from tests.web.conftest import Visitor
from tests.web.house import Customer, House

SYSTEM = Actor(None, "tests", "system")
WISH = {"first": "client", "attempts": 5, "pause_seconds": 60, "delay_seconds": 0}


async def new_task(customer: Customer, target: Ref, **fields: Any) -> Task:
    """A task with one attempt that has failed."""
    number = fields.pop("number", "+79261234567")
    values = {
        "state": "waiting", "due_at": clock.now() + timedelta(minutes=5), "made": 1, "open_key": f"{customer.id}:{number}", **fields,
    }  # fmt: skip
    task = await Task.create(
        account_id=customer.id, number=number, did="+74951234567", target_kind=target.kind, target_id=target.id, calls_first="client",
        attempts=3, pause_seconds=300, requested_at=clock.now(), request_call="x", **values,
    )  # fmt: skip
    await Attempt.create(
        account_id=customer.id, task_id=task.id, number=1, at=clock.now(), order_id=1, call_id=f"order-{customer.id}-{task.id}",
        result="no_answer",
    )  # fmt: skip
    return task


@pytest.mark.feature("CB-1")
@pytest.mark.parametrize("kind", ["groups.group", "core.user"])
async def test_settings_beside_their_owner(house: House, visitor: Visitor, kind: str) -> None:
    admin = await visitor("romashka-admin")
    owner = Ref(kind, house.one.things["group"] if kind == "groups.group" else house.one.users["user"])
    page = f"/callback/of/{owner}"
    home = f"/groups/{owner.id}" if kind == "groups.group" else f"/users/{owner.id}"
    assert page.replace(":", "%3A") in await admin.get(home)
    await admin.get(page)
    file = Ref("voicefiles.file", house.one.things["file"])
    await admin.post(page, **WISH, phrase=file)
    made = settings_of(house.ctx.snapshot(house.one.id), owner)
    assert (made.first, made.attempts, made.pause_seconds, made.delay_seconds, made.phrase) == ("client", 5, 60, 0, file)
    await admin.post(page, **{**WISH, "first": "employee"}, phrase="")
    after = settings_of(house.ctx.snapshot(house.one.id), owner)
    assert (after.id, after.first, after.phrase) == (made.id, "employee", None)


@pytest.mark.feature("CB-1")
async def test_what_makes_no_sense_is_refused(house: House, visitor: Visitor) -> None:
    admin = await visitor("romashka-admin")
    page = f"/callback/of/{Ref('groups.group', house.one.things['group'])}"
    await admin.get(page)
    before = house.ctx.snapshot(house.one.id)
    foreign = Ref("voicefiles.file", house.two.things["file"])
    times = ({"pause_seconds": -1}, {"delay_seconds": 90_000})
    for wrong in ({"attempts": 0}, {"attempts": 21}, *times, {"first": "boss"}, {"phrase": foreign}):
        await admin.post(page, status=422, **{**WISH, **wrong})
    assert house.ctx.snapshot(house.one.id) is before
    await admin.get(f"/callback/of/{Ref('ivr.menu', house.one.things['menu'])}", status=404)
    await admin.get("/callback/of/nonsense", status=404)


@pytest.mark.feature("CB-3")
async def test_a_group_that_rings_nobody_must_call_the_client_first(house: House, visitor: Visitor) -> None:
    admin = await visitor("romashka-admin")
    owner = Ref("groups.group", house.one.things["group"])
    group = house.ctx.snapshot(house.one.id).get(owner, Group)
    assert group is not None
    async with house.ctx.edit(house.one.id, SYSTEM) as edit:
        await save_group(edit, msgspec.structs.replace(group, method="NONE"))
    page = f"/callback/of/{owner}"
    await admin.get(page)
    assert "Нет обзвона" in await admin.post(page, status=422, **{**WISH, "first": "employee"})
    await admin.post(page, **WISH)
    async with house.ctx.edit(house.one.id, SYSTEM) as edit:
        await save_group(edit, group)
    async with house.ctx.edit(house.one.id, SYSTEM) as edit:
        await save_settings(edit, CallBackSettings(id=0, parent=owner, first="employee"))
    with pytest.raises(Invalid, match="client first"):  # and the other way round: the method is changed later
        async with house.ctx.edit(house.one.id, SYSTEM) as edit:
            await save_group(edit, msgspec.structs.replace(group, method="NONE"))


@pytest.mark.feature("ACT-13", "ACT-14")
async def test_actions_are_offered_named_and_never_lead_to_nobody(house: House, visitor: Visitor) -> None:
    admin = await visitor("romashka-admin")
    user = house.one.users["user"]
    rule = next(e for e in house.ctx.snapshot(house.one.id).elements() if isinstance(e, Rule))
    for page in (f"/rules/{rule.id}", f"/menus/{house.one.things['menu']}", f"/groups/{house.one.things['group']}"):
        text = await admin.get(page)
        assert f'value="callback.user:{user}"' in text
        assert f'value="callback.group:{house.one.things["group"]}"' in text
    async with house.ctx.edit(house.one.id, SYSTEM) as edit:
        await save_rule(edit, msgspec.structs.replace(rule, target=Ref("callback.user", user)))
    assert "CallBack пользователя: Ульяна Петрова" in await admin.get(f"/numbers/{house.one.things['did']}")
    with pytest.raises(InUse, match="is used by"):
        async with house.ctx.edit(house.one.id, SYSTEM) as edit:
            await delete_user(edit, user)
    with pytest.raises(Invalid, match="does not exist"):  # another customer's
        async with house.ctx.edit(house.one.id, SYSTEM) as edit:
            await save_rule(edit, msgspec.structs.replace(rule, target=Ref("callback.user", house.two.users["user"])))


@pytest.mark.feature("CB-1", "ACC-4")
@pytest.mark.parametrize("role", ["user", "manager", "admin"])
async def test_everybody_has_his_own_settings(house: House, visitor: Visitor, role: str) -> None:
    somebody = await visitor(f"romashka-{role}")
    await somebody.get("/callback/own")
    await somebody.post("/callback/own", **WISH, phrase="")
    whole = house.ctx.snapshot(house.one.id)
    owners = {e.parent for e in whole.elements() if isinstance(e, CallBackSettings)}
    assert owners == {Ref("core.user", house.one.users[role])}


@pytest.mark.feature("STA-6")
async def test_tasks_with_their_attempts(house: House, visitor: Visitor) -> None:
    await Task.all().delete()
    assert "Обратный звонок ещё никто не заказывал" in await (await visitor("romashka-admin")).get("/callback")
    own = await new_task(house.one, Ref("core.user", house.one.users["user"]), number="+79261110001")
    over: dict[str, Any] = {"due_at": None, "open_key": None}
    await new_task(house.one, Ref("groups.group", house.one.things["group"]), number="+79261110002", state="failed", **over)
    await new_task(house.one, Ref("core.user", 99_999), number="+79261110003", state="closed", **over)
    await new_task(house.two, Ref("core.user", house.two.users["user"]), number="+79261110004")
    await Attempt.of(house.one.id).filter(task_id=own.id).update(call_id="romashka-0")
    for role in ("admin", "manager"):
        page = await (await visitor(f"romashka-{role}")).get("/callback")
        for words in ("111-00-01", "111-00-02", "111-00-03", "ожидает", "не дозвонились", "клиент позвонил сам", "удалено", "1 / 3"):
            assert words in page, words
        assert "111-00-04" not in page
        assert f"/calls/{house.one.things['call']}" in page
    page = await (await visitor("romashka-user")).get("/callback")
    assert "111-00-01" in page
    assert "111-00-02" not in page


@pytest.mark.feature("STA-6")
async def test_who_may_cancel(house: House, visitor: Visitor) -> None:
    own = await new_task(house.one, Ref("core.user", house.one.users["user"]), number="+79261110001")
    of_group = await new_task(house.one, Ref("groups.group", house.one.things["group"]), number="+79261110002", state="calling")
    foreign = await new_task(house.two, Ref("core.user", house.two.users["user"]), number="+79261110003")
    user, manager = await visitor("romashka-user"), await visitor("romashka-manager")
    await user.post(f"/callback/{of_group.id}/cancel", status=404)
    await manager.post(f"/callback/{foreign.id}/cancel", status=404)
    await user.post(f"/callback/{own.id}/cancel")
    await manager.post(f"/callback/{of_group.id}/cancel")
    states = {t.id: (t.state, t.open_key, t.due_at) for t in await Task.all()}
    assert states[own.id] == states[of_group.id] == ("cancelled", None, None)
    assert states[foreign.id][0] == "waiting"
    done = await new_task(house.one, Ref("core.user", house.one.users["user"]), number="+79261110005", state="done", open_key=None)
    await cancel(visible(house.one.id, 0, True), done.id)
    assert (await Task.get(id=done.id)).state == "done"

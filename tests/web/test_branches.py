# SPDX-License-Identifier: Apache-2.0
"""Pages of groups, menus, numbers, lines, rules and the PBX itself."""

from __future__ import annotations

import pytest

from engine.sdk import Did, Ref, Trunk, models
from plugins.groups.part import Group
from plugins.ivr.part import Menu
from plugins.numbers.part import Rule
from tests.web.conftest import Visitor
from tests.web.house import House


@pytest.mark.feature("GRP-1", "GRP-2", "GRP-3", "GRP-7", "GRP-8")
async def test_a_group_is_created_and_set_up(house: House, visitor: Visitor) -> None:
    admin = await visitor("romashka-admin")
    root = house.one.things["root"]
    for chat in (7101, 7102):
        await models.TelegramLink.create(account_id=house.one.id, user_id=house.one.users["admin"], chat_id=chat)
    await admin.get(f"/groups/{root}/new")
    where = await admin.post(f"/groups/{root}/new", title="Поддержка", extension="310", priority=2, method="ALL_AT_ONCE")
    await admin.get(where)
    page = await admin.post(
        where,
        status=303,
        title="Техподдержка",
        extension="311",
        parent=f"groups.group:{root}",
        priority=3,
        active="1",
        recording="1",
        method="RANDOM",
        greeting=f"voicefiles.file:{house.one.things['file']}",
        attempts=3,
        pause_seconds=7,
        missed_emails="a@romashka.example; b@romashka.example",
        missed_chats=["7101", "7102"],
        no_answer=f"ivr.menu:{house.one.things['menu']}",
        outbound=f"core.did:{house.one.things['did']}",
    )
    assert page == where
    group = house.ctx.snapshot(house.one.id).get(Ref("groups.group", int(where.rpartition("/")[2])), Group)
    assert group is not None
    assert (group.title, group.extension, group.method, group.attempts, group.recording) == ("Техподдержка", "311", "RANDOM", 3, True)
    assert group.missed_emails == ("a@romashka.example", "b@romashka.example")
    assert group.missed_chats == (7101, 7102)
    assert group.no_answer == Ref("ivr.menu", house.one.things["menu"])
    assert 'value="7101" checked' in await admin.get(where)


async def test_a_form_cannot_name_what_it_was_not_offered(house: House, visitor: Visitor) -> None:
    admin = await visitor("romashka-admin")
    url = f"/groups/{house.one.things['group']}"
    await admin.get(url)
    fields = {"title": "Отдел продаж", "parent": f"groups.group:{house.one.things['root']}", "priority": 1, "active": "1"}
    foreign = f"groups.group:{house.two.things['group']}"
    itself = f"groups.group:{house.one.things['group']}"
    assert "Выберите значение из списка." in await admin.post(url, status=422, **{**fields, "no_answer": foreign})
    assert "Выберите значение из списка." in await admin.post(url, status=422, **{**fields, "parent": itself})
    page = await admin.post(url, status=422, **{**fields, "greeting": f"voicefiles.file:{house.two.things['file']}"})
    assert 'role="alert"' in page


@pytest.mark.feature("GRP-7", "BOT-1")
async def test_alerts_go_to_no_chat_that_is_not_ours(house: House, visitor: Visitor) -> None:
    admin = await visitor("romashka-admin")
    root, url = house.one.things["root"], f"/groups/{house.one.things['group']}"
    fields = {"title": "Отдел продаж", "parent": f"groups.group:{root}", "priority": 1, "active": "1"}
    ours = await models.TelegramLink.of(house.one.id).order_by("id").first()
    assert ours is not None
    await admin.get(url)
    for strange in (house.two.id + 7_000, 424242):  # another customer's, and nobody's
        page = await admin.post(url, status=422, **fields, missed_chats=[str(ours.chat_id), str(strange)])
        assert "Выберите значение из списка." in page
    await admin.get(f"/groups/{root}/new")
    await admin.post(f"/groups/{root}/new", status=422, title="Ночная смена", missed_chats=["424242"])
    await admin.get(url)
    await admin.post(url, **fields, missed_chats=[str(ours.chat_id)])
    await ours.delete()
    assert f'value="{ours.chat_id}" checked' in await admin.get(url)
    await admin.post(url, **fields, missed_chats=[str(ours.chat_id)])  # what stood there may stay
    group = house.ctx.snapshot(house.one.id).get(Ref("groups.group", house.one.things["group"]), Group)
    assert group is not None
    assert group.missed_chats == (ours.chat_id,)


@pytest.mark.feature("RST-1")
async def test_prefixes_are_forbidden_for_a_group_and_for_the_pbx(house: House, visitor: Visitor) -> None:
    admin = await visitor("romashka-admin")
    for thing in ("group", "root"):
        url = f"/groups/{house.one.things[thing]}"
        before = house.ctx.snapshot(house.one.id).get(Ref("groups.group", house.one.things[thing]), Group)
        assert before is not None
        fields = {"form": "", "title": before.title, "parent": str(before.parent or ""), "active": "1", "priority": 1}
        await admin.get(url)
        page = await admin.post(url, status=422, **fields, forbidden_prefixes="восемь")
        assert "Префикс — это начальные цифры номера" in page
        await admin.post(url, **fields, forbidden_prefixes="810\n+7495")
        after = house.ctx.snapshot(house.one.id).get(before.ref, Group)
        assert after is not None
        assert after.forbidden_prefixes == ("810", "+7495")


@pytest.mark.feature("R15")
async def test_the_first_group_of_a_user_is_shown_and_chosen(house: House, visitor: Visitor) -> None:
    admin = await visitor("romashka-admin")
    user, root = house.one.users["manager"], f"groups.group:{house.one.things['root']}"
    await admin.get(f"/users/{user}")
    assert "Сделать первой" not in await admin.get(f"/users/{user}")  # he is in one group
    await admin.post(f"/branches/{root}/members", user=f"core.user:{user}", priority=3)
    assert "Сделать первой" in await admin.get(f"/users/{user}")
    first = house.ctx.snapshot(house.one.id).first_group(user)
    assert first is not None
    assert first.ref == Ref("groups.group", house.one.things["group"])
    await admin.post(f"/users/{user}/first-group", group=root)
    first = house.ctx.snapshot(house.one.id).first_group(user)
    assert first is not None
    assert str(first.ref) == root
    for strange in ("groups.group:999999", f"groups.group:{house.two.things['group']}", f"ivr.menu:{house.one.things['menu']}"):
        await admin.post(f"/users/{user}/first-group", status=404, group=strange)


@pytest.mark.feature("PBX-1")
async def test_the_root_has_no_schedule_and_cannot_go(house: House, visitor: Visitor) -> None:
    admin = await visitor("romashka-admin")
    url = f"/groups/{house.one.things['root']}"
    page = await admin.get(url)
    assert 'name="schedule"' not in page
    assert "/delete" not in page[page.index('<main class="main"') :]
    await admin.post(url, title="Ромашка", schedule="schedules.schedule:1", attempts=2)
    root = house.ctx.snapshot(house.one.id).root
    assert isinstance(root, Group)
    assert (root.schedule, root.active, root.attempts) == (None, True, 2)
    await admin.post(f"{url}/delete", status=422)


@pytest.mark.feature("GRP-1")
async def test_deletion_is_confirmed_and_refused_while_used(house: House, visitor: Visitor) -> None:
    admin = await visitor("romashka-admin")
    group, menu = f"/groups/{house.one.things['group']}", f"/menus/{house.one.things['menu']}"
    page = await admin.get(f"{group}/delete")
    assert "Главное меню" in page  # its key 1 leads here
    assert "Ульяна Петрова" in page  # who is in no other group
    await admin.post(f"{group}/delete", status=422)
    assert "Всем в меню" in await admin.get(f"{menu}/delete")  # the rule
    await admin.post(f"/rules/{house.one.things['rule']}/delete")
    await admin.post(f"{menu}/delete")
    assert house.ctx.snapshot(house.one.id).element(Ref("ivr.menu", house.one.things["menu"])) is None


@pytest.mark.feature("IVR-1", "IVR-2", "IVR-3")
async def test_a_menu_is_created_and_its_keys_set(house: House, visitor: Visitor) -> None:
    admin = await visitor("romashka-admin")
    root = f"groups.group:{house.one.things['root']}"
    await admin.get(f"/menus/new?into={root}")
    for gone in ("groups.group:999999", f"groups.group:{house.two.things['group']}", "nonsense"):
        await admin.get(f"/menus/new?into={gone}", status=404)
    await admin.get("/menus/new")
    where = await admin.post("/menus/new", title="Второе меню", parent=root, timeout_seconds=4, priority=1)
    await admin.get(where)
    fields = {"title": "Второе меню", "parent": root, "timeout_seconds": 4, "digit_gap_seconds": 2, "priority": 1, "active": "1"}
    keys = {"key_1": f"groups.group:{house.one.things['group']}", "key_*": "core.repeat:0", "key_T": "core.hangup:0", "key_D": ""}
    await admin.post(where, **fields, **keys)
    menu = house.ctx.snapshot(house.one.id).get(Ref("ivr.menu", int(where.rpartition("/")[2])), Menu)
    assert menu is not None
    assert {k.key: str(k.target) for k in menu.keys} == {k[4:]: v for k, v in keys.items() if v}
    foreign = f"groups.group:{house.two.things['group']}"
    page = await admin.post(where, status=422, **fields, key_1=foreign)
    assert "Выберите значение из списка." in page


@pytest.mark.feature("NUM-2")
async def test_lines_numbers_and_rules(house: House, visitor: Visitor) -> None:
    admin = await visitor("romashka-admin")
    await admin.get("/trunks/new")
    line = {
        "title": "Второй оператор",
        "registers": "yes",
        "server": "sip.operator.example",
        "port": 5060,
        "transport": "tcp",
        "channels": 10,
    }
    page = await admin.post("/trunks/new", status=422, **line)
    assert "Введите логин." in page
    await admin.post("/trunks/new", **line, login="74950001122", password="pass-word-1", active="1")
    snapshot = house.ctx.snapshot(house.one.id)
    trunk = next(t for t in snapshot.core.trunks if t.title == "Второй оператор")
    assert (trunk.registers, trunk.transport, trunk.login) == (True, "tcp", "74950001122")
    assert "pass-word-1" not in await admin.get(f"/trunks/{trunk.id}")

    await admin.get("/numbers/new")
    taken = next(iter(house.ctx.snapshot(house.two.id).core.dids)).number
    page = await admin.post("/numbers/new", status=422, number=taken, trunk=f"core.trunk:{trunk.id}")
    assert "уже подключён" in page
    where = await admin.post("/numbers/new", number="8 495 000-11-22", title="Реклама", trunk=f"core.trunk:{trunk.id}")
    did = house.ctx.snapshot(house.one.id).did("+74950001122")
    assert did is not None
    assert did.trunk == Ref(Trunk.kind, trunk.id)
    await admin.get(where)

    open_line = {"title": "Дверь", "registers": "no", "port": 5060, "transport": "udp", "channels": 0, "active": "1"}
    for sources, warned in (("0.0.0.0/0", True), ("::/0", True), ("10.0.0.0/8", False), ("198.51.100.0/24", False)):
        told = await admin.get(await admin.post("/trunks/new", **open_line, sources=sources))
        assert ("может кто угодно" in told) is warned, sources
        made = max(house.ctx.snapshot(house.one.id).trunks)
        await admin.post(f"/trunks/{made}/delete")

    first = next(d for d in house.ctx.snapshot(house.one.id).core.dids if d.id != did.id)
    page = await admin.get(f"/trunks/{trunk.id}")
    assert f'value="{first.ref}"' in page
    assert f'value="{did.ref}"' not in page  # its own numbers it shows anyway
    again = {**line, "login": "74950001122", "active": "1"}
    for wish, kept in (([str(first.ref)], (first.ref,)), ([], ())):
        await admin.post(f"/trunks/{trunk.id}", **again, may_show=["", *wish])
        assert house.ctx.snapshot(house.one.id).trunks[trunk.id].may_show == kept
    foreign = next(d for d in house.ctx.snapshot(house.two.id).core.dids)
    page = await admin.post(f"/trunks/{trunk.id}", status=422, **again, may_show=["", str(foreign.ref)])
    assert "Выберите значение из списка." in page

    url = f"/numbers/{did.id}/rules/new"
    await admin.get(url)
    page = await admin.post(url, status=422, title="Ночь", priority=2, target="", active="1")
    assert "Выберите, куда направлять звонки" in page
    page = await admin.post(url, status=422, title="Ночь", priority="9" * 25, target="core.hangup:0", active="1")
    assert "От 1 до 1000." in page
    await admin.post(url, title="Ночь", priority=2, target="core.hangup:0", active="1")
    rule = next(e for e in house.ctx.snapshot(house.one.id).elements() if isinstance(e, Rule) and e.did == Ref(Did.kind, did.id))
    assert (rule.title, rule.priority, str(rule.target)) == ("Ночь", 2, "core.hangup:0")
    assert "Разрыв связи" in await admin.get(where)
    assert "никогда не сработает" not in await admin.get(where)
    await admin.post(url, title="Поздно", priority=3, target="core.hangup:0", active="1")
    assert "Правило «Поздно» никогда не сработает: раньше него стоит «Ночь»" in await admin.get(where)
    assert "Реклама" in await admin.get(f"/trunks/{trunk.id}/delete")
    await admin.post(f"/trunks/{trunk.id}/delete", status=422)
    await admin.post(f"/numbers/{did.id}/delete")
    await admin.post(f"/trunks/{trunk.id}/delete")
    assert trunk.id not in house.ctx.snapshot(house.one.id).trunks


@pytest.mark.feature("PBX-1", "PBX-5")
async def test_main_settings_are_saved_and_wrong_ones_marked(house: House, visitor: Visitor) -> None:
    admin = await visitor("romashka-admin")
    await admin.get("/pbx")
    fields = {"title": "Ромашка плюс", "timezone": "Europe/Saratov", "language": "ru", "area_code": "8452"}
    page = await admin.post("/pbx", status=422, **fields, whitelist="300.1.1.1")
    assert "«300.1.1.1» не является IP-адресом или сетью." in page
    page = await admin.post("/pbx", status=422, **fields, client_prefixes="8-10")
    assert "Префикс — это начальные цифры номера" in page
    await admin.post("/pbx", **fields, whitelist="192.0.2.0/24\n198.51.100.7", client_prefixes="810\n8809")
    account = house.ctx.snapshot(house.one.id).account
    assert account.client_prefixes == ("810", "8809")
    assert (account.title, account.timezone, account.whitelist) == ("Ромашка плюс", "Europe/Saratov", ("192.0.2.0/24", "198.51.100.7"))
    assert "Ромашка плюс" in await admin.get("/")
    root = house.ctx.snapshot(house.one.id).root
    assert root is not None
    assert root.title == "Ромашка плюс"  # the PBX itself in the tree
    page = await admin.get(f"/groups/{root.id}")
    assert 'type="hidden" name="title"' in page


async def test_members_are_added_and_ordered(house: House, visitor: Visitor) -> None:
    admin = await visitor("romashka-admin")
    menu = f"ivr.menu:{house.one.things['menu']}"
    user = f"core.user:{house.one.users['manager']}"
    await admin.post(f"/branches/{menu}/members", user=user, priority=4)
    page = await admin.get(f"/menus/{house.one.things['menu']}")
    assert "Максим Руководитель" in page[page.index('id="members"') :]
    await admin.post(f"/branches/{menu}/members", user=user, priority=400)
    assert "Приоритет: Не больше 99." in await admin.get(f"/menus/{house.one.things['menu']}")
    branch = house.ctx.snapshot(house.one.id).get(Ref.parse(menu), Menu)
    assert branch is not None
    assert [(m.user, m.priority) for m in branch.members] == [(house.one.users["manager"], 4)]

# SPDX-License-Identifier: Apache-2.0
"""The pages that try calls: a scenario step by step, what is wrong with the settings, the last calls then and now."""

from __future__ import annotations

import asyncio
import html
import re
from datetime import timedelta

import msgspec
import pytest

from engine.db import models
from engine.sdk import HANGUP, NOTHING, Ref, clock
from plugins.groups.part import Group
from plugins.groups.service import create_group, save_group
from plugins.ivr.part import Menu, MenuKey
from plugins.ivr.service import save_menu
from plugins.numbers.service import delete_did
from tests.web.conftest import Browser, Visitor
from tests.web.house import SYSTEM, House
from web.pages import check as check_page
from web.pages.check import brief

NUMBER, OTHERS = "84951234567", "84951234568"


def main(page: str) -> str:
    return html.unescape(re.sub(r"<[^>]+>", " ", page[page.index('<main class="main"') :]))


async def tried(who: Browser, status: int = 200, **fields: object) -> str:
    await who.get("/rehearsal")
    wish = {"to": NUMBER, "caller": "8 927 000-11-22", "at": "2026-01-14T12:00", "keys": "", "everybody": "no", **fields}
    return await who.post("/rehearsal", status=status, **wish)


@pytest.mark.parametrize("role", ["admin", "manager"])
async def test_a_scenario_is_told_like_the_path_of_a_call(house: House, visitor: Visitor, role: str) -> None:
    who = await visitor(f"romashka-{role}")
    page = await tried(who, keys="1", **{f"user-{house.one.users['manager']}": "answer"})
    text = main(page)
    wanted = ("Сработало правило маршрутизации: Всем в меню", "Звонящий нажал 1", "Вызывается Анна Админ (201), до 20 с",
              "Ответ: Максим Руководитель (202)", "Вызов завершён после разговора")  # fmt: skip
    places = [text.index(sentence) for sentence in wanted]
    assert places == sorted(places)
    link = f'href="/groups/{house.one.things["group"]}">Переход: «Отдел продаж»'
    assert (link in page) == (role == "admin")  # a manager has no page of groups to go to


async def test_everybody_and_phones_as_they_are_now(house: House, visitor: Visitor) -> None:
    admin = await visitor("romashka-admin")
    assert "Вызов никто не принял" in main(await tried(admin, keys="1"))
    house.ctx.registered = {house.one.contacts["admin"]}
    text = main(await tried(admin, keys="1", everybody="answer", as_now="1"))
    assert "Ответ: Анна Админ (201)" in text
    gone = main(await tried(admin, keys="1", everybody="absent"))
    assert "Не вызывается Анна Админ (201): телефон не зарегистрирован" in gone


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("to", "абв", "не номер, на который можно позвонить"),
        ("caller", "999", "не телефонный номер и не внутренний"),
        ("at", "вчера", "не дата и время"),
        ("keys", "1-2", "не последовательность клавиш"),
        ("leaves", "x", "Введите целое число"),
        ("everybody", "sing", "Выберите значение из списка"),
    ],
)
async def test_wrong_fields_are_marked(visitor: Visitor, field: str, value: str, said: str) -> None:
    admin = await visitor("romashka-admin")
    page = await tried(admin, 422, **{field: value})
    assert said in main(page)
    assert re.search(rf'name="{field}"[^>]*aria-invalid="true"', page)


@pytest.mark.feature("ACC-1")
async def test_another_customers_number_is_none_of_ours(visitor: Visitor) -> None:
    admin = await visitor("romashka-admin")
    assert "+7 495 123-45-68 не принадлежит этой АТС" in main(await tried(admin, to=OTHERS))
    theirs = await visitor("vasilek-admin")
    assert "Сработало правило маршрутизации" in main(await tried(theirs, to=OTHERS))


async def settled(who: Browser, path: str = "/check") -> str:
    """The page once the work is done."""
    while "http-equiv" in (page := await who.get(path)):
        await asyncio.sleep(0.05)
    return page


async def test_a_sound_configuration_is_said_to_be_one(visitor: Visitor) -> None:
    page = await settled(await visitor("romashka-manager"))
    assert "Всё в порядке" in main(page)


async def test_without_numbers_there_is_nothing_to_check(house: House, visitor: Visitor) -> None:
    async with house.ctx.edit(house.one.id, SYSTEM) as edit:
        for did in edit.before.core.dids:
            await delete_did(edit, did.id)
        menu = edit.before.get(Ref(Menu.kind, house.one.things["menu"]), Menu)
        assert menu is not None
        await edit.store_of(menu).remove(house.one.id, menu, edit.tx)
    text = main(await settled(await visitor("romashka-manager")))
    assert "Проверять пока нечего: у АТС нет номеров" in text
    assert "Всё в порядке" not in text


async def test_findings_lead_to_their_elements(house: House, visitor: Visitor) -> None:
    one = house.one
    root, group = Ref(Group.kind, one.things["root"]), Ref(Group.kind, one.things["group"])
    async with house.ctx.edit(one.id, SYSTEM) as edit:
        lonely = await create_group(edit, Group(id=0, title="Забытые", parent=root, no_answer=NOTHING))
        sales = edit.before.get(group, Group)
        assert sales is not None
        await save_group(edit, msgspec.structs.replace(sales, no_answer=group))
    page = await settled(await visitor("romashka-admin"))
    text = main(page)
    assert "Вызовы ходят по кругу без конца: Отдел продаж → Отдел продаж." in text
    assert "В группе «Забытые» никто никогда не ответит" in text
    assert f'href="/groups/{lonely.id}"' in page
    assert f'href="/groups/{group.id}">Вызовы' in page
    assert "Забытые" not in main(await settled(await visitor("vasilek-admin")))


async def past_calls(house: House, count: int) -> list[int]:
    """Calls from outside whose callers pressed 1."""
    trace = [
        {"at": 0, "what": "enters", "facts": {"title": "Главное меню"}, "target": f"ivr.menu:{house.one.things['menu']}"},
        {"at": 2000, "what": "key", "facts": {"digit": "1"}},
    ]
    await models.CallRecord.of(house.one.id).delete()
    made = []
    for n in range(count):
        at = clock.now() - timedelta(minutes=n)
        row = await models.CallRecord.create(
            account_id=house.one.id, call_id=f"past-{n}", started_at=at, ended_at=at + timedelta(seconds=30), direction="in",
            caller_number="+79270001122", dialled="+74951234567", did="+74951234567", trace=trace if n % 2 == 0 else trace[:1],
        )  # fmt: skip
        made.append(row.id)
    return made


async def test_the_last_calls_then_and_now(house: House, visitor: Visitor) -> None:
    """The key 1 leads elsewhere now: exactly the calls that pressed it are shown, newest first."""
    calls = await past_calls(house, 7)
    before = house.ctx.snapshot(house.one.id).revision
    menu = house.ctx.snapshot(house.one.id).get(Ref(Menu.kind, house.one.things["menu"]), Menu)
    assert menu is not None
    async with house.ctx.edit(house.one.id, SYSTEM) as edit:
        await save_menu(edit, msgspec.structs.replace(menu, keys=(MenuKey("1", HANGUP),)))
    admin = await visitor("romashka-admin")
    page = await settled(admin, f"/check?since={before}")
    text = main(page)
    assert f"Из последних вызовов (7) иначе, чем с настройками № {before}, идут теперь: 4." in text
    assert [int(n) for n in re.findall(r'class="number" href="/calls/(\d+)"', page)] == calls[::2]
    assert "«Главный» → «Главное меню» → «Отдел продаж»; звонили: Анна Админ (201)" in text
    foreign = await settled(await visitor("vasilek-admin"), "/check?since=1")
    assert "+7 927 000-11-22" not in main(foreign)


@pytest.mark.parametrize("query", ["since=0", "since=999", "since=x", "since=-1", "since=%00", "since=99999999999999999999"])
async def test_nonsense_in_the_address_does_no_harm(visitor: Visitor, query: str) -> None:
    assert "Всё в порядке" in main(await settled(await visitor("romashka-admin"), f"/check?{query}"))


async def test_long_work_is_shown_as_such_and_done_anew_when_asked(
    house: House, visitor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(check_page, "PATIENCE", 0.0)
    admin = await visitor("romashka-admin")
    working = await admin.get("/check")
    assert "Идёт проверка…" in main(working)
    assert '<meta http-equiv="refresh" content="1">' in working
    done = await settled(admin)
    assert "Всё в порядке" in main(done)
    assert "http-equiv" not in await admin.get("/check")  # remembered
    assert await admin.post("/check", since="") == "/check"
    assert "Идёт проверка…" in main(await admin.get("/check"))


async def test_after_a_save_the_comparison_is_offered(house: House, visitor: Visitor) -> None:
    admin = await visitor("romashka-admin")
    before = house.ctx.snapshot(house.one.id).revision
    page = await admin.get("/pbx")
    revision = re.search(r'name="revision" value="(\d+)"', page)
    assert revision is not None
    fields = dict(re.findall(r'<input id="(\w+)" name="\w+" type="(?:text|number|tel)" value="([^"]*)"', page))
    fields |= {"title": "Ромашка и партнёры", "timezone": "Europe/Moscow", "language": "ru", "revision": revision[1]}
    where = await admin.post("/pbx", **fields)
    shown = await admin.get(where)
    assert f'href="/check?since={before}"' in shown
    assert "since=" not in await admin.get(where)  # once


@pytest.mark.parametrize(
    ("summary", "wanted"),
    [
        ("+ Sales", "+ Sales"),
        ("+ Sales; + Support; x", "+ Sales; + Support; x"),
        ("; ".join(["user “Anna” created"] * 9), "; ".join(["user “Anna” created"] * 3) + " …"),
        ("x" * 200, "x" * 200),
    ],
)
def test_revisions_are_told_in_whole_pieces(summary: str, wanted: str) -> None:
    assert brief(summary) == wanted

# SPDX-License-Identifier: Apache-2.0
"""The administrator's pages of users, contacts and logins, as a browser uses them."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from engine.db.secrets import decrypt
from engine.people import passwords
from engine.sdk import Ref, people
from tests.databases import may_write
from tests.web.conftest import NewBrowser, Visitor
from tests.web.house import House


@pytest.mark.feature("ACC-5", "USR-1", "USR-2")
async def test_a_user_is_created_in_a_group_and_stands_in_the_tree(house: House, visitor: Visitor) -> None:
    admin = await visitor("romashka-admin")
    group = f"groups.group:{house.one.things['group']}"
    await admin.get(f"/users/new?into={group}")
    where = await admin.post(f"/users/new?into={group}", title="Вера Новая", extension="207", language="ru", active="1")
    page = await admin.get(where)
    assert "Вера Новая" in page
    assert "Пользователь создан" in page
    made = next(u for u in house.ctx.snapshot(house.one.id).core.users if u.title == "Вера Новая")
    assert made.extension == "207"
    tree = page[page.index("data-tree") : page.index('<main class="main"')]
    assert "Вера Новая" in tree
    assert tree.index("Отдел продаж") < tree.index("Вера Новая")


async def test_wrong_fields_are_marked_and_what_was_typed_stays(house: House, visitor: Visitor) -> None:
    admin = await visitor("romashka-admin")
    await admin.get("/users/new")
    page = await admin.post("/users/new", status=422, title="Глеб", extension="201", pin="12", active="1", language="en")
    assert 'value="Глеб"' in page
    assert "ПИН-код: от четырёх до восьми цифр." in page
    page = await admin.post("/users/new", status=422, title="Глеб", extension="201", active="1", language="en")
    assert "Внутренний номер 201 уже занят." in page
    assert re.search(r'<input id="extension"[^>]*aria-invalid="true"[^>]*aria-describedby="extension-about"', page)
    assert all(u.title != "Глеб" for u in house.ctx.snapshot(house.one.id).core.users)


@pytest.mark.feature("USR-4")
async def test_a_new_phones_password_is_shown_exactly_once(house: House, visitor: Visitor) -> None:
    admin = await visitor("romashka-admin")
    url = f"/users/{house.one.users['user']}"
    page = await admin.get(url)
    revision = _revision(page)
    await admin.post(
        url, form="contact", revision=revision, kind="sip", address="203a", priority=2, lines=1, timeout_seconds=20, active="1"
    )
    page = await admin.get(url)
    secret = decrypt(house.ctx.snapshot(house.one.id).sip_accounts["203a"].secret)
    assert secret in page
    assert "romashka.example" in page
    assert secret not in await admin.get(url)


async def test_a_new_password_replaces_the_old_one(house: House, visitor: Visitor) -> None:
    admin = await visitor("romashka-admin")
    contact = house.one.contacts["user"]
    before = house.ctx.snapshot(house.one.id).sip_accounts["203"].secret
    where = await admin.post(f"/contacts/{contact}/secret")
    secret = decrypt(house.ctx.snapshot(house.one.id).sip_accounts["203"].secret)
    assert secret != decrypt(before)
    assert secret in await admin.get(where)


@pytest.mark.feature("USR-3")
async def test_a_phone_contact_is_added_changed_and_deleted(house: House, visitor: Visitor) -> None:
    admin = await visitor("romashka-admin")
    url = f"/users/{house.one.users['manager']}"
    await admin.get(url)
    page = await admin.post(url, status=422, form="contact", kind="phone", address="12", priority=2, lines=1, timeout_seconds=20)
    assert "Это не номер телефона" in page
    await admin.post(url, form="contact", kind="phone", address="8 (916) 000-11-22", priority=2, lines=1, timeout_seconds=20, active="1")
    contact = next(c for u, c in house.ctx.snapshot(house.one.id).contacts.values() if c.address == "+79160001122")
    edit = {"kind": "phone", "address": "+79160001133", "priority": 1, "lines": 3, "timeout_seconds": 45}
    await admin.post(f"/contacts/{contact.id}", **edit)
    changed = house.ctx.snapshot(house.one.id).contacts[contact.id][1]
    assert (changed.address, changed.lines, changed.timeout_seconds, changed.active) == ("+79160001133", 3, 45, False)
    assert "+7 916 000-11-33" in await admin.get(f"/contacts/{contact.id}/delete")
    await admin.post(f"/contacts/{contact.id}/delete")
    assert contact.id not in house.ctx.snapshot(house.one.id).contacts


@pytest.mark.feature("ACC-2")
async def test_a_login_made_here_opens_the_cabinet(house: House, visitor: Visitor, browser: NewBrowser) -> None:
    admin = await visitor("romashka-admin")
    url = f"/users/{house.one.users['user']}"
    await admin.get(url)
    await admin.post(url, form="login", login="uliana", role="manager", password="")
    assert "uliana" in await admin.get(url)
    where = await admin.post(url, form="login", login="uliana", role="manager", password="zelenyi-kot-5")
    await admin.get(where)
    uliana = await browser().log_in("uliana", "zelenyi-kot-5")
    assert "Руководитель" in await uliana.get("/")


@pytest.mark.feature("ACC-2")
async def test_nobody_waits_for_the_hash_of_a_new_password(house: House, visitor: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    admin = await visitor("romashka-admin")
    url = f"/users/{house.one.users['user']}"
    await admin.get(url)

    hashed = []

    async def slow(work: Callable[[str], str], password: str) -> str:
        may_write(house.ctx.settings)
        hashed.append(password)
        return work(password)

    monkeypatch.setattr(passwords, "heavily", slow)
    for password in ("", "zelenyi-kot-5"):
        await admin.post(url, form="login", login="uliana", role="manager", password=password)
    assert len(hashed) == 2


async def test_somebody_elses_change_in_between_is_noticed(house: House, visitor: Visitor) -> None:
    admin = await visitor("romashka-admin")
    url = f"/users/{house.one.users['user']}"
    old = _revision(await admin.get(url))
    fields = {"form": "main", "title": "Ульяна Новая", "extension": "203", "language": "ru", "active": "1", "revision": old}
    await admin.post(url, **fields)
    page = await admin.post(url, status=422, **{**fields, "title": "Ульяна Старая"})
    assert "за это время то же самое уже изменено" in page
    assert house.ctx.snapshot(house.one.id).users[house.one.users["user"]].title == "Ульяна Новая"


@pytest.mark.feature("USR-1")
async def test_out_of_the_last_group_means_deleted_and_the_page_says_so(house: House, visitor: Visitor) -> None:
    admin = await visitor("romashka-admin")
    user = house.one.users["user"]
    url = f"/branches/groups.group:{house.one.things['group']}/members/{user}/remove"
    page = await admin.get(url)
    assert "удалится полностью" in page
    assert "+7 927 123-45-67" in page
    await admin.post(url)
    assert user not in house.ctx.snapshot(house.one.id).users


async def test_nobody_deletes_himself(house: House, visitor: Visitor) -> None:
    admin = await visitor("romashka-admin")
    url = f"/users/{house.one.users['admin']}/delete"
    await admin.get(url)
    assert "Нельзя удалить самого себя." in await admin.post(url, status=422)
    assert house.one.users["admin"] in house.ctx.snapshot(house.one.id).users


async def test_search_finds_by_name_extension_and_number(visitor: Visitor) -> None:
    admin = await visitor("romashka-admin")

    def listed(page: str) -> str:
        return page[page.index('<main class="main"') :]

    assert "Ульяна" in listed(await admin.get("/users?q=927123"))
    assert "Анна Админ" not in listed(await admin.get("/users?q=927123"))
    assert "Анна Админ" in listed(await admin.get("/users?q=201"))
    assert "Никого не найдено" in listed(await admin.get("/users?q=zzz"))


@pytest.mark.feature("USR-1")
async def test_a_user_is_dragged_to_another_branch(house: House, visitor: Visitor) -> None:
    admin = await visitor("romashka-admin")
    group, menu = f"groups.group:{house.one.things['group']}", f"ivr.menu:{house.one.things['menu']}"
    await admin.post("/members/move", user=house.one.users["user"], source=group, to=menu)
    snapshot = house.ctx.snapshot(house.one.id)
    assert [b.ref for b in people.branches_of(snapshot, house.one.users["user"])] == [Ref.parse(menu)]


def _revision(page: str) -> str:
    found = re.search(r'name="revision" value="(\d+)"', page)
    assert found is not None
    return found[1]

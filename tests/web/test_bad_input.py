# SPDX-License-Identifier: Apache-2.0
"""What an administrator may enter by mistake or malice: each is refused in words, in both languages, and nothing is half saved."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import aiohttp
import msgspec
import pytest

from engine.errors import Invalid
from engine.sdk import HANGUP, NOTHING, Ref, translate
from plugins.groups.part import Group
from plugins.groups.service import save_group
from plugins.ivr.part import Menu, MenuKey
from plugins.ivr.service import save_menu
from tests.web.conftest import Browser, Visitor
from tests.web.house import SYSTEM, House

BOTH = pytest.mark.parametrize("language", ["ru", "en"])
Words = tuple[str, str]
"""Russian, English."""
WEEK: dict[str, Any] = {"title": "Рабочее время", "timezone": "", "group": "0", "title_0": "Будни", "days_0": ["0", "1"]}


def files(house: House) -> list[str]:
    """Every sound below the media root."""
    root = house.ctx.settings.media_root
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


async def speaking(visitor: Visitor, language: str) -> Browser:
    admin = await visitor("romashka-admin")
    await admin.post("/preferences", language=language, back="/")
    await admin.get("/profile")
    return admin


async def refused(house: House, visitor: Visitor, language: str, path: str, words: Words, status: int = 422, **fields: Any) -> None:
    """Posting this is answered with these words, and configuration and sounds are what they were."""
    admin = await speaking(visitor, language)
    before, sounds = house.ctx.snapshot(house.one.id), files(house)
    page = await admin.post(path, status, **fields)
    assert words[0 if language == "ru" else 1] in page
    assert house.ctx.snapshot(house.one.id) is before
    assert files(house) == sounds


async def uploaded(house: House, visitor: Visitor, language: str, content: bytes, name: str, words: Words, statuses: Sequence[int]) -> None:
    admin = await speaking(visitor, language)
    before, sounds = house.ctx.snapshot(house.one.id), files(house)
    form = aiohttp.FormData({"csrf": admin.csrf, "form": "upload", "title": "Новая запись"})
    form.add_field("file", content, filename=name, content_type="audio/mpeg")
    async with admin.http.post(admin.base + "/voice-files", data=form) as answer:
        page = await answer.text()
        assert answer.status in statuses
    assert words[0 if language == "ru" else 1] in page
    assert house.ctx.snapshot(house.one.id) is before
    assert files(house) == sounds


@BOTH
async def test_day_groups_that_share_a_day(house: House, visitor: Visitor, language: str) -> None:
    path, words = f"/schedules/{house.one.things['schedule']}", ("«Будни» и «Ещё»", "“Будни” and “Ещё” share one")
    more = {**WEEK, "group": ["0", "1"], "title_1": "Ещё", "days_1": "1"}
    await refused(house, visitor, language, path, words, **more)


@BOTH
async def test_a_range_until_25_00(house: House, visitor: Visitor, language: str) -> None:
    path, words = f"/schedules/{house.one.things['schedule']}", ("Будни: «25:00» — не время", "Будни: “25:00” is no time")
    await refused(house, visitor, language, path, words, **WEEK, from_0="9:00", to_0="25:00")


@BOTH
async def test_a_group_inside_itself(house: House, visitor: Visitor, language: str) -> None:
    group = f"/groups/{house.one.things['group']}"
    words = ("Выберите значение из списка", "Choose one of the list")
    await refused(house, visitor, language, group, words, title="Отдел продаж", parent=f"groups.group:{house.one.things['group']}")


@BOTH
async def test_groups_in_a_circle_by_another_door(house: House, language: str) -> None:
    ctx, one = house.ctx, house.one
    group = ctx.snapshot(one.id).get(Ref(Group.kind, one.things["group"]), Group)
    assert group is not None
    before = ctx.snapshot(one.id)
    with pytest.raises(Invalid) as found:
        async with ctx.edit(one.id, SYSTEM) as edit:
            await save_group(edit, msgspec.structs.replace(group, parent=group.ref))
    told = [translate(language, p.message, **p.params) for p in found.value.problems]
    assert {"ru": "Группа «Отдел продаж» вложена сама в себя.", "en": "The group “Отдел продаж” is inside itself."}[language] in told
    assert ctx.snapshot(one.id) is before


@BOTH
async def test_a_key_twice(house: House, language: str) -> None:
    ctx, one = house.ctx, house.one
    menu = ctx.snapshot(one.id).get(Ref(Menu.kind, one.things["menu"]), Menu)
    assert menu is not None
    before = ctx.snapshot(one.id)
    with pytest.raises(Invalid) as found:
        async with ctx.edit(one.id, SYSTEM) as edit:
            await save_menu(edit, msgspec.structs.replace(menu, keys=(MenuKey("1", HANGUP), MenuKey("1", NOTHING))))
    (problem,) = found.value.problems
    told = translate(language, problem.message, **problem.params)
    assert told == {"ru": "Клавиша 1 задана дважды.", "en": "The key 1 is set twice."}[language]
    assert ctx.snapshot(one.id) is before


@BOTH
async def test_a_key_twice_in_a_form(house: House, visitor: Visitor, language: str) -> None:
    one = house.one
    menu = house.ctx.snapshot(one.id).get(Ref(Menu.kind, one.things["menu"]), Menu)
    assert menu is not None
    fields = {"title": menu.title, "parent": str(menu.parent), "active": "1", "key_1": [str(HANGUP), str(NOTHING)]}
    await refused(house, visitor, language, f"/menus/{menu.id}", ("Клавиша 1 задана дважды.", "The key 1 is set twice."), **fields)


@BOTH
@pytest.mark.parametrize("start", [b"PK\x03\x04", b"ID3\x04\x00\x00\x00\x00\x00\x00PK\x03\x04"])
async def test_an_mp3_that_is_a_zip(house: House, visitor: Visitor, language: str, start: bytes) -> None:
    """By its name, and by its first bytes too."""
    plain = start.startswith(b"PK")
    words = ("Поддерживаются только файлы WAV и MP3", "Only WAV and MP3 files") if plain else ("Файл", "file")
    await uploaded(house, visitor, language, start + b"\x14\x00nonsense" * 400, "greeting.mp3", words, (422,))


@BOTH
async def test_a_file_of_16_megabytes(house: House, visitor: Visitor, language: str) -> None:
    content = b"RIFF\xff\xff\xff\x00WAVEfmt " + b"\0" * (16 * 1024 * 1024)
    words = ("Файл больше 15 МБ", "The file is larger than 15 MB")
    await uploaded(house, visitor, language, content, "long.wav", words, (422,))


@BOTH
async def test_a_file_of_20_megabytes_is_not_even_read(house: House, visitor: Visitor, language: str) -> None:
    words = ("Файл слишком большой", "The file is too large")
    await uploaded(house, visitor, language, b"ID3" + b"\0" * (20 * 1024 * 1024), "long.mp3", words, (400,))


@BOTH
async def test_a_megabyte_of_text_to_be_spoken(house: House, visitor: Visitor, language: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("plugins.voicefiles.web.synthesizer", lambda: "espeak-ng")
    words = ("Форма слишком большая", "This form is too large")
    await refused(house, visitor, language, "/voice-files", words, 400, form="speech", title="Речь", text="а" * 1024 * 512)
    words = ("Не больше 2000 символов", "At most 2000 characters")
    await refused(house, visitor, language, "/voice-files", words, 422, form="speech", title="Речь", text="а" * 2001)


@BOTH
@pytest.mark.parametrize("path", ["group", "menu", "user"])
async def test_an_internal_number_that_is_taken(house: House, visitor: Visitor, language: str, path: str) -> None:
    one = house.one
    address, title = {
        "group": (f"/groups/{one.things['group']}", "Отдел продаж"),
        "menu": (f"/menus/{one.things['menu']}", "Главное меню"),
        "user": (f"/users/{one.users['user']}", "Ульяна Петрова"),
    }[path]
    words = ("Внутренний номер 201 уже занят", "The internal number 201 is taken")
    parent = {} if path == "user" else {"parent": f"groups.group:{one.things['root']}"}
    await refused(house, visitor, language, address, words, title=title, extension="201", form="main" if path == "user" else "", **parent)


@BOTH
@pytest.mark.parametrize("number", ["112", "1", "12345678", "2a"])
async def test_no_internal_number_at_all(house: House, visitor: Visitor, language: str, number: str) -> None:
    words = ("112 — номер экстренных служб", "112 is the emergency number") if number == "112" else ("от 2 до 7 цифр", "2 to 7 digits")
    fields = {"title": "Отдел продаж", "parent": f"groups.group:{house.one.things['root']}", "extension": number}
    await refused(house, visitor, language, f"/groups/{house.one.things['group']}", words, **fields)


@BOTH
@pytest.mark.parametrize("what", ["group", "menu", "rule", "member", "contact"])
async def test_a_priority_of_a_milliard(house: House, visitor: Visitor, language: str, what: str) -> None:
    one = house.one
    many, root = str(10**9), f"groups.group:{one.things['root']}"
    thousand, ninety_nine = ("От 1 до 1000", "From 1 to 1000"), ("Не больше 99", "Not more than 99")
    did, menu, mobile = one.things["did"], one.things["menu"], "89271112233"
    address, words, fields = {
        "group": (f"/groups/{one.things['group']}", thousand, {"title": "Отдел", "parent": root, "priority": many}),
        "menu": (f"/menus/{menu}", thousand, {"title": "Меню", "parent": root, "priority": many}),
        "rule": (f"/numbers/{did}/rules/new", thousand, {"title": "Правило", "target": f"ivr.menu:{menu}", "priority": many}),
        "member": (f"/contacts/{one.contacts['user']}", ninety_nine, {"address": "203", "priority": many}),
        "contact": (f"/users/{one.users['user']}", ninety_nine, {"form": "contact", "kind": "phone", "address": mobile, "priority": many}),
    }[what]
    await refused(house, visitor, language, address, words, **fields)

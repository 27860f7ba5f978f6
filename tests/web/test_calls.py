# SPDX-License-Identifier: Apache-2.0
"""Lists of calls with filters and paging, one call, its recording with seeking, and whose calls one sees."""

from __future__ import annotations

import re
from zoneinfo import ZoneInfo

import pytest

from engine.db import models
from tests.web.conftest import Browser, Visitor
from tests.web.house import House


def listed(page: str) -> list[int]:
    """The ids of the calls in a list, in order."""
    main = page[page.index('<main class="main"') :]
    return [int(n) for n in re.findall(r'class="call-dir[^"]*" href="/calls/(\d+)"', main)]


@pytest.mark.feature("STA-4")
async def test_pages_follow_one_another_without_gap_or_repetition(house: House, visitor: Visitor) -> None:
    admin = await visitor("romashka-admin")
    first = await admin.get("/calls")
    older = re.search(r'href="([^"]+)" rel="next"', first)
    assert older is not None
    second = await admin.get(older[1].replace("&amp;", "&"))
    all_ids = [c.id for c in await models.CallRecord.of(house.one.id).order_by("-started_at", "-id")]
    assert listed(first) + listed(second) == all_ids
    assert 'rel="next"' not in second
    newer = re.search(r'href="([^"]+)" rel="prev"', second)
    assert newer is not None
    assert listed(await admin.get(newer[1].replace("&amp;", "&"))) == listed(first)


async def test_a_call_that_arrives_while_one_pages_shifts_nothing(house: House, visitor: Visitor) -> None:
    admin = await visitor("romashka-admin")
    first = await admin.get("/calls")
    older = re.search(r'href="([^"]+)" rel="next"', first)
    assert older is not None
    newest = await models.CallRecord.of(house.one.id).order_by("-started_at").first()
    assert newest is not None
    await models.CallRecord.filter(id=listed(first)[5]).update(started_at=newest.started_at)
    second = listed(await admin.get(older[1].replace("&amp;", "&")))
    assert not set(second) & set(listed(first))


@pytest.mark.feature("STA-4", "STA-5")
@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("direction=out", {"direction": "out"}),
        ("direction=in", {"direction": "in"}),
        ("result=talked", {"talked": True}),
        ("result=missed", {"missed": True}),
        ("result=none", {"talked": False}),
        ("number=8+927+123-00-03", {"caller_number": "+79271230003"}),
        ("number=9271230003", {"caller_number": "+79271230003"}),
        ("number=0003", {"caller_number": "+79271230003"}),
    ],
)
async def test_filters_show_what_they_say(house: House, visitor: Visitor, query: str, wanted: dict[str, object]) -> None:
    admin = await visitor("romashka-admin")
    expected = [c.id for c in await models.CallRecord.of(house.one.id).filter(**wanted).order_by("-started_at", "-id").limit(50)]
    assert expected
    assert listed(await admin.get(f"/calls?{query}")) == expected


async def test_filters_of_user_and_day(house: House, visitor: Visitor) -> None:
    admin = await visitor("romashka-admin")
    user = house.one.users["user"]
    expected = [c.id for c in await models.CallRecord.of(house.one.id).filter(user_id=user).order_by("-started_at", "-id").limit(50)]
    assert listed(await admin.get(f"/calls?user={user}")) == expected
    zone = house.ctx.snapshot(house.one.id).account.timezone
    calls = await models.CallRecord.of(house.one.id)
    day = calls[-1].started_at.astimezone(ZoneInfo(zone)).date()
    same_day = {c.id for c in calls if c.started_at.astimezone(ZoneInfo(zone)).date() == day}
    assert set(listed(await admin.get(f"/calls?since={day}&until={day}"))) == same_day


@pytest.mark.parametrize("query", ["since=x&until=9999-99-99", "user=abc", "older=AAAA", "newer=WyJ4IiwxXQ", "number=%00", "direction=up"])
async def test_nonsense_in_the_address_does_no_harm(visitor: Visitor, query: str) -> None:
    admin = await visitor("romashka-admin")
    await admin.get(f"/calls?{query}")


@pytest.mark.feature("STA-5")
async def test_missed_calls(house: House, visitor: Visitor) -> None:
    admin = await visitor("romashka-admin")
    expected = [c.id for c in await models.CallRecord.of(house.one.id).filter(missed=True).order_by("-started_at", "-id")]
    page = await admin.get("/calls/missed")
    assert listed(page) == expected
    assert "нет ответа" in page


@pytest.mark.feature("ACC-4")
async def test_an_employee_sees_his_own_calls_only(house: House, visitor: Visitor) -> None:
    worker = await visitor("romashka-user")
    own = {c.id for c in await models.CallRecord.of(house.one.id).filter(user_id=house.one.users["user"])}
    rang = {leg.call_id for leg in await models.CallLeg.of(house.one.id).filter(user_id=house.one.users["user"])}
    shown = set(listed(await worker.get("/calls")))
    assert shown
    assert shown <= own | rang
    others = await models.CallRecord.of(house.one.id).filter(user_id=house.one.users["manager"]).exclude(id__in=rang).first()
    assert others is not None
    await worker.get(f"/calls/{others.id}", status=404)
    assert set(listed(await worker.get(f"/calls?user={house.one.users['manager']}"))) == shown  # the filter is not his


async def test_one_call_tells_its_path(house: House, visitor: Visitor) -> None:
    admin = await visitor("romashka-admin")
    page = await admin.get(f"/calls/{house.one.things['call']}")
    assert "Сработало правило маршрутизации: Всем в меню" in page
    assert "Вызывается Анна Админ (201), до 20 с" in page
    assert "Не вызывается Максим Руководитель (202): телефон не зарегистрирован" in page
    assert "Проигрывается «Приветствие»" in page
    assert page.index("Звонящий нажал 1") < page.index("Разговор: Ульяна Петрова (203)")


ANNA, MAXIM = "Анна Админ (201)", "Максим Руководитель (202)"


def why(page: str) -> str:
    """The part of a call's page that says why a phone did not ring; empty without one."""
    found = re.search(r'<section class="card" id="why">(.*?)</section>', page, re.DOTALL)
    return " ".join(re.sub("<[^>]+>", " ", found[1]).split()) if found else ""


@pytest.mark.feature("STA-5")
@pytest.mark.parametrize(
    ("language", "asked", "heading", "absent", "vain"),
    [
        ("ru", "Почему никто не ответил?", "Почему никто не ответил?", f"Не вызывается {MAXIM}: телефон не зарегистрирован", ANNA),
        ("en", "Why did nobody answer?", "Why did nobody answer?", f"{MAXIM} is not rung: the phone is not registered", ANNA),
    ],
)
async def test_why_it_did_not_ring_is_one_step_from_the_list(
    house: House, visitor: Visitor, language: str, asked: str, heading: str, absent: str, vain: str
) -> None:
    admin = await visitor("romashka-admin")
    await admin.post("/preferences", language=language, back="/")
    rows = {call.id: call for call in await models.CallRecord.of(house.one.id)}
    for address in ("/calls", "/calls/missed"):
        page = await admin.get(address)
        links = re.findall(r'href="/calls/(\d+)#why">([^<]+)</a>', page)
        assert [int(id) for id, _ in links] == [id for id in listed(page) if not rows[id].talked and rows[id].direction != "out"]
        assert {text for _, text in links} == {asked}
    told = why(await admin.get(f"/calls/{links[0][0]}"))
    assert told.startswith(heading)
    assert absent in told
    assert vain in told
    assert "203" not in told  # he rang, and talked
    assert absent in why(await admin.get(f"/calls/{house.one.things['call']}"))  # also where somebody else took the call


@pytest.mark.parametrize(
    ("trace", "missed_why", "said"),
    [
        ([], "left", "Путь этого вызова не сохранился."),
        ([{"at": 1, "what": "answer", "facts": {}}], "menu", "Ни один телефон и не должен был звонить: звонящий ушёл в меню"),
        ([{"at": 1, "what": "answer", "facts": {}}], "", "Ни один телефон и не должен был звонить; ниже — путь вызова."),
        (
            [{"at": 1, "what": "rings", "facts": {"who": "201"}}, {"at": 2, "what": "cancelled", "facts": {"who": "201", "why": "left"}}],
            "left", "Анна Админ (201)",
        ),
    ],
)  # fmt: skip
async def test_a_call_for_which_no_phone_was_to_ring(
    house: House, visitor: Visitor, trace: list[object], missed_why: str, said: str
) -> None:
    id = house.one.things["call"]
    await models.CallRecord.filter(id=id).update(trace=trace, missed_why=missed_why, missed=True, talked=False)
    assert said in why(await (await visitor("romashka-admin")).get(f"/calls/{id}"))


async def test_an_outgoing_call_has_no_such_part(house: House, visitor: Visitor) -> None:
    id = house.one.things["call"]
    await models.CallRecord.filter(id=id).update(direction="out", talked=False)
    assert why(await (await visitor("romashka-admin")).get(f"/calls/{id}")) == ""


@pytest.mark.feature("STA-1")
async def test_a_recording_is_sought_in_by_ranges(house: House, visitor: Visitor) -> None:
    admin = await visitor("romashka-admin")
    url = f"{admin.base}/recordings/{house.one.things['recording']}/sound"
    whole = await _bytes(admin, url, {}, 200)
    assert whole[:4] == b"RIFF"
    assert await _bytes(admin, url, {"Range": "bytes=1000-1999"}, 206) == whole[1000:2000]
    assert await _bytes(admin, url, {"Range": "bytes=-100"}, 206) == whole[-100:]
    await _bytes(admin, url, {"Range": f"bytes={len(whole)}-"}, 416)
    async with admin.http.get(url + "?download=1") as answer:
        assert answer.headers["Content-Disposition"].startswith("attachment; filename*=UTF-8''")
        assert answer.headers["Content-Type"] == "audio/wav"


async def _bytes(browser: Browser, url: str, headers: dict[str, str], status: int) -> bytes:
    async with browser.http.get(url, headers=headers) as answer:
        assert answer.status == status
        return await answer.read()


async def test_the_media_folder_is_not_left(house: House, visitor: Visitor) -> None:
    admin = await visitor("romashka-admin")
    (house.ctx.settings.state / "secret.wav").write_bytes(b"RIFF")
    await models.Recording.filter(id=house.one.things["recording"]).update(path="../secret.wav")
    await admin.get(f"/recordings/{house.one.things['recording']}/sound", status=404)
    await models.Recording.filter(id=house.one.things["recording"]).update(path="recordings")
    await admin.get(f"/recordings/{house.one.things['recording']}/sound", status=404)


async def test_an_employee_hears_his_own_conversations_only(house: House, visitor: Visitor) -> None:
    worker = await visitor("romashka-user")
    url = f"/recordings/{house.one.things['recording']}/sound"
    await models.CallRecord.filter(id=house.one.things["call"]).update(user_id=house.one.users["manager"])
    await models.CallLeg.of(house.one.id).filter(call_id=house.one.things["call"]).update(user_id=house.one.users["manager"])
    await worker.get(url, status=404)
    assert "<audio" not in await worker.get("/recordings")

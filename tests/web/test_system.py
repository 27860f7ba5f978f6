# SPDX-License-Identifier: Apache-2.0
"""Plugins that did not start, kept mail, voice files, failures of pages, cookies over https, visitors behind a proxy."""

from __future__ import annotations

import logging
import math
import wave
from array import array
from io import BytesIO

import aiohttp
import msgspec
import pytest
from aiohttp.test_utils import TestServer

from engine.db import models
from engine.sdk import Ref
from engine.settings import Web
from plugins.voicefiles.part import VoiceFile
from tests.web.conftest import Browser, NewBrowser, Visitor
from tests.web.house import PASSWORD, House
from web.app import HOST, make_app


async def test_a_plugin_that_did_not_start_is_shown_and_its_pages_are_gone(house: House) -> None:
    state = house.ctx.registry.state("recording")
    assert state is not None
    state.running, state.error = False, "OSError: no disk"
    server = TestServer(await make_app(house.ctx), host="127.0.0.1")
    await server.start_server()
    admin = await Browser(str(server.make_url("")).rstrip("/")).log_in("romashka-admin")
    page = await admin.get("/system/plugins")
    assert "не запустился" in page
    assert "OSError: no disk" in page
    assert "/recordings" not in page
    await admin.get("/recordings", status=404)
    assert "<audio" not in await admin.get(f"/calls/{house.one.things['call']}")  # the neighbour's page does without
    await admin.close()
    await server.close()


async def test_mail_without_a_server_is_read_here(house: House, visitor: Visitor) -> None:
    admin = await visitor("romashka-admin")
    page = await admin.get("/system/mail")
    assert "Пропущенный вызов" in page
    assert "boss@romashka.example" in page
    assert "vasilek" not in page
    letter = await admin.get("/system/mail/romashka-1.eml")
    assert "<iframe" in letter
    async with admin.http.get(admin.base + "/system/mail/romashka-1.eml/html") as answer:
        assert answer.headers["Content-Security-Policy"].startswith("sandbox; default-src 'none'")
    for name in ("..%2F1%2Fromashka-1.eml", "romashka-1.txt", "%2e%2e"):
        await admin.get(f"/system/mail/{name}", status=404)


async def test_what_was_given_up_is_shown_and_sent_again(house: House, visitor: Visitor) -> None:
    admin = await visitor("romashka-admin")
    page = await admin.get("/system/deliveries")
    assert "550 no such user" in page
    assert "boss@romashka.example" in page
    assert "vasilek" not in page
    assert await admin.post(f"/system/deliveries/{house.one.things['dead']}") == "/system/deliveries"
    assert "Всё доставлено" in await admin.get("/system/deliveries")
    row = await models.OutboxRow.of(house.one.id).get()
    assert (row.status, row.attempts) == ("pending", 0)
    await admin.post(f"/system/deliveries/{house.one.things['dead']}", status=404)  # it waits to be sent: no second time


async def test_a_failing_page_says_so_and_names_the_line_of_the_log(
    house: House, visitor: Visitor, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    admin = await visitor("romashka-admin")

    def broken(account_id: int) -> None:
        raise ZeroDivisionError("a secret detail")

    monkeypatch.setattr(house.ctx, "presence", broken)
    with caplog.at_level(logging.ERROR, "web.errors"):
        page = await admin.get("/users", status=500)
    assert "a secret detail" not in page
    number = caplog.records[-1].getMessage().rpartition("(")[2].rstrip(")")
    assert number in page
    text = await admin.get("/users", status=500, headers={"Accept": "application/json"})
    assert '"message"' in text


async def test_an_unknown_page_is_told_in_words_to_everybody(visitor: Visitor, browser: NewBrowser) -> None:
    assert "Такой страницы нет." in await browser().get("/nothing", status=404)
    assert "Такой страницы нет." in await (await visitor("romashka-user")).get("/nothing", status=404)


async def test_a_body_without_length_or_too_long_is_not_read(visitor: Visitor, browser: NewBrowser) -> None:
    stranger = browser()
    await stranger.get("/login")

    async def endless() -> object:
        while True:
            yield b"x" * 65536

    with pytest.raises((aiohttp.ClientError, AssertionError)):
        async with stranger.http.post(stranger.base + "/login", data=endless()) as answer:
            assert answer.status == 200
    await stranger.post("/login", status=400, login="x" * 600_000)


async def test_over_https_cookies_are_secure_and_browsers_told_to_stay(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    web = msgspec.structs.replace(house.ctx.settings.web, public_url="https://pbx.example")
    house.ctx.settings = msgspec.structs.replace(house.ctx.settings, web=web)
    server = TestServer(await make_app(house.ctx), host="127.0.0.1")
    await server.start_server()
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as client:
        async with client.get(server.make_url("/login")) as answer:
            form = answer.cookies["vats_form"]
            assert form["secure"]
            assert "max-age" in answer.headers["Strict-Transport-Security"]
            csrf = (await answer.text()).partition('name="csrf" value="')[2].partition('"')[0]
        data = {"csrf": csrf, "login": "romashka-user", "password": PASSWORD}
        jar = {"Cookie": f"vats_form={form.value}", "Origin": "https://pbx.example"}
        async with client.post(server.make_url("/login"), data=data, headers=jar, allow_redirects=False) as answer:
            assert answer.status == 303
            session = answer.cookies["__Host-vats"]
            assert session["secure"]
            assert session["httponly"]
            assert session["path"] == "/"
    await server.close()


async def test_the_visitors_address_comes_from_ones_own_proxy_only(house: House, server: TestServer, browser: NewBrowser) -> None:
    assert server.app is not None
    host = server.app[HOST]
    stranger = browser()
    for trusted in (False, True):
        host.ctx.settings = msgspec.structs.replace(house.ctx.settings, web=Web(trust_proxy=trusted))  # type: ignore[misc]  # the tests' own context
        await stranger.get("/login")
        for n in range(9):
            headers = {"X-Forwarded-For": f"203.0.113.{n}, 198.51.100.{n}"}
            async with stranger.http.post(
                stranger.base + "/login", data={"csrf": stranger.csrf, "login": "nobody", "password": "x"}, headers=headers
            ) as answer:
                limited = "Слишком много попыток" in await answer.text()
        assert limited is not trusted


def tone(seconds: float = 0.5, rate: int = 22050) -> bytes:
    kept = BytesIO()
    with wave.open(kept, "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(rate)
        samples = (int(9000 * math.sin(2 * math.pi * 440 * n / rate)) for n in range(int(rate * seconds)) for _ in (0, 1))
        file.writeframes(array("h", samples).tobytes())
    return kept.getvalue()


async def upload(browser: Browser, content: bytes, name: str, title: str = "") -> tuple[int, str]:
    await browser.get("/voice-files")
    form = aiohttp.FormData({"csrf": browser.csrf, "form": "upload", "title": title}, quote_fields=False)  # as browsers send names
    form.add_field("file", content, filename=name)
    async with browser.http.post(browser.base + "/voice-files", data=form, allow_redirects=False) as answer:
        return answer.status, await answer.text()


@pytest.mark.feature("DIR-2")
async def test_a_voice_file_is_uploaded_heard_renamed_and_deleted(house: House, visitor: Visitor) -> None:
    admin = await visitor("romashka-admin")
    status, page = await upload(admin, b"not a sound at all", "x.wav")
    assert status == 422
    assert "Поддерживаются только файлы WAV и MP3." in page
    status, page = await upload(admin, b"RIFF\x00\x00\x00\x00WAVE" + b"no sound " * 50, "x.wav")
    assert status == 422
    assert "Это не звуковой файл, или он повреждён." in page
    assert "ffmpeg" not in page.lower()
    assert str(house.ctx.settings.state) not in page
    status, page = await upload(admin, tone(), "Музыка.wav")
    assert status == 303
    files = [e for e in house.ctx.snapshot(house.one.id).elements() if isinstance(e, VoiceFile)]
    made = next(f for f in files if f.title == "Музыка")
    assert made.seconds == pytest.approx(0.5, abs=0.1)
    async with admin.http.get(f"{admin.base}/voice-files/{made.id}/sound", headers={"Range": "bytes=0-3"}) as answer:
        assert answer.status == 206
        assert await answer.read() == b"RIFF"
    await admin.post(f"/voice-files/{made.id}", title="Тон")
    renamed = house.ctx.snapshot(house.one.id).element(Ref(VoiceFile.kind, made.id))
    assert renamed is not None
    assert renamed.title == "Тон"
    await admin.post(f"/voice-files/{made.id}/delete")
    assert house.ctx.snapshot(house.one.id).element(Ref(VoiceFile.kind, made.id)) is None
    used = house.one.things["file"]
    assert "Главное меню" in await admin.get(f"/voice-files/{used}/delete")
    await admin.post(f"/voice-files/{used}/delete", status=422)


@pytest.mark.feature("DIR-2")
async def test_speech_is_offered_where_something_can_speak(visitor: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    admin = await visitor("romashka-admin")
    for program, offered in (("", False), ("espeak-ng", True)):
        monkeypatch.setattr("engine.sound.synthesis.shutil.which", lambda name, has=program: name if name == has else None)
        page = await admin.get("/voice-files")
        assert ('name="text"' in page, "не установлен синтез речи" in page) == (offered, not offered)

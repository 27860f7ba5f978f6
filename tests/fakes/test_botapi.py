# SPDX-License-Identifier: Apache-2.0
"""The fake Bot API as real aiogram sees it over HTTP; other tests lean on what is proved here."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import aiohttp
import pytest
from aiogram import Bot
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer
from aiogram.exceptions import (
    ClientDecodeError,
    TelegramBadRequest,
    TelegramConflictError,
    TelegramForbiddenError,
    TelegramMigrateToChat,
    TelegramNetworkError,
    TelegramRetryAfter,
    TelegramServerError,
    TelegramUnauthorizedError,
)
from aiogram.types import BufferedInputFile, InlineKeyboardButton, InlineKeyboardMarkup, InputMediaDocument

from engine import clock
from tests.fakes.botapi import FakeBotApi
from tests.fakes.botapi_chats import Failure


def client(api: FakeBotApi, token: str | None = None) -> Bot:
    return Bot(token or api.token, session=AiohttpSession(api=TelegramAPIServer.from_base(api.url)))


@pytest.fixture
async def api() -> AsyncIterator[FakeBotApi]:
    async with FakeBotApi() as api:
        yield api


@pytest.fixture
async def bot(api: FakeBotApi) -> AsyncIterator[Bot]:
    async with client(api).context() as bot:
        yield bot


def keys(**buttons: str) -> InlineKeyboardMarkup:
    return InlineKeyboardMarkup(inline_keyboard=[[InlineKeyboardButton(text=k, callback_data=v)] for k, v in buttons.items()])


async def test_messages_are_stored_and_edits_return_them(api: FakeBotApi, bot: Bot) -> None:
    anna = api.user("Anna", started=True)
    sent = await bot.send_message(anna.id, "<b>Missed</b> &lt;call&gt;", parse_mode="HTML", reply_markup=keys(Take="m:1"))
    card = await anna.read()
    assert card.text == "Missed <call>"
    assert card.data["entities"] == [{"type": "bold", "offset": 0, "length": 6}]
    assert list(card.buttons) == ["Take"]
    edited = await bot.edit_message_text("Taken", chat_id=anna.id, message_id=sent.message_id)
    assert not isinstance(edited, bool)
    assert edited.text == "Taken"
    assert card.buttons == {}
    with pytest.raises(TelegramBadRequest, match="not modified"):
        await bot.edit_message_text("Taken", chat_id=anna.id, message_id=sent.message_id)
    with pytest.raises(TelegramBadRequest, match="message to edit not found"):
        await bot.edit_message_text("Taken", chat_id=anna.id, message_id=1)


async def test_long_poll_waits_confirms_and_refuses_a_second_reader(api: FakeBotApi, bot: Bot) -> None:
    anna = api.user("Anna")
    poll = asyncio.create_task(bot.get_updates(timeout=30))
    await api.wait(lambda: api.polling)  # the request hangs: nothing is there
    await anna.send("/start")
    [update] = await poll
    assert update.message is not None
    assert update.message.text == "/start"
    assert [u.update_id for u in await bot.get_updates()] == [update.update_id]  # unconfirmed: comes again
    assert await bot.get_updates(offset=update.update_id + 1) == []
    first = asyncio.create_task(bot.get_updates(timeout=30, offset=update.update_id + 1))
    await api.wait(lambda: api.polling)
    second = asyncio.create_task(bot.get_updates(timeout=30, offset=update.update_id + 1))
    with pytest.raises(TelegramConflictError):
        await first
    await anna.send("hello")
    assert len(await second) == 1
    await bot.set_webhook("https://example.org/hook")
    with pytest.raises(TelegramConflictError, match="webhook"):
        await bot.get_updates()


async def test_buttons_are_pressed_and_answered_once(api: FakeBotApi, bot: Bot) -> None:
    anna = api.user("Anna", started=True)
    await bot.send_message(anna.id, "card", reply_markup=keys(Take="m:1"))
    press = await anna.press("Take")
    [update] = await bot.get_updates()
    assert update.callback_query is not None
    assert update.callback_query.data == "m:1"
    await bot.answer_callback_query(update.callback_query.id, text="Yours")
    assert await press.answered() == "Yours"
    with pytest.raises(TelegramBadRequest, match="query is too old"):
        await bot.answer_callback_query(update.callback_query.id)
    with pytest.raises(AssertionError, match="no button"):
        await anna.press("Other")


async def test_limits(api: FakeBotApi, bot: Bot) -> None:
    anna = api.user("Anna", started=True)
    await bot.send_message(anna.id, "ж" * 4096)
    for text, words in (("ж" * 4097, "too long"), ("\U0001f600" * 2049, "too long"), (" ", "empty")):
        with pytest.raises(TelegramBadRequest, match=words):
            await bot.send_message(anna.id, text)
    with pytest.raises(TelegramBadRequest, match="entities"):
        await bot.send_message(anna.id, "<b>open", parse_mode="HTML")
    await bot.send_message(anna.id, "x", reply_markup=keys(Take="ж" * 32))
    with pytest.raises(TelegramBadRequest, match="BUTTON_DATA_INVALID"):
        await bot.send_message(anna.id, "x", reply_markup=keys(Take="ж" * 32 + "z"))
    with pytest.raises(TelegramBadRequest, match="caption is too long"):
        await bot.send_document(anna.id, BufferedInputFile(b"1", "a.txt"), caption="x" * 1025)


async def test_files_go_up_and_come_down(api: FakeBotApi, bot: Bot) -> None:
    anna = api.user("Anna", started=True)
    sound = b"OggS" + bytes(24) + b"OpusHead" + bytes(1000)
    sent = await bot.send_voice(anna.id, BufferedInputFile(sound, "call.ogg"), caption="Call", duration=7)
    assert sent.voice is not None
    assert sent.voice.duration == 7
    loaded = await bot.download(sent.voice.file_id)
    assert loaded is not None
    assert loaded.read() == sound
    plain = await bot.send_voice(anna.id, BufferedInputFile(b"RIFF....WAVE", "call.wav"))
    assert plain.voice is None  # not playable: Telegram shows a file
    assert plain.document is not None
    again = await bot.send_voice(anna.id, sent.voice.file_id)
    assert again.voice is not None
    pages = (InputMediaDocument(media=BufferedInputFile(b"%PDF" + n, "fax.pdf")) for n in (b"1", b"2"))
    album = await bot.send_media_group(anna.id, [*pages])
    assert [m.document.file_name for m in album if m.document] == ["fax.pdf", "fax.pdf"]


async def test_json_and_query_requests(api: FakeBotApi) -> None:
    anna = api.user("Anna", started=True)
    async with aiohttp.ClientSession() as session:
        await session.post(f"{api.url}/bot{api.token}/sendMessage", json={"chat_id": anna.id, "text": "json"})
        await session.get(f"{api.url}/bot{api.token}/sendmessage", params={"chat_id": anna.id, "text": "query"})
        await session.post(f"{api.url}/bot{api.token}/sendMessage", data={"chat_id": anna.id, "text": "form", "reply_markup": "{}"})
        async with session.post(f"{api.url}/bot{api.token}/nonsense") as answer:
            assert answer.status == 404
    assert [m.text for m in anna.messages] == ["json", "query", "form"]


async def test_refusals(api: FakeBotApi, bot: Bot) -> None:
    anna, team = api.user("Anna"), api.group("Team")
    with pytest.raises(TelegramForbiddenError, match="initiate"):
        await bot.send_message(anna.id, "x")
    with pytest.raises(TelegramBadRequest, match="chat not found"):
        await bot.send_message(1, "x")
    team.migrated_to = -100500
    with pytest.raises(TelegramMigrateToChat) as moved:
        await bot.send_message(team.id, "x")
    assert moved.value.migrate_to_chat_id == -100500
    anna.started = anna.blocked = True
    with pytest.raises(TelegramForbiddenError, match="blocked"):
        await bot.send_message(anna.id, "x")
    async with client(api, "4242:wrong").context() as stranger:
        with pytest.raises(TelegramUnauthorizedError):
            await stranger.get_me()


async def test_scripts_of_failures_run_on_the_clock(api: FakeBotApi, bot: Bot) -> None:
    anna = api.user("Anna", started=True)
    api.fail_next(Failure(429, retry_after=3), Failure(500, lasting=timedelta(minutes=1)), method="sendMessage")
    with pytest.raises(TelegramRetryAfter) as limit:
        await bot.send_message(anna.id, "x")
    assert limit.value.retry_after == 3
    for _ in range(3):
        with pytest.raises(TelegramServerError):
            await bot.send_message(anna.id, "x")
    await bot.get_me()  # other methods are not touched
    with clock.shifted(timedelta(seconds=61)):
        await bot.send_message(anna.id, "x")
    assert len(anna.messages) == 1
    assert [c.status for c in api.made("sendMessage")] == [429, 500, 500, 500, 200]
    api.fail_next(Failure(502, html=True))
    with pytest.raises(ClientDecodeError):
        await bot.send_message(anna.id, "x")


async def test_a_lost_answer_leaves_the_message_behind(api: FakeBotApi, bot: Bot) -> None:
    anna = api.user("Anna", started=True)
    api.fail_next(Failure(0, lost=True))
    with pytest.raises(TelegramNetworkError):
        await bot.send_message(anna.id, "x")
    assert [m.text for m in anna.messages] == ["x"]


async def test_a_bot_sees_only_commands_in_groups(api: FakeBotApi, bot: Bot) -> None:
    anna, team = api.user("Anna"), api.group("Team")
    await anna.send("lunch?", team)
    await anna.send("/last", team)
    assert [u.message.text for u in await bot.get_updates() if u.message] == ["/last"]

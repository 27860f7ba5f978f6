# SPDX-License-Identifier: Apache-2.0
"""The bot host: switched on and off, patient with Telegram, orderly within a chat, rights before every handler, one edge for errors."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from bot.app import run
from bot.client import client
from bot.commands import HostCommands
from bot.dispatch import dispatcher
from bot.markup import keyboard
from bot.polling import Poller
from bot.sdk import Asked, Button
from engine.sdk import BotCommand, Invalid, PluginError, Problem, Refused, Role
from tests.bot.office import Office, bot_running, open_office, settings_of
from tests.fakes.botapi_chats import Failure, Person

pytestmark = pytest.mark.kind("bot")


@pytest.fixture
async def quiet(tmp_path: Path) -> AsyncIterator[Office]:
    """An office without a running bot."""
    async with open_office(tmp_path / "state") as made:
        yield made


@asynccontextmanager
async def serving(office: Office, commands: Iterable[BotCommand] = (), pauses: list[float] | None = None) -> AsyncIterator[None]:
    """A bot with commands of the test's own; `pauses` collects what it would have waited, without waiting."""
    bot = client(office.ctx.settings)
    assert bot is not None

    async def pause(seconds: float) -> None:
        if pauses is not None:
            pauses.append(seconds)
        await asyncio.sleep(0)

    async def prepare(_: object) -> None:
        await bot.me()

    task = asyncio.create_task(Poller(bot, dispatcher(office.ctx, HostCommands(commands).table), prepare, pause).run())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        await bot.session.close()


async def test_without_a_token_it_says_how_to_switch_it_on(quiet: Office, caplog: pytest.LogCaptureFixture) -> None:
    settings = quiet.ctx.settings
    with caplog.at_level(logging.INFO, "bot"):
        await run(settings_of(quiet, bot=msgspec.structs.replace(settings.bot, token="")))
    [line] = [r.getMessage() for r in caplog.records if r.name.startswith("bot")]
    assert line.startswith("telegram bot: switched off")
    assert "VATS_BOT__TOKEN" in line
    caplog.clear()
    await run(settings_of(quiet, bot=msgspec.structs.replace(settings.bot, token="not a token")))
    assert "bot.token is not a Telegram bot token" in caplog.text
    assert quiet.api.calls == []


async def test_it_waits_for_a_telegram_that_is_away(quiet: Office) -> None:
    api = quiet.api
    pauses: list[float] = []
    api.fail_next(Failure(500, times=3), Failure(429, retry_after=9), Failure(401), Failure(502, html=True), method="getMe")
    api.fail_next(Failure(409), Failure(500), method="getUpdates")
    async with serving(quiet, pauses=pauses):
        anna = api.user("Anna", "en")
        await anna.send("/help")
        await anna.read()
    assert pauses == [1, 2, 4, 9, 60, 8, 1, 2]


async def test_a_second_program_with_the_same_token_does_not_end_it(quiet: Office) -> None:
    anna = quiet.api.user("Anna", "en")
    pauses: list[float] = []
    async with serving(quiet, pauses=pauses):
        await quiet.api.wait(lambda: quiet.api.polling)
        other = client(quiet.ctx.settings)
        assert other is not None
        async with other.context():
            await other.get_updates(timeout=0)
        await anna.send("/help")
        await anna.read()
    assert pauses == [1]


async def test_a_chat_is_served_in_order_and_others_do_not_wait(quiet: Office) -> None:
    gate, order = asyncio.Event(), []

    async def slow(asked: Asked) -> None:
        order.append(f"{asked.argument} begins")
        if asked.argument == "1":
            await gate.wait()
        order.append(f"{asked.argument} ends")
        await asked.reply("done")

    anna, oleg = quiet.api.user("Anna"), quiet.api.user("Oleg")
    async with serving(quiet, [BotCommand("slow", "", slow, "anyone")]):
        await anna.send("/slow 1")
        await anna.send("/slow 2")
        await oleg.send("/slow 3")
        await oleg.read()
        assert order == ["1 begins", "3 begins", "3 ends"]
        gate.set()
        await anna.read()
        await anna.read()
    assert order[3:] == ["1 ends", "2 begins", "2 ends"]


async def test_an_update_in_hand_is_finished_at_the_end(quiet: Office) -> None:
    begun, gate = asyncio.Event(), asyncio.Event()

    async def slow(asked: Asked) -> None:
        begun.set()
        await gate.wait()
        await asked.reply("done")

    anna = quiet.api.user("Anna")
    async with serving(quiet, [BotCommand("slow", "", slow, "anyone")]):
        await anna.send("/slow")
        await begun.wait()
        asyncio.get_running_loop().call_later(0.1, gate.set)
    assert anna.messages[0].text == "done"


async def test_errors_become_sentences_and_the_bot_goes_on(quiet: Office, caplog: pytest.LogCaptureFixture) -> None:
    async def refuse(asked: Asked) -> None:
        raise Refused("{user} has already taken this call.", user="<Anna>")

    async def refuse_form(asked: Asked) -> None:
        raise Invalid([Problem("number", "The caller's number is withheld.")])

    async def break_down(asked: Asked) -> None:
        raise RuntimeError("a bug")

    async def say_too_much(asked: Asked) -> None:
        await asked.reply("x" * 5000)

    async def offer(asked: Asked) -> None:
        await asked.reply("menu", [[Button("refuse", "refuse:1")], [Button("stale", "gone:1")]])

    commands = [
        BotCommand("refuse", "", refuse, "anyone", callbacks=("refuse:",)), BotCommand("form", "", refuse_form, "anyone"),
        BotCommand("break", "", break_down, "anyone"), BotCommand("long", "", say_too_much, "anyone"),
        BotCommand("offer", "", offer, "anyone"),
    ]  # fmt: skip
    anna = quiet.api.user("Анна", "ru")
    async with serving(quiet, commands):
        await anna.send("/refuse")
        assert (await anna.read()).text == "Этот вызов уже взял(а) <Anna>."
        await anna.send("/form")
        assert (await anna.read()).text.endswith("\nНомер звонившего скрыт.")
        await anna.send("/break")
        assert (await anna.read()).text.startswith("Что-то пошло не так")
        await anna.send("/long")
        await anna.send("/offer")
        await anna.read()
        press = await anna.press("refuse")
        assert await press.answered() == "Этот вызов уже взял(а) <Anna>."
        assert press.answer is not None
        assert press.answer["show_alert"]
        assert await (await anna.press("stale")).answered() == "Эта кнопка больше не действует."
    assert "a bug" in caplog.text
    assert "message is too long" in caplog.text


@pytest.mark.feature("BOT-1", "ACC-4")
async def test_rights_come_before_every_handler(quiet: Office) -> None:
    reached = []

    async def secret(asked: Asked) -> None:
        reached.append((asked.member.title, asked.argument))
        await asked.reply("ok")

    async def offer(asked: Asked) -> None:
        await asked.reply("menu", [[Button(role, f"{role}:{asked.argument}")] for role in ("user", "manager", "admin")])

    roles: tuple[Role, ...] = ("user", "manager", "admin")
    commands = [BotCommand(f"for_{role}", role, secret, role, callbacks=(f"{role}:",)) for role in roles]
    people: dict[str, Person] = {role: await quiet.linked(role) for role in roles}
    people["stranger"] = quiet.api.user("Stranger", "en")
    async with serving(quiet, [*commands, BotCommand("offer", "", offer, "anyone")]):
        for who, person in people.items():
            may = [*roles].index(who) if who in roles else -1
            await person.send("/help")
            listed = (await person.read()).text
            await person.send("/offer x")
            await person.read()
            for needed, role in enumerate(roles):
                assert (f"/for_{role}" in listed) == (needed <= may)
                await person.send(f"/for_{role}")
                said = (await person.read()).text
                answer = await (await person.press(role)).answered()
                if needed <= may:
                    assert said == "ok"
                    assert (await person.read()).text == "ok"
                else:
                    refusal = "You have no right to do this." if may >= 0 else "This chat is not linked yet"
                    assert said.startswith(refusal)
                    assert answer.startswith(refusal)
    assert len(reached) == 2 * (1 + 2 + 3)


@pytest.mark.feature("BOT-1", "ACC-4")
async def test_every_command_and_button_of_the_product_refuses_strangers(quiet: Office) -> None:
    """Generated from the table: a new command without a right fails here unless it is meant for anyone."""
    table = HostCommands([c for _, c in quiet.ctx.registry.bot_commands()]).table
    assert {c.name for c in table if c.role == "anyone"} == {"start", "link", "help"}
    stranger = quiet.api.user("Stranger", "en")
    async with bot_running(quiet):
        await stranger.send("/help")
        message = await stranger.read()
        for command in table:
            if command.role == "anyone":
                continue
            if command.name:
                await stranger.send(f"/{command.name} 1")
                assert (await stranger.read()).text.startswith("This chat is not linked yet")
            for prefix in command.callbacks:
                press = await stranger.press_data(f"{prefix}1", message)
                assert (await press.answered()).startswith("This chat is not linked yet")


def test_two_plugins_may_not_claim_one_name_or_button() -> None:
    async def handler(asked: Asked) -> None:
        pass

    one = BotCommand("calls", "", handler, "user", callbacks=("call:",))
    for other in (BotCommand("calls", "", handler, "user"), BotCommand("", "", handler, "user", callbacks=("call:",))):
        with pytest.raises(PluginError, match="Two bot commands"):
            dispatcher(None, [one, other])  # type: ignore[arg-type]  # refused before the context is used
    with pytest.raises(PluginError, match="colon"):
        dispatcher(None, [BotCommand("x", "", handler, "user", callbacks=("call",))])  # type: ignore[arg-type]  # as above


def test_callback_data_has_64_bytes_at_most() -> None:
    assert keyboard([[]]) is None
    assert keyboard([[Button("ok", "p:" + "ж" * 31)]]) is not None
    for data in ("", "p:" + "ж" * 32):
        with pytest.raises(PluginError, match="1 to 64 bytes"):
            keyboard([[Button("too long", data)]])

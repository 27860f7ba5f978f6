# SPDX-License-Identifier: Apache-2.0
"""An operator's line that stops to work is told of once by mail and Telegram, and so is its return (NUM-2)."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from engine import clock
from engine.calls.trunks import gateway_name
from engine.db import models
from engine.db.secrets import encrypt
from engine.settings import Bot
from plugins.notifications.lines import LineWatch
from plugins.notifications.models import LineTrouble
from tests.calls.pbx import Pbx, pbx
from tests.calls.test_missed_calls import Watched
from tests.fakes.botapi import FakeBotApi
from tests.plugins.notifications.test_mail import smtp


async def state(office: Pbx, gateway: str, *wanted: str) -> None:
    """Wait until the switch has told this of the line."""
    assert office.runtime.engine is not None
    async with asyncio.timeout(40):
        while office.runtime.engine.node.phones.gateways.get(gateway) not in wanted:
            await asyncio.sleep(0.05)


async def registers_anew(office: Pbx, trunk: models.Trunk, sources: list[str]) -> None:
    """What a change of the line makes the switch do at once, and else its next attempt."""
    async with office.edit() as edit:
        await models.Trunk.of(office.account, edit.tx).filter(id=trunk.id).update(sources=sources)


@pytest.mark.feature("NUM-2")
async def test_a_line_out_of_order_is_told_of_once_and_so_is_its_return(tmp_path: Path) -> None:
    async with FakeBotApi() as api:
        with smtp() as (letters, mail):
            async with pbx(tmp_path, mail=mail, bot=Bot(token=api.token, api_url=api.url)) as office, office.provider() as provider:
                watched, watch, chat = Watched(office, letters, api), LineWatch(office.runtime.ctx), api.group("Bosses")
                await office.change(office.root, missed_emails=("boss@example.org",), missed_chats=(chat.id,))
                trunk = await office.line(
                    title="MTT", registers=True, server=provider.host, port=provider.port, login=provider.login,
                    secret=encrypt(provider.secret),
                )  # fmt: skip
                await office.number("+74956665001", trunk)
                await provider.is_registered()
                await office.line_is_up(trunk)
                await watch.run()
                assert not await LineTrouble.all().exists()
                gateway = gateway_name(trunk.id)
                provider.refuses_registrations = True
                await registers_anew(office, trunk, sources=[office.phones_at, "127.0.0.8"])
                await state(office, gateway, "FAIL_WAIT")
                await watch.run()
                await watch.run()
                assert not await watched.owed()  # a minute's patience
                with clock.shifted(timedelta(seconds=61)):
                    await watch.run()
                    await watch.run()
                    await watched.delivered()
                assert [(to, "MTT" in subject) for to, subject in watched.mails()] == [("boss@example.org", True)]
                provider.refuses_registrations = False
                await registers_anew(office, trunk, sources=[office.phones_at, "127.0.0.9"])
                await state(office, gateway, "REGED")
                await watch.run()
                await watch.run()
                await watched.delivered()
                assert len(watched.mails()) == 2
                told = [m.text for m in api.messages.values() if m.chat_id == chat.id]
                assert len(told) == 2
                assert all("MTT" in text and "+7 495 666-50-01" in text for text in told)
                assert not await LineTrouble.all().exists()

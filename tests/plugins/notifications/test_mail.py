# SPDX-License-Identifier: Apache-2.0
"""Missed-call notices by real SMTP, and as files without a server."""

from __future__ import annotations

import email
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from email import policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from engine import clock
from engine.db import models
from engine.sdk import NotFound, Undeliverable
from engine.settings import Core, Mail, Settings
from plugins.notifications.mail import Mailer
from tests.bot.office import Office, open_office

pytestmark = [pytest.mark.kind("service"), pytest.mark.feature("GRP-7", "R1")]


class Letters:
    """An SMTP server's handler: `answers` are given to the next messages instead of taking them."""

    def __init__(self) -> None:
        self.taken: list[tuple[list[str], EmailMessage]] = []
        self.answers: list[str] = []
        self.refused: set[str] = set()

    async def handle_RCPT(self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]) -> str:  # noqa: N802 — aiosmtpd's name
        if address in self.refused:
            return "550 no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 — aiosmtpd's name
        if self.answers:
            return self.answers.pop(0)
        assert isinstance(envelope.content, bytes)
        message = email.message_from_bytes(envelope.content, _class=EmailMessage, policy=policy.SMTP)
        self.taken.append((envelope.rcpt_tos, message))
        return "250 OK"


@contextmanager
def smtp() -> Iterator[tuple[Letters, Mail]]:
    letters = Letters()
    controller = Controller(letters, hostname="127.0.0.1", port=_free_port())
    controller.start()
    try:
        yield letters, Mail(host="127.0.0.1", port=controller.port, sender="pbx@romashka.example")
    finally:
        controller.stop()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@asynccontextmanager
async def mailing(tmp_path: Path) -> AsyncIterator[tuple[Office, Letters]]:
    with smtp() as (letters, mail):
        async with open_office(tmp_path / "state", mail=mail) as office:
            yield office, letters


async def test_one_mail_to_each_address(tmp_path: Path) -> None:
    async with mailing(tmp_path) as (office, letters):
        await office.alert("Продажи", emails=("sales@example.org", "both@example.org"))
        await office.alert("Сервис", emails=("both@example.org",))
        groups = (office.ours.groups["Продажи"], office.ours.groups["Сервис"])
        fact = office.call(failed_groups=groups)
        await office.end(fact)
        await office.end(fact)  # the spool's line once more, as after a crash
        await office.deliver()
        assert sorted(to for tos, _ in letters.taken for to in tos) == ["both@example.org", "sales@example.org"]
        message = letters.taken[0][1]
        assert message["Subject"] == "Пропущенный вызов: +7 927 123-45-67"
        assert message["From"] == "pbx@romashka.example"
        assert message["Message-ID"].endswith("@romashka.example>")
        body = message.get_body(("plain",))
        assert body is not None
        assert "Группа: Продажи, Сервис" in body.get_content()
        assert await office.deliver() == 0


async def test_nobody_is_told_when_somebody_answered_or_the_call_was_internal(tmp_path: Path) -> None:
    async with mailing(tmp_path) as (office, letters):
        await office.alert("Продажи", emails=("sales@example.org",))
        await office.alert("", emails=("boss@example.org",))
        failed = (office.ours.groups["Продажи"],)
        answered = clock.now() - timedelta(seconds=5)
        await office.end(office.call(failed_groups=failed, talked=True, missed=False, missed_why="", answered_at=answered))
        await office.end(office.call(direction="internal", failed_groups=failed))
        assert await office.deliver() == 0
        await office.end(office.call(missed_why="menu"))
        await office.deliver()
        assert [tos for tos, _ in letters.taken] == [["boss@example.org"]]


async def test_a_busy_server_is_asked_again_and_a_refusal_is_final(tmp_path: Path) -> None:
    async with mailing(tmp_path) as (office, letters):
        await office.alert("Продажи", emails=("sales@example.org", "gone@example.org"))
        letters.answers, letters.refused = ["451 later, please"], {"gone@example.org"}
        await office.end(office.call(failed_groups=(office.ours.groups["Продажи"],)))
        await office.deliver()
        states = {row.payload["to"]: (row.status, row.error) for row in await models.OutboxRow.all()}
        assert states["gone@example.org"][0] == "dead"
        assert "550" in states["gone@example.org"][1]
        assert states["sales@example.org"][0] == "pending"
        with clock.shifted(timedelta(seconds=20)):
            await office.deliver()
        assert [tos for tos, _ in letters.taken] == [["sales@example.org"]]


async def test_a_server_that_is_away_is_waited_for(tmp_path: Path) -> None:
    settings = Settings(core=Core(state=str(tmp_path)), mail=Mail(host="127.0.0.1", port=_free_port()))
    with pytest.raises(Exception, match="connect") as problem:
        await Mailer(settings).send(payload())
    assert not isinstance(problem.value, Undeliverable)


def payload(**changes: Any) -> dict[str, Any]:
    at = clock.now().isoformat()
    return {"account": 1, "to": "a@example.org", "subject": "S", "text": "T\n", "html": "", "at": at, "key": "k"} | changes


NO_ADDRESSES = ("", "nobody", "a@b@c", "a@example.org, b@example.org", "a@example.org\r\nBcc: b@example.org", "x" * 3000)


@pytest.mark.parametrize("address", NO_ADDRESSES)
async def test_what_is_no_address_is_never_tried(address: str, tmp_path: Path) -> None:
    with pytest.raises(Undeliverable):
        await Mailer(Settings(core=Core(state=str(tmp_path)))).send(payload(to=address))


async def test_without_a_server_mail_goes_to_files_of_its_account(quiet_office: Office) -> None:
    office = quiet_office
    await office.alert("Продажи", emails=("sales@example.org",))
    await office.end(office.call(failed_groups=(office.ours.groups["Продажи"],)))
    await office.deliver()
    mailer = Mailer(office.ctx.settings)
    [kept] = mailer.kept(office.ours.id)
    assert (kept.to, kept.subject) == ("sales@example.org", "Пропущенный вызов: +7 927 123-45-67")
    assert "Группа: Продажи" in kept.text
    assert mailer.kept_mail(office.ours.id, kept.name).file.read_bytes().startswith(b"From: vats@localhost\r\n")
    assert mailer.kept(office.theirs.id) == []
    for account, name in ((office.theirs.id, kept.name), (office.ours.id, f"../{office.ours.id}/{kept.name}"), (office.ours.id, "..")):
        with pytest.raises(NotFound):
            mailer.kept_mail(account, name)
    row = await models.OutboxRow.get()
    await mailer.send(row.payload)  # a repetition writes the same file
    assert len(mailer.kept(office.ours.id)) == 1

# SPDX-License-Identifier: Apache-2.0
"""Two customers on a real database, a fake Bot API and the real services between them: what the processes bot and jobs hold."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec

from bot.app import run
from engine import clock, people
from engine.db import Database, models, secrets
from engine.facts.record import CallRecordData, LegData, RecordingData
from engine.facts.spool import Spool
from engine.facts.writer import FactWriter
from engine.jobs import Doorbell, OrderBook
from engine.outbox import Outbox
from engine.plugin.loader import find
from engine.plugin.registry import Registry
from engine.revisions import Actor, Revisions
from engine.runtime.context import RuntimeContext
from engine.sdk import CallEnded, Ref
from engine.settings import Bot, Core, Mail, Settings
from engine.settings import Database as DatabaseSettings
from plugins.groups.part import Group
from plugins.groups.service import create_group, store
from tests.fakes.botapi import FakeBotApi
from tests.fakes.botapi_chats import Chat, Person

SYSTEM = Actor(None, "tests", "system")
PEOPLE = (("201", "admin", "Анна Админ"), ("202", "manager", "Максим"), ("203", "user", "Ульяна"), ("204", "other", "Олег"))
"""Extension, role, name; "other" is a second employee of role user."""


@dataclass
class Company:
    """One customer: `users` by role, `groups` by title ("" is the root)."""

    id: int
    users: dict[str, int] = field(default_factory=dict)
    groups: dict[str, Ref] = field(default_factory=dict)


@dataclass
class Office:
    ctx: RuntimeContext
    api: FakeBotApi
    ours: Company
    theirs: Company
    state: Path
    _calls: Any = field(default_factory=lambda: itertools.count(1))

    # people and chats -----------------------------------------------------------------------------------------------------

    async def linked(self, role: str, company: Company | None = None, language: str = "en", chat: Chat | None = None) -> Person:
        """A Telegram user with a link to the company's employee of that role; or with `chat`, that group linked to him."""
        where = company or self.ours
        person = self.api.user(f"{role.title()} {where.id}", language, started=True)
        place = chat or person
        await models.TelegramLink.create(
            account_id=where.id, user_id=where.users[role], chat_id=place.id, chat_type=place.type, title=place.title, language=language
        )
        return person

    async def code(self, role: str, company: Company | None = None) -> str:
        where = company or self.ours
        return await people.new_telegram_code(where.id, where.users[role])

    async def alert(self, title: str, *, emails: Sequence[str] = (), chats: Sequence[int] = (), company: Company | None = None) -> None:
        """Who is told of calls that this group missed."""
        where = company or self.ours
        async with self.ctx.edit(where.id, SYSTEM) as edit:
            group = edit.before.get(where.groups[title], Group)
            assert group is not None
            changed = msgspec.structs.replace(group, missed_emails=tuple(emails), missed_chats=tuple(chats))
            await store.save(where.id, changed, edit.tx)  # a chat may be another customer's since it was chosen

    # calls ----------------------------------------------------------------------------------------------------------------

    def call(self, company: Company | None = None, **fields: Any) -> CallEnded:
        """A missed call that has just ended, as the call code states it."""
        now = clock.now()
        defaults: dict[str, Any] = {
            "account": (company or self.ours).id, "call": f"call-{next(self._calls):04}-aaaa-bbbb-cccc-0123456789ab"[:36], "at": now,
            "direction": "in", "caller_number": "+79271234567", "dialled": "+74951234567", "started_at": now - timedelta(seconds=35),
            "ended_at": now, "missed": True, "missed_why": "no_answer", "cause": "NO_ANSWER",
        }  # fmt: skip
        return CallEnded(**{**defaults, **fields})

    async def end(
        self, fact: CallEnded, *, user: int | None = None, rang: int | None = None, recording: str | None = None
    ) -> models.CallRecord:
        """Let the call end as the engine does: CDR, fact and what follows from it come out of the spool in one transaction."""
        times: dict[str, Any] = {"started_at": fact.started_at, "answered_at": fact.answered_at, "ended_at": fact.ended_at}
        legs = [LegData(uuid=f"{fact.call}-leg", user=rang, reason="member", **times)] if rang else []
        talk = round((fact.ended_at - fact.answered_at).total_seconds()) if fact.answered_at else 0
        record = CallRecordData(
            account=fact.account, call_id=fact.call, direction=fact.direction, caller_number=fact.caller_number, dialled=fact.dialled,
            did=fact.dialled, user=user, cause=fact.cause, talk_seconds=talk, wait_seconds=35, missed=fact.missed, talked=fact.talked,
            missed_why=fact.missed_why, legs=tuple(legs),
            recordings=(RecordingData(path=recording, seconds=2.0),) if recording else (), **times,
        )  # fmt: skip
        spool = Spool.open(self.state / "spool")
        spool.ended(record, [fact])
        await FactWriter(self.ctx.db, [s for _, s in self.ctx.registry.subscribers()]).drain(spool)
        spool.close()
        return await models.CallRecord.get(call_id=fact.call)

    async def deliver(self) -> int:
        """Let the outbox send everything that is due now; returns the number of tries."""
        tries = 0
        while done := await self.ctx.outbox.deliver_due():
            tries += done
        return tries


@asynccontextmanager
async def open_office(state: Path, mail: Mail | None = None, database: DatabaseSettings | None = None) -> AsyncIterator[Office]:
    """Everything but the running bot; see `bot_running`."""
    async with FakeBotApi() as api:
        full = Settings(
            core=Core(state=str(state)), bot=Bot(token=api.token, api_url=api.url), mail=mail or Mail(),
            database=database or DatabaseSettings(),
        )  # fmt: skip
        secrets.setup(full)
        registry = Registry(find())
        db = await Database.open(full, registry.models())
        await db.migrate()
        bell = Doorbell(db)
        revisions = Revisions(db, registry.parts(), full.state, bell.ring)
        ctx = RuntimeContext(full, registry, db, revisions, OrderBook(db, bell.ring), Outbox(db, (), bell.ring), bell)
        await registry.start(ctx, {})
        assert not [s.error for s in registry.states if s.error]
        for _, delivery in registry.deliveries():
            ctx.outbox.add(delivery)
        try:
            yield Office(ctx, api, await _company(ctx, "1001", "Ромашка"), await _company(ctx, "1002", "Василёк"), full.state)
        finally:
            await registry.stop()
            await db.close()


async def _company(ctx: RuntimeContext, number: str, title: str) -> Company:
    async with ctx.revisions.create_account(SYSTEM, number=number, title=title, domain=f"c{number}.example") as edit:
        company = Company(edit.account_id)
        company.groups[""] = (await store.insert(edit.account_id, Group(id=0, title=title), edit.tx)).ref
    async with ctx.edit(company.id, SYSTEM) as edit:
        for extension, role, name in PEOPLE:
            company.users[role] = await people.create_user(edit, people.UserWish(title=name, extension=extension))
            real = role if role != "other" else "user"
            await models.User.filter(id=company.users[role]).using_db(edit.tx).update(role=real)
            await people.add_contact(edit, company.users[role], people.ContactWish(address=extension, password="long-enough-1"))
        for name in ("Продажи", "Сервис"):
            company.groups[name] = (await create_group(edit, Group(id=0, title=name, parent=company.groups[""]))).ref
    return company


@asynccontextmanager
async def bot_running(office: Office) -> AsyncIterator[None]:
    """The bot as a process runs it, polling the fake."""
    task = asyncio.create_task(run(office.ctx))
    try:
        await office.api.wait(lambda: office.api.polling or task.done())
        assert not task.done(), task.exception()
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def settings_of(office: Office, **sections: Any) -> RuntimeContext:
    """The same context under other settings."""
    return replace(office.ctx, settings=msgspec.structs.replace(office.ctx.settings, **sections))

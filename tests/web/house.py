# SPDX-License-Identifier: Apache-2.0
"""A cabinet on a real database with two customers, for the tests of pages: what a process with the role web holds, without a switch."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from engine import people
from engine.db import Database, models, secrets
from engine.gates import Gates
from engine.outbox import Outbox, Undelivered
from engine.plugin.loader import find
from engine.plugin.registry import Registry
from engine.portable import export, take_in
from engine.revisions import Actor, Edit, Revised, Revisions
from engine.sdk import Did, Ref, Snapshot, Trunk, UserRole
from engine.settings import Core, Settings

PASSWORD = "korova-7-nebo"
SYSTEM = Actor(None, "tests", "system")


PEOPLE: tuple[tuple[UserRole, str, str], ...] = (
    ("admin", "Анна Админ", "201"),
    ("manager", "Максим Руководитель", "202"),
    ("user", "Ульяна Петрова", "203"),
)


class Bells:
    """The doorbell within one process."""

    def __init__(self) -> None:
        self._waiting: list[tuple[str, int | None, asyncio.Event]] = []

    def ring(self, topic: str, account_id: int) -> None:
        for wanted, account, event in self._waiting:
            if wanted == topic and account in (None, account_id):
                event.set()

    @asynccontextmanager
    async def listen(self, topic: str, account_id: int | None) -> AsyncIterator[Waiting]:
        entry = (topic, account_id, asyncio.Event())
        self._waiting.append(entry)
        try:
            yield Waiting(entry[2])
        finally:
            self._waiting.remove(entry)


@dataclass
class Waiting:
    event: asyncio.Event

    async def wait(self, seconds: float) -> bool:
        try:
            await asyncio.wait_for(self.event.wait(), seconds)
        except TimeoutError:
            return False
        self.event.clear()
        return True


@dataclass
class PlacedOrders:
    placed: list[tuple[int, str, Mapping[str, Any], str]] = field(default_factory=list)

    async def place(self, account_id: int, kind: str, arguments: Mapping[str, Any], *, key: str, tx: Any = None) -> int:
        self.placed.append((account_id, kind, arguments, key))
        return len(self.placed)


class TestContext:
    """Implements engine.plugin.context.Context over real rows."""

    __test__ = False

    def __init__(self, settings: Settings, db: Database, registry: Registry, revisions: Revisions) -> None:
        self.settings = settings
        self.db = db
        self.registry = registry
        self.revisions = revisions
        self.bells = Bells()
        self.orders = PlacedOrders()
        self.gates = Gates()
        self.outbox = Outbox(db)
        self.registered: set[int] = set()
        self.addresses: dict[str, Sequence[str]] = {}
        self.trunks: dict[int, str] = {}

    def plugin_settings(self, plugin: str) -> Any:
        state = self.registry.state(plugin)
        return state.settings if state else None

    def snapshot(self, account_id: int) -> Snapshot:
        return self.revisions.snapshot(account_id)

    async def snapshot_at(self, account_id: int, revision: int) -> Snapshot:
        return await self.revisions.snapshot_at(account_id, revision)

    async def journal(self, account_id: int, limit: int = 20, below: int | None = None) -> Sequence[Revised]:
        return await self.revisions.journal(account_id, limit, below)

    async def revised(self, account_id: int, revision: int) -> Revised:
        return await self.revisions.revised(account_id, revision)

    async def export_account(self, account_id: int, *, with_secrets: bool) -> bytes:
        return await export(self.snapshot(account_id), self.settings.media_root, with_secrets=with_secrets)

    async def import_account(self, account_id: int, actor: Actor, data: bytes) -> Snapshot:
        return await take_in(self.revisions, account_id, actor, data, self.settings.media_root)

    def accounts(self) -> list[int]:
        return self.revisions.accounts()

    def transaction(self) -> AbstractAsyncContextManager[Any]:
        return self.db.transaction()

    def edit(self, account_id: int, actor: Actor, expected: int | None = None) -> AbstractAsyncContextManager[Edit]:
        return self.revisions.edit(account_id, actor, expected)

    async def enqueue(self, account_id: int, channel: str, lane: str, payload: Mapping[str, Any], *, key: str, tx: Any) -> None:
        raise AssertionError("the cabinet delivers nothing by itself")

    async def undelivered(self, account_id: int) -> Sequence[Undelivered]:
        return await self.outbox.dead(account_id)

    async def deliver_again(self, account_id: int, id: int) -> None:
        await self.outbox.retry(account_id, id)

    def ring(self, topic: str, account_id: int) -> None:
        self.bells.ring(topic, account_id)

    def wait_ring(self, topic: str, account_id: int | None = None) -> AbstractAsyncContextManager[Any]:
        return self.bells.listen(topic, account_id)

    def phone_addresses(self, account_id: int) -> Mapping[str, Sequence[str]]:
        return self.addresses if account_id == self.accounts()[0] else {}

    def trunk_states(self, account_id: int) -> Mapping[int, str]:
        return self.trunks

    async def health(self) -> Mapping[str, bool]:
        return {"database": True, "switch": False}

    def metrics(self) -> Mapping[str, float]:
        return {}

    def presence(self, account_id: int) -> Mapping[Ref, bool]:
        return {Ref("core.contact", contact): contact in self.registered for contact in self.snapshot(account_id).contacts}


@dataclass
class Customer:
    """One account with its people; ids of what it has."""

    id: int
    name: str
    users: dict[str, int] = field(default_factory=dict)
    contacts: dict[str, int] = field(default_factory=dict)
    things: dict[str, int] = field(default_factory=dict)


@dataclass
class House:
    ctx: TestContext
    one: Customer
    two: Customer


async def furnish(folder: Path) -> tuple[Customer, Customer]:
    """Make the installation below `folder` with its two customers; done once, since every test takes a copy."""
    async with opened(folder) as ctx:
        return await fill(ctx, "1001", "Ромашка", "romashka"), await fill(ctx, "1002", "Василёк", "vasilek")


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[TestContext]:
    """A process on the installation below `folder`."""
    settings = Settings(core=Core(state=str(folder)))
    secrets.setup(settings)
    registry = Registry(find())
    db = await Database.open(settings, registry.models())
    await db.migrate()
    revisions = Revisions(db, registry.parts(), settings.state, media=settings.media_root)
    await revisions.load_all()
    ctx = TestContext(settings, db, registry, revisions)
    await registry.start(ctx, settings.plugins)
    try:
        yield ctx
    finally:
        await registry.stop()
        await db.close()


async def fill(ctx: TestContext, number: str, title: str, word: str) -> Customer:
    async with ctx.revisions.create_account(SYSTEM, number=number, title=title, domain=f"{word}.example", area_code="495") as edit:
        groups = await root_of(ctx, edit, title)
    customer = Customer(edit.account_id, word)
    customer.things["root"] = groups
    logins = {
        role: await people.ready_login(people.LoginWish(login=f"{word}-{role}", role=role, password=PASSWORD)) for role, _, _ in PEOPLE
    }
    async with ctx.edit(customer.id, SYSTEM) as edit:
        for role, name, extension in PEOPLE:
            user = await people.create_user(edit, people.UserWish(title=name, extension=extension))
            customer.users[role] = user
            contact, _ = await people.add_contact(edit, user, people.ContactWish(address=f"{extension}", password="long-enough-1"))
            customer.contacts[role] = contact
            await people.set_login(edit, user, logins[role])
        await people.add_contact(edit, customer.users["user"], people.ContactWish(kind="phone", address="8 927 123-45-67", priority=2))
    await fill_plugins(ctx, customer, word)
    await fill_calls(ctx, customer)
    latest = await models.Revision.of(customer.id).order_by("-number").first()
    customer.things["revision"] = latest.id if latest else 0
    return customer


async def root_of(ctx: TestContext, edit: Edit, title: str) -> int:
    from plugins.groups.part import Group
    from plugins.groups.service import store

    return (await store.insert(edit.account_id, Group(id=0, title=title), edit.tx)).id


async def fill_plugins(ctx: TestContext, customer: Customer, word: str) -> None:
    from plugins.groups.api import Membership
    from plugins.groups.part import Group
    from plugins.groups.service import create_group
    from plugins.ivr.part import Menu, MenuKey
    from plugins.ivr.service import create_menu
    from plugins.numbers.part import ListEntry, NumberList, Rule
    from plugins.numbers.service import save_did, save_list, save_rule, save_trunk
    from plugins.schedules.part import DayGroup, HourRange, Schedule, SpecialDay
    from plugins.schedules.service import save_day, save_schedule
    from plugins.voicefiles.part import VoiceFile
    from plugins.voicefiles.service import add_file

    root = Ref(Group.kind, customer.things["root"])
    async with ctx.edit(customer.id, SYSTEM) as edit:
        users = tuple(Membership(u, n) for n, u in enumerate(customer.users.values(), 1))
        group = await create_group(edit, Group(id=0, title="Отдел продаж", parent=root, extension="300", members=users))
        file = await add_file(edit, VoiceFile(id=0, title="", path=f"voice/{customer.id}/a.wav", seconds=1.0, bytes=16044), "Приветствие")
        trunk = await save_trunk(edit, Trunk(id=0, title="Оператор", registers=False, server="198.51.100.1", sources=("198.51.100.1",)))
        days = (DayGroup("Будни", (0, 1, 2, 3, 4), (HourRange(9 * 60, 18 * 60),)), DayGroup("Ночь", (5,), (HourRange(20 * 60, 2 * 60),)))
        hours = await save_schedule(edit, Schedule(id=0, title="Рабочее время", days=days))
        inventory = await save_day(edit, SpecialDay(id=0, title="Инвентаризация", day=date(2099, 6, 1), schedules=(hours.ref,)))
        entries = (ListEntry("8 927 123-45-67", "Иванов"), ListEntry("+78452123456", "Склад", active=False))
        regulars = await save_list(edit, NumberList(id=0, title="Постоянные клиенты", entries=entries))
        customer.things |= {"group": group.id, "file": file.id, "trunk": trunk.id, "schedule": hours.id, "list": regulars.id}
        customer.things["day"] = inventory.id
    async with ctx.edit(customer.id, SYSTEM) as edit:
        menu = await create_menu(edit, Menu(id=0, title="Главное меню", parent=root, file=file.ref, keys=(MenuKey("1", group.ref),)))
        number = "+7495123456" + ("7" if word == "romashka" else "8")
        did = await save_did(edit, Did(id=0, title="Главный", number=number, trunk=trunk))
        customer.things |= {"menu": menu.id, "did": did.id}
    async with ctx.edit(customer.id, SYSTEM) as edit:
        rule = await save_rule(edit, Rule(id=0, title="Всем в меню", did=did, target=menu.ref))
        customer.things["rule"] = rule.id
    customer.things["task"] = await fill_callback(customer)
    await fill_voicemail(ctx, customer)
    await fill_fax(ctx, customer)
    folder = ctx.settings.media_root / "voice" / str(customer.id)
    folder.mkdir(parents=True, exist_ok=True)
    write_wav(folder / "a.wav", seconds=1)


async def fill_callback(customer: Customer) -> int:
    """A client who asked to be called back and was not reached."""
    from engine import clock
    from plugins.callback.models import Attempt, Task

    at = clock.now() - timedelta(days=1)
    task = await Task.create(
        account_id=customer.id, number="+79267778899", did="+74951234567", target_kind="core.user", target_id=customer.users["user"],
        calls_first="client", attempts=1, made=1, pause_seconds=300, state="failed", requested_at=at, request_call="x", closed_at=at,
    )  # fmt: skip
    await Attempt.create(
        account_id=customer.id, task_id=task.id, number=1, at=at, order_id=0, call_id=f"{customer.name}-attempt", result="no_answer"
    )
    return int(task.id)


async def fill_voicemail(ctx: TestContext, customer: Customer) -> None:
    """The mailbox of the employee «user» with a message, and one in that of the group."""
    from engine import clock
    from plugins.voicemail.models import MessageRow
    from plugins.voicemail.service import set_mailbox

    user = Ref("core.user", customer.users["user"])
    async with ctx.edit(customer.id, SYSTEM) as edit:
        await set_mailbox(edit, user, emails=(f"user@{customer.name}.example",))
    for name, owner, title in (
        ("group-message", Ref("groups.group", customer.things["group"]), "Отдел продаж"), ("message", user, "Ульяна Петрова"),
    ):  # fmt: skip
        path = f"voicemail/{customer.id}/{name}.wav"
        (ctx.settings.media_root / path).parent.mkdir(parents=True, exist_ok=True)
        write_wav(ctx.settings.media_root / path, seconds=2)
        row = await MessageRow.create(
            account_id=customer.id, call_id=f"{customer.name}-{name}", owner_kind=owner.kind, owner_id=owner.id, owner_title=title,
            caller_number="+79271234567", caller_name="Иванов", dialled="+74951234567", at=clock.now(), path=path, seconds=2.0,
            transcript="перезвоните мне пожалуйста" if name == "message" else "",
        )  # fmt: skip
        customer.things[name] = row.id


async def fill_fax(ctx: TestContext, customer: Customer) -> None:
    """The fax of the employee «user» with two pages, and an incomplete one in that of the group."""
    from engine import clock
    from engine.fax_pages import to_pdf
    from plugins.fax.models import FaxRow
    from plugins.fax.service import set_machine
    from tests.phones.paper import draw

    user = Ref("core.user", customer.users["user"])
    async with ctx.edit(customer.id, SYSTEM) as edit:
        await set_machine(edit, user, emails=(f"user@{customer.name}.example",))
    for name, owner, title in (
        ("group-fax", Ref("groups.group", customer.things["group"]), "Отдел продаж"), ("fax", user, "Ульяна Петрова"),
    ):  # fmt: skip
        row = FaxRow(
            account_id=customer.id, call_id=f"{customer.name}-{name}", owner_kind=owner.kind, owner_id=owner.id, owner_title=title,
            caller_number="+79271234567", caller_name="Иванов", dialled="+74951234567", at=clock.now(),
            path=f"fax/{customer.id}/{name}.tif", pages=2 if name == "fax" else 1, complete=name == "fax", sender="+7 927 1234567",
            trouble="" if name == "fax" else "The call dropped prematurely", pdf=True,
        )  # fmt: skip
        file = ctx.settings.media_root / row.path
        file.parent.mkdir(parents=True, exist_ok=True)
        draw(file, row.pages)
        await to_pdf(file, ctx.settings.media_root / row.pdf_path)
        await row.save()
        customer.things[name] = row.id


def write_wav(path: Path, seconds: float) -> None:
    import math
    import wave
    from array import array

    count = int(8000 * seconds)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(array("h", (int(8000 * math.sin(2 * math.pi * 440 * n / 8000)) for n in range(count))).tobytes())


TRACE = [
    {"at": 12, "what": "rule", "facts": {"title": "Всем в меню"}},
    {"at": 14, "what": "enters", "facts": {"title": "Главное меню", "kind": "ivr.menu", "by": "rule"}},
    {"at": 16, "what": "answer", "facts": {}},
    {"at": 18, "what": "play", "facts": {"sound": "voice/1/a.wav"}},
    {"at": 4200, "what": "key", "facts": {"digit": "1"}},
    {"at": 4201, "what": "enters", "facts": {"title": "Отдел продаж", "kind": "groups.group", "by": "action"}},
    {"at": 4300, "what": "rings", "facts": {"who": "201", "seconds": 20.0}},
    {"at": 4310, "what": "skipped", "facts": {"who": "202", "why": "not_registered"}},
    {"at": 24310, "what": "no", "facts": {"who": "201", "cause": "NO_ANSWER"}},
    {"at": 24400, "what": "rings", "facts": {"who": "203", "seconds": 20.0}},
    {"at": 30100, "what": "talk", "facts": {"who": "203"}},
    {"at": 92100, "what": "talk_over", "facts": {"who": "203", "cause": "NORMAL_CLEARING"}},
]


async def fill_calls(ctx: TestContext, customer: Customer) -> None:
    """Sixty past calls, one with a recording and a full trace, and one call in progress."""
    from engine import clock

    now = clock.now()
    calls = []
    for n in range(60):
        missed, out, who = n % 4 == 1, n % 5 == 2, "user" if n % 3 else "manager"
        started = now - timedelta(minutes=7 + n * 47)
        calls.append(
            models.CallRecord(
                account_id=customer.id,
                call_id=f"{customer.name}-{n}",
                started_at=started,
                answered_at=None if missed else started + timedelta(seconds=4),
                ended_at=started + timedelta(seconds=92),
                direction="out" if out else "in",
                caller_number="203" if out else f"+7927123{n:04}",
                dialled=f"+7916555{n:04}" if out else "+74951234567",
                did=None if out else "+74951234567",
                user_id=None if missed else customer.users[who],
                user_title="" if missed else ("Ульяна Петрова" if who == "user" else "Максим Руководитель"),
                group_kind="groups.group",
                group_id=customer.things["group"],
                group_title=None if out else "Отдел продаж",
                cause="NO_ANSWER" if missed else "NORMAL_CLEARING",
                talk_seconds=0 if missed else 62,
                wait_seconds=30,
                missed=missed and not out,
                missed_why="no_answer" if missed else "",
                talked=not missed,
                trace=TRACE,
                revision=1,
            )
        )
    await models.CallRecord.bulk_create(calls)
    call = await models.CallRecord.get(call_id=f"{customer.name}-0")
    started = call.started_at
    path = f"recordings/{customer.id}/{call.call_id}.wav"
    full = ctx.settings.media_root / path
    full.parent.mkdir(parents=True, exist_ok=True)
    write_wav(full, seconds=3)
    recording = await models.Recording.create(account_id=customer.id, call=call, path=path, seconds=62.0, user_id=customer.users["manager"])
    customer.things |= {"call": call.id, "recording": recording.id}
    await models.CallLeg.create(
        account_id=customer.id, call=call, uuid=f"{customer.name}-leg", label="203", user_id=customer.users["user"], reason="member",
        started_at=started, answered_at=started + timedelta(seconds=30), ended_at=started + timedelta(seconds=92), cause="NORMAL_CLEARING",
    )  # fmt: skip
    state: dict[str, Any]
    legs = [
        {"label": "+79031112233", "user": None, "state": "talking"},
        {"label": "203", "user": customer.users["user"], "state": "talking"},
    ]
    state = {"caller": "+79031112233", "dialled": "+74951234567", "direction": "in", "place": "Отдел продаж", "legs": legs}
    state["started_at"] = now.isoformat()
    await models.LiveCallRow.create(account_id=customer.id, call_id=f"{customer.name}-live", updated_at=now, state=state)
    dead = await models.OutboxRow.create(
        account_id=customer.id, channel="email", lane=f"boss@{customer.name}.example", key=f"{customer.id}:dead", attempts=20, next_at=now,
        created_at=now - timedelta(days=2), done_at=now, status="dead", error="SMTPRecipientsRefused: 550 no such user",
    )  # fmt: skip
    customer.things["dead"] = dead.id
    mail = ctx.settings.state / "mail" / str(customer.id)
    mail.mkdir(parents=True)
    letter = EmailMessage()
    letter["From"], letter["To"] = "vats@localhost", f"boss@{customer.name}.example"
    letter["Subject"] = "Пропущенный вызов"
    letter.set_content("Пропущенный вызов с +7 927 123-45-67\n")
    letter.add_alternative("<h1>Пропущенный вызов</h1><p>+7 927 123-45-67</p>", subtype="html")
    (mail / f"{customer.name}-1.eml").write_bytes(letter.as_bytes())
    admin = customer.users["admin"]
    link = await models.TelegramLink.create(account_id=customer.id, user_id=admin, chat_id=7_000 + customer.id, title="Анна")
    customer.things["link"] = link.id

# SPDX-License-Identifier: Apache-2.0
"""A whole PBX for call tests: the real runtime in this process, the switch beside it, one account on addresses of its own."""

from __future__ import annotations

import asyncio
import itertools
import os
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec

from engine.calls.live import LiveCall
from engine.cli.accounts import ACTOR, open_account
from engine.db import models
from engine.people import ContactWish, UserWish, add_contact, create_user
from engine.revisions import Edit
from engine.runtime import Runtime
from engine.settings import ALL_ROLES, Core, Directory, Mail, Settings, Switch, Web
from engine.snapshot import Contact, Element, Ref, Snapshot
from plugins.groups.part import Group, GroupsPart, Membership
from plugins.groups.service import store as groups
from plugins.ivr.part import Menu
from plugins.ivr.service import store as menus
from plugins.numbers.part import Rule
from plugins.numbers.service import store as rules
from plugins.voicefiles.part import VoiceFile
from plugins.voicefiles.service import store as files
from tests.phones.pjsua import PjsuaPhone

DOMAIN = "office.test"
DID = "+74951234567"
OUTSIDER = "+79271234567"
_hosts = itertools.count(random.randrange(1, 200))


def own_address() -> str:
    """A loopback address that no other test of this run uses."""
    worker = int("".join(c for c in os.environ.get("PYTEST_XDIST_WORKER", "0") if c.isdigit()) or 0)
    return f"127.{10 + worker}.{random.randrange(1, 250)}.{next(_hosts) % 250 + 1}"


def test_settings(state: Path, address: str) -> Settings:
    """Everything on `address` and free ports."""
    return Settings(
        core=Core(state=str(state), default_account="100"),
        switch=Switch(
            sip_host=address, sip_port=0, trunk_port=0, esl_host=address, esl_port=0, rtp_first_port=0, rtp_last_port=0,
            unanswered_limit_seconds=50.0,
        ),
        directory=Directory(host=address, port=0),
        web=Web(host=address, port=0),
        mail=Mail(),
    )  # fmt: skip


test_settings.__test__ = False  # type: ignore[attr-defined]


class Pbx:
    """One account «Office» with the DID +7 495 123-45-67 by an IP trunk that any 127.x address may use."""

    def __init__(self, runtime: Runtime, account: int, folder: Path, address: str) -> None:
        self.runtime, self.account, self.folder, self.address = runtime, account, folder, address
        self.passwords: dict[str, str] = {}

    # -- what it is ------------------------------------------------------------------------------------------------------------

    @property
    def snapshot(self) -> Snapshot:
        return self.runtime.ctx.snapshot(self.account)

    @property
    def internal(self) -> tuple[str, int]:
        assert self.runtime.switch is not None
        assert self.runtime.switch.ready is not None
        return self.address, self.runtime.switch.ready.internal_port

    @property
    def trunk(self) -> tuple[str, int]:
        assert self.runtime.switch is not None
        assert self.runtime.switch.ready is not None
        return self.address, self.runtime.switch.ready.trunk_port

    @property
    def calls(self) -> list[LiveCall]:
        assert self.runtime.engine is not None
        return list(self.runtime.engine.node.calls.values())

    @property
    def media(self) -> Path:
        return self.runtime.settings.media_root

    @asynccontextmanager
    async def edit(self) -> AsyncIterator[Edit]:
        async with self.runtime.ctx.edit(self.account, ACTOR) as edit:
            yield edit

    # -- configuration -----------------------------------------------------------------------------------------------------------

    async def user(self, extension: str, *contacts: ContactWish, **wish: Any) -> int:
        """A user with a SIP contact named like his extension, unless contacts are given."""
        async with self.edit() as edit:
            user = await create_user(edit, UserWish(title=f"User {extension}", extension=extension, **wish))
            for contact in contacts or (ContactWish(kind="sip", address=extension, timeout_seconds=3),):
                _, password = await add_contact(edit, user, contact)
                if password:
                    self.passwords[contact.address] = password
        return user

    async def group(self, title: str, *users: int, **fields: Any) -> Ref:
        """A group below the root with these users at equal priority (or `members` given)."""
        members = fields.pop("members", tuple(Membership(u, 1) for u in users))
        root = self.snapshot.root
        assert root is not None
        async with self.edit() as edit:
            made = await groups.insert(self.account, Group(id=0, title=title, parent=fields.pop("parent", root.ref), members=members, **fields), edit.tx)
        return made.ref

    async def change(self, element: Element, **fields: Any) -> None:
        """Change an element of groups, menus or rules."""
        store = {Group: groups, Menu: menus, Rule: rules}[type(element)]
        async with self.edit() as edit:
            await store.save(self.account, msgspec.structs.replace(element, **fields), edit.tx)  # type: ignore[attr-defined]

    @property
    def root(self) -> Group:
        part = self.snapshot.part("groups", GroupsPart)
        assert part is not None
        return next(g for g in part.groups if g.parent is None)

    async def file(self, title: str, path: Path) -> Ref:
        """A voice file from a telephone WAV."""
        target = self.media / "voice" / path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
        async with self.edit() as edit:
            made = await files.insert(self.account, VoiceFile(id=0, title=title, path=f"voice/{path.name}"), edit.tx)
        return made.ref

    async def menu(self, title: str, **fields: Any) -> Ref:
        root = self.snapshot.root
        assert root is not None
        async with self.edit() as edit:
            made = await menus.insert(self.account, Menu(id=0, title=title, parent=fields.pop("parent", root.ref), **fields), edit.tx)
        return made.ref

    async def rule(self, target: Ref, **fields: Any) -> Ref:
        did = self.snapshot.did(DID)
        assert did is not None
        async with self.edit() as edit:
            made = await rules.insert(self.account, Rule(id=0, title=f"to {target}", did=did.ref, target=target, **fields), edit.tx)
        return made.ref

    def contact(self, login: str) -> Contact:
        return self.snapshot.contacts[self.snapshot.sip_accounts[login].contact][1]

    # -- phones --------------------------------------------------------------------------------------------------------------------

    def phone(self, login: str, **options: Any) -> PjsuaPhone:
        """A phone of this account; hears into <login>.wav when `speak` or `hear` is asked for."""
        return PjsuaPhone(login, DOMAIN, self.internal, password=self.passwords[login], address=self.address, **options)

    def outsider(self, number: str = OUTSIDER, **options: Any) -> PjsuaPhone:
        """A caller behind the provider: calls come in at the trunk side."""
        host, port = self.trunk
        return PjsuaPhone(
            number.lstrip("+"), f"{host}:{port}", self.trunk, register=False, password="", address=self.address, **options
        )

    # -- what happened -------------------------------------------------------------------------------------------------------------

    async def records(self, count: int, within: float = 15.0) -> Sequence[models.CallRecord]:
        """The first `count` CDRs, as soon as they are written."""
        async with asyncio.timeout(within), self.runtime.ctx.doorbell.listen("calls", self.account) as bell:
            while True:
                found = await models.CallRecord.of(self.account).order_by("started_at", "id").prefetch_related("legs", "recordings")
                if len(found) >= count:
                    return found
                await bell.wait(1.0)

    async def step(self, what: str, within: float = 10.0, **facts: Any) -> None:
        """Wait until a live call has this step in its trace."""
        async with asyncio.timeout(within), self.runtime.ctx.doorbell.listen("live", self.account) as bell:
            while not any(
                s.what == what and all(s.facts.get(k) == v for k, v in facts.items()) for call in self.calls for _, s in call.steps
            ):
                await bell.wait(0.2)

    async def registered(self, *logins: str, within: float = 10.0) -> None:
        """The engine knows these phones."""
        node = self.runtime.engine.node  # type: ignore[union-attr]
        async with asyncio.timeout(within), self.runtime.ctx.doorbell.listen("presence", self.account) as bell:
            while not set(logins) <= node.registrations.logins(self.account):
                await bell.wait(0.5)


@asynccontextmanager
async def pbx(folder: Path, **settings: Any) -> AsyncIterator[Pbx]:
    """A running PBX with an empty account; the switch ends with it."""
    address = own_address()
    chosen = msgspec.structs.replace(test_settings(folder / "state", address), **settings)
    first = Runtime(chosen, ())
    try:
        await first.open()
        account, _, _ = await open_account(first, "100", "Office", DOMAIN, "owner", area_code="495")
        async with first.ctx.edit(account, ACTOR) as edit:
            trunk = await models.Trunk.create(
                account_id=account, title="Provider", registers=False, sources=["127.0.0.0/8"], using_db=edit.tx
            )
            await models.Did.create(account_id=account, number=DID, title="Main", trunk_id=trunk.id, connected=1, using_db=edit.tx)
    finally:
        await first.close()
    runtime = Runtime(chosen, ALL_ROLES)
    async with runtime.running():
        assert runtime.engine is not None
        async with asyncio.timeout(20):
            await runtime.engine.connected.wait()
        yield Pbx(runtime, account, folder, address)

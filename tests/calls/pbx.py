# SPDX-License-Identifier: Apache-2.0
"""One account on a running installation, as call tests use it: its configuration, its phones, its provider, what was recorded."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec

from engine.calls.live import LiveCall
from engine.calls.trunks import gateway_name
from engine.cli.accounts import ACTOR, open_account
from engine.db import models
from engine.people import ContactWish, UserWish, add_contact, create_user
from engine.revisions import Edit
from engine.runtime import Runtime
from engine.snapshot import Contact, Element, Ref, Snapshot
from plugins.groups.api import Membership
from plugins.groups.part import Group, GroupsPart
from plugins.groups.service import store as groups
from plugins.ivr.part import Menu
from plugins.ivr.service import store as menus
from plugins.numbers.part import Rule
from plugins.numbers.service import store as rules
from plugins.voicefiles.part import VoiceFile
from plugins.voicefiles.service import store as files
from tests.calls.installation import Installation, installation, own_address
from tests.calls.telephone import Line, Provider
from tests.phones.pjsua import PjsuaPhone

DOMAIN = "office.test"
DID = "+74951234567"
OUTSIDER = "+79271234567"
_accounts = itertools.count(1)


class Pbx:
    """One account with one DID by an IP trunk; its phones and its provider have an address of their own, `phones_at`."""

    def __init__(
        self, house: Installation, account: int, folder: Path, *, domain: str = DOMAIN, did: str = DID, phones_at: str = ""
    ) -> None:
        self.house, self.account, self.folder, self.address = house, account, folder, house.address
        self.domain, self.did = domain, did
        self.phones_at = phones_at or house.address
        self.passwords: dict[str, str] = {}
        self.ring_seconds = 3
        """How long phones made by `user` ring."""

    # -- what it is ------------------------------------------------------------------------------------------------------------

    @property
    def runtime(self) -> Runtime:
        return self.house.runtime

    @property
    def snapshot(self) -> Snapshot:
        return self.runtime.ctx.snapshot(self.account)

    @property
    def internal(self) -> tuple[str, int]:
        return self.house.internal

    @property
    def trunk(self) -> tuple[str, int]:
        return self.house.trunk

    @property
    def calls(self) -> list[LiveCall]:
        assert self.runtime.engine is not None
        return [c for c in self.runtime.engine.node.calls.values() if c.snapshot.account.id == self.account]

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
            for contact in contacts or (ContactWish(kind="sip", address=extension, timeout_seconds=self.ring_seconds),):
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
            group = Group(id=0, title=title, parent=fields.pop("parent", root.ref), members=members, **fields)
            made = await groups.insert(self.account, group, edit.tx)
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
        did = self.snapshot.did(fields.pop("number", self.did))
        assert did is not None
        async with self.edit() as edit:
            made = await rules.insert(self.account, Rule(id=0, title=f"to {target}", did=did.ref, target=target, **fields), edit.tx)
        return made.ref

    def contact(self, login: str) -> Contact:
        return self.snapshot.contacts[self.snapshot.sip_accounts[login].contact][1]

    async def line(self, **fields: Any) -> models.Trunk:
        """Another trunk; the switch knows it when this returns."""
        async with self.edit() as edit:
            values = {"title": "Line", "sources": [self.phones_at], **fields}
            made = await models.Trunk.create(account_id=self.account, using_db=edit.tx, **values)
        await self.ready()
        return made

    async def line_is_up(self, trunk: models.Trunk, within: float = 20.0) -> None:
        """Wait until the engine has heard that the trunk is registered."""
        assert self.runtime.engine is not None
        async with asyncio.timeout(within):
            while self.runtime.engine.node.phones.gateways.get(gateway_name(trunk.id)) != "REGED":
                await asyncio.sleep(0.05)
        assert (await self.runtime.engine.node.switch.gateway_states())[gateway_name(trunk.id)] == "REGED"  # what a sweep is told

    async def number(self, number: str, trunk: models.Trunk) -> models.Did:
        """Another number by that trunk."""
        async with self.edit() as edit:
            values = {"number": number, "title": number, "trunk_id": trunk.id, "connected": 2}
            return await models.Did.create(account_id=self.account, using_db=edit.tx, **values)

    async def ready(self, within: float = 20.0) -> None:
        """Wait until the switch has taken up this account's trunks."""
        async with asyncio.timeout(within):
            for trunk in self.snapshot.core.trunks:
                if trunk.server:
                    while "Invalid Gateway" in await self.house.ask(f"sofia status gateway {gateway_name(trunk.id)}"):
                        await asyncio.sleep(0.05)
                for source in trunk.sources:
                    while "true" not in await self.house.ask(f"acl {source.partition('/')[0]} trunks"):
                        await asyncio.sleep(0.05)

    # -- phones --------------------------------------------------------------------------------------------------------------------

    def phone(self, login: str, **options: Any) -> PjsuaPhone:
        """A softphone of this account; `speak` and `hear` name WAV files."""
        return PjsuaPhone(
            login, self.domain, self.internal, **{"password": self.passwords[login], "address": self.phones_at, **options}
        )

    def outsider(self, number: str = OUTSIDER, **options: Any) -> PjsuaPhone:
        """A softphone behind the provider: its calls come in at the trunk side."""
        host, port = self.trunk
        return PjsuaPhone(
            number.lstrip("+"), f"{host}:{port}", self.trunk, register=False, password="", **{"address": self.phones_at, **options}
        )

    @asynccontextmanager
    async def telephone(self, login: str, *, register: bool = True) -> AsyncIterator[Line]:
        """A telephone in this process, registered and known to the engine."""
        line = Line(self.internal, login, self.domain, self.passwords[login])
        await line.open(self.phones_at)
        try:
            if register:
                assert (await line.register()).code == 200
                await self.registered(login)
            yield line
        finally:
            line.close()

    @asynccontextmanager
    async def provider(self, number: str = OUTSIDER, *, address: str = "") -> AsyncIterator[Provider]:
        """The provider's side in this process: makes calls from `number`, takes calls and registrations."""
        provider = Provider(self.trunk, number.lstrip("+"), f"{self.trunk[0]}:{self.trunk[1]}")
        await provider.open(address or self.phones_at)
        try:
            yield provider
        finally:
            provider.close()

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
            while not set(logins) <= node.phones.registrations.logins(self.account):
                await bell.wait(0.5)


    async def left_with(self, count: int, within: float = 15.0) -> None:
        """Wait until the engine has only this many calls."""
        async with asyncio.timeout(within):
            while len(self.calls) > count:
                await asyncio.sleep(0.05)

    async def told(self) -> str:
        """What happened on this account's calls, for people who look for the reason of a failure."""
        lines = []
        for call in self.calls:
            lines.append(f"live: {call.id} from {call.caller.number} to {call.caller.dialled}, party {call.party.label}, gone {call.gone}")
            lines += [f"  {at:%M:%S.%f} {step.what} {dict(step.facts)}" for at, step in call.steps]
            lines += [f"  leg {s.uuid} {s.leg.label} {s.reason} {s.direction} peer {s.peer} {s.cause}" for s in call.legs.values()]
        for record in await models.CallRecord.of(self.account).order_by("started_at", "id").prefetch_related("legs"):
            lines.append(f"over: {record.call_id} from {record.caller_number} to {record.dialled} {record.cause}")
            lines += [f"  +{step['at'] / 1000:.3f} {step['what']} {step.get('facts')}" for step in record.trace]
            lines += [f"  leg {x.uuid} {x.label} {x.reason} {x.direction} {x.answered_at} {x.ended_at} {x.cause}" for x in record.legs]
        return "\n".join(lines)

    async def quiet(self, within: float = 15.0) -> None:
        """Wait until nothing of this account is left: no call in the engine, no channel in the switch."""
        try:
            async with asyncio.timeout(within):
                while self.calls or await self.channels():
                    await asyncio.sleep(0.1)
        except TimeoutError:
            left = [c["uuid"] for c in await self.channels()]
            for uuid in left:  # the next test must not find them
                self.house.kill(uuid)
            raise AssertionError(f"still there: {left or self.calls}\n{await self.told()}") from None

    async def channels(self) -> list[dict[str, str]]:
        return [c for c in await self.house.channels() if self.is_ours(c)]

    def is_ours(self, channel: dict[str, str]) -> bool:
        """Whether a row of `show channels` belongs to this account's phones or provider."""
        return self.domain in channel.get("presence_id", "") + channel.get("name", "") or self.phones_at in (
            channel.get("ip_addr", ""), channel.get("name", "").rpartition("@")[2].partition(":")[0],
        )  # fmt: skip


async def company(house: Installation, folder: Path, number: str = "", *, domain: str = "", did: str = "", phones_at: str = "") -> Pbx:
    """A new account on a running installation; what is not given is made so that it meets nobody else."""
    count = next(_accounts)
    phones_at = phones_at or own_address()
    domain, did = domain or f"company{count}.test", did or f"+7495{2000000 + count}"
    account, _, _ = await open_account(house.runtime, number or str(1000 + count), "Office", domain, f"owner{count}", area_code="495")
    async with house.runtime.ctx.edit(account, ACTOR) as edit:
        trunk = await models.Trunk.create(account_id=account, title="Provider", registers=False, sources=[phones_at], using_db=edit.tx)
        await models.Did.create(account_id=account, number=did, title="Main", trunk_id=trunk.id, connected=1, using_db=edit.tx)
    office = Pbx(house, account, folder, domain=domain, did=did, phones_at=phones_at)
    await office.ready()
    return office


@asynccontextmanager
async def pbx(folder: Path, address: str = "", **settings: Any) -> AsyncIterator[Pbx]:
    """An installation of its own with one account «Office», its DID +7 495 123-45-67, everything at one address."""
    async with installation(folder, address, **settings) as house:
        yield await company(house, folder, "100", domain=DOMAIN, did=DID, phones_at=house.address)

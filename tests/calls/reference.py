# SPDX-License-Identifier: Apache-2.0
"""A world of the reference as an account of a running installation, and its call really made."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from engine.people import ContactWish, UserWish, add_contact, create_user
from plugins.groups.part import Group
from plugins.groups.service import store as groups
from plugins.ivr.part import Menu
from plugins.ivr.service import store as menus
from plugins.numbers.service import store as numbers
from plugins.schedules.service import store as schedules
from tests.calls.pbx import Pbx
from tests.calls.telephone import Line, Provider
from tests.embedded.sip.phone import Msg, parse
from tests.embedded.telephone import Talk
from tests.phones import sound
from tests.reference import rehearsal as told
from tests.reference.oracle import Event
from tests.reference.world import Scenario, User, World

CODES = {"busy": 486, "refuses": 603}
PATIENCE = 40.0


class Scripted(Line):
    """Rings, and does the first time, the second, … what it was told; whoever calls may leave at any moment."""

    mind: list[tuple[float, str]]

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.unattended = True
        calls = len(self.rung)
        super().datagram_received(data, addr)
        if len(self.rung) > calls and calls < len(self.mind):
            seconds, does = self.mind[calls]
            asyncio.get_running_loop().call_later(seconds, self._do, does, parse(data, addr))
        elif data.startswith(b"BYE"):
            self.send(self.reply(parse(data, addr), 200), addr)

    def _do(self, does: str, invite: Msg) -> None:
        if does == "rings on" or any(m.method == "CANCEL" and m.get("Call-ID") == invite.get("Call-ID") for m in self.seen):
            return
        tag = f"u{invite.cseq[0]}"
        if does == "answer":
            self.send(self.reply(invite, 200, tag=tag, body=self.sdp()))
        else:
            self.send(self.reply(invite, CODES[does], tag=tag))


async def build(office: Pbx, world: World, folder: Path) -> None:
    """The world in an empty account."""
    account = office.account
    keys = told.numbered(world)
    for name, seconds in world.sounds.items():
        file = sound.tone(folder / f"reference-{int(seconds * 1000)}.wav", 440.0, seconds)
        keys.sounds[name] = (await office.file(name, file)).id
    async with office.edit() as edit:
        for hours in world.hours:
            keys.hours[hours.name] = (await schedules.insert(account, told.schedule(hours, 0), edit.tx)).id
    for user in world.users:
        await _hire(office, user, keys)
    async with office.edit() as edit:
        keys.groups[world.groups[0].name] = office.root.id
        for group in world.groups[1:]:
            keys.groups[group.name] = (await groups.insert(account, Group(id=0, title=group.name, parent=office.root.ref), edit.tx)).id
        for menu in world.menus:
            keys.menus[menu.name] = (await menus.insert(account, Menu(id=0, title=menu.name, parent=office.root.ref), edit.tx)).id
        for made in told.groups(world, keys):
            await groups.save(account, made, edit.tx)
        for made_menu in told.menus(world, keys):
            await menus.save(account, made_menu, edit.tx)
        for numbered, entry in zip(world.lists, told.lists(world, keys), strict=True):
            keys.lists[numbered.name] = (await numbers.insert(account, entry, edit.tx)).id
        did = office.snapshot.did(office.did)
        assert did is not None
        for rule in told.rules(world, keys, did.ref):
            await numbers.insert(account, rule, edit.tx)


async def _hire(office: Pbx, user: User, keys: told.Keys) -> None:
    async with office.edit() as edit:
        wish = UserWish(
            title=user.name, extension=user.name, active=user.active, schedule=keys.schedule(user.hours), no_ivr_transfer=user.barred
        )
        keys.users[user.name] = await create_user(edit, wish)
        for c in user.contacts:
            contact = ContactWish(
                address=c.label, priority=c.priority, active=c.active, lines=c.lines, timeout_seconds=c.timeout,
                schedule=keys.schedule(c.hours),
            )  # fmt: skip
            _, password = await add_contact(edit, keys.users[user.name], contact)
            assert password
            office.passwords[c.label] = password


@asynccontextmanager
async def _phones(office: Pbx, world: World, call: Scenario) -> AsyncIterator[dict[str, Scripted]]:
    async with AsyncExitStack() as stack:
        lines: dict[str, Scripted] = {}
        contacts = [c for user in world.users for c in user.contacts if user.active and c.active]  # others may not register
        for label in (c.label for c in contacts if c.label not in call.absent):
            line = Scripted(office.internal, label, office.domain, office.passwords[label])
            line.mind = call.phones.get(label, [])
            await line.open(office.phones_at)
            stack.callback(line.close)
            assert (await line.register()).code == 200
            lines[label] = line
        if lines:
            await office.registered(*lines)
        yield lines


class Outsider(Provider):
    """Calls once and leaves when told; takes whatever the PBX does."""

    talk: Talk
    over: asyncio.Event

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        super().datagram_received(data, addr)
        message = parse(data, addr)
        if message.method == "BYE":
            self.send(self.reply(message, 200), addr)
            self.over.set()
        elif message.code >= 200 and message.cseq[1] == "INVITE":
            self.send(self.ack(self.talk.invite, message))
            if message.code == 200:
                self.talk.response = message
                self.take(message.body)
            else:
                self.over.set()
        elif message.code >= 200 and message.cseq[1] == "BYE":
            self.over.set()

    async def stays(self, call: Scenario, number: str) -> float:
        """Dial, press the keys, leave; when it was dialled (loop time)."""
        loop = asyncio.get_running_loop()
        self.over = asyncio.Event()
        began = loop.time()
        self.talk = await self.calls(number)
        pressing = asyncio.create_task(self._press(call, began))
        try:
            async with asyncio.timeout_at(began + (call.leaves or 0)):
                await self.over.wait()
        except TimeoutError:
            if self.talk.response is None:
                self.talk.cancel()
            else:
                self.talk.request("BYE")
            async with asyncio.timeout(PATIENCE):
                await self.over.wait()
        pressing.cancel()
        await asyncio.wait((pressing,))
        return began

    async def _press(self, call: Scenario, began: float) -> None:
        for at, key in call.keys:
            await asyncio.sleep(began + at - asyncio.get_running_loop().time())
            if self.peer is not None:
                await self.press(key)


async def happened(office: Pbx, world: World, call: Scenario) -> list[Event]:
    """Make the call to its end: which phones were rung when, in seconds since the caller dialled."""
    assert call.caller is not None
    caller = Outsider(office.trunk, call.caller.lstrip("+"), f"{office.trunk[0]}:{office.trunk[1]}")
    async with _phones(office, world, call) as lines:
        await caller.open(office.phones_at)
        try:
            began = await caller.stays(call, office.did[1:])
        finally:
            caller.close()
        rung = [Event(at - began, "rings", label) for label, line in lines.items() for at in line.rung]
    return sorted(rung)

# SPDX-License-Identifier: Apache-2.0
"""What people do to the settings in the course of a day, at random, and what must be true after each of their saves."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field

import msgspec

from engine import people
from engine.errors import InUse, Invalid, Refused
from engine.revisions.checks import dangling
from engine.revisions.saving import known_kinds
from engine.sdk import HANGUP, NOTHING, REPEAT, Branch, Did, Edit, Ref, Snapshot, User
from plugins.callback.part import CallBackSettings
from plugins.callback.service import save_settings
from plugins.groups.part import METHODS, Group
from plugins.groups.service import create_group, save_group
from plugins.ivr.part import Menu, MenuKey
from plugins.ivr.service import create_menu, save_menu
from plugins.numbers.part import Rule
from plugins.numbers.service import delete_did, delete_trunk, save_rule, save_trunk
from plugins.schedules.part import DayGroup, HourRange, Schedule
from plugins.schedules.service import delete_schedule, save_schedule
from plugins.voicefiles.part import VoiceFile
from plugins.voicefiles.service import delete_file
from plugins.voicemail.service import set_mailbox
from tests.day.town_call import TownCall
from tests.web.house import SYSTEM, TestContext


def _met(call: TownCall) -> Iterator[Ref]:
    """Elements that a call is in, or whose phones it has."""
    if call.place is not None:
        yield call.snapshot.owner(call.place)
    yield from (Ref(User.kind, s.leg.user) for s in call.open_legs() if s.leg.user)


@dataclass
class Changes:
    """`calls`: those in progress."""

    ctx: TestContext
    account: int
    chance: random.Random
    calls: Sequence[TownCall] = ()
    files: dict[int, bytes] = field(default_factory=dict)
    """What each revision was as a file when it was new."""
    seen: Counter[str] = field(default_factory=Counter)

    @property
    def now(self) -> Snapshot:
        return self.ctx.snapshot(self.account)

    def any(self, kind: type, but: Ref | None = None) -> Ref | None:
        found = [e.ref for e in self.now.elements() if isinstance(e, kind) and e.ref != but]
        return self.chance.choice(found) if found else None

    def target(self) -> Ref:
        """Where a call may go: an element, a place at one, or none of either."""
        choices = [c.target for a in self.ctx.registry.actions().values() for c in a.choices(self.now) if a.kind != Did.kind]
        return self.chance.choice([*choices, HANGUP, NOTHING, REPEAT])

    # what they do ---------------------------------------------------------------------------------------------------------

    async def schedule(self, edit: Edit) -> None:
        start = self.chance.randrange(0, 23 * 60)
        days = tuple(sorted(self.chance.sample(range(7), self.chance.randrange(1, 8))))
        groups = (DayGroup("Дни", days, (HourRange(start, self.chance.randrange(start + 1, 24 * 60)),)),)
        old = self.any(Schedule)
        id = old.id if old is not None and self.chance.random() < 0.7 else 0
        await save_schedule(edit, Schedule(id=id, title=f"График {start}", days=groups, holidays=self.chance.random() < 0.5))

    async def group(self, edit: Edit) -> None:
        group = self.now.get(self.any(Group), Group)
        assert group is not None
        changed = msgspec.structs.replace(
            group, method=self.chance.choice(list(METHODS)), attempts=self.chance.randrange(1, 4), no_answer=self.target(),
            schedule=self.any(Schedule) if group.parent and self.chance.random() < 0.5 else None, music=self.any(VoiceFile),
        )  # fmt: skip
        await save_group(edit, changed)

    async def new_group(self, edit: Edit) -> None:
        await create_group(edit, Group(id=0, title="Новая группа", parent=self.any(Group), no_answer=self.target(), priority=5))

    async def menu(self, edit: Edit) -> None:
        keys = tuple(MenuKey(k, self.target()) for k in self.chance.sample("0123456789*#TD", 4))
        menu = self.now.get(self.any(Menu), Menu)
        if menu is None or self.chance.random() < 0.3:
            await create_menu(edit, Menu(id=0, title="Новое меню", parent=self.any(Group), keys=keys, file=self.any(VoiceFile)))
        else:
            await save_menu(edit, msgspec.structs.replace(menu, keys=keys))

    async def rule(self, edit: Edit) -> None:
        did = self.any(Did)
        if did is not None:
            target, hours = self.target(), self.any(Schedule)
            await save_rule(edit, Rule(id=0, title="Правило", did=did, target=target, priority=self.chance.randrange(1, 9), schedule=hours))

    async def user(self, edit: Edit) -> None:
        user = await people.create_user(edit, people.UserWish(title="Новичок", schedule=self.any(Schedule)))
        await people.add_contact(edit, user, people.ContactWish(address=f"n{user}"))
        group = self.any(Branch)
        if group is not None:
            await people.set_membership(edit, group, user, 2)

    async def mailbox(self, edit: Edit) -> None:
        owner = self.any(User if self.chance.random() < 0.5 else Group)
        if owner is not None:
            await set_mailbox(edit, owner, greeting=self.any(VoiceFile), active=self.chance.random() < 0.7)

    async def callback(self, edit: Edit) -> None:
        owner = self.any(Group)
        await save_settings(edit, CallBackSettings(id=0, parent=owner, phrase=self.any(VoiceFile)))

    async def delete(self, edit: Edit) -> None:
        kind = self.chance.choice([User, Group, Menu, Schedule, VoiceFile, Did])
        await self._delete(edit, self.any(kind))

    def clear(self, ref: Ref) -> Callable[[Edit], Awaitable[None]]:
        """What pointed there hangs up instead."""

        async def cleared(edit: Edit) -> None:
            for use in self.now.uses(ref):
                holder = use.holder
                if isinstance(holder, Rule):
                    await save_rule(edit, msgspec.structs.replace(holder, target=HANGUP))
                elif isinstance(holder, Menu):
                    keys = tuple(MenuKey(k.key, HANGUP if self.now.owner(k.target) == ref else k.target) for k in holder.keys)
                    await save_menu(edit, msgspec.structs.replace(holder, keys=keys))
                elif isinstance(holder, Group) and holder.no_answer is not None and self.now.owner(holder.no_answer) == ref:
                    await save_group(edit, msgspec.structs.replace(holder, no_answer=None))

        return cleared

    async def _delete(self, edit: Edit, ref: Ref | None) -> None:
        if ref is None or len(list(self.now.elements())) < 8 or self.now.element(ref) is None:
            return
        kind = type(self.now.element(ref))
        if kind is User:
            await people.delete_user(edit, ref.id)
        elif kind is Schedule:
            await delete_schedule(edit, ref)
        elif kind is VoiceFile:
            await delete_file(edit, ref.id)
        elif kind is Did:
            await delete_did(edit, ref.id)
        else:
            await people.delete_branch(edit, ref)
        self.seen["deleted"] += 1

    async def contact(self, edit: Edit) -> None:
        """Somebody's phone goes, or takes more calls at once."""
        contacts = [c for u in self.now.core.users for c in u.contacts]
        if not contacts:
            return
        one = self.chance.choice(contacts)
        if self.chance.random() < 0.3:
            await people.delete_contact(edit, one.id)
        else:
            lines, active = self.chance.randrange(1, 4), self.chance.random() < 0.8
            wish = people.ContactWish(kind=one.kind, address=one.address, priority=one.priority, lines=lines, active=active)
            await people.edit_contact(edit, one.id, wish)

    async def line(self, edit: Edit) -> None:
        """A line goes when none of its numbers are left, else it takes more or fewer calls at once."""
        trunk = self.chance.choice(self.now.core.trunks) if self.now.core.trunks else None
        if trunk is None:
            return
        if not any(did.trunk == trunk.ref for did in self.now.core.dids):
            await delete_trunk(edit, trunk.id)
        else:
            await save_trunk(edit, msgspec.structs.replace(trunk, channels=self.chance.choice([0, 1, 2, 5])))

    async def rough_delete(self, edit: Edit) -> None:
        """Past all services, as a plugin might: the door itself must hold."""
        ref = self.any(self.chance.choice([Group, Menu, Schedule, VoiceFile]))
        element = self.now.element(ref) if ref else None
        if element is not None:
            await edit.store_of(element).remove(edit.account_id, element, edit.tx)

    async def back(self, edit: Edit) -> None:
        number = self.chance.choice(list(self.files))
        await edit.go_back(number)
        self.seen[f"back:{number}"] += 1

    @property
    def little_is_left(self) -> bool:
        """Calls would come to nothing."""
        return len(self.now.core.dids) < 7 or len(self.now.core.users) < 6 or len(self.now.core.sip_accounts) < 5

    async def back_to_the_morning(self, edit: Edit) -> None:
        await edit.go_back(min(self.files))
        self.seen[f"back:{min(self.files)}"] += 1

    async def back_with_one(self, edit: Edit) -> None:
        number = self.chance.choice(list(self.files))
        then = await self.ctx.snapshot_at(self.account, number)
        await edit.bring_back(number, self.chance.choice([e.ref for e in then.elements()]))
        self.seen["back with one"] += 1

    async def anything(self) -> None:
        """Somebody saves something, or is refused in words."""
        await self.save(self.chance.choice([
            self.schedule, self.schedule, self.group, self.group, self.new_group, self.menu, self.menu, self.rule, self.user, self.mailbox,
            self.callback, self.contact, self.line, self.delete, self.delete, self.rough_delete, self.back, self.back_with_one,
        ]))  # fmt: skip

    async def under_their_feet(self) -> None:
        """What a call is in at this moment, or who rings in it, is deleted."""
        here = [ref for call in self.calls for ref in _met(call)]
        if here:
            ref = self.chance.choice(here)
            await self.save(self.clear(ref))
            before = self.seen["deleted"]
            await self.save(lambda edit: self._delete(edit, ref))
            self.seen["deleted under a call"] += self.seen["deleted"] - before

    async def save(self, act: Callable[[Edit], Awaitable[None]]) -> None:
        before, gone_back = self.now, Counter(self.seen)
        try:
            async with self.ctx.edit(self.account, SYSTEM) as edit:
                await act(edit)
        except (InUse, Invalid, Refused):
            assert self.now is before
            self.seen["refused"] += 1
            return
        if edit.after is None:
            return
        self.seen["saved"] += 1
        self.seen.update(f"during {call.phase}" for call in self.calls)
        self.sound()
        file = await self.ctx.export_account(self.account, with_secrets=True)
        for name in self.seen - gone_back:
            if name.startswith("back:"):
                assert file == self.files[int(name[5:])]
                self.seen["back"] += 1
        self.files[self.now.revision] = file

    def sound(self) -> None:
        """Nothing points at nothing, and nothing is wrong."""
        stores = self.ctx.registry.parts()
        assert list(dangling(self.now, known_kinds(stores))) == []
        assert [f for f in self.ctx.revisions.findings(self.account) if f.severity == "error"] == []

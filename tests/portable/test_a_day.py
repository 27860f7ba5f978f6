# SPDX-License-Identifier: Apache-2.0
"""Twenty-four virtual hours of a customer: calls at random, schedules that change, things made and deleted, ways back, in between.

Nothing is ever left pointing at nothing, no call and no save fails for another reason than a refusal in words, what comes back is what it
was to the byte, and at midnight the whole goes as one file into another installation.
"""

from __future__ import annotations

import random
import shutil
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
import pytest

from engine import people
from engine.db import models
from engine.errors import InUse, Invalid, Refused
from engine.rehearsal import NotAdmitted, Question, Script, Typed, rehearse_call
from engine.revisions.checks import dangling
from engine.revisions.saving import known_kinds
from engine.sdk import HANGUP, NOTHING, REPEAT, Branch, Did, Edit, Missed, Ref, Snapshot, User
from engine.settings import Core, Settings
from plugins.callback.part import CallBackSettings
from plugins.callback.service import save_settings
from plugins.groups.part import METHODS, Group
from plugins.groups.service import create_group, save_group
from plugins.ivr.part import Menu, MenuKey
from plugins.ivr.service import create_menu, save_menu
from plugins.numbers.part import Rule
from plugins.numbers.service import delete_did, save_rule
from plugins.schedules.part import DayGroup, HourRange, Schedule
from plugins.schedules.service import delete_schedule, save_schedule
from plugins.voicefiles.part import VoiceFile
from plugins.voicefiles.service import delete_file
from plugins.voicemail.service import set_mailbox
from tests.portable.houses import fresh_account, installation
from tests.web.house import SYSTEM, Customer, TestContext, opened

MIDNIGHT = datetime(2026, 1, 14, 0, 0, tzinfo=ZoneInfo("Europe/Moscow")).astimezone(UTC)
TICK = timedelta(minutes=12)
CALLS_EACH = 4


@dataclass
class Day:
    ctx: TestContext
    account: int
    chance: random.Random
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

    # what may happen to the settings ----------------------------------------------------------------------------------

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
        ref = self.any(kind)
        if ref is None or len(list(self.now.elements())) < 8:
            return
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

    async def back_with_one(self, edit: Edit) -> None:
        number = self.chance.choice(list(self.files))
        then = await self.ctx.snapshot_at(self.account, number)
        await edit.bring_back(number, self.chance.choice([e.ref for e in then.elements()]))
        self.seen["back with one"] += 1

    # the hours --------------------------------------------------------------------------------------------------------

    async def change(self) -> None:
        acts: list[Callable[[Edit], Awaitable[None]]] = [
            self.schedule, self.schedule, self.group, self.group, self.new_group, self.menu, self.menu, self.rule, self.user, self.mailbox,
            self.callback, self.delete, self.delete, self.rough_delete, self.back, self.back_with_one,
        ]  # fmt: skip
        act = self.chance.choice(acts)
        before, gone_back = self.now, Counter(self.seen)
        try:
            async with self.ctx.edit(self.account, SYSTEM) as edit:
                await act(edit)
        except (InUse, Invalid, Refused):
            assert self.now is before
            self.seen[f"refused {act.__name__}"] += 1
            self.seen["refused"] += 1
            return
        if edit.after is None:
            return
        self.seen["saved"] += 1
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

    def call(self, at: datetime) -> None:
        keys = tuple(Typed("".join(self.chance.choices("0123456789*#", k=self.chance.randrange(1, 4)))) for _ in range(3))
        answers = {c.address: (3.0, "answer") for u in self.now.core.users for c in u.contacts if self.chance.random() < 0.3}
        outside = self.chance.random() < 0.8 and bool(self.now.core.dids)
        numbers = [d.number for d in self.now.core.dids] if outside else list(self.now.extensions)
        if not numbers:
            return
        caller = self.chance.choice(["+79271234567", "+74957654321", ""]) if outside else self._phone()
        script = Script(answers=answers, typed=keys, caller_leaves=self.chance.choice([None, 20.0, 90.0]))
        question = Question(self.chance.choice(numbers), caller or None, script)
        try:
            done = rehearse_call(self.now, self.ctx.registry.actions(), question, at, seed=self.chance.randrange(1000))
        except NotAdmitted:
            self.seen["not admitted"] += 1
            return
        self.seen["calls"] += 1
        self.seen[str(done.rehearsal.end)] += 1
        assert not [step for _, step in done.rehearsal.steps if step.what == "unavailable"]  # an action failed, or there is none
        assert done.rehearsal.outcome != Missed("gone")

    def _phone(self) -> str:
        return self.chance.choice([c.address for u in self.now.core.users for c in u.contacts if c.kind == "sip"] or [""])


@pytest.mark.parametrize("seed", [1, 2])
async def test_a_day(furnished: tuple[Path, tuple[Customer, Customer]], tmp_path: Path, seed: int) -> None:
    source, (one, _) = furnished
    shutil.copytree(source, tmp_path / "source")
    async with opened(tmp_path / "source") as ctx:
        await models.User.of(one.id).filter(id=one.users["admin"]).update(is_owner=True)
        day = Day(ctx, one.id, random.Random(seed))
        day.files[day.now.revision] = await ctx.export_account(one.id, with_secrets=True)
        at = MIDNIGHT
        while at < MIDNIGHT + timedelta(hours=24):
            await day.change()
            for _ in range(CALLS_EACH):
                day.call(at + timedelta(seconds=day.chance.randrange(int(TICK.total_seconds()))))
            at += TICK
        last = await ctx.export_account(one.id, with_secrets=True)
        for number in day.chance.sample(sorted(day.files), 10):  # what was written down is what was there
            whole = await ctx.snapshot_at(one.id, number)
            assert whole.revision == number
    enough = {"calls": 200, "saved": 40, "refused": 8, "back": 2, "back with one": 1, "deleted": 2}
    assert {name: day.seen[name] for name in enough if day.seen[name] < enough[name]} == {}, day.seen
    async with installation(Settings(core=Core(state=str(tmp_path / "elsewhere")))) as ctx:
        account = await fresh_account(ctx)
        await ctx.import_account(account, SYSTEM, last)
        assert await ctx.export_account(account, with_secrets=True) == last

# SPDX-License-Identifier: Apache-2.0
"""The settings that a customer's day begins with: a number for everything that a call may come to."""

from __future__ import annotations

from engine import people
from engine.sdk import Did, Ref
from plugins.groups.api import Membership
from plugins.groups.part import Group
from plugins.groups.service import create_group
from plugins.ivr.part import Menu, MenuKey
from plugins.ivr.service import create_menu
from plugins.numbers.part import Rule
from plugins.numbers.service import save_did, save_rule
from plugins.voicemail.service import set_mailbox
from tests.web.house import SYSTEM, Customer, TestContext

PIN = "4711"


async def begin(ctx: TestContext, customer: Customer) -> None:
    """Holds are limited, the manager's talks recorded; he has a PIN, an employee a phone that CallOut knows."""
    sales, file = Ref(Group.kind, customer.things["group"]), Ref("voicefiles.file", customer.things["file"])
    async with ctx.edit(customer.id, SYSTEM) as edit:
        account = edit.before.account
        await people.edit_pbx(edit, people.PbxWish(title=account.title, area_code=account.area_code, max_hold_seconds=30))
        manager = edit.before.users[customer.users["manager"]]
        await people.edit_user(edit, manager.id, people.UserWish(title=manager.title, extension=manager.extension, pin=PIN, recording=True))
        mobile = people.ContactWish(kind="phone", address="+79161234567", by_number=True, priority=2)
        await people.add_contact(edit, manager.id, mobile)
        for owner in (Ref("core.user", customer.users["user"]), sales):
            await set_mailbox(edit, owner, active=True, max_seconds=90)
        staff = []
        for n in range(4):
            staff.append(await people.create_user(edit, people.UserWish(title=f"Сотрудник {n}", extension=f"20{4 + n}")))
            await people.add_contact(edit, staff[-1], people.ContactWish(address=f"20{4 + n}", lines=1 + n % 2))
    async with ctx.edit(customer.id, SYSTEM) as edit:
        help_desk = await create_group(edit, Group(
            id=0, title="Поддержка", parent=sales, extension="301", greeting=file, music=file, attempts=2, recording=True,
            no_answer=Ref("voicemail.group", sales.id), members=tuple(Membership(user, 1 + n % 2) for n, user in enumerate(staff)),
        ))  # fmt: skip
    async with ctx.edit(customer.id, SYSTEM) as edit:
        user = customer.users["user"]
        targets = [
            sales, Ref("core.user", user), Ref("voicemail.user", user), Ref("fax.group", sales.id), Ref("callback.group", sales.id),
            Ref("callback.user", user), Ref("callout.callout", 0), help_desk.ref,
        ]  # fmt: skip
        keys = tuple(MenuKey(key, target) for key, target in zip("12345678", targets, strict=True))
        menu = await create_menu(edit, Menu(id=0, title="Меню поддержки", parent=help_desk.ref, keys=keys, file=file, timeout_seconds=20))
        trunk = Ref("core.trunk", customer.things["trunk"])
        dids = [await save_did(edit, Did(id=0, title=f"Номер {n}", number=f"+749512340{n:02}", trunk=trunk)) for n in range(9)]
    async with ctx.edit(customer.id, SYSTEM) as edit:
        for n, (did, target) in enumerate(zip(dids, [menu.ref, *targets], strict=True)):
            await save_rule(edit, Rule(id=0, title=f"Правило {n}", did=did, target=target))

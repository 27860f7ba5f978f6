# SPDX-License-Identifier: Apache-2.0
"""One account with the groups and menus plugins, on either database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from argon2 import PasswordHasher

from engine import people
from engine.db import Database, secrets
from engine.people import passwords
from engine.revisions import Actor, Edit, Revisions
from engine.sdk import Ref, Snapshot
from engine.settings import Core, Settings
from plugins.groups.api import Membership
from plugins.groups.part import Group
from plugins.groups.service import store as groups
from plugins.ivr.part import Menu
from plugins.ivr.service import store as menus

ANNA = Actor(1, "Anna", "web")


@dataclass
class Office:
    revisions: Revisions
    account: int
    root: Ref
    sales: Ref
    menu: Ref
    anna: int
    boris: int

    def edit(self) -> AbstractAsyncContextManager[Edit]:
        return self.revisions.edit(self.account, ANNA)

    async def set_login(self, user: int, wish: people.LoginWish) -> str | None:
        login = await people.ready_login(wish)
        async with self.edit() as edit:
            return await people.set_login(edit, user, login)

    @property
    def snapshot(self) -> Snapshot:
        return self.revisions.snapshot(self.account)


@pytest.fixture
async def office(tmp_path: Path, cheap_hashes: None) -> AsyncIterator[Office]:
    """On SQLite."""
    async with furnished(Settings(core=Core(state=str(tmp_path / "state")))) as made:
        yield made


@pytest.fixture
async def office_anywhere(database_settings: Settings, cheap_hashes: None) -> AsyncIterator[Office]:
    """On SQLite and on PostgreSQL: for what leans on cascades and constraints."""
    async with furnished(database_settings) as made:
        yield made


@pytest.fixture
def cheap_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "_HASHER", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))


@asynccontextmanager
async def furnished(settings: Settings) -> AsyncIterator[Office]:
    """Anna (administrator, with a phone) and Boris stand in Sales, which stands in the root beside a menu."""
    secrets.setup(settings)
    db = await Database.open(settings, [("groups", "plugins.groups.models"), ("ivr", "plugins.ivr.models")])
    await db.migrate()
    revisions = Revisions(db, {"groups": groups, "ivr": menus}, settings.state)
    async with revisions.create_account(ANNA, number="1", title="Romashka", domain="romashka.example", area_code="495") as edit:
        root = await groups.insert(edit.account_id, Group(id=0, title="Romashka"), edit.tx)
    account = edit.account_id
    login = await people.ready_login(people.LoginWish(login="anna", role="admin", password="korova-7-nebo"))
    async with revisions.edit(account, ANNA) as edit:
        anna = await people.create_user(edit, people.UserWish(title="Anna", extension="201"))
        boris = await people.create_user(edit, people.UserWish(title="Boris", extension="202"))
        await people.add_contact(edit, anna, people.ContactWish(address="201"))
        await people.set_login(edit, anna, login)
    async with revisions.edit(account, ANNA) as edit:
        members = (Membership(anna, 1), Membership(boris, 2))
        sales = await groups.insert(account, Group(id=0, title="Sales", parent=root.ref, members=members), edit.tx)
        menu = await menus.insert(account, Menu(id=0, title="Menu", parent=root.ref), edit.tx)
    yield Office(revisions, account, root.ref, sales.ref, menu.ref, anna, boris)
    await db.close()

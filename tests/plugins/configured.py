# SPDX-License-Identifier: Apache-2.0
"""One account with the elements of some plugins, on either database, for tests of their services."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

from engine.db import Database
from engine.revisions import Actor, Edit, Revisions
from engine.revisions.saving import Store
from engine.sdk import Snapshot
from engine.settings import Settings
from plugins.groups.part import Group
from plugins.groups.service import store as groups
from plugins.numbers.service import store as numbers
from plugins.schedules.service import store as schedules
from tests.databases import migrated

ANNA = Actor(1, "Anna", "web")
STORES: dict[str, Store] = {"groups": groups, "numbers": numbers, "schedules": schedules}
MODELS = tuple((name, f"plugins.{name}.models") for name in STORES)


@dataclass
class Configured:
    revisions: Revisions
    account: int
    root: Group
    db: Database
    settings: Settings

    def edit(self) -> AbstractAsyncContextManager[Edit]:
        return self.revisions.edit(self.account, ANNA)

    @property
    def snapshot(self) -> Snapshot:
        return self.revisions.snapshot(self.account)

    async def anew(self) -> Snapshot:
        """The configuration as another process reads it from the database."""
        other = Revisions(self.db, STORES, self.settings.state)
        await other.load_all()
        return other.snapshot(self.account)


@asynccontextmanager
async def configured(settings: Settings) -> AsyncIterator[Configured]:
    db = await migrated(settings, MODELS)
    try:
        revisions = Revisions(db, STORES, settings.state)
        async with revisions.create_account(ANNA, number="1", title="Romashka", domain="romashka.example", area_code="495") as edit:
            root = await groups.insert(edit.account_id, Group(id=0, title="Romashka"), edit.tx)
        yield Configured(revisions, edit.account_id, root, db, settings)
    finally:
        await db.close()

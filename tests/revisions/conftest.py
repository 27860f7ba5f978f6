# SPDX-License-Identifier: Apache-2.0
"""A database with the sample plugin, and Revisions on it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from engine.db import Database, models, secrets
from engine.revisions import Actor, Edit, Revisions
from engine.settings import Settings
from engine.snapshot.rows import ElementStore
from tests.databases import migrated
from tests.revisions.sample import SamplePart, check
from tests.revisions.sample.models import BoxRow, NoteRow

ANNA = Actor(7, "Anna", "web")
PLUGIN = (("sample", "tests.revisions.sample.models"),)


def sample_store() -> ElementStore[SamplePart]:
    return ElementStore(SamplePart, {"boxes": BoxRow, "notes": NoteRow}, check)


@dataclass
class House:
    """One process's view of an installation."""

    db: Database
    revisions: Revisions
    store: ElementStore[SamplePart]
    rang: list[tuple[str, int]] = field(default_factory=list)


async def house(settings: Settings) -> House:
    db = await Database.open(settings, PLUGIN)
    store = sample_store()
    rang: list[tuple[str, int]] = []
    revisions = Revisions(db, {"sample": store}, settings.state, lambda topic, account: rang.append((topic, account)))
    return House(db, revisions, store, rang)


@pytest.fixture
async def home(database_settings: Settings) -> AsyncIterator[House]:
    await (await migrated(database_settings, PLUGIN)).close()
    made = await house(database_settings)
    yield made
    await made.db.close()


async def new_account(home: House, number: str = "1") -> int:
    async with home.revisions.create_account(ANNA, number=number, title=f"Customer {number}", domain=f"c{number}.example") as edit:
        pass
    return edit.account_id


async def add_user(edit: Edit, title: str, login: str) -> models.User:
    """A user with a SIP contact and its account."""
    user = await models.User.create(account_id=edit.account_id, title=title, using_db=edit.tx)
    contact = await models.Contact.create(account_id=edit.account_id, user=user, kind="sip", address=login, using_db=edit.tx)
    await models.SipAccount.create(
        account_id=edit.account_id, user=user, contact=contact, login=login, secret=secrets.encrypt("pass"), using_db=edit.tx
    )
    return user

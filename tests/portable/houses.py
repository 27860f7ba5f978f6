# SPDX-License-Identifier: Apache-2.0
"""Installations to take configuration files into, each with an account as `vats account create` makes it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from engine import people
from engine.db import Database, models, secrets
from engine.plugin.loader import find
from engine.plugin.registry import Registry
from engine.revisions import Revisions
from engine.settings import Settings
from tests.web.house import SYSTEM, TestContext


@asynccontextmanager
async def installation(settings: Settings) -> AsyncIterator[TestContext]:
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


async def fresh_account(ctx: TestContext, number: str = "2001") -> int:
    """The account with its owner and the PBX itself."""
    async with ctx.revisions.create_account(SYSTEM, number=number, title="Новая", domain=f"n{number}.example") as edit:
        for state in ctx.registry.states:
            await state.plugin.new_account(edit)
    async with ctx.edit(edit.account_id, SYSTEM) as second:
        user = await people.create_user(second, people.UserWish(title="Администратор"))
        login = await people.ready_login(people.LoginWish(login=f"owner-{number}", role="admin"))
        await people.set_login(second, user, login)
        await models.User.of(second.account_id, second.tx).filter(id=user).update(is_owner=True)
    return edit.account_id

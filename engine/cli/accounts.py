# SPDX-License-Identifier: Apache-2.0
"""`vats account create` and `vats user create`: the first steps on a fresh installation."""

from __future__ import annotations

import argparse
import asyncio
from typing import Any

from engine.cli.serve import loaded
from engine.db.models import User as UserRow
from engine.errors import NotFound
from engine.people import ContactWish, LoginWish, UserWish, add_contact, create_user, set_login
from engine.people.users import check_login
from engine.revisions import Actor
from engine.runtime import Runtime

ACTOR = Actor(None, "vats", "cli")


def add_commands(commands: Any) -> None:
    account = commands.add_parser("account", help="customers' accounts").add_subparsers(dest="what", required=True)
    create = account.add_parser("create", help="create an account with its owner")
    create.add_argument("number", help="account number (лицевой счёт)")
    create.add_argument("title", help="name of the PBX")
    create.add_argument("--domain", required=True, help="SIP domain of its phones")
    create.add_argument("--owner", default="admin", help="login of the owner in the cabinet")
    create.add_argument("--timezone", default="Europe/Moscow")
    create.add_argument("--area-code", default="", help="code for dialling local numbers")
    create.set_defaults(run=_account)
    user = commands.add_parser("user", help="employees").add_subparsers(dest="what", required=True)
    add = user.add_parser("create", help="create an employee with a phone")
    add.add_argument("account", help="account number")
    add.add_argument("title", help="name")
    add.add_argument("--extension", help="internal number, also the SIP login")
    add.add_argument("--login", help="login for the cabinet")
    add.add_argument("--role", choices=("user", "manager", "admin"), default="user")
    add.set_defaults(run=_user)


async def open_account(runtime: Runtime, number: str, title: str, domain: str, owner: str, **more: Any) -> tuple[int, int, str]:
    """(account id, owner's user id, owner's password). Raises Invalid when number, domain or login are taken."""
    ctx = runtime.ctx
    await check_login(owner)  # asked first, since the account is there before its owner can be
    async with ctx.revisions.create_account(ACTOR, number=number, title=title, domain=domain, **more) as edit:
        for state in ctx.registry.states:
            if not state.error:
                await state.plugin.new_account(edit)
    async with ctx.edit(edit.account_id, ACTOR) as second:
        user = await create_user(second, UserWish(title="Администратор"))
        password = await set_login(second, user, LoginWish(login=owner, role="admin"))
        await UserRow.of(second.account_id, second.tx).filter(id=user).update(is_owner=True)
    return edit.account_id, user, password or ""


def _account(options: argparse.Namespace) -> int:
    runtime = Runtime(loaded(options), ())

    async def work() -> str:
        try:
            await runtime.open()
            _, _, password = await open_account(
                runtime, options.number, options.title, options.domain, options.owner,
                timezone=options.timezone, area_code=options.area_code,
            )  # fmt: skip
            return password
        finally:
            await runtime.close()

    password = asyncio.run(work())
    print(f"Account {options.number} is ready. Cabinet login: {options.owner}, password: {password}")
    return 0


def _user(options: argparse.Namespace) -> int:
    runtime = Runtime(loaded(options), ())

    async def work() -> list[str]:
        try:
            await runtime.open()
            account = runtime.ctx.revisions.account_for_number(options.account)
            if account is None:
                raise NotFound
            said = []
            async with runtime.ctx.edit(account, ACTOR) as edit:
                user = await create_user(edit, UserWish(title=options.title, extension=options.extension))
                if options.extension:
                    _, password = await add_contact(edit, user, ContactWish(kind="sip", address=options.extension))
                    said.append(f"Phone: server {edit.before.account.domain}, login {options.extension}, password {password}")
                if options.login:
                    password = await set_login(edit, user, LoginWish(login=options.login, role=options.role))
                    said.append(f"Cabinet: login {options.login}, password {password}")
            return said
        finally:
            await runtime.close()

    for line in asyncio.run(work()):
        print(line)
    return 0

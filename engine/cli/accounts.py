# SPDX-License-Identifier: Apache-2.0
"""`vats account create` and `vats account list`: customers of this installation."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from engine.cli import portable
from engine.cli.serve import loaded, working
from engine.cli.which import installed, no_pbx
from engine.db.models import User as UserRow
from engine.errors import Problem
from engine.people import LoginWish, UserWish, create_user, ready_login, set_login
from engine.people.pbx import check_account
from engine.people.users import check_login
from engine.revisions import Actor
from engine.runtime import Runtime
from engine.snapshot import Snapshot

ACTOR = Actor(None, "vats", "cli")
OWNER = "admin"


def add_commands(commands: Any) -> None:
    account = commands.add_parser("account", help="customers' accounts").add_subparsers(dest="what", required=True)
    create = account.add_parser("create", help="create an account with its owner")
    create.add_argument("number", help="account number (лицевой счёт)")
    create.add_argument("title", help="name of the PBX")
    create.add_argument("--domain", required=True, help="SIP domain of its phones")
    create.add_argument(
        "--owner", help=f"login of the owner in the cabinet, one of a kind in the installation (default: {OWNER}, then {OWNER}-NUMBER)"
    )
    create.add_argument("--timezone", default="Europe/Moscow")
    create.add_argument("--area-code", default="", help="code for dialling local numbers")
    create.set_defaults(run=_create)
    portable.add_commands(account)
    account.add_parser("list", help="number, name, SIP domain, employees and numbers of each account").set_defaults(run=_list)


async def open_account(runtime: Runtime, number: str, title: str, domain: str, owner: str, **more: Any) -> tuple[int, int, str]:
    """(account id, owner's user id, owner's password). Raises Invalid when number, domain or login are taken or no such thing."""
    ctx = runtime.ctx
    check_account(number, title, domain, more.get("area_code", ""))
    await check_login(owner)  # asked first, since the account is there before its owner can be
    login = await ready_login(LoginWish(login=owner, role="admin"))
    async with ctx.revisions.create_account(ACTOR, number=number, title=title, domain=domain, **more) as edit:
        for state in ctx.registry.states:
            if not state.error:
                await state.plugin.new_account(edit)
    async with ctx.edit(edit.account_id, ACTOR) as second:
        user = await create_user(second, UserWish(title="Администратор"))
        password = await set_login(second, user, login)
        await UserRow.of(second.account_id, second.tx).filter(id=user).update(is_owner=True)
    return edit.account_id, user, password or ""


async def _free_owner(number: str) -> str:
    try:
        await check_login(OWNER)
    except Problem:
        return f"{OWNER}-{number}"
    return OWNER


def _create(options: argparse.Namespace) -> int:
    async def work(runtime: Runtime) -> tuple[str, str, str]:
        owner = options.owner or await _free_owner(options.number)
        _, _, password = await open_account(
            runtime, options.number, options.title, options.domain, owner, timezone=options.timezone, area_code=options.area_code
        )
        return owner, password, runtime.settings.core.default_account

    owner, password, default = working(loaded(options), work)
    print(f"Account {options.number} is ready. Cabinet login: {owner}, password: {password}")
    if default == "":
        print(f"Phones need the SIP domain {options.domain}. With core.default_account = \"{options.number}\" the address alone will do.")
    return 0


def _list(options: argparse.Namespace) -> int:
    async def work(runtime: Runtime) -> list[Snapshot]:
        if not (accounts := runtime.ctx.accounts()):
            raise no_pbx(runtime.settings)
        return [runtime.ctx.snapshot(account) for account in accounts]

    rows = [
        (s.account.number, s.account.title, s.account.domain, str(len(s.users)), " ".join(d.number for d in s.core.dids))
        for s in working(installed(options), work)
    ]
    print_table(("number", "name", "SIP domain", "employees", "numbers"), rows)
    return 0


def print_table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    """Columns as wide as they need to be."""
    widths = [max(len(row[i]) for row in (head, *rows)) for i in range(len(head))]
    for row in (head, *rows):
        print("  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip())

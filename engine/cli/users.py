# SPDX-License-Identifier: Apache-2.0
"""`vats user create`, `list` and `password`: employees, from outside the cabinet."""

from __future__ import annotations

import argparse
from typing import Any

import msgspec

from engine.addresses import phone_domain, phone_server
from engine.cli.accounts import ACTOR, print_table
from engine.cli.serve import working
from engine.cli.which import account_of, account_option, installed
from engine.db.models import User as UserRow
from engine.errors import NotFound
from engine.i18n import translate
from engine.people import (
    ContactWish,
    LoginWish,
    UserWish,
    add_contact,
    create_user,
    extension_warning,
    random_password,
    ready_login,
    set_login,
)
from engine.runtime import Runtime
from engine.snapshot import UserRole


def add_commands(commands: Any) -> None:
    user = commands.add_parser("user", help="employees").add_subparsers(dest="what", required=True)
    create = user.add_parser("create", help="create an employee with a phone")
    create.add_argument("title", help="name")
    account_option(create)
    create.add_argument("--extension", help="internal number, also the SIP login")
    create.add_argument("--login", help="login for the cabinet")
    create.add_argument("--role", choices=("user", "manager", "admin"), default="user")
    create.set_defaults(run=_create)
    everybody = user.add_parser("list", help="name, internal number, SIP logins, cabinet login and role of each employee")
    account_option(everybody)
    everybody.set_defaults(run=_list)
    password = user.add_parser("password", help="give a cabinet login a new password, for whoever has forgotten his")
    password.add_argument("login", help="login for the cabinet")
    password.set_defaults(run=_password)


def _create(options: argparse.Namespace) -> int:
    async def work(runtime: Runtime) -> list[str]:
        said = []
        login = await ready_login(LoginWish(login=options.login, role=options.role)) if options.login else None
        async with runtime.ctx.edit(account_of(runtime.ctx, options.account), ACTOR) as edit:
            account, settings = edit.before.account, runtime.settings
            user = await create_user(edit, UserWish(title=options.title, extension=options.extension))
            if options.extension:
                _, password = await add_contact(edit, user, ContactWish(kind="sip", address=options.extension))
                needed = phone_domain(settings, account.number, account.domain)
                domain = f"domain {needed}, " if needed else ""
                said.append(f"Phone: server {phone_server(settings)}, {domain}login {options.extension}, password {password}")
            if login is not None:
                password = await set_login(edit, user, login)
                said.append(f"Cabinet: login {options.login}, password {password}")
        if warning := extension_warning(options.extension):
            said.append(translate("en", warning))
        return said

    for line in working(installed(options), work):
        print(line)
    return 0


def _list(options: argparse.Namespace) -> int:
    async def work(runtime: Runtime) -> list[tuple[str, ...]]:
        snapshot = runtime.ctx.snapshot(account_of(runtime.ctx, options.account))
        rows = await UserRow.of(snapshot.account.id).order_by("id")
        phones = {u.id: " ".join(c.address for c in u.contacts) for u in snapshot.users.values()}
        return [(r.title, r.extension or "", phones.get(r.id, ""), r.login or "", r.role if r.login else "") for r in rows]

    print_table(("name", "extension", "phones", "cabinet login", "role"), working(installed(options), work))
    return 0


def _password(options: argparse.Namespace) -> int:
    async def work(runtime: Runtime) -> str:
        row = await UserRow.filter(login__iexact=options.login).first()
        if row is None or row.login is None:
            raise NotFound(f"Nobody has the cabinet login {options.login}; `vats user list` shows who has which.")
        password = random_password()
        login = await ready_login(LoginWish(login=row.login, role=msgspec.convert(row.role, UserRole), password=password))
        async with runtime.ctx.edit(row.account_id, ACTOR) as edit:
            await set_login(edit, row.id, login)
        return password

    print(f"Cabinet: login {options.login}, password {working(installed(options), work)}")
    return 0

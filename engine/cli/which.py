# SPDX-License-Identifier: Apache-2.0
"""Which installation and which account a command is about: every command that needs an account takes `--account NUMBER`."""

from __future__ import annotations

import argparse
from typing import Any

from engine.cli.serve import loaded
from engine.db.database import sqlite_file
from engine.errors import NotFound
from engine.i18n import N_
from engine.runtime.context import RuntimeContext
from engine.settings import Settings

NO_PBX = N_("There is no PBX in {state} yet; `vats account create` makes the first one.")


def account_option(words: Any) -> None:
    words.add_argument("--account", metavar="NUMBER", default="", help="account number (default: core.default_account, or the only one)")


def account_of(ctx: RuntimeContext, number: str) -> int:
    """The account meant by --account. Raises NotFound with a sentence when there is no such one, or none or several could be meant."""
    number = number or ctx.settings.core.default_account
    accounts = ctx.accounts()
    if not number and len(accounts) == 1:
        return accounts[0]
    if not number and accounts:
        raise NotFound(N_("Say which account is meant: --account NUMBER (`vats account list` shows them)."))
    account = ctx.revisions.account_for_number(number) if number else None
    if account is None:
        raise NotFound(N_("There is no account {number}."), number=number) if number else no_pbx(ctx.settings)
    return account


def installed(options: argparse.Namespace) -> Settings:
    """The settings of an installation that is there, for commands that only ask or change. Raises NotFound rather than making one."""
    settings = loaded(options)
    if not exists(settings):
        raise no_pbx(settings)
    return settings


def exists(settings: Settings) -> bool:
    """Whether the installation has a database; of one on a server this is not asked."""
    file = sqlite_file(settings)
    return file is None or file.exists()


def no_pbx(settings: Settings) -> NotFound:
    return NotFound(NO_PBX, state=str(settings.state))

# SPDX-License-Identifier: Apache-2.0
"""`vats account export` and `vats account import`: an account's configuration as one file (docs/configuration-file.md)."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

from engine.cli.serve import working
from engine.cli.which import account_of, account_option, installed
from engine.errors import Refused
from engine.i18n import N_
from engine.portable import MOST_BYTES, export, take_in
from engine.revisions import Actor
from engine.runtime import Runtime
from engine.snapshot import Snapshot

_ACTOR = Actor(None, "vats", "cli")


def add_commands(account: Any) -> None:
    leaving = account.add_parser("export", help="the configuration of an account as one JSON file")
    leaving.add_argument("file", nargs="?", default="-", help="where to (default: standard output)")
    account_option(leaving)
    leaving.add_argument("--with-secrets", action="store_true", help="with passwords of phones and lines and PINs, in clear")
    leaving.set_defaults(run=_export)
    arriving = account.add_parser("import", help="take a configuration file into an account that has no settings yet")
    arriving.add_argument("file", help="the file; - for standard input")
    account_option(arriving)
    arriving.set_defaults(run=_import)


def _export(options: argparse.Namespace) -> int:
    async def work(runtime: Runtime) -> bytes:
        snapshot = runtime.ctx.snapshot(account_of(runtime.ctx, options.account))
        return await export(snapshot, runtime.settings.media_root, with_secrets=options.with_secrets)

    data = working(installed(options), work)
    if options.file == "-":
        sys.stdout.write(data.decode())
        return 0
    with open(os.open(options.file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:  # it may hold passwords
        file.write(data)
    return 0


def _import(options: argparse.Namespace) -> int:
    data = _read(options.file)

    async def work(runtime: Runtime) -> Snapshot:
        return await take_in(runtime.ctx.revisions, account_of(runtime.ctx, options.account), _ACTOR, data, runtime.settings.media_root)

    found = working(installed(options), work)
    users, numbers = len(found.core.users), len(found.core.dids)
    print(f"Account {found.account.number} has {users} users and {numbers} numbers now, at revision {found.revision}.")
    return 0


def _read(name: str) -> bytes:
    try:
        if name == "-":
            return sys.stdin.buffer.read(MOST_BYTES + 1)
        with Path(name).open("rb") as file:
            return file.read(MOST_BYTES + 1)
    except OSError as error:
        raise Refused(N_("{file} can’t be read: {why}."), file=name, why=error.strerror or str(error)) from error

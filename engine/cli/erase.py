# SPDX-License-Identifier: Apache-2.0
"""`vats erase`: forget an outside number in an account, as the law on personal data asks."""

from __future__ import annotations

import argparse
import asyncio
from typing import Any

from engine.cli.accounts import ACTOR
from engine.cli.which import account_of, account_option, installed
from engine.errors import PluginError
from engine.people import Erased, erasable, erase_number
from engine.runtime import Runtime
from engine.runtime.context import RuntimeContext


def add_commands(commands: Any) -> None:
    erase = commands.add_parser("erase", help="forget an outside number: calls become anonymous, their recordings are deleted")
    erase.add_argument("number", help="the outside number, written as usual")
    account_option(erase)
    erase.set_defaults(run=_erase)


def _erase(options: argparse.Namespace) -> int:
    runtime = Runtime(installed(options), ())

    async def work() -> Erased:
        async with runtime.tooling() as ctx:
            return await erase(ctx, options.account, options.number)

    found = asyncio.run(work())
    print(f"Calls made anonymous: {found.calls}; recordings deleted: {len(found.files)}.")
    return 0


async def erase(ctx: RuntimeContext, account_number: str, text: str) -> Erased:
    """Core and every plugin in one transaction, with the sound files. Raises PluginError while a plugin can't take part."""
    account = account_of(ctx, account_number)
    absent = [state.plugin.meta.id for state in ctx.registry.states if not state.running]
    if absent:
        raise PluginError(f"Nothing is erased, since plugins that may know the number do not run: {', '.join(absent)}.")
    async with ctx.edit(account, ACTOR) as edit:
        number = erasable(edit, text)
        found = await erase_number(edit, number)
        for plugin in ctx.registry.running():
            await plugin.erase(edit, number)
        edit.note("an outside number erased")
        # before the rows are saved: if a file can't be deleted, it can still be found when the command is tried again
        for file in found.files:
            (ctx.settings.media_root / file).unlink(missing_ok=True)
    return found

# SPDX-License-Identifier: Apache-2.0
"""The command line `vats`: each command parses its words and hands over; nothing is decided here."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from typing import Any

import engine.cli.accounts as accounts
import engine.cli.call as call
import engine.cli.check as check
import engine.cli.demo as demo
import engine.cli.doctor as doctor
import engine.cli.erase as erase
import engine.cli.rehearse as rehearse
import engine.cli.serve as serve
import engine.cli.users as users
from engine.errors import Invalid, PluginError, VatsError
from engine.plugin import loader
from engine.plugin.contract import Command, Plugin
from engine.plugin.registry import Registry
from engine.runtime import Runtime


def parser(arguments: Sequence[str] | None = None) -> argparse.ArgumentParser:
    """For these arguments: plugins are imported only if none of our own commands is asked for. Raises PluginError when two claim a name."""
    root = argparse.ArgumentParser(prog="vats", description="VATS, a self-hosted virtual PBX.")
    root.add_argument("--config", help="settings file (default: $VATS_CONFIG, then ./vats.toml)")
    commands = root.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for module in (serve, demo, call, doctor, accounts, users, erase, rehearse, check):
        module.add_commands(commands)
    if _named(arguments) not in commands.choices:
        for plugin, command in Registry(loader.find()).commands():
            _add(commands, plugin, command)
    return root


def _add(commands: Any, plugin: Plugin, command: Command) -> None:
    if command.name in commands.choices:
        raise PluginError(f"The plugin {plugin.meta.id} brings a command {command.name}, which there is already.")
    words = commands.add_parser(command.name, help=command.help)
    command.configure(words)
    words.set_defaults(run=lambda options: asyncio.run(_of_plugin(plugin.meta.id, command.name, options)))


async def _of_plugin(plugin: str, name: str, options: argparse.Namespace) -> int:
    """Run a plugin's command in a process without roles. Raises PluginError when the plugin does not start."""
    async with Runtime(serve.loaded(options), ()).tooling() as ctx:
        state = ctx.registry.state(plugin)
        if state is None or not state.running:
            raise PluginError(f"The plugin {plugin} does not run: {state.error if state else 'it is gone'}.")
        command = next(c for c in state.plugin.commands() if c.name == name)
        return await command.run(ctx, options)


def _named(arguments: Sequence[str] | None) -> str | None:
    """The command asked for."""
    words = argparse.ArgumentParser(add_help=False)
    words.add_argument("--config")
    words.add_argument("command", nargs="?")
    return str(found) if (found := words.parse_known_args(arguments)[0].command) else None


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point; the exit code."""
    try:
        options = parser(arguments).parse_args(arguments)
        code = int(options.run(options))
        sys.stdout.flush()
        return code
    except Invalid as error:
        for problem in error.problems:
            print(f"{problem.field}: {problem}", file=sys.stderr)
        return 1
    except VatsError as error:
        print(error, file=sys.stderr)
        return 1
    except PermissionError as error:
        print(f"{error.filename}: {error.strerror}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # `vats … | head`: whoever reads has what he wanted
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is left in the buffer goes there at the exit
        return 128 + signal.SIGPIPE

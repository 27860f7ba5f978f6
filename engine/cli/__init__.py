# SPDX-License-Identifier: Apache-2.0
"""The command line `vats`: each command parses its words and hands over; nothing is decided here."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

import engine.cli.accounts as accounts
import engine.cli.call as call
import engine.cli.demo as demo
import engine.cli.doctor as doctor
import engine.cli.serve as serve
from engine.errors import Invalid, VatsError


def parser() -> argparse.ArgumentParser:
    root = argparse.ArgumentParser(prog="vats", description="VATS, a self-hosted virtual PBX.")
    root.add_argument("--config", help="settings file (default: $VATS_CONFIG, then ./vats.toml)")
    commands = root.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for module in (serve, demo, call, doctor, accounts):
        module.add_commands(commands)
    return root


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point; the exit code."""
    options = parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except Invalid as error:
        for problem in error.problems:
            print(f"{problem.field}: {problem}", file=sys.stderr)
        return 1
    except VatsError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130

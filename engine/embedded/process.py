# SPDX-License-Identifier: Apache-2.0
"""The switch's process: starts it from a configuration file, tells its ports, stops it in order on SIGTERM; see __main__."""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import logging
import os
import resource
import signal
import sys
from pathlib import Path

from engine import log as logs
from engine.embedded.config import Config, ConfigError, load
from engine.embedded.switch import Switch

log = logging.getLogger(__name__)

_COLLECT = (10_000, 50, 1_000)
"""Thresholds of the garbage collector: finished calls need none, and looking at 1,000 live ones would make sound late."""
_COLLECT_EVERY_SECONDS = 60.0


async def run(config: Config, file: Path) -> int:
    """Serve until SIGTERM, SIGINT or `fsctl shutdown`; the exit status. A second signal changes nothing.

    SIGHUP reads `file` again.
    """
    loop = asyncio.get_running_loop()
    try:
        switch = Switch(config)
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, switch.stop_asked.set)
        loop.add_signal_handler(signal.SIGHUP, _reread, switch, file)
        await switch.start()
    except OSError as error:
        log.error("The switch can't start: %s", error)
        return 1
    _ready(switch)
    # what exists now lives as long as the process: the collector need not look at it again
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_COLLECT)
    switch.start_task(_collect_when_idle(switch))
    await switch.stop_asked.wait()
    await switch.stop()
    return 0


def _reread(switch: Switch, file: Path) -> None:
    try:
        config = load(file)
    except ConfigError as error:
        log.error("going on with the former configuration: %s", error)
        return
    logs.setup(config.log_level, config.log_format)
    switch.reconfigure(config)
    log.info("configuration read again")


async def _collect_when_idle(switch: Switch) -> None:
    while True:
        await asyncio.sleep(_COLLECT_EVERY_SECONDS)
        if not switch.channels:
            gc.collect()


def _open_files() -> None:
    """A stream is a socket, and a recording a file: as many as the system lets us have."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _ready(switch: Switch) -> None:
    """One JSON line: `{"ready": {"event_socket": 8021, "internal": 5060, "trunk": 5080}, "core_uuid": …, "pid": …}`."""
    line = json.dumps({"ready": switch.ports, "core_uuid": switch.bus.core_uuid, "pid": os.getpid()})
    if switch.config.ready_file:
        path = Path(switch.config.ready_file)
        fresh = path.with_name(path.name + ".new")
        fresh.write_text(line + "\n", "utf-8")
        fresh.replace(path)
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m engine.embedded", description="The embedded switch of VATS.")
    parser.add_argument("--config", type=Path, required=True, help="its configuration, a JSON file")
    given = parser.parse_args(arguments)
    try:
        config = load(given.config)
    except ConfigError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    logs.setup(config.log_level, config.log_format)
    _open_files()
    return asyncio.run(run(config, given.config))

# SPDX-License-Identifier: Apache-2.0
"""`vats doctor`: is everything this installation needs in place? One line per question, exit code 1 when something is broken."""

from __future__ import annotations

import argparse
import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import Any

from engine.cli.serve import DEMO_STATE, demonstration, loaded
from engine.cli.which import exists
from engine.db import Database, secrets
from engine.errors import VatsError
from engine.esl.switch import Switch
from engine.plugin import loader
from engine.runtime import ports
from engine.runtime.journal import engine_runs
from engine.runtime.secrets import completed
from engine.runtime.switch_process import SwitchProcess
from engine.settings import Settings
from engine.sound import synthesis
from engine.speech.vosk_model import loads

Answer = tuple[bool, str]


OF_DEMO = f"VATS_CORE__STATE={DEMO_STATE} vats doctor"


def add_commands(commands: Any) -> None:
    doctor = commands.add_parser("doctor", help="check this installation")
    doctor.set_defaults(run=_doctor)


async def _state(settings: Settings) -> Answer:
    settings.state.mkdir(0o750, parents=True, exist_ok=True)
    return os.access(settings.state, os.W_OK), f"state folder {settings.state}"


async def _key(settings: Settings) -> Answer:
    secrets.setup(settings)
    return True, "key for stored passwords"


async def _database(settings: Settings) -> Answer:
    database = await Database.open(settings)
    try:
        return await database.reachable(), f"database {settings.database.url.partition('://')[0]}"
    finally:
        await database.close()


async def _plugins(settings: Settings) -> Answer:
    broken = [f"{s.plugin.meta.id} ({s.error})" for s in loader.find() if s.error]
    return not broken, f"plugins{': broken ' + ', '.join(broken) if broken else ''}"


async def _switch(settings: Settings) -> Answer:
    if settings.switch.kind == "embedded":
        running = SwitchProcess(settings, "").running() is not None
        return True, f"built-in switch ({'running' if running else 'starts with `vats run`'})"
    switch = Switch(settings.switch.esl_host, settings.switch.esl_port, settings.switch.esl_password, on_event=lambda event: None)
    switch.start()
    try:
        await switch.wait_connected(3.0)
        return True, f"FreeSWITCH at {settings.switch.esl_host}:{settings.switch.esl_port}"
    except (TimeoutError, VatsError) as error:
        return False, f"FreeSWITCH at {settings.switch.esl_host}:{settings.switch.esl_port}: {error}"
    finally:
        await switch.close()


async def _ports(settings: Settings) -> Answer:
    """Those of a running switch or engine of this very installation are rightly taken."""
    wanted: list[ports.Place] = []
    if settings.switch.kind == "embedded" and SwitchProcess(settings, "").running() is None:
        wanted += ports.switch_places(settings)
    if not engine_runs(settings):
        wanted += ports.own_places(settings)
    found = [trouble for place in wanted if (trouble := ports.trouble(place))]
    if found and demonstration(settings) is not None:
        found.append(f"The demonstration runs here and has ports of its own: end it (Ctrl+C) before `vats run`, or ask about it: {OF_DEMO}")
    return not found, "\n      ".join(found) or f"ports {', '.join(str(p.port) for p in wanted) or 'in use by this installation'}"


async def _media(settings: Settings) -> Answer:
    settings.media_root.mkdir(parents=True, exist_ok=True)
    return os.access(settings.media_root, os.W_OK), f"media folder {settings.media_root}"


async def _speech(settings: Settings) -> Answer:
    return True, f"speech synthesis: {synthesis.synthesizer() or 'not installed (optional)'}"


async def _transcripts(settings: Settings) -> Answer:
    if not settings.speech.model:
        return True, "transcripts of voicemail: switched off (set speech.model)"
    wrong = await asyncio.to_thread(loads, settings.speech.model)
    return not wrong, wrong or f"transcripts of voicemail: model {settings.speech.model}"


async def _bot(settings: Settings) -> Answer:
    return True, f"Telegram bot: {'token set' if settings.bot.token else 'switched off (set bot.token)'}"


CHECKS: tuple[Callable[[Settings], Awaitable[Answer]], ...] = (
    _state, _key, _database, _plugins, _switch, _ports, _media, _speech, _transcripts, _bot,
)  # fmt: skip


def _doctor(options: argparse.Namespace) -> int:
    wished = loaded(options)
    demo = demonstration(wished)
    if demo is not None and not exists(wished):
        print(f"(there is no PBX in {wished.state} yet, so this is about the demonstration)")
        wished = demo
    try:
        settings = completed(wished)
    except OSError as error:
        print(f"WRONG state folder {wished.state}: {error.strerror}")
        return 1

    async def work() -> bool:
        fine = True
        for check in CHECKS:
            try:
                good, text = await check(settings)
            except (VatsError, OSError) as error:
                good, text = False, str(error)
            print(f"{'ok   ' if good else 'WRONG'} {text}")
            fine = fine and good
        return fine

    return 0 if asyncio.run(work()) else 1

# SPDX-License-Identifier: Apache-2.0
"""Unmodified clients from PyPI drive the switch.

GREENSWITCH_PYTHON and GENESIS_PYTHON name interpreters of virtual environments that have them; else `.venv-greenswitch` and
`.venv-genesis` beside the project are used, or this environment. Without an interpreter a test is skipped, with the reason.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.embedded.conftest import House, tone_file

_CLIENTS = Path(__file__).with_name("clients")


def _interpreter(client: str) -> str:
    if named := os.environ.get(f"{client.upper()}_PYTHON"):
        return named
    own = Path(__file__).parents[2] / f".venv-{client}/bin/python"
    if own.exists():
        return str(own)
    if importlib.util.find_spec(client) is not None:
        return sys.executable
    pytest.skip(f"no interpreter with {client}: set {client.upper()}_PYTHON")


async def _drive(interpreter: str, program: str, *arguments: str) -> dict[str, Any]:
    process = await asyncio.create_subprocess_exec(
        interpreter, str(_CLIENTS / program), *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(60):
            out, err = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.communicate()
        raise
    assert process.returncode == 0, err.decode()
    found: dict[str, Any] = json.loads(out.decode().splitlines()[-1])
    return found


EXPECTED = {
    "event": "+OK event listener enabled plain",
    "status": True,
    "claim": "+OK Deleted: 1\n",
    "job": "echo",
    "answered": "answered",
    "played": "FILE PLAYED",
    "cause": "USER_BUSY",
}


async def test_greenswitch(house: House) -> None:
    interpreter = _interpreter("greenswitch")
    phone = await house.phone("101")
    async with house.esl() as esl:
        talk = await phone.call("700")
        uuid = (await esl.event("CHANNEL_PARK"))["Unique-ID"]
        await (await house.phone("102")).call("800")
        sound = str(tone_file(house.folder / "s.wav", 500, 0.3))
        said, _, _ = await asyncio.gather(
            _drive(interpreter, "with_greenswitch.py", house.address, str(house.switch.ports["event_socket"]), "secret", uuid, sound),
            talk.answered(30),
            talk.ended(30),
        )
    assert said.items() >= EXPECTED.items()
    assert said["wrong password"] == "Invalid password."
    assert said["filter"] == f"+OK filter added. [Unique-ID]=[{uuid}]"
    assert said["strangers"] == []
    assert said["stopped"]


async def test_genesis(house: House) -> None:
    interpreter = _interpreter("genesis")
    one, two = await house.phone("101"), await house.phone("102")
    async with house.esl() as esl:
        first = await one.call("700")
        uuid = (await esl.event("CHANNEL_PARK"))["Unique-ID"]
        second = await two.call("800")
        other = (await esl.event("CHANNEL_PARK"))["Unique-ID"]
        sound = str(tone_file(house.folder / "s.wav", 500, 0.3))
        said, *_ = await asyncio.gather(
            _drive(interpreter, "with_genesis.py", house.address, str(house.switch.ports["event_socket"]), "secret", uuid, sound, other),
            first.answered(30), first.ended(30), second.answered(30), second.ended(30),
        )  # fmt: skip
        assert (await esl.find("CHANNEL_HANGUP_COMPLETE", other))["Hangup-Cause"] == "CALL_REJECTED"
    assert said.items() >= EXPECTED.items()
    assert said["wrong password"] == "Invalid password"
    assert said["consumer"]
    assert said["heartbeat"] == "System Ready"

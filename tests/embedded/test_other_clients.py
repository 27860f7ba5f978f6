# SPDX-License-Identifier: Apache-2.0
"""Unmodified clients from PyPI drive the switch, each from a virtual environment of its own, which the first run makes.

GENESIS_PYTHON and GREENSWITCH_PYTHON name interpreters that have them already. Where neither is to be had, a test is skipped.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.embedded.conftest import House, tone_file

_CLIENTS = Path(__file__).with_name("clients")
_HOMES = Path(__file__).parents[2] / ".pytest_cache" / "clients"
_INSTALL_SECONDS = 240
WANTED = {"genesis": "genesis>=2026.10.18", "greenswitch": "greenswitch>=0.0.19"}


def _interpreter(client: str) -> str:
    if named := os.environ.get(f"{client.upper()}_PYTHON"):
        return named
    home = _HOMES / f"{client}-{sys.version_info.major}.{sys.version_info.minor}"
    _HOMES.mkdir(parents=True, exist_ok=True)
    with Path(f"{home}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # of workers one makes it
        python = home / "bin" / "python"
        if not (home / "complete").exists():
            try:
                _make(home, WANTED[client])
            except (OSError, subprocess.SubprocessError) as error:
                shutil.rmtree(home, ignore_errors=True)
                said = getattr(error, "stderr", "") or str(error)
                pytest.skip(f"{WANTED[client]} can't be installed: {said.strip().splitlines()[-1]}")
    return str(python)


def _make(home: Path, wanted: str) -> None:
    shutil.rmtree(home, ignore_errors=True)
    for command in (
        [sys.executable, "-m", "venv", str(home)],
        [str(home / "bin/python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile", wanted],
    ):
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=_INSTALL_SECONDS)
    (home / "complete").touch()


@pytest.fixture
def interpreter(request: pytest.FixtureRequest) -> str:
    """Ready before the switch is started: making it takes a while."""
    return _interpreter(request.param)


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


@pytest.mark.parametrize("interpreter", ["greenswitch"], indirect=True)
async def test_greenswitch(interpreter: str, house: House) -> None:
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


@pytest.mark.parametrize("interpreter", ["genesis"], indirect=True)
async def test_genesis(interpreter: str, house: House) -> None:
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

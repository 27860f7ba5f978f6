# SPDX-License-Identifier: Apache-2.0
"""A real FreeSWITCH with the production configuration in a folder of its own; for the tests with SWITCH=freeswitch."""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import socket
from pathlib import Path
from types import TracebackType
from typing import Self

CONFIGURATION = Path(__file__).parents[2] / "deploy" / "freeswitch"


class FreeSwitch:
    """Starts, stops and kills one FreeSWITCH.

    `folder` takes everything it writes; `media` is the media root it shares with the engine. It listens on `address`
    only, on ports of its own that stay the same over a `kill` and a new `start`. `certificates` may be shared by many:
    making them takes FreeSWITCH 3 s of the 4 s of a first start.
    """

    def __init__(
        self,
        binary: Path,
        folder: Path,
        media: Path,
        *,
        address: str = "127.0.0.1",
        directory_url: str,
        directory_secret: str,
        unclaimed_seconds: int = 10,
        certificates: Path | None = None,
        rtp_ports: range = range(20000, 24000),
        rtp_timeout_seconds: int = 300,
        rtp_hold_timeout_seconds: int = 1800,
    ) -> None:
        self.binary = binary
        self.folder = folder
        self.media = media
        self.address = address
        self.sip_port, self.trunk_port, self.esl_port = free_ports(address, 3)
        self.esl_host = address
        self.esl_password = secrets.token_urlsafe(12)
        self.certificates = certificates or folder / "certs"
        self.cdr_file = media / "cdr-csv" / "Master.csv"
        self.log_file = folder / "log" / "freeswitch.log"
        self._environment = {
            "VATS_FS_SIP_ADDRESS": address,
            "VATS_SWITCH__SIP_PORT": str(self.sip_port),
            "VATS_SWITCH__TRUNK_PORT": str(self.trunk_port),
            "VATS_SWITCH__RTP_FIRST_PORT": str(rtp_ports.start),
            "VATS_SWITCH__RTP_LAST_PORT": str(rtp_ports.stop),
            "VATS_SWITCH__RTP_TIMEOUT_SECONDS": str(rtp_timeout_seconds),
            "VATS_SWITCH__RTP_HOLD_TIMEOUT_SECONDS": str(rtp_hold_timeout_seconds),
            "VATS_FS_ESL_ADDRESS": address,
            "VATS_FS_ESL_ALLOWED": "127.0.0.0/8" if address.startswith("127.") else f"{address}/32",
            "VATS_SWITCH__ESL_PORT": str(self.esl_port),
            "VATS_SWITCH__ESL_PASSWORD": self.esl_password,
            "VATS_FS_DIRECTORY_URL": directory_url,
            "VATS_DIRECTORY__SECRET": directory_secret,
            "VATS_MEDIA__ROOT_ON_SWITCH": str(media),
            "VATS_FS_UNCLAIMED_SECONDS": str(unclaimed_seconds),
        }
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None, "not started"
        return self._process.pid

    async def start(self, timeout_seconds: float = 30) -> None:
        """Returns when both SIP profiles run; raises RuntimeError with the end of the log when they don't."""
        arguments: list[str] = []
        for name in ("log", "db", "run", "temp", "recordings", "storage", "cache", "scripts", "sounds"):
            arguments += [f"-{name}", str(self.folder / name)]
        arguments += ["-certs", str(self.certificates)]
        (self.media / "moh").mkdir(parents=True, exist_ok=True)
        # a test run that is killed must not leave a switch behind
        guard = ["setpriv", "--pdeathsig", "KILL", "--"] if shutil.which("setpriv") else []
        self._process = await asyncio.create_subprocess_exec(
            *guard, str(self.binary), "-nonat", "-nonatmap", "-nocal", "-nf", "-nc", "-conf", str(CONFIGURATION), *arguments,
            env={**os.environ, **self._environment},
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        try:
            async with asyncio.timeout(timeout_seconds):
                while not await self._is_ready():
                    if self._process.returncode is not None:
                        raise RuntimeError(f"FreeSWITCH ended with {self._process.returncode}.\n{self.log_tail()}")
                    await asyncio.sleep(0.1)
        except TimeoutError as error:
            await self.kill()
            raise RuntimeError(f"FreeSWITCH was not ready after {timeout_seconds} s.\n{self.log_tail()}") from error

    async def stop(self) -> None:
        """Ends it the polite way; at the latest after 20 s the hard way."""
        process = self._process
        if process is None or process.returncode is not None:
            return
        process.terminate()
        try:
            async with asyncio.timeout(20):
                await process.wait()
        except TimeoutError:
            await self.kill()

    async def kill(self) -> None:
        """kill -9."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    async def api(self, command: str) -> str:
        """One command on a connection of its own: for looking at the switch from outside."""
        reader, writer = await asyncio.open_connection(self.esl_host, self.esl_port)
        try:
            await _frame(reader)
            writer.write(f"auth {self.esl_password}\n\n".encode())
            await _frame(reader)
            writer.write(f"api {command}\n\n".encode())
            return await _frame(reader)
        finally:
            writer.close()

    def log_tail(self, lines: int = 40) -> str:
        if not self.log_file.exists():
            return "(no log)"
        return "\n".join(self.log_file.read_text("utf-8", errors="replace").splitlines()[-lines:])

    async def _is_ready(self) -> bool:
        try:
            return (await self.api("sofia status")).count("RUNNING") == 2
        except (OSError, asyncio.IncompleteReadError):
            return False

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()


async def _frame(reader: asyncio.StreamReader) -> str:
    head = (await reader.readuntil(b"\n\n")).decode()
    for line in head.splitlines():
        name, _, value = line.partition(": ")
        if name == "Content-Length":
            return (await reader.readexactly(int(value))).decode()
    return head


def free_ports(address: str, count: int) -> list[int]:
    """Ports free for both UDP and TCP on the address at this moment."""
    held: list[socket.socket] = []
    ports: list[int] = []
    try:
        while len(ports) < count:
            stream = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            datagram = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            held += [stream, datagram]
            stream.bind((address, 0))
            try:
                datagram.bind((address, stream.getsockname()[1]))
            except OSError:
                continue
            ports.append(stream.getsockname()[1])
    finally:
        for one in held:
            one.close()
    return ports

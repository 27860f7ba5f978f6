# SPDX-License-Identifier: Apache-2.0
"""A fax machine behind the provider: a second FreeSWITCH of its own that dials and sends a TIFF (txfax), by G.711 or T.38."""

from __future__ import annotations

import asyncio
import csv
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.calls.installation import BINARY, certificates
from tests.calls.pbx import Pbx
from tests.switches.freeswitch import FreeSwitch


class FaxMachine:
    def __init__(self, office: Pbx, switch: FreeSwitch) -> None:
        self.office, self._switch = office, switch

    async def sends(self, file: Path, *, t38: bool = False, number: str = "79271234567", to: str = "") -> str:
        """Dial and begin to send; the id of its leg, once the call is answered."""
        leg = str(uuid.uuid4())
        host, port = self.office.trunk
        values = {
            "origination_uuid": leg, "origination_caller_id_number": number, "fax_ident": number, "fax_enable_t38": str(t38).lower(),
        }  # fmt: skip
        variables = ",".join(f"{name}={value}" for name, value in values.items())
        answer = await self._switch.api(
            f"originate {{{variables}}}sofia/trunk/{to or self.office.did[1:]}@{host}:{port} &txfax({file})"
        )
        assert answer.startswith("+OK"), answer
        return leg

    async def hangs_up(self, leg: str) -> None:
        assert (await self._switch.api(f"uuid_kill {leg}")).startswith("+OK")

    async def t38_of(self, leg: str) -> str:
        """What has been agreed on: off, requested, negotiated, refused."""
        return await self._switch.api(f"uuid_getvar {leg} fax_t38_status")

    async def result(self, leg: str, within: float = 120.0) -> tuple[int, bool]:
        """Pages that it believes to have sent, and whether that was all, when it has hung up."""
        async with asyncio.timeout(within):
            while True:
                if self._switch.cdr_file.exists():
                    for row in csv.reader(self._switch.cdr_file.read_text().splitlines()):
                        if row[0] == leg:
                            return int(row[16] or 0), row[17] == "1"
                await asyncio.sleep(0.2)


@asynccontextmanager
async def fax_machine(office: Pbx, folder: Path) -> AsyncIterator[FaxMachine]:
    """Runs inside the block."""
    switch = FreeSwitch(
        BINARY, folder / "fax-machine", folder / "fax-machine-media", address=office.phones_at, directory_url="http://127.0.0.1:9/fs",
        directory_secret="none", certificates=certificates(), rtp_ports=range(30000, 34000),
    )  # fmt: skip
    await switch.start()
    try:
        yield FaxMachine(office, switch)
    except BaseException:
        print(switch.log_tail(120))
        raise
    finally:
        await switch.kill()

# SPDX-License-Identifier: Apache-2.0
"""Tells the switch of changed provider lines, also of those that changed while no engine ran: what it knows is remembered on disk.

The switch only ever adds lines, so a changed or removed one is killed first, and it takes a moment to forget it.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import msgspec

from engine.calls.trunks import GATEWAY_PREFIX, gateway_name
from engine.snapshot import Snapshot, Trunk

log = logging.getLogger(__name__)

PROFILE = "trunk"
FORGET_SECONDS = 1.5
"""The switch would not take a killed line up again before."""


class Switch(Protocol):
    """What is needed of engine.esl.switch.Switch."""

    @property
    def connected(self) -> bool: ...
    async def gateway_states(self) -> Mapping[str, str]: ...
    def gateway_kill(self, profile: str, gateway: str) -> None: ...
    def gateway_rescan(self, profile: str) -> None: ...
    def reload_acl(self) -> None: ...


class _Told(msgspec.Struct):
    """The file: which run of the switch knows which gateways, by hashes."""

    core_uuid: str
    lines: dict[str, str]


def prints_of(snapshot: Snapshot | None) -> dict[str, str]:
    """A hash of all that the switch is told of each active line; of the password's encrypted form, for the hash is written to disk."""
    if snapshot is None or not snapshot.account.active:
        return {}
    return {gateway_name(trunk.id): _print(trunk) for trunk in snapshot.core.trunks if trunk.active}


def _print(trunk: Trunk) -> str:
    told = (trunk.registers, trunk.server, trunk.port, trunk.transport, trunk.login, trunk.secret, trunk.realm, trunk.sources)
    return hashlib.sha256(msgspec.json.encode(told)).hexdigest()


class Gateways:
    """`file` remembers what the switch was told. Needs a running event loop."""

    def __init__(self, switch: Switch, file: Path) -> None:
        self._switch, self._file = switch, file
        self._wanted: dict[str, str] = {}
        self._of_account: dict[int, dict[str, str]] = {}
        self._core = ""
        self._told: dict[str, str] = {}
        self._rescan: asyncio.TimerHandle | None = None

    def changed(self, account_id: int, snapshot: Snapshot | None) -> None:
        """An account has another configuration (None: it is gone)."""
        before, after = self._of_account.pop(account_id, {}), prints_of(snapshot)
        if after:
            self._of_account[account_id] = after
        if before == after:
            return
        for gateway in before:
            del self._wanted[gateway]
        self._wanted.update(after)
        if self._core and self._switch.connected:
            self._tell()

    async def connected(self, core_uuid: str) -> None:
        """The switch has been swept; `core_uuid` names its run. It is told what it may have missed. Raises SwitchError."""
        if core_uuid == self._core:
            if self._told != self._wanted and self._rescan is None:
                self._tell()
            return
        told = self._remembered(core_uuid)
        if told is None:  # it has read the lines it serves at its start; of other lines it may have been told by who knows whom
            there = await self._switch.gateway_states()
            told = {name: self._wanted.get(name, "") for name in there if name.startswith(GATEWAY_PREFIX)}
        self._core, self._told = core_uuid, told
        self._tell()

    def close(self) -> None:
        if self._rescan is not None:
            self._rescan.cancel()
            self._rescan = None

    def _tell(self) -> None:
        changed = [name for name, known in self._told.items() if self._wanted.get(name) != known]
        for name in changed:
            self._switch.gateway_kill(PROFILE, name)
        self.close()
        self._rescan = asyncio.get_running_loop().call_later(FORGET_SECONDS if changed else 0.0, self._add)

    def _add(self) -> None:
        self._rescan = None
        if not self._switch.connected:
            return  # the sweep after the reconnect tells it
        self._switch.gateway_rescan(PROFILE)
        self._switch.reload_acl()
        self._told = dict(self._wanted)
        self._remember()

    def _remembered(self, core_uuid: str) -> dict[str, str] | None:
        try:
            told = msgspec.json.decode(self._file.read_bytes(), type=_Told)
        except FileNotFoundError:
            return None
        except (OSError, msgspec.DecodeError) as error:
            log.error("%s can't be read, so removed lines may live on in the switch: %s", self._file, error)
            return None
        return told.lines if told.core_uuid == core_uuid else None  # another run has read everything anew

    def _remember(self) -> None:
        fresh = self._file.with_name(f".{self._file.name}")
        try:
            with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                file.write(msgspec.json.encode(_Told(self._core, self._told)))
            fresh.replace(self._file)
        except OSError as error:  # a full disk: only a restart of the engine would miss it
            log.error("%s can't be written: %s", self._file, error)

# SPDX-License-Identifier: Apache-2.0
"""Tells the switch of changed provider lines, also of those that changed while no engine ran: what it knows is remembered on disk.

The switch only ever adds lines, so a changed or removed one is killed first, and it takes a moment to forget it.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
from pathlib import Path
from typing import Protocol

import msgspec

from engine.calls.trunks import gateway_name
from engine.snapshot import Snapshot, Trunk

log = logging.getLogger(__name__)

PROFILE = "trunk"
FORGET_SECONDS = 1.5
"""The switch would not take a killed line up again before."""


class Switch(Protocol):
    """What is needed of engine.esl.switch.Switch."""

    @property
    def connected(self) -> bool: ...
    def gateway_kill(self, profile: str, gateway: str) -> None: ...
    def gateway_rescan(self, profile: str) -> None: ...
    def reload_acl(self) -> None: ...


class _Told(msgspec.Struct):
    """The file: which run of the switch knows which lines, by hashes."""

    core_uuid: str
    lines: dict[int, str]


def prints_of(snapshot: Snapshot | None) -> dict[int, str]:
    """A hash of all that the switch is told of each active line; of the password's encrypted form, for the hash is written to disk."""
    if snapshot is None or not snapshot.account.active:
        return {}
    return {trunk.id: _print(trunk) for trunk in snapshot.core.trunks if trunk.active}


def _print(trunk: Trunk) -> str:
    told = (trunk.registers, trunk.server, trunk.port, trunk.transport, trunk.login, trunk.secret, trunk.realm, trunk.sources)
    return hashlib.sha256(msgspec.json.encode(told)).hexdigest()


class Lines:
    """`file` remembers what the switch was told. Needs a running event loop."""

    def __init__(self, switch: Switch, file: Path) -> None:
        self._switch, self._file = switch, file
        self._wanted: dict[int, str] = {}
        self._of_account: dict[int, dict[int, str]] = {}
        self._core = ""
        self._told: dict[int, str] | None = None
        self._rescan: asyncio.TimerHandle | None = None

    def changed(self, account_id: int, snapshot: Snapshot | None) -> None:
        """An account has another configuration (None: it is gone)."""
        before, after = self._of_account.pop(account_id, {}), prints_of(snapshot)
        if after:
            self._of_account[account_id] = after
        if before == after:
            return
        for trunk_id in before:
            del self._wanted[trunk_id]
        self._wanted.update(after)
        if self._core and self._switch.connected:
            self._tell()

    def connected(self, core_uuid: str) -> None:
        """The switch has been swept; `core_uuid` names its run. It is told what it may have missed."""
        if core_uuid != self._core:
            self._core, self._told = core_uuid, self._remembered(core_uuid)
        if self._told != self._wanted and self._rescan is None:
            self._tell()

    def close(self) -> None:
        if self._rescan is not None:
            self._rescan.cancel()
            self._rescan = None

    def _tell(self) -> None:
        changed = [t for t, known in (self._told or {}).items() if self._wanted.get(t) != known]
        for trunk_id in changed:
            self._switch.gateway_kill(PROFILE, gateway_name(trunk_id))
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

    def _remembered(self, core_uuid: str) -> dict[int, str] | None:
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
                file.write(msgspec.json.encode(_Told(self._core, self._told or {})))
            fresh.replace(self._file)
        except OSError as error:  # a full disk: only a restart of the engine would miss it
            log.error("%s can't be written: %s", self._file, error)

# SPDX-License-Identifier: Apache-2.0
"""The last snapshot of every account on disk, so that calls go on when the engine starts while the database is away."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from engine.snapshot import CorePart, Part, Snapshot

log = logging.getLogger(__name__)


class _File(msgspec.Struct):
    revision: int
    core: CorePart
    parts: dict[str, Any]


class SnapshotFiles:
    """One file per account in `folder`, mode 600: it holds the (encrypted) SIP passwords."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._one_at_a_time = threading.Lock()
        self._newest: dict[int, int] = {}
        """Revision of each account's file, as far as this process has written it."""

    def write(self, account_id: int, snapshot: Snapshot) -> None:
        """Replace the account's file at once or not at all, never by an older revision; from any thread. Raises OSError."""
        data = msgspec.json.encode(_File(snapshot.revision, snapshot.core, dict(snapshot.parts)))
        with self._one_at_a_time:
            if snapshot.revision < self._newest.get(account_id, 0):
                return
            self.folder.mkdir(parents=True, exist_ok=True)
            fresh = self.folder / f".{account_id}.{os.getpid()}"
            with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                file.write(data)
            fresh.replace(self._path(account_id))
            self._newest[account_id] = snapshot.revision

    def remove(self, account_id: int) -> None:
        with self._one_at_a_time:
            self._newest.pop(account_id, None)
            self._path(account_id).unlink(missing_ok=True)

    def read_all(self, kinds: Mapping[str, type[Part]]) -> dict[int, Snapshot]:
        """Every account that can be read; a damaged file or part is logged and left out."""
        found = {}
        for path in sorted(self.folder.glob("*.json")):
            try:
                file = msgspec.json.decode(path.read_bytes(), type=_File)
            except (OSError, msgspec.DecodeError) as error:
                log.error("snapshot file %s can't be read: %s", path, error)
                continue
            found[file.core.account.id] = Snapshot(file.revision, file.core, dict(self._parts(path, file, kinds)))
        return found

    def _parts(self, path: Path, file: _File, kinds: Mapping[str, type[Part]]) -> Any:
        for name, data in file.parts.items():
            if name in kinds:
                try:
                    yield name, msgspec.convert(data, kinds[name])
                except msgspec.ValidationError as error:
                    log.error("part %s of snapshot file %s can't be read: %s", name, path, error)

    def _path(self, account_id: int) -> Path:
        return self.folder / f"{account_id}.json"

# SPDX-License-Identifier: Apache-2.0
"""Reading old revisions: what each changed, and the configuration as it was then. `Revisions` inherits it."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from engine.db import Tx, models
from engine.errors import NotFound, Refused
from engine.revisions.canonical import revive
from engine.revisions.diff import Change, differences
from engine.revisions.saving import Store
from engine.snapshot import CorePart, Part, Snapshot

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Revised:
    """A revision with the configurations before it (None: it is the first) and after."""

    row: models.Revision
    before: Snapshot | None
    after: Snapshot


def _snapshot(number: int, parts: Mapping[str, Part]) -> Snapshot | None:
    core = parts.get("core")
    if not isinstance(core, CorePart):
        return None
    return Snapshot(number, core, {name: part for name, part in parts.items() if name != "core"})


class History:
    """`stores`: plugin id → its PartStore, as in Revisions."""

    stores: Mapping[str, Store]

    async def history(self, account_id: int, limit: int = 50, below: int | None = None) -> Sequence[models.Revision]:
        """Newest first; page on by `below` = the last number seen."""
        rows = models.Revision.of(account_id).order_by("-number").limit(limit)
        return await (rows if below is None else rows.filter(number__lt=below))

    async def parts_at(self, account_id: int, number: int, tx: Tx | None = None) -> dict[str, Part]:
        """The configuration as it was at a revision, "core" included; parts of absent plugins are left out.

        NotFound when there is no such revision; Refused when a part can't be read by this version any more.
        """
        if not await models.Revision.of(account_id, tx).filter(number=number).exists():
            raise NotFound
        wanted: dict[str, type[Part]] = {"core": CorePart, **{name: store.part for name, store in self.stores.items()}}
        found: dict[str, Part] = {}
        below = number + 1
        while wanted:  # backwards in pages until every part has been met
            rows = await models.Revision.of(account_id, tx).filter(number__lt=below).order_by("-number").limit(50)
            for row in rows:
                for name in [name for name in wanted if name in row.parts]:
                    found[name] = revive(row.parts[name], wanted.pop(name))
            if not rows:
                break
            below = rows[-1].number
        return found

    async def snapshot_at(self, account_id: int, number: int, tx: Tx | None = None) -> Snapshot:
        """The configuration as it was at a revision, as `parts_at` gives it."""
        parts = await self.parts_at(account_id, number, tx)
        core = parts.pop("core", None)
        if not isinstance(core, CorePart):
            raise NotFound
        return Snapshot(number, core, parts)

    async def journal(self, account_id: int, limit: int = 20, below: int | None = None) -> list[Revised]:
        """Revisions with the configuration before and after each, newest first; page on by `below` = the last number seen.

        Parts that this version can't read any more are left out, as are those of absent plugins.
        """
        rows = list(await self.history(account_id, limit, below))
        if not rows:
            return []
        parts = await self._readable(account_id, rows[-1].number - 1)
        found: list[Revised] = []
        before = _snapshot(rows[-1].number - 1, parts)
        for row in reversed(rows):
            parts = {**parts, **self._revived(row)}
            after = _snapshot(row.number, parts)
            if after is not None:
                found.append(Revised(row, before, after))
            before = after
        return found[::-1]

    async def revised(self, account_id: int, number: int) -> Revised:
        """One revision. NotFound when there is none of this number."""
        found = await self.journal(account_id, 1, number + 1)
        if not found or found[0].row.number != number:
            raise NotFound
        return found[0]

    async def _readable(self, account_id: int, number: int) -> dict[str, Part]:
        wanted = {"core", *self.stores}
        found: dict[str, Part] = {}
        below = number + 1
        while wanted - set(found) and below > 1:
            rows = await self.history(account_id, 50, below)
            for row in rows:
                found = {**self._revived(row), **found}
            below = rows[-1].number if rows else 0
        return found

    def _revived(self, row: models.Revision) -> dict[str, Part]:
        kinds: dict[str, type[Part]] = {"core": CorePart, **{name: store.part for name, store in self.stores.items()}}
        found = {}
        for name, data in row.parts.items():
            if name in kinds:
                try:
                    found[name] = revive(data, kinds[name])
                except Refused as error:
                    log.warning("revision %d of account %d: part %s: %s", row.number, row.account_id, name, error)
        return found

    async def changes(self, account_id: int, number: int) -> list[Change]:
        """What one revision changed, against the one before it."""
        after = await self.parts_at(account_id, number)
        before = await self.parts_at(account_id, number - 1) if number > 1 else {}
        return differences(before, after)

# SPDX-License-Identifier: Apache-2.0
"""The one door for every change of an account's configuration, and the place that hands out the present snapshots.

The runtime opens one; cabinet, bot, API and command line edit through it; calls, directory and rehearsals ask it for snapshots.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Protocol

from tortoise.exceptions import IntegrityError

from engine import clock
from engine.db import Database, Tx, after_commit, is_away, models
from engine.errors import Conflict, NotFound, Refused
from engine.revisions.actor import Actor
from engine.revisions.canonical import plain
from engine.revisions.clash import clash
from engine.revisions.core_store import CoreStore
from engine.revisions.diff import differences, summary
from engine.revisions.disk import SnapshotFiles
from engine.revisions.history import History
from engine.revisions.refusals import refusal
from engine.revisions.rollback import bring_back, refuse_silent, restore_parts
from engine.revisions.saving import Store, changed_parts, findings, refuse_bad
from engine.snapshot import Attached, Element, Finding, Part, Ref, Snapshot
from engine.snapshot.rows import ElementStore

log = logging.getLogger(__name__)

TOPIC = "config"
"""The doorbell's topic: rung with the account whose configuration has a new revision."""

Changed = Callable[[int, Snapshot | None], object]


class Waiting(Protocol):
    async def wait(self, seconds: float, /) -> bool: ...


class Edit:
    """What `Revisions.edit` yields: rows are changed by `using_db=edit.tx`; the checks run when the block ends."""

    def __init__(self, revisions: Revisions, account_id: int, tx: Tx, before: Snapshot | None, made_from: Snapshot | None = None) -> None:
        """`made_from`: the older configuration that whoever edits has seen; None when it is `before`."""
        self.tx = tx
        self.account_id = account_id
        self.after: Snapshot | None = None
        """The configuration as saved; None until the block has ended, or when nothing was changed."""
        self.notes: list[str] = []
        self.dropped = False
        self.made_from = made_from
        self._revisions = revisions
        self._before = before

    @property
    def before(self) -> Snapshot:
        """The configuration as it was. NotFound in the edit that creates the account."""
        if self._before is None:
            raise NotFound
        return self._before

    def note(self, text: str) -> None:
        """Words for the journal of changes, instead of the automatic summary."""
        self.notes.append(text)

    def store_of(self, element: Element) -> ElementStore[Any]:
        """Where an element of whatever plugin is kept, for changes that concern the tree as a whole. NotFound when nobody keeps it."""
        for store in self._revisions.stores.values():
            if isinstance(store, ElementStore) and store.keeps(element):
                return store
        raise NotFound

    async def go_back(self, number: int) -> None:
        """The whole configuration as it was at a revision: the same elements under the same primary keys.

        NotFound when there is no such revision; Invalid when a sound is gone; at the block's end as of any edit.
        """
        parts = await self._revisions.parts_at(self.account_id, number, self.tx)
        await restore_parts(self.account_id, parts, self._revisions.core, self._revisions.stores, self.tx)
        refuse_silent(self.before, await self.preview(), self._revisions.media)
        self.note(f"← {number}")

    async def bring_back(self, number: int, ref: Ref | None) -> None:
        """One element as it was at a revision (`engine.revisions.rollback.bring_back`); None: the main settings of the PBX."""
        then = await self._revisions.snapshot_at(self.account_id, number)
        core, stores = self._revisions.core, self._revisions.stores
        title = await bring_back(self.account_id, self.before, then, ref, core, stores, self.tx)
        refuse_silent(self.before, await self.preview(), self._revisions.media)
        self.note(f"← {number}: {title}")

    async def checked(self) -> Snapshot:
        """The configuration as it would be saved now. Raises what the end of the block would: Clash, Invalid, InUse."""
        return await self._revisions.checked(self)

    def drop(self) -> None:
        """Leave everything as it was: at the end of the block nothing is saved."""
        self.dropped = True

    async def preview(self) -> Snapshot:
        """The configuration as edited so far, before any check: for rehearsals and where-used questions inside the block."""
        return await self._revisions.load(self.account_id, self.tx)


class Revisions(History):
    def __init__(
        self,
        db: Database,
        stores: Mapping[str, Store],
        state_dir: Path,
        ring: Callable[[str, int], object] = lambda topic, account_id: None,
        media: Path | None = None,
    ) -> None:
        """`stores`: plugin id → its PartStore, looked at whenever it is needed, so plugins may join later.

        `ring`: the doorbell, called with (TOPIC, account) after each save. `media`: where sounds lie, looked at before old ones come back.
        """
        self.db = db
        self.stores = stores
        self.core = CoreStore()
        self.media = media
        self._files = SnapshotFiles(state_dir / "snapshots")
        self._ring = ring
        self._snapshots: dict[int, Snapshot] = {}
        self._domains: dict[str, int] = {}
        self._numbers: dict[str, int] = {}
        self._listeners: list[Changed] = []

    # -- asking ----------------------------------------------------------------------------------------------------------

    def snapshot(self, account_id: int) -> Snapshot:
        """The present configuration, from memory. NotFound when there is no such account."""
        try:
            return self._snapshots[account_id]
        except KeyError:
            raise NotFound from None

    def accounts(self) -> list[int]:
        return sorted(self._snapshots)

    def account_for_domain(self, domain: str) -> int | None:
        """Whose SIP domain this is (R27)."""
        return self._domains.get(domain.lower())

    def account_for_number(self, number: str) -> int | None:
        """The account with this customer number (`core.default_account`)."""
        return self._numbers.get(number)

    def on_change(self, listener: Changed) -> None:
        """Call `listener(account, snapshot)` after every new revision seen by this process; None = the account is gone."""
        self._listeners.append(listener)

    def findings(self, account_id: int) -> list[Finding]:
        """Everything the checks have to say about the present configuration."""
        return list(findings(self.snapshot(account_id), self.core, self.stores))

    # -- reading ---------------------------------------------------------------------------------------------------------

    async def load(self, account_id: int, tx: Tx) -> Snapshot:
        """The configuration as the rows say inside a transaction. NotFound when there is no such account."""
        row = await models.Account.filter(id=account_id).using_db(tx).first()
        if row is None:
            raise NotFound
        core = await self.core.load(account_id, tx)
        parts = {name: await store.load(account_id, tx) for name, store in self.stores.items()}
        return Snapshot(row.revision, core, parts)

    async def load_all(self) -> None:
        """Take every account into memory at start; from the files of the last run when the database is away."""
        try:
            await self.refresh()
        except Exception as error:
            if not is_away(error):
                raise
            self._load_files(error)

    def _load_files(self, error: Exception) -> None:
        for account_id, snapshot in self._files.read_all({name: store.part for name, store in self.stores.items()}).items():
            self._publish(account_id, snapshot)
        log.error("database away at start (%s): going on with the last known configuration of %d accounts", error, len(self._snapshots))

    async def refresh(self) -> None:
        """Take over what other processes have saved since; called at a ring and now and then."""
        rows = dict(await models.Account.all().using_db(self.db.connection).values_list("id", "revision"))
        for account_id in set(self._snapshots) - set(rows):
            self._publish(account_id, None)
            await asyncio.to_thread(self._files.remove, account_id)
        for account_id, revision in rows.items():
            known = self._snapshots.get(account_id)
            if known is None or known.revision != revision or set(known.parts) != set(self.stores):
                await self._refresh_one(account_id)

    async def _refresh_one(self, account_id: int) -> None:
        async with self.db.transaction() as tx:
            if self.db.dialect == "postgres":
                # several tables must be read as of one moment
                await tx.execute_query("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            try:
                snapshot = await self._load_tolerant(account_id, tx)
            except NotFound:
                return  # removed since the list was read
        self._publish(account_id, snapshot)
        await self._keep(account_id, snapshot)

    async def _load_tolerant(self, account_id: int, tx: Tx) -> Snapshot:
        """Like `load`, but a plugin whose part can't be read is left out: its targets follow R26, everybody else works."""
        row = await models.Account.filter(id=account_id).using_db(tx).first()
        if row is None:
            raise NotFound
        core = await self.core.load(account_id, tx)
        parts: dict[str, Part] = {}
        for name, store in self.stores.items():
            try:
                async with self.db.savepoint(tx) as inner:
                    parts[name] = await store.load(account_id, inner)
            except Exception as error:
                if is_away(error):
                    raise
                log.exception("the part %s of account %d can't be loaded; it is left out", name, account_id)
        return Snapshot(row.revision, core, parts)

    async def follow(self, bell: Waiting, every: float = 5.0) -> None:
        """Run for ever: refresh at each ring, and every few seconds in case one was missed. Survives an absent database."""
        away = False
        while True:
            await bell.wait(every)
            try:
                await self.refresh()
            except Exception as error:
                if not is_away(error):
                    log.exception("the configuration could not be refreshed")
                elif not away:
                    log.warning("database away: going on with the known configuration: %s", error)
                away = is_away(error)
            else:
                if away:
                    log.info("database back: the configuration is up to date")
                away = False

    def _publish(self, account_id: int, snapshot: Snapshot | None) -> None:
        known = self._snapshots.get(account_id)
        if snapshot is None:
            self._snapshots.pop(account_id, None)
        elif known is None or known.revision <= snapshot.revision:
            self._snapshots[account_id] = snapshot
        else:
            return
        self._index(account_id, known, snapshot)
        for listener in self._listeners:
            listener(account_id, snapshot)

    def _index(self, account_id: int, before: Snapshot | None, after: Snapshot | None) -> None:
        """Only this account's entries: a name may have gone from one account to another in the meantime."""
        for account, gone in ((before, True), (after, False)):
            if account is None:
                continue
            for index, name in ((self._domains, account.account.domain.lower()), (self._numbers, account.account.number)):
                if not gone:
                    index[name] = account_id
                elif index.get(name) == account_id:
                    del index[name]

    async def _keep(self, account_id: int, snapshot: Snapshot) -> None:
        """On disk, for a start without the database. What was saved is saved, also when the disk is full."""
        try:
            await asyncio.to_thread(self._files.write, account_id, snapshot)
        except OSError as error:
            log.error("the snapshot of account %d can't be kept on disk: %s", account_id, error)

    # -- changing --------------------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def edit(self, account_id: int, actor: Actor, expected: int | None = None) -> AsyncIterator[Edit]:
        """Change an account's rows inside the block; at its end everything is checked and saved as one new revision.

        Raises Clash, which is a Conflict, when the block changes something that others have changed since revision `expected`,
        Conflict when there is no such revision or it can't be read; Invalid or InUse when the result is bad, NotFound without the
        account; then nothing is saved. A block that changes no part, or is dropped, makes no revision.
        """
        try:
            async with self.db.transaction() as tx:
                row = await models.Account.filter(id=account_id).using_db(tx).select_for_update().first()
                if row is None:
                    raise NotFound
                made_from = await self._made_from(account_id, expected, row.revision, tx)
                known = self._snapshots.get(account_id)
                fresh = known is not None and known.revision == row.revision and set(known.parts) == set(self.stores)
                edit = Edit(self, account_id, tx, known if fresh else await self.load(account_id, tx), made_from)
                yield edit
                if edit.dropped:
                    raise _Dropped
                await self._save(edit, actor, first=row.revision == 0)
        except _Dropped:
            return
        except IntegrityError as error:
            raise refusal(error) from error
        if edit.after is not None:
            await self._keep(account_id, edit.after)

    async def _made_from(self, account_id: int, number: int | None, now: int, tx: Tx) -> Snapshot | None:
        """An older configuration, to see what has changed since; None when it is the present one. Raises Conflict when it can't be had."""
        if number is None or number == now:
            return None
        try:
            return await self.snapshot_at(account_id, number, tx)
        except Refused as refused:
            raise Conflict from refused

    @asynccontextmanager
    async def create_account(self, actor: Actor, **fields: Any) -> AsyncIterator[Edit]:
        """Create an account (`number`, `title`, `domain`, … of models.Account) and fill it inside the block; saved as revision 1."""
        try:
            async with self.db.transaction() as tx:
                row = await models.Account.create(using_db=tx, **fields)
                edit = Edit(self, row.id, tx, None)
                yield edit
                await self._save(edit, actor, first=True)
        except IntegrityError as error:
            raise refusal(error) from error
        if edit.after is not None:
            await self._keep(edit.account_id, edit.after)

    async def _save(self, edit: Edit, actor: Actor, *, first: bool) -> None:
        before = edit._before
        after = await self.checked(edit)
        changed = changed_parts(None if first else before, after)
        if not changed:
            return
        number = after.revision + 1
        after = Snapshot(number, after.core, after.parts)
        changes = differences(_parts(before), _parts(after))
        await models.Revision.create(
            account_id=edit.account_id,
            number=number,
            at=clock.now(),
            actor_user_id=actor.user_id,
            actor_name=actor.name[:200],
            channel=actor.channel,
            parts={name: plain(part) for name, part in changed.items()},
            summary="; ".join(edit.notes) or summary(changes),
            using_db=edit.tx,
        )
        await models.Account.filter(id=edit.account_id).using_db(edit.tx).update(revision=number)
        edit.after = after
        after_commit(edit.tx, lambda: self._committed(edit.account_id, after, actor))

    async def checked(self, edit: Edit) -> Snapshot:
        """What the edit has made of the configuration, tidied. Raises Clash, Invalid, InUse when it may not be saved."""
        await self.core.tidy(edit.account_id, edit.tx)
        after = await self._without_orphans(edit, await self.load(edit.account_id, edit.tx))
        if edit.made_from is not None and (found := clash(edit.made_from, edit.before, after)):
            raise found
        refuse_bad(edit._before, after, self.core, self.stores)
        return after

    async def _without_orphans(self, edit: Edit, after: Snapshot) -> Snapshot:
        """What was attached to an element that is gone goes with it."""
        orphans = [e for e in after.elements() if isinstance(e, Attached) and (e.parent is None or after.element(e.parent) is None)]
        for orphan in orphans:
            await edit.store_of(orphan).remove(edit.account_id, orphan, edit.tx)
        return await self.load(edit.account_id, edit.tx) if orphans else after

    def _committed(self, account_id: int, after: Snapshot, actor: Actor) -> None:
        log.info("account %d is at revision %d, saved by %s (%s)", account_id, after.revision, actor.name, actor.channel)
        self._publish(account_id, after)
        self._ring(TOPIC, account_id)

    async def restore(self, account_id: int, actor: Actor, number: int, expected: int | None = None) -> None:
        """Bring an old revision back as a new one: the same elements under the same primary keys. Raises like `edit`."""
        async with self.edit(account_id, actor, expected) as edit:
            await edit.go_back(number)


class _Dropped(Exception):  # noqa: N818 — no error
    """Rolls the transaction of a dropped edit back."""


def _parts(snapshot: Snapshot | None) -> dict[str, Part]:
    return {} if snapshot is None else {"core": snapshot.core, **snapshot.parts}

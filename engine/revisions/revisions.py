# SPDX-License-Identifier: Apache-2.0
"""The one door for every change of an account's configuration.

The runtime opens one; cabinet, bot, API and command line edit through it; calls, directory and rehearsals ask it for snapshots
(`engine.revisions.present`).
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tortoise.exceptions import IntegrityError

from engine import clock
from engine.db import Database, Tx, after_commit, models
from engine.errors import Conflict, NotFound, Refused
from engine.revisions.actor import Actor
from engine.revisions.canonical import plain
from engine.revisions.clash import clash
from engine.revisions.core_store import CoreStore
from engine.revisions.diff import Change, differences, summary
from engine.revisions.history import History
from engine.revisions.merge import merge, states
from engine.revisions.present import Present
from engine.revisions.refusals import refusal
from engine.revisions.rollback import bring_back, refuse_lost_logins, refuse_silent, restore_parts
from engine.revisions.saving import Store, changed_parts, findings, refuse_bad
from engine.snapshot import Attached, Element, Finding, Ref, Snapshot
from engine.snapshot.rows import ElementStore

log = logging.getLogger(__name__)

TOPIC = "config"
"""The doorbell's topic: rung with the account whose configuration has a new revision."""


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
        self.taken_over: tuple[Change, ...] = ()
        """What others have changed since `made_from`, and this edit has not decided, of the things it saves: it stays as they have it."""
        self.whole = False
        """It brings back what was, whatever stands there: nothing is taken over."""
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

        NotFound when there is no such revision; Invalid when a sound is gone, or somebody who can enter the cabinet did not exist then;
        at the block's end as of any edit.
        """
        self.whole = True
        parts = await self._revisions.parts_at(self.account_id, number, self.tx)
        await refuse_lost_logins(self.account_id, parts, self.tx)
        await restore_parts(self.account_id, parts, self._revisions.core, self._revisions.stores, self.tx)
        refuse_silent(self.before, await self.preview(), self._revisions.media)
        self.note(f"← {number}")

    async def bring_back(self, number: int, ref: Ref | None) -> None:
        """One element as it was at a revision (`engine.revisions.rollback.bring_back`); None: the main settings of the PBX."""
        self.whole = True
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


class Revisions(Present, History):
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
        super().__init__(db, stores, CoreStore(), state_dir / "snapshots")
        self.media = media
        self._ring = ring

    def findings(self, account_id: int) -> list[Finding]:
        """Everything the checks have to say about the present configuration."""
        return list(findings(self.snapshot(account_id), self.core, self.stores))

    # -- changing --------------------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def edit(self, account_id: int, actor: Actor, expected: int | None = None) -> AsyncIterator[Edit]:
        """Change an account's rows inside the block; at its end everything is checked and saved as one new revision.

        Raises Clash, which is a Conflict, when the block changes something that others have changed otherwise since revision `expected`;
        what it has left as it was then stays as they have made it (`engine.revisions.merge`). Raises Conflict when there is no such
        revision or it can't be read; Invalid or InUse when the result is bad, NotFound without the account; then nothing is saved. A block
        that changes no part, or is dropped, makes no revision.
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
        changes = differences({} if before is None else states(before), states(after))
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
        if edit.made_from is not None:
            if not edit.whole:
                after = await self._with_theirs(edit, edit.made_from, after)
            if found := clash(edit.made_from, edit.before, after, edit.whole):
                raise found
        refuse_bad(edit._before, after, self.core, self.stores)
        return after

    async def _with_theirs(self, edit: Edit, then: Snapshot, mine: Snapshot) -> Snapshot:
        """What others have saved since `then`, and the edit only puts back because it has not seen it, stays."""
        parts = merge(then, edit.before, mine)
        if not parts:
            return mine
        await restore_parts(edit.account_id, parts, self.core, self.stores, edit.tx)
        after = await self.load(edit.account_id, edit.tx)
        edit.taken_over = tuple(differences(states(mine), states(after)))
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

# SPDX-License-Identifier: Apache-2.0
"""What other processes may see of the node: calls in progress written behind as rows, and which phones are registered."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from engine import clock
from engine.calls.live import LiveCall
from engine.calls.node import Node
from engine.db import Database, is_away, models
from engine.jobs import Doorbell
from engine.snapshot import Ref, Snapshot

log = logging.getLogger(__name__)

LIVE_TOPIC = "live"
PRESENCE_TOPIC = "presence"
WRITE_EVERY_SECONDS = 1.0


class PresenceRows:
    """Registered logins by account; filled by the engine of this process."""

    def __init__(self) -> None:
        self.node: Node | None = None

    def of(self, snapshot: Snapshot) -> Mapping[Ref, bool]:
        """SIP contacts (kind "core.contact") of the account and whether a phone is registered for them."""
        logins = self.node.phones.registrations.logins(snapshot.account.id) if self.node else frozenset()
        return {Ref("core.contact", a.contact): a.login in logins for a in snapshot.core.sip_accounts}

    def addresses(self, snapshot: Snapshot) -> Mapping[str, Sequence[str]]:
        """Each registered login with the addresses of its phones; one login may have several."""
        if self.node is None:
            return {}
        known, account = self.node.phones.registrations, snapshot.account.id
        return {
            login: list(dict.fromkeys(phone.address.rpartition(":")[0].strip("[]") for phone in known.of(account, login)))
            for login in sorted(known.logins(account))
        }


def state_of(call: LiveCall) -> dict[str, Any]:
    """One call as the live view shows it."""
    legs = [
        {
            "label": s.leg.label, "user": s.leg.user, "contact": s.leg.contact, "reason": s.reason, "external": s.leg.external,
            "state": "talking" if s.peer and s.answered_at else "answered" if s.answered_at else "ringing",
        }
        for s in call.open_legs()
    ]  # fmt: skip
    place = next((step.facts.get("title") for _, step in reversed(call.steps) if step.what == "enters"), None)
    return {
        "direction": call.direction,
        "caller": call.caller.number,
        "caller_name": call.caller.name,
        "dialled": call.caller.dialled,
        "started_at": call.started_at.isoformat(),
        "talk_started_at": call.talk_started_at.isoformat() if call.talk_started_at else None,
        "place": place,
        "legs": legs,
    }


class LiveRows:
    """Writes changed calls at most once a second; a call's way never waits for it."""

    def __init__(self, db: Database, doorbell: Doorbell, node_name: str) -> None:
        self._db, self._doorbell, self._name = db, doorbell, node_name
        self._dirty: dict[str, LiveCall] = {}
        self._wake = asyncio.Event()
        self._fresh = True

    def changed(self, call: LiveCall) -> None:
        self._dirty[call.id] = call
        self._wake.set()

    async def run(self) -> None:
        """Runs for ever as a task; begins by forgetting what an earlier engine of this node left."""
        while True:
            try:
                if self._fresh:
                    await models.LiveCallRow.filter(node=self._name).delete()
                    self._fresh = False
                await self._write()
            except Exception as error:
                if not is_away(error):
                    raise
                log.warning("live view not written, the database is away: %s", error)
            await self._wake.wait()
            self._wake.clear()
            await asyncio.sleep(WRITE_EVERY_SECONDS / 4)

    async def _write(self) -> None:
        dirty, self._dirty = self._dirty, {}
        if not dirty:
            return
        try:
            await self._store(dirty.values())
        except Exception as error:
            if is_away(error):
                self._dirty = {**dirty, **self._dirty}
                raise
            log.warning("live view: a batch of %d calls was refused (%s); writing them one by one", len(dirty), error)
            await self._one_by_one(dirty)
        for account_id in {c.snapshot.account.id for c in dirty.values()}:
            self._doorbell.ring(LIVE_TOPIC, account_id)

    async def _one_by_one(self, calls: Mapping[str, LiveCall]) -> None:
        """So that one bad call (its customer was deleted meanwhile) hides no other."""
        for call in calls.values():
            try:
                await self._store([call])
            except Exception as error:
                if is_away(error):
                    self._dirty = {**calls, **self._dirty}
                    raise
                log.error("the live view can't show the call: %s", error, extra={"call": call.id})

    async def _store(self, calls: Collection[LiveCall]) -> None:
        async with self._db.transaction() as tx:
            over = [c.id for c in calls if not c.open_legs()]
            if over:
                await models.LiveCallRow.filter(call_id__in=over).using_db(tx).delete()
            for call in calls:
                if call.open_legs():
                    account = call.snapshot.account.id
                    values = {"account_id": account, "node": self._name, "state": state_of(call), "updated_at": clock.now()}
                    await models.LiveCallRow.update_or_create(values, using_db=tx, call_id=call.id)

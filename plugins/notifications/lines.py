# SPDX-License-Identifier: Apache-2.0
"""Alerts when an operator's line is out of order and when it works again (NUM-2), to whom the missed calls of the whole PBX are told."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from html import escape
from typing import Any, Final

from engine.sdk import (
    N_,
    Context,
    Letter,
    Snapshot,
    Trunk,
    clock,
    format_datetime,
    format_duration,
    format_phone,
    owe_letters,
    owe_posts,
    people,
    translate,
)
from plugins.notifications import service
from plugins.notifications.models import LineTrouble

EVERY: Final = timedelta(seconds=10)
PATIENCE: Final = timedelta(seconds=60)
"""An operator's server that is restarted is no news."""
_WORKS: Final = "REGED"


class LineWatch:
    """A job of the process that has the engine: only that one knows how the lines are."""

    def __init__(self, ctx: Context) -> None:
        self.ctx = ctx

    async def run(self) -> None:
        troubles: dict[int, dict[int, LineTrouble]] = {}
        for row in await LineTrouble.all():
            troubles.setdefault(int(row.account_id), {})[row.trunk_id] = row
        for account in self.ctx.accounts():
            await self._look(account, troubles.pop(account, {}))

    async def _look(self, account: int, troubles: dict[int, LineTrouble]) -> None:
        states = self.ctx.trunk_states(account)
        if not states and not troubles:
            return
        snapshot, now = self.ctx.snapshot(account), clock.now()
        for line in snapshot.core.trunks:
            if not (line.active and line.registers):
                continue
            state, trouble = states.get(line.id), troubles.pop(line.id, None)
            if state is None:
                continue  # not known yet, as after a change of the line
            if state == _WORKS:
                if trouble is not None:
                    async with self.ctx.transaction() as tx:
                        if trouble.told:
                            await self._tell(snapshot, line, trouble, tx, works=True)
                        await trouble.delete(using_db=tx)
            elif trouble is None:
                await LineTrouble.create(account_id=account, trunk_id=line.id, since=now)
            elif not trouble.told and now - trouble.since >= PATIENCE:
                async with self.ctx.transaction() as tx:
                    trouble.told = True
                    await trouble.save(using_db=tx, update_fields=["told"])
                    await self._tell(snapshot, line, trouble, tx, works=False)
        for gone in troubles.values():
            await gone.delete()

    async def _tell(self, snapshot: Snapshot, line: Trunk, trouble: LineTrouble, tx: Any, *, works: bool) -> None:
        account, language = snapshot.account.id, snapshot.account.language
        subject, words = _words(snapshot, line, trouble, language, works=works)
        told = service.recipients_of_all(snapshot)
        event = f"line:{trouble.id}:{'up' if works else 'down'}"
        letter = Letter.of(subject, [words])
        for address in told.emails:
            await owe_letters(self.ctx.enqueue, account, (address,), (), letter, key=event, at=clock.now(), tx=tx)
        if self.ctx.settings.bot.token:
            chats = await people.own_chats(account, told.chats, tx)
            post = {"html": f"<b>{escape(subject)}</b>\n{escape(words)}"}
            await owe_posts(self.ctx.enqueue, account, chats, post, key=event, tx=tx)


def _words(snapshot: Snapshot, line: Trunk, trouble: LineTrouble, language: str, *, works: bool) -> tuple[str, str]:
    """Subject and text."""
    t = partial(translate, language)
    numbers = ", ".join(format_phone(did.number) for did in snapshot.core.dids if did.trunk == line.ref) or "—"
    if works:
        subject = t(N_("The line “{line}” works again"), line=line.title)
        length = format_duration(clock.now() - trouble.since)
        return subject, t(N_("It was out of order for {length}. Numbers: {numbers}."), length=length, numbers=numbers)
    subject = t(N_("The line “{line}” is out of order"), line=line.title)
    at = format_datetime(language, trouble.since, snapshot.account.timezone, "medium")
    return subject, t(
        N_("The PBX is not registered with the operator since {at}: calls to these numbers do not arrive: {numbers}. It is tried again."),
        at=at, numbers=numbers,
    )  # fmt: skip

# SPDX-License-Identifier: Apache-2.0
"""Choosing the phrases of CallOut (CO-3), inside an edit: nothing is saved when it raises; and which wrong PINs are remembered."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from engine.sdk import N_, Edit, ElementStore, Finding, Snapshot, clock, decode_fact, models
from plugins.callout.facts import BLOCKED_FOR, WITHIN, WrongPin
from plugins.callout.models import PhrasesRow
from plugins.callout.part import CallOutPart, CallOutPhrases, phrases_of


def check(part: CallOutPart, whole: Snapshot) -> Iterable[Finding]:
    if len(part.phrases) > 1:
        yield Finding("error", part.phrases[1].ref, N_("CallOut has one set of phrases only."))


store: ElementStore[CallOutPart] = ElementStore(CallOutPart, {"phrases": PhrasesRow}, check)


async def save_phrases(edit: Edit, wish: CallOutPhrases) -> None:
    """`wish.id` does not matter: there is one set of phrases, made when it is first saved."""
    known = phrases_of(edit.before)
    if known.id:
        await store.save(edit.account_id, msgspec.structs.replace(wish, id=known.id), edit.tx)
    else:
        await store.insert(edit.account_id, wish, edit.tx)


async def recent_wrong_pins() -> list[WrongPin]:
    """Of all accounts, as far back as they may still block a number."""
    since = clock.now() - WITHIN - BLOCKED_FOR
    rows = await models.FactRow.filter(kind=WrongPin.kind, at__gte=since).order_by("at")
    facts = (decode_fact({**row.data, "kind": row.kind}) for row in rows)
    return [fact for fact in facts if isinstance(fact, WrongPin)]

# SPDX-License-Identifier: Apache-2.0
"""A form about something that somebody has deleted since it was opened: shown again with all that was typed, and with who deleted it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from engine.sdk import N_, Ref, Refused, Snapshot

if TYPE_CHECKING:
    from web.visit import Visit

MOST: Final = 50
"""So many of the revisions since are looked through for who it was."""
WORDS: Final = N_(
    "“{title}” has been deleted meanwhile: {who}. Nothing is saved. Bring it back in the journal of changes, then save this form again."
)


async def gone(visit: Visit, kind: str) -> tuple[Snapshot, Refused] | None:
    """The configuration that the posted form was made from, and what has become of its element; None when that is not what is wrong.

    `kind`: the name of the form's page, which is the kind of its element where it has one.
    """
    made_from, names = visit.made_from, visit.request.match_info
    if made_from is None or visit.who is None:
        return None
    try:
        then = await visit.ctx.snapshot_at(visit.account_id, made_from)
        ref = Ref.parse(names["of"]) if "of" in names else Ref(kind, visit.id())
    except (Refused, ValueError):
        return None
    element, now = then.element(ref), visit.ctx.snapshot(visit.account_id)
    if element is None or now.element(ref) is not None:
        return None
    since = await visit.ctx.journal(visit.account_id, min(now.revision - then.revision, MOST), now.revision + 1)
    deleted = (one for one in since if one.before is not None and one.before.element(ref) is not None and one.after.element(ref) is None)
    who = next((one.row.actor_name for one in deleted), "…")
    return then, Refused(WORDS, title=element.title, who=who)

# SPDX-License-Identifier: Apache-2.0
"""What a save has made worth a warning, told with “Saved”: what the checks of core and plugins, of users who can't be rung, and of
phones that a new white list shuts out, say now and did not say before.

What calls have to be tried for stands in the check of settings (`web.pages.check`).
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, Final

from engine.sdk import Edit, Snapshot, beside, new_warnings, shut_out

if TYPE_CHECKING:
    from web.visit import Visit

MOST: Final = 3
"""So many are told; they travel in a cookie."""
NAMED: Final = 8
"""Phones that one of them names."""


@asynccontextmanager
async def warning(visit: Visit, door: AbstractAsyncContextManager[Edit]) -> AsyncIterator[Edit]:
    """An edit whose new warnings are kept for the page that comes after it."""
    async with door as edit:
        yield edit
    if edit.after is not None:
        registry = visit.ctx.registry
        found = list(shut_out(edit.before, edit.after, visit.ctx.phone_addresses(visit.account_id), most=NAMED))
        found += await beside(new_warnings(edit.before, edit.after, registry.actions(), registry.parts()))
        visit.warnings = taken_over(visit, edit, edit.after) + [visit.t(finding.message, **finding.params) for finding in found[:MOST]]


def taken_over(visit: Visit, edit: Edit, after: Snapshot) -> list[str]:
    """What others have changed since the form was opened and the form has not: it stays as they have it."""
    told = visit.speaker(edit.made_from, after).tell(edit.taken_over)
    fields = {f"{one.noun} {visit.t('“{title}”', title=one.title)}": dict.fromkeys(line.title for line in one.lines) for one in told}
    what = "; ".join(f"{name}: {', '.join(titles)}" for name, titles in fields.items() if titles)
    return [visit.t("Changed meanwhile, and left so: {what}.", what=what)] if what else []

# SPDX-License-Identifier: Apache-2.0
"""What a save has made worth a warning, told with “Saved”: what the checks of core and plugins, of users who can't be rung, and of
phones that a new white list shuts out, say now and did not say before.

What calls have to be tried for stands in the check of settings (`web.pages.check`).
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, Final

from engine.sdk import Edit, beside, new_warnings, shut_out

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
        visit.warnings = [visit.t(finding.message, **finding.params) for finding in found[:MOST]]

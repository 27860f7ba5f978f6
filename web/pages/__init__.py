# SPDX-License-Identifier: Apache-2.0
"""The shell's own pages: what the cabinet shows whichever plugins run."""

from web.pages import check, history, home, live, login, members, pbx, portable, profile, rehearsal, system, telegram, users

PAGES = (
    *login.PAGES,
    *home.PAGES,
    *live.PAGES,
    *pbx.PAGES,
    *users.PAGES,
    *rehearsal.PAGES,
    *check.PAGES,
    *history.PAGES,
    *portable.PAGES,
    *members.PAGES,
    *profile.PAGES,
    *telegram.PAGES,
    *system.PAGES,
)

__all__ = ["PAGES"]

# SPDX-License-Identifier: Apache-2.0
"""What an administrator may want to know of the installation: plugins that did not start, deliveries that were given up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from aiohttp import web as http

from engine.sdk import N_, Page
from web.visit import Visit

CHANNELS: Final[Mapping[str, str]] = {"email": N_("E-mail"), "telegram": N_("Telegram")}
"""Others are shown by their names."""


async def plugins(visit: Visit) -> http.Response:
    return visit.render("shell/plugins.html", states=visit.ctx.registry.states)


async def deliveries(visit: Visit) -> http.Response:
    """Notices nobody has got, with the reason, each to be tried again once it is mended."""
    rows = [(row, visit.t(CHANNELS.get(row.channel, row.channel))) for row in await visit.ctx.undelivered(visit.account_id)]
    return visit.render("shell/deliveries.html", rows=rows)


async def deliver_again(visit: Visit) -> http.Response:
    await visit.ctx.deliver_again(visit.account_id, visit.id())
    return visit.go(visit.url("system.deliveries"), message=visit.t("It is tried again now."))


PAGES = (
    Page("GET", "/system/plugins", plugins, "admin", name="system.plugins", menu=N_("Plugins"), menu_section="service", icon="plugin"),
    Page(
        "GET", "/system/deliveries", deliveries, "admin", name="system.deliveries", menu=N_("Undelivered"), menu_section="service",
        icon="info",
    ),
    Page("POST", "/system/deliveries/{id}", deliver_again, "admin", name="system.deliveries.again"),
)  # fmt: skip

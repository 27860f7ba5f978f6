# SPDX-License-Identifier: Apache-2.0
"""What an administrator may want to know of the installation: plugins that did not start."""

from __future__ import annotations

from aiohttp import web as http

from engine.sdk import N_, Page
from web.visit import Visit


async def plugins(visit: Visit) -> http.Response:
    return visit.render("shell/plugins.html", states=visit.ctx.registry.states)


PAGES = (
    Page("GET", "/system/plugins", plugins, "admin", name="system.plugins", menu=N_("Plugins"), menu_section="service", icon="plugin"),
)

# SPDX-License-Identifier: Apache-2.0
"""Builds the cabinet's application: host, templates, shell pages, pages of the running plugins. Started by the runtime by name."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import aiohttp_jinja2
import jinja2
from aiohttp import web as http

from engine.sdk import Context, Plugin
from web import health, words
from web.errors import error_pages
from web.headers import security_headers
from web.host import STATIC, Host
from web.pages import PAGES
from web.tree import tree

log = logging.getLogger(__name__)
HOST: Final = http.AppKey("host", Host)
_TEMPLATES: Final = Path(__file__).parent / "templates"


async def make_app(ctx: Context) -> http.Application:
    """The cabinet, ready to be served. Raises PluginError when two pages collide."""
    host = Host(ctx)
    app = http.Application(middlewares=[security_headers(host), error_pages(host)], client_max_size=host.largest_body)
    app[HOST] = host
    _set_up_templates(app, host)
    host.mount(app, PAGES, "the cabinet itself")
    for plugin, page in ctx.registry.pages():
        host.mount(app, [page], plugin.meta.id)
    health.add_routes(app, ctx)
    app.router.add_get("/static/{version}/{name}", _static)
    app.on_shutdown.append(_stop)
    log.info("cabinet ready: %d pages", len(host.table))
    return app


async def _stop(app: http.Application) -> None:
    """Streams end by themselves, so that the server need not wait for them."""
    app[HOST].stopping.set()
    await app[HOST].checks.close()


def _set_up_templates(app: http.Application, host: Host) -> None:
    folders: dict[str, jinja2.BaseLoader] = {}
    for plugin in host.ctx.registry.running():
        folder = folder_of(plugin) / "templates"
        if folder.is_dir():
            folders[plugin.meta.id] = jinja2.FileSystemLoader(folder)
    loader = jinja2.ChoiceLoader([jinja2.FileSystemLoader(_TEMPLATES), jinja2.PrefixLoader(folders)])
    env = aiohttp_jinja2.setup(app, loader=loader, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    helpers: Mapping[str, Any] = {"static": host.static, "tree": tree, **words.HELPERS}
    env.globals.update(helpers)


def folder_of(plugin: Plugin) -> Path:
    """Where a plugin's files lie, in this repository or in a package of its own."""
    module = sys.modules[type(plugin).__module__]
    return Path(module.__file__ or "").parent


async def _static(request: http.Request) -> http.StreamResponse:
    """Style sheet, scripts, icon. The version in the address changes with any of them, so browsers may keep them for ever."""
    path = STATIC / request.match_info["name"]
    if path.name not in {p.name for p in STATIC.iterdir()}:
        raise http.HTTPNotFound
    return http.FileResponse(path, headers={"Cache-Control": "public, max-age=31536000, immutable"})

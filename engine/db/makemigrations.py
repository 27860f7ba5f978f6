# SPDX-License-Identifier: Apache-2.0
"""`python -m engine.db.makemigrations [app[=models.module] …]`: write the migrations that the models lack; for developers.

Without arguments the core and every plugin folder that has models.
"""

from __future__ import annotations

import asyncio
import pkgutil
import sys
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

from tortoise.context import require_context
from tortoise.migrations.autodetector import MigrationAutodetector

from engine.db.database import Database
from engine.settings import Core, Settings


def found() -> list[tuple[str, str]]:
    """(app, models module) of every plugin in the folder."""
    spec = find_spec("plugins")
    names = [info.name for info in pkgutil.iter_modules(spec.submodule_search_locations if spec else None) if info.ispkg]
    return [(name, f"plugins.{name}.models") for name in names if find_spec(f"plugins.{name}.models")]


async def write(plugin_models: list[tuple[str, str]], only: set[str]) -> list[str]:
    """Write missing migrations of the apps named; returns the paths."""
    with TemporaryDirectory() as state:
        database = await Database.open(Settings(core=Core(state=state)), plugin_models)
        with database.active():
            apps = database.config()["apps"]
            for app in only or apps:
                _package(apps[app]["migrations"])
            known = require_context().apps
            if known is None:
                raise RuntimeError("the models are not loaded")
            for models in known.values():
                for model in models.values():
                    model._meta.table_description = ""  # a docstring is no part of the schema
            detector = MigrationAutodetector(known, apps)
            writers = [writer for writer in await detector.changes() if not only or writer.app_label in only]
            paths = [Path(writer.write()) for writer in writers]
        await database.close()
    for path in paths:
        path.write_text(f"# SPDX-License-Identifier: Apache-2.0\n{path.read_text('utf-8')}", "utf-8")
    return [str(path) for path in paths]


def _package(module: str) -> None:
    parent, _, name = module.rpartition(".")
    spec = find_spec(parent)
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit(f"{parent} is no package")
    folder = Path(next(iter(spec.submodule_search_locations))) / name
    folder.mkdir(exist_ok=True)
    if not (folder / "__init__.py").exists():
        (folder / "__init__.py").write_text("# SPDX-License-Identifier: Apache-2.0\n")


def main(arguments: list[str]) -> None:
    only = set(arguments)
    for path in asyncio.run(write([pair for pair in found() if not only or pair[0] in only], only)):
        sys.stdout.write(f"{path}\n")


if __name__ == "__main__":
    main(sys.argv[1:])

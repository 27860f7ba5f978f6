# SPDX-License-Identifier: Apache-2.0
"""Finds plugins (the folder `plugins/` and the entry-point group `vats.plugins`) and puts them in order of dependency."""

from __future__ import annotations

import importlib
import logging
from collections.abc import Iterable, Sequence
from importlib.metadata import entry_points
from pathlib import Path

from engine.errors import PluginError
from engine.plugin.contract import Plugin, PluginState

log = logging.getLogger(__name__)

ENTRY_POINTS = "vats.plugins"


def find(folder: str = "plugins", skip: Iterable[str] = ()) -> list[PluginState]:
    """Every plugin that can be found, in order. One that can't be imported is returned with its error.

    Raises PluginError with a sentence that names both sides of a missing or circular dependency.
    """
    states: dict[str, PluginState] = {}
    package = importlib.import_module(folder)
    for root in package.__path__:
        for path in sorted(Path(root).glob("*/plugin.py")):
            name = path.parent.name
            if name not in skip:
                _add(states, name, f"{folder}.{name}.plugin")
    for point in sorted(entry_points(group=ENTRY_POINTS), key=lambda p: p.name):
        if point.name not in skip:
            _add(states, point.name, point.value.partition(":")[0])
    return in_order(list(states.values()))


def _add(states: dict[str, PluginState], name: str, module: str) -> None:
    if name in states:
        raise PluginError(f"Two plugins are called {name}.")
    try:
        plugin = _plugin_of(module)
    except Exception as error:  # a stranger's module may raise anything; the others go on without it
        log.exception("plugin %s can't be loaded", name)
        states[name] = PluginState(_absent(name), error=f"{type(error).__name__}: {error}")
        return
    if plugin.meta.id != name:
        raise PluginError(f"The plugin in {module} calls itself {plugin.meta.id}, but its place says {name}.")
    states[name] = PluginState(plugin)


def _plugin_of(module: str) -> Plugin:
    found = importlib.import_module(module)
    kinds = [v for v in vars(found).values() if isinstance(v, type) and issubclass(v, Plugin) and v.__module__ == module]
    if len(kinds) != 1:
        raise PluginError(f"{module} must define exactly one Plugin, it defines {len(kinds)}.")
    return kinds[0]()


def _absent(name: str) -> Plugin:
    from engine.plugin.contract import PluginMeta

    plugin = Plugin()
    plugin.meta = PluginMeta(name, name)
    return plugin


def in_order(states: Sequence[PluginState]) -> list[PluginState]:
    """Dependencies first, otherwise by name. Raises PluginError naming both sides."""
    by_id = {s.plugin.meta.id: s for s in states}
    ordered: list[PluginState] = []
    done: set[str] = set()

    def visit(state: PluginState, path: tuple[str, ...]) -> None:
        meta = state.plugin.meta
        if meta.id in done:
            return
        if meta.id in path:
            raise PluginError(f"The plugins {path[-1]} and {meta.id} need each other: {' → '.join((*path, meta.id))}.")
        for needed in meta.requires:
            if needed not in by_id:
                raise PluginError(f"The plugin {meta.id} needs {needed}, which is not installed.")
            visit(by_id[needed], (*path, meta.id))
        for earlier in meta.after:
            if earlier in by_id:
                visit(by_id[earlier], (*path, meta.id))
        done.add(meta.id)
        ordered.append(state)

    for state in sorted(states, key=lambda s: s.plugin.meta.id):
        visit(state, ())
    return ordered

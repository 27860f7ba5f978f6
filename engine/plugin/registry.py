# SPDX-License-Identifier: Apache-2.0
"""The plugins of this process, running or left out with the reason, and everything they contribute."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec

from engine.errors import PluginError
from engine.outbox.letters import LetterKind
from engine.plugin.context import Context
from engine.plugin.contract import (
    BotCommand,
    Command,
    Delivery,
    FactSubscriber,
    Job,
    Page,
    PartStore,
    Plugin,
    PluginState,
    Sentence,
)
from engine.routing.action import RoutingAction
from engine.routing.basic import BASIC_ACTIONS
from engine.routing.carry_out import CORE_ORDERS
from engine.routing.order_action import OrderAction

log = logging.getLogger(__name__)
T = TypeVar("T")


@dataclass(slots=True)
class Registry:
    """`states` in order of dependency. Contributions come from running plugins only (R26)."""

    states: Sequence[PluginState]
    _actions: Mapping[str, RoutingAction] | None = None
    _orders: Mapping[str, OrderAction] | None = None

    def running(self) -> Iterator[Plugin]:
        return (s.plugin for s in self.states if s.running)

    def state(self, plugin: str) -> PluginState | None:
        return next((s for s in self.states if s.plugin.meta.id == plugin), None)

    async def start(self, ctx: Context, settings: Mapping[str, Mapping[str, Any]]) -> None:
        """Start every plugin; one that fails, or whose requirement failed, is left out and shown. PluginError when two claim an action."""
        for state in self.states:
            meta = state.plugin.meta
            if state.error:
                continue
            missing = [r for r in meta.requires if not (s := self.state(r)) or not s.running]
            if missing:
                state.error = f"needs {', '.join(missing)}, which did not start"
                continue
            try:
                kind = state.plugin.settings()
                if kind is not None:
                    state.settings = msgspec.convert(dict(settings.get(meta.id, {})), kind, strict=False)
                await state.plugin.start(ctx)
            except Exception as error:  # the edge of a plugin: the rest must run without it
                log.exception("plugin %s did not start", meta.id)
                state.error = f"{type(error).__name__}: {error}"
                continue
            state.running = True
        self._actions = self._orders = None
        self.actions()
        self.orders()

    async def stop(self) -> None:
        """Stop in reverse order."""
        for state in reversed(self.states):
            if state.running:
                state.running = False
                try:
                    await state.plugin.stop()
                except Exception:  # the edge of a plugin: the others must stop too
                    log.exception("plugin %s did not stop cleanly", state.plugin.meta.id)

    def actions(self) -> Mapping[str, RoutingAction]:
        """Routing actions by kind."""
        if self._actions is None:
            found: dict[str, RoutingAction] = {a.kind: a for a in BASIC_ACTIONS}
            for plugin in self.running():
                for action in plugin.routing_actions():
                    if action.kind in found:
                        raise PluginError(f"Two routing actions are called {action.kind}; the second comes from {plugin.meta.id}.")
                    found[action.kind] = action
            self._actions = found
        return self._actions

    def orders(self) -> Mapping[str, OrderAction]:
        """Kinds of ordered calls by name. PluginError when two plugins bring the same."""
        if self._orders is None:
            found: dict[str, OrderAction] = {o.kind: o for o in CORE_ORDERS}
            for plugin in self.running():
                for order in plugin.orders():
                    if order.kind in found:
                        raise PluginError(f"Two kinds of orders are called {order.kind}; the second comes from {plugin.meta.id}.")
                    found[order.kind] = order
            self._orders = found
        return self._orders

    def parts(self) -> dict[str, PartStore[Any]]:
        """Part stores by plugin id: of every plugin that could be loaded, so that a failed start loses no configuration."""
        found = {}
        for state in self.states:
            store = state.plugin.part()
            if store is not None:
                found[state.plugin.meta.id] = store
        return found

    def models(self) -> list[tuple[str, str]]:
        """(plugin id, module) of every plugin with tables."""
        return [(s.plugin.meta.id, m) for s in self.states if (m := s.plugin.models()) is not None]

    def _all(self, get: Callable[[Plugin], Sequence[T]]) -> list[tuple[Plugin, T]]:
        return [(p, item) for p in self.running() for item in get(p)]

    def pages(self) -> list[tuple[Plugin, Page]]:
        return self._all(lambda p: p.pages())

    def sentences(self) -> dict[str, Sentence]:
        """How steps are told, also those of plugins that did not start: calls of earlier are still read. PluginError when two tell one."""
        found: dict[str, Sentence] = {}
        for state in self.states:
            for what, sentence in state.plugin.sentences().items():
                if what in found:
                    raise PluginError(f"Two plugins tell the step {what}; the second is {state.plugin.meta.id}.")
                found[what] = sentence
        return found

    def letters(self) -> dict[str, LetterKind]:
        """Kinds of letters by id, in order of the plugins."""
        return {kind.id: kind for _, kind in self._all(lambda p: p.letters())}

    def bot_commands(self) -> list[tuple[Plugin, BotCommand]]:
        return self._all(lambda p: p.bot_commands())

    def jobs(self) -> list[tuple[Plugin, Job]]:
        return self._all(lambda p: p.jobs())

    def subscribers(self) -> list[tuple[Plugin, FactSubscriber[Any]]]:
        return self._all(lambda p: p.facts())

    def deliveries(self) -> list[tuple[Plugin, Delivery]]:
        return self._all(lambda p: p.deliveries())

    def commands(self) -> list[tuple[Plugin, Command]]:
        """Of every loadable plugin: the command line is read before plugins start."""
        return [(s.plugin, c) for s in self.states if not s.error for c in s.plugin.commands()]

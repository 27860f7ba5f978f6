# SPDX-License-Identifier: Apache-2.0
"""What a plugin is: one class with empty defaults; each method lists one kind of contribution and holds no logic."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Generic, Literal, Protocol, TypeAlias, TypeVar

import msgspec

from engine.facts import Fact
from engine.outbox.letters import LetterKind
from engine.routing.action import RoutingAction
from engine.routing.order_action import OrderAction
from engine.snapshot import Finding, Part, Snapshot, UserRole

if TYPE_CHECKING:
    from engine.plugin.context import Context
    from engine.revisions import Edit

P = TypeVar("P", bound=Part)
F = TypeVar("F", bound=Fact)

Role: TypeAlias = Literal["anyone"] | UserRole
"""Least right needed: "anyone" needs no login; "user" < "manager" < "admin" (ACC-4)."""


@dataclass(frozen=True, slots=True)
class PluginMeta:
    """`requires`: plugins that must run; `after`: plugins that start first when present."""

    id: str
    title: str
    requires: tuple[str, ...] = ()
    after: tuple[str, ...] = ()


class PartStore(Protocol[P]):
    """How a plugin's rows become its Part and back. Every call gets the transaction's database connection."""

    part: type[P]

    async def load(self, account_id: int, tx: Any) -> P: ...
    async def restore(self, account_id: int, part: P, tx: Any) -> None:
        """Make the rows equal `part`; the same primary keys come back."""
    def check(self, part: P, whole: Snapshot) -> Iterable[Finding]:
        """What is wrong with the part; a Finding of severity "error" stops a save."""


@dataclass(frozen=True, slots=True)
class Page:
    """A route of the cabinet. `path` is below the root, in aiohttp's syntax; POST routes are CSRF-checked by the host."""

    method: Literal["GET", "POST"]
    path: str
    handler: Callable[..., Awaitable[Any]]
    role: Role
    name: str = ""
    menu: str = ""
    """Catalogue id of its entry in the cabinet's menu; empty = none."""
    menu_section: Literal["settings", "directories", "statistics", "extra", "service"] = "settings"
    icon: str = ""
    """Of the menu entry, or in the tree when the page is that of a kind of element: one of web/templates/macros.html."""
    beside: tuple[str, ...] = ()
    """Kinds of elements whose own pages lead here by a button with the words of `menu` (which is then no entry of the side menu).

    For what a plugin keeps of elements that are not its own; the path names the element as {of}, read by `Visit.about`. "profile": the
    button stands on everybody's own settings, and the path names nobody.
    """


@dataclass(frozen=True, slots=True)
class Sentence:
    """How a step that the plugin notes is told: a catalogue id with the step's facts as {named} places; `tone` is its colour."""

    text: str
    tone: Literal["", "good", "bad", "accent"] = ""


@dataclass(frozen=True, slots=True)
class BotCommand:
    """A command of the Telegram bot; `callbacks` are the prefixes of its buttons' data ("missed:")."""

    name: str
    title: str
    handler: Callable[..., Awaitable[Any]]
    role: Role
    callbacks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Command:
    """A sub-command of the `vats` command line. `configure` adds arguments to an argparse parser.

    `run(ctx, options)` returns the exit code; the plugins of its process are started, but none of the roles.
    """

    name: str
    help: str
    run: Callable[[Context, Any], Awaitable[int]]
    configure: Callable[[Any], None] = lambda parser: None


@dataclass(frozen=True, slots=True)
class Job:
    """Work on a tick. State lives in rows; `run` is called by one process at a time.

    `beside_engine`: only where the engine runs, since it asks how phones and lines are.
    """

    name: str
    every: timedelta
    run: Callable[[], Awaitable[None]]
    beside_engine: bool = False


@dataclass(frozen=True, slots=True)
class FactSubscriber(Generic[F]):
    """Writes what a fact means for its plugin, inside the fact's own transaction (with its outbox rows)."""

    fact: type[F]
    write: Callable[[F, Any], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Delivery:
    """A channel of the outbox ("email", "telegram", …): sends one row's payload or raises to be retried."""

    channel: str
    send: Callable[[dict[str, Any]], Awaitable[None]]


class Plugin:
    """Base of every plugin; `plugins/<id>/plugin.py` holds a subclass and nothing else."""

    meta: PluginMeta

    def routing_actions(self) -> Sequence[RoutingAction]:
        return ()

    def orders(self) -> Sequence[OrderAction]:
        """Kinds of ordered calls, by whose names `ctx.orders.place` asks for them."""
        return ()

    def sentences(self) -> Mapping[str, Sentence]:
        """By `Step.what`, for steps of its own; those of the core are told by the cabinet."""
        return {}

    def part(self) -> PartStore[Any] | None:
        return None

    def models(self) -> str | None:
        """Dotted name of the module with its Tortoise models; its migrations lie in `migrations/` beside it."""
        return None

    def settings(self) -> type[msgspec.Struct] | None:
        """A struct of the plugin's settings, read from the table [plugins.<id>]."""
        return None

    def pages(self) -> Sequence[Page]:
        return ()

    def bot_commands(self) -> Sequence[BotCommand]:
        return ()

    def commands(self) -> Sequence[Command]:
        return ()

    def jobs(self) -> Sequence[Job]:
        return ()

    def facts(self) -> Sequence[FactSubscriber[Any]]:
        return ()

    def deliveries(self) -> Sequence[Delivery]:
        return ()

    def letters(self) -> Sequence[LetterKind]:
        """Kinds of letters it sends, whose wording an administrator may change (DIR-3)."""
        return ()

    async def start(self, ctx: Context) -> None:
        """Called once, dependencies first. Raising leaves the plugin out; its targets follow R26."""

    async def stop(self) -> None:
        """Called in reverse order."""

    async def new_account(self, edit: Edit) -> None:
        """Rows that every new account starts with; inside the edit that creates it."""

    async def demo(self, edit: Edit) -> None:
        """Fill the demo account; users exist already, plugins required come first (`await edit.preview()` shows what they made)."""

    async def erase(self, edit: Edit, number: str) -> None:
        """Forget an outside number, in E.164, as the law on personal data asks; for what the plugin keeps in rows or files of its own."""


@dataclass(slots=True)
class PluginState:
    """What the registry knows of a plugin: running, or why not."""

    plugin: Plugin
    running: bool = False
    error: str = ""
    settings: Any = field(default=None)

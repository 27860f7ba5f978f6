# SPDX-License-Identifier: Apache-2.0
"""Facts: the durable, public things that happened on calls. An action changes the world only by stating one."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar, Literal

import msgspec

from engine.errors import PluginError


class Fact(msgspec.Struct, frozen=True, kw_only=True):
    """Base of every fact; subclasses set `kind` ("<plugin>.<thing>") and are registered by defining them."""

    kind: ClassVar[str] = ""
    missed_as: ClassVar[Literal["", "voicemail", "callback"]] = ""
    """How a call is tagged whose caller did this because he could not talk with anybody (R1)."""
    account: int
    call: str
    at: datetime

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if cls.kind:
            known = _registry.setdefault(cls.kind, cls)
            if known is not cls and known.__qualname__ != cls.__qualname__:
                raise PluginError(f"Two facts are called {cls.kind}: {known.__module__} and {cls.__module__}.")
            _registry[cls.kind] = cls


_registry: dict[str, type[Fact]] = {}


def encode(fact: Fact) -> dict[str, Any]:
    """Plain data for the journal and the database, with the kind inside."""
    return {"kind": fact.kind, **msgspec.to_builtins(fact)}


def decode(data: dict[str, Any]) -> Fact | None:
    """The fact a journal line holds; None when its plugin is gone. Raises msgspec.ValidationError on damaged data."""
    cls = _registry.get(data.get("kind", ""))
    if cls is None:
        return None
    return msgspec.convert({k: v for k, v in data.items() if k != "kind"}, cls)

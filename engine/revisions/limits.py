# SPDX-License-Identifier: Apache-2.0
"""Limits of fields that hold whatever door a configuration comes through: a form, an old revision, a file.

A field's annotation tells them: `Meta(extra={"range": (1, 99)})` of whole numbers, `{"most": 64}` of the length of a text, `{"words": …}`
of the words it may be. They are checked as everything else is, and do not stop an old configuration from being read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Final, get_type_hints

import msgspec
from msgspec import Meta

from engine.i18n import N_, Word
from engine.snapshot import Account, Element, Finding, Snapshot
from engine.snapshot.pointers import marks, title_of

MOST_TITLE: Final = 200
RANGE = N_("“{title}”, {field}: {value} is not from {first} to {last}.")
LENGTH = N_("“{title}”, {field}: at most {most} characters.")
WORD = N_("“{title}”, {field}: “{value}” is none of the choices.")


def limits(whole: Snapshot) -> Iterator[Finding]:
    holders: list[Account | Element] = [whole.account, *whole.elements()]
    for holder in holders:
        where = holder.ref if isinstance(holder, Element) else None
        if len(holder.title) > MOST_TITLE:
            yield Finding("error", where, LENGTH, {"title": holder.title[:40], "field": Word(N_("Title")), "most": str(MOST_TITLE)})
        for message, params in _of(holder):
            yield Finding("error", where, message, {"title": holder.title, **params})


def _of(struct: msgspec.Struct) -> Iterator[tuple[str, dict[str, str]]]:
    for name, title, extra, inner in _limited(type(struct)):
        value = getattr(struct, name)
        if inner:
            for item in value if isinstance(value, tuple) else (value,):
                if isinstance(item, msgspec.Struct):
                    yield from _of(item)
        for item in value if isinstance(value, tuple) else (value,):
            yield from _wrong(title, item, extra)


def _wrong(title: str, value: Any, extra: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, str]]]:
    if "range" in extra and isinstance(value, int) and not isinstance(value, bool):
        first, last = extra["range"]
        if not first <= value <= last:
            yield RANGE, {"field": Word(title), "value": str(value)[:20], "first": str(first), "last": str(last)}
    if "most" in extra and isinstance(value, str) and len(value) > extra["most"]:
        yield LENGTH, {"field": Word(title), "most": str(extra["most"])}
    if "words" in extra and isinstance(value, str | int) and value not in extra["words"]:
        yield WORD, {"field": Word(title), "value": str(value)[:40]}


@cache
def _limited(kind: type[msgspec.Struct]) -> tuple[tuple[str, str, Mapping[str, Any], bool], ...]:
    """(field, its title, limits, whether structs with limits are inside) of the fields that have any."""
    hints = get_type_hints(kind, include_extras=True)
    found = []
    for name in kind.__struct_fields__:
        extra: dict[str, Any] = {}
        for mark in marks(hints[name]):
            if isinstance(mark, Meta) and mark.extra:
                extra |= mark.extra
        inner = any(_limited(struct) for struct in _structs(hints[name]) if struct is not kind)
        if extra or inner:
            found.append((name, title_of(name, hints[name]), extra, inner))
    return tuple(found)


def _structs(hint: Any) -> Iterator[type[msgspec.Struct]]:
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        yield hint
    for inner in getattr(hint, "__args__", ()):
        yield from _structs(inner)

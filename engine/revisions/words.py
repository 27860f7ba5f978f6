# SPDX-License-Identifier: Apache-2.0
"""Changes of a configuration as sentences for people, in their language, from the titles that the structs' annotations carry."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from typing import Any, Final, Literal, get_type_hints

import msgspec
from msgspec import Meta

from engine.i18n import N_
from engine.revisions.diff import HIDDEN, Change, FieldChange, differences
from engine.revisions.merge import keyed
from engine.snapshot import Account, Attached, IdOf, Ref, Snapshot
from engine.snapshot.pointers import marks

Words = Callable[..., str]
"""`t(message id, **params)`: the sentence in the reader's language."""

MOST_ITEMS: Final = 12
"""Of a list that changed, as many are named."""
_SHORT: Final = 60
"""Lists that are shorter are told whole, before and after."""
_LONGEST: Final = 200
_INNER: Final = frozenset({"id", "place", "connected", "path", "original", "parent"})
"""Fields that say nothing to people, or that the element is already named by."""


@dataclass(frozen=True, slots=True)
class Line:
    """One field: what it was and is. Of lists the items that went (`before`) and came (`after`)."""

    title: str
    before: str
    after: str
    many: bool = False


@dataclass(frozen=True, slots=True)
class Told:
    """One element that came, went or changed; `ref` None: the main settings or a detail of a user."""

    what: Literal["added", "removed", "changed"]
    noun: str
    title: str
    ref: Ref | None
    lines: tuple[Line, ...]
    main: bool = False
    """The main settings of the PBX."""


@dataclass(frozen=True, slots=True)
class Speaker:
    """Tells changes between two states.

    `actions`: how targets that are no elements are called, title id by kind. `titles`: title ids of elements that are called by an id
    of ours, such as the kind of a letter.
    """

    t: Words
    before: Snapshot | None
    after: Snapshot
    actions: Mapping[str, str]
    titles: Mapping[str, str] = field(default_factory=dict)

    def told(self) -> list[Told]:
        was = {} if self.before is None else {"core": self.before.core, **self.before.parts}
        return self.tell(differences(was, {"core": self.after.core, **self.after.parts}))

    def tell(self, changes: Iterable[Change]) -> list[Told]:
        """These of the changes between the two states; without what is seen in others, and what is no change to people."""
        return [self._told(change) for change in changes if not self._inner(change) and not _is_order(change)]

    def _inner(self, change: Change) -> bool:
        """The numbering plan, which the elements' own numbers tell."""
        return change.ref is None and change.item is None

    def _told(self, change: Change) -> Told:
        holder = change.item
        noun = self.t(word) if (word := getattr(holder, "noun", "")) else ""
        title = change.title
        if isinstance(holder, Attached) and holder.parent is not None:
            title = self.name(holder.parent) or title
        if title in self.titles:
            title = self.t(self.titles[title])
        elif noun and title == _standing_title(type(holder)):
            title = noun
        lines = tuple(line for one in change.fields if not _is_order_of(change, one) for line in self._line(change, one))
        return Told(change.what, noun, title or noun, change.ref, lines, isinstance(holder, Account))

    def _line(self, change: Change, one: FieldChange) -> Iterator[Line]:
        if one.name in _INNER - {"parent"}:
            return
        title = self.t(one.title)
        if one.before == one.after:  # a secret: hidden on both sides
            yield Line(title, HIDDEN, HIDDEN)
            return
        hint = (_hints(type(change.item)) if change.item is not None else {}).get(one.name)
        if isinstance(one.before, tuple) and isinstance(one.after, tuple):
            before, after = one.before, one.after
            if (olds := keyed(before)) and (news := keyed(after)):  # a row that is another one now has neither come nor gone
                both = [key for key in olds if key in news and olds[key] != news[key]]
                for key in both:
                    yield Line(title, self.value(olds[key], hint), self.value(news[key], hint))
                before, after = (tuple(row for key, row in rows.items() if key not in both) for rows in (olds, news))
                if both and before == after:
                    return
            was, now = (self._items(value, hint) for value in (before, after))
            gone, come = [w for w in was if w not in now], [w for w in now if w not in was]
            if (gone or come) and not _is_plain(before, after, was, now):
                yield Line(title, self._list(gone), self._list(come), many=True)
            else:
                yield Line(title, self._list(was), self._list(now))
            return
        yield Line(title, self.value(one.before, hint), self.value(one.after, hint))

    def _items(self, values: Sequence[Any], hint: Any) -> list[str]:
        return [self.value(value, hint) for value in values]

    def _list(self, items: Sequence[str]) -> str:
        shown = ", ".join(items[:MOST_ITEMS])
        return self.t(N_("{items} and {count} more"), items=shown, count=len(items) - MOST_ITEMS) if len(items) > MOST_ITEMS else shown

    def value(self, value: Any, hint: Any = None) -> str:
        """A field's value in words; "" for nothing."""
        said = _words(hint)
        if value in said if isinstance(value, str | int) and not isinstance(value, bool) else False:
            return self.t(said[value])
        if isinstance(value, bool):
            return self.t(N_("yes")) if value else self.t(N_("no"))
        if isinstance(value, int) and (whose := _whose(hint)) is not None:
            return self.name(Ref(whose.kind, value)) or str(value)
        if isinstance(value, Ref):
            return self.name(value) or str(value)
        if isinstance(value, msgspec.Struct):
            return self._struct(value)
        if isinstance(value, tuple):
            return self._list(self._items(value, hint))
        if isinstance(value, date):
            return f"{value:%d.%m.%Y}"
        text = "" if value is None else str(value)
        return text if len(text) <= _LONGEST else text[:_LONGEST] + "…"

    def name(self, ref: Ref) -> str | None:
        """What a reference leads to, as it is called after the change, or was before it."""
        for whole in (self.after, self.before):
            element = whole.element(whole.owner(ref)) if whole is not None else None
            if element is not None:
                title = element.title or ref.kind
                return title if element.ref == ref else f"{self.t(self.actions[ref.kind])}: {title}" if ref.kind in self.actions else title
        return self.t(self.actions[ref.kind]) if ref.kind in self.actions and ref.id == 0 else None

    def _struct(self, value: msgspec.Struct) -> str:
        """A part of an element: what makes it what it is, then whatever is not as usual."""
        if type(value).__str__ is not msgspec.Struct.__str__:
            return str(value)
        hints, first, rest = _hints(type(value)), [], []
        for info in msgspec.structs.fields(type(value)):
            what = getattr(value, info.name)
            if info.name in _INNER or (not info.required and what == info.default):
                continue
            shown = HIDDEN if info.name == "secret" else self.value(what, hints[info.name])
            title = _title(hints[info.name])
            if not info.required and title:
                rest.append(f"{self.t(title)}: {shown or self.t(N_('none'))}")
            elif shown:
                first.append(shown)
        head = f"{first[0]}: {', '.join(first[1:])}" if len(first) > 1 else "".join(first)
        return f"{head} ({'; '.join(rest)})" if rest else head


def _is_order(change: Change) -> bool:
    """Nothing has changed but the order of what has none."""
    return change.what == "changed" and bool(change.fields) and all(_is_order_of(change, one) for one in change.fields)


def _is_order_of(change: Change, one: FieldChange) -> bool:
    hint = (_hints(type(change.item)) if change.item is not None else {}).get(one.name)
    if not any(isinstance(mark, Meta) and mark.extra and mark.extra.get("unordered") for mark in marks(hint)):
        return False
    return sorted(map(repr, one.before)) == sorted(map(repr, one.after))


def _is_plain(before: Sequence[Any], after: Sequence[Any], was: Sequence[str], now: Sequence[str]) -> bool:
    """A few plain words, such as the patterns of a code."""
    return all(isinstance(one, str) for one in (*before, *after)) and max(len(", ".join(was)), len(", ".join(now))) <= _SHORT


def _standing_title(kind: type) -> str | None:
    """The title that every element of this type has."""
    for info in msgspec.structs.fields(kind) if issubclass(kind, msgspec.Struct) else ():
        if info.name == "title" and isinstance(info.default, str):
            return info.default or None
    return None


@cache
def _hints(kind: type) -> Mapping[str, Any]:
    return get_type_hints(kind, include_extras=True) if issubclass(kind, msgspec.Struct) else {}


def _words(hint: Any) -> Mapping[Any, str]:
    """Meta(extra={"words": {value: title id}}) of a field whose values are words of ours."""
    for mark in marks(hint):
        if isinstance(mark, Meta) and mark.extra and "words" in mark.extra:
            found: Mapping[Any, str] = mark.extra["words"]
            return found
    return {}


def _whose(hint: Any) -> IdOf | None:
    return next((mark for mark in marks(hint) if isinstance(mark, IdOf)), None)


def _title(hint: Any) -> str:
    return next((mark.title for mark in marks(hint) if isinstance(mark, Meta) and mark.title), "")

# SPDX-License-Identifier: Apache-2.0
"""Forms: posted text into msgspec structs, with a Problem per field in the visitor's language; used by every page that saves."""

from __future__ import annotations

import re
import types
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from decimal import Decimal, InvalidOperation
from typing import Any, Generic, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec

from engine.sdk import N_, Clash, Conflict, InUse, Invalid, Problem, Ref, Refused
from web.trying import Tried
from web.visit import Visit

S = TypeVar("S", bound=msgspec.Struct)
OUTRUN = N_("Nothing is saved: the same has been changed meanwhile. Save again to overwrite it.")
_DIGITS = 30
_LARGEST = 2**31 - 1
"""No column keeps more."""


class Form(Generic[S]):
    """One form of a page: what the fields show, what is wrong with them, and the struct they make.

    `start` gives the first values (a struct or element with equally named fields, or a mapping); a posted form shows what was typed.
    """

    def __init__(self, visit: Visit, kind: type[S], start: Any = None, name: str = "") -> None:
        self.visit = visit
        self.kind = kind
        self.name = name
        self.problems: dict[str, str] = {}
        self.general: list[str] = []
        self._start = start
        self.sent = visit.is_post and visit.text("form") == name
        self._outrun = False
        """Somebody else was faster, and the visitor is told."""
        if visit.clashed is not None and visit.text("form") == name:
            self.general.append(visit.t(OUTRUN))

    @property
    def revision(self) -> int:
        """What the form was made from. One that is shown again with what was typed stays what it was, until its visitor has been told that
        somebody else was faster."""
        if not self.visit.who:
            return 0
        if self.sent and not self._outrun and (posted := self.visit.made_from) is not None:
            return posted
        return self.visit.snapshot.revision

    def value(self, field: str) -> Any:
        """What the field shows: text, True/False, or a tuple."""
        kind = _plain(_hints(self.kind)[field])
        if self.sent:
            if kind is bool:
                return field in self.visit.posted
            if get_origin(kind) is tuple and _is_many(self.visit.posted.getall(field, [])):
                return tuple(str(v) for v in self.visit.posted.getall(field))
            return self.visit.text(field)
        value = self._first(field)
        if kind is bool:
            return bool(value)
        if value is None:
            return ""
        if get_origin(kind) is tuple and isinstance(value, tuple | list):
            return "\n".join(str(v) for v in value)
        return str(value)

    def _first(self, field: str) -> Any:
        if isinstance(self._start, Mapping):
            if field in self._start:
                return self._start[field]
        elif self._start is not None and hasattr(self._start, field):
            return getattr(self._start, field)
        for info in msgspec.structs.fields(self.kind):
            if info.name == field and info.default is not msgspec.NODEFAULT:
                return info.default
        return None

    def problem(self, field: str) -> str:
        return self.problems.get(field, "")

    def read(self) -> S:
        """The struct the fields make. Raises Invalid with a Problem per wrong field."""
        values: dict[str, Any] = {}
        problems: list[Problem] = []
        hints = _hints(self.kind)
        for info in msgspec.structs.fields(self.kind):
            if info.name not in self.visit.posted and _plain(hints[info.name]) is not bool and not info.required:
                continue  # the form does not offer this field: its default stands
            try:
                values[info.name] = read_field(info.name, hints[info.name], self.visit)
            except Problem as problem:
                problems.append(problem)
        if problems:
            raise Invalid(problems)
        return self.kind(**values)

    @contextmanager
    def saving(self) -> Iterator[None]:
        """Around reading and saving: what is refused is shown in the form and the block ends quietly; so return inside it. (A Clash goes on
        to the host, which shows the page with it.)"""
        try:
            yield
        except Invalid as invalid:
            self.general.append(self.visit.tell(invalid))
            for problem in invalid.problems:
                field = problem.field.partition(".")[0]
                if (ref := problem.params.get("ref")) and (pointing := self._pointing(str(ref))):
                    self.problems.update(dict.fromkeys(pointing, self.visit.t("What was chosen here is no longer there. Choose another.")))
                elif field in self.kind.__struct_fields__:
                    self.problems.setdefault(field, self.visit.tell(problem))
                else:
                    self.general.append(self.visit.tell(problem))
        except Clash:
            if self.visit.host.shows(self.visit.page) is not None:
                raise  # the host shows the page again
            self.general.append(self.visit.t("Nothing is saved: the same has been changed meanwhile. Compare, then try again."))
        except Conflict:
            self._outrun = True
            self.general.append(
                self.visit.t("Somebody else has changed the settings meanwhile. Compare, then save again, or open the page anew.")
            )
        except (InUse, Problem) as refused:
            if isinstance(refused, Problem) and refused.field in self.kind.__struct_fields__:
                self.general.append(self.visit.t("Please correct the marked fields."))
                self.problems[refused.field] = self.visit.tell(refused)
            else:
                self.general.append(self.visit.tell(refused))
        except Tried:
            pass  # the page tells what was found
        except Refused as refused:
            if type(refused) is not Refused:
                raise
            self.general.append(self.visit.tell(refused))

    def _pointing(self, ref: str) -> list[str]:
        """The fields whose posted value leads to what is not there."""
        found = []
        for name, hint in _hints(self.kind).items():
            if _plain(hint) is Ref and (text := self.visit.text(name)):
                with suppress(ValueError):
                    found += [name] if str(self.visit.snapshot.owner(Ref.parse(text))) == ref else []
        return found

    @property
    def ok(self) -> bool:
        return not self.problems and not self.general

    @property
    def status(self) -> int:
        return 200 if self.ok else 422


def _is_many(values: Sequence[Any]) -> bool:
    return len(values) > 1


def _hints(kind: type[msgspec.Struct]) -> dict[str, Any]:
    return get_type_hints(kind, include_extras=True)


def _metas(hint: Any) -> list[msgspec.Meta]:
    return [m for m in getattr(hint, "__metadata__", ()) if isinstance(m, msgspec.Meta)]


def _plain(hint: Any) -> Any:
    """The type without its Meta and without `| None`."""
    if hasattr(hint, "__metadata__"):
        hint = get_args(hint)[0]
    if get_origin(hint) in (Union, types.UnionType):
        rest = [a for a in get_args(hint) if a is not type(None)]
        if len(rest) == 1:
            return _plain(rest[0])
    return hint


def _optional(hint: Any) -> bool:
    if hasattr(hint, "__metadata__"):
        hint = get_args(hint)[0]
    return get_origin(hint) in (Union, types.UnionType) and type(None) in get_args(hint)


def read_field(name: str, hint: Any, visit: Visit) -> Any:
    """One field's value by its type: str, int, float, Decimal, bool, Literal, Ref, tuple[str, ...], each also `| None`. Raises Problem."""
    kind, text = _plain(hint), visit.text(name)
    if kind is bool:
        return name in visit.posted
    if get_origin(kind) is tuple:
        return _read_many(name, hint, kind, visit)
    if not text and _optional(hint):
        return None
    value = _read_one(name, kind, text)
    _check_limits(name, value, _metas(hint))
    return value


def _read_many(name: str, hint: Any, kind: Any, visit: Visit) -> tuple[Any, ...]:
    """Several values: fields of one name, or one text with a value per line (";" and "," part them too)."""
    raw = [v for v in visit.posted.getall(name, []) if isinstance(v, str)]
    parts = raw if _is_many(raw) else (raw[0].replace(";", "\n").replace(",", "\n").split("\n") if raw else [])
    item = get_args(kind)[0]
    values = tuple(_read_one(name, _plain(item), part.strip()) for part in parts if part.strip())
    for value in values:
        _check_limits(name, value, _metas(item))
    return tuple(dict.fromkeys(values))


def _read_one(name: str, kind: Any, text: str) -> Any:
    if kind is str:
        if any(ord(c) < 32 and c not in "\r\n\t" for c in text):
            raise Problem(name, "This text holds characters that can't be kept.")
        return text.replace("\r\n", "\n")
    if kind is int:
        if not re.fullmatch(r"-?[0-9]+", text):
            raise Problem(name, "Enter a whole number.")
        return max(-_LARGEST, min(_LARGEST, int(text[:_DIGITS])))  # beyond every limit, and whoever has the limit tells it
    if kind in (float, Decimal):
        try:
            value = Decimal(text.replace(",", ".").replace(" ", "").replace(" ", ""))
        except InvalidOperation as error:
            raise Problem(name, "Enter a number.") from error
        if not value.is_finite():
            raise Problem(name, "Enter a number.")
        return value if kind is Decimal else float(value)
    if kind is Ref:
        try:
            return Ref.parse(text)
        except ValueError as error:
            if not text:
                raise Problem(name, "This field is required.") from error
            raise Problem(name, "Choose one of the list.") from error
    if get_origin(kind) is Literal:
        for choice in get_args(kind):
            if str(choice) == text:
                return choice
        raise Problem(name, "Choose one of the list.")
    raise TypeError(f"forms can't read {kind!r} (field {name})")


def _check_limits(name: str, value: Any, metas: Sequence[msgspec.Meta]) -> None:
    for meta in metas:
        if isinstance(value, str):
            if meta.min_length and len(value) < meta.min_length:
                if not value:
                    raise Problem(name, "This field is required.")
                raise Problem(name, "At least {count} characters.", count=meta.min_length)
            if meta.max_length is not None and len(value) > meta.max_length:
                raise Problem(name, "At most {count} characters.", count=meta.max_length)
        elif isinstance(value, int | float | Decimal):
            if meta.ge is not None and value < meta.ge:
                raise Problem(name, "Not less than {limit}.", limit=meta.ge)
            if meta.le is not None and value > meta.le:
                raise Problem(name, "Not more than {limit}.", limit=meta.le)

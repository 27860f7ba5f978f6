# SPDX-License-Identifier: Apache-2.0
"""The file itself: JSON in canonical form, and what is refused when one is read. Described in docs/configuration-file.md."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeVar

import msgspec

from engine.errors import Refused
from engine.i18n import N_
from engine.snapshot import Part

P = TypeVar("P", bound=Part)

FORMAT: Final = "vats.configuration"
VERSION: Final = 1
MOST_BYTES: Final = 64 * 1024 * 1024

NO_FILE = N_("This is no configuration file of VATS.")
NEWER = N_("This file was made by a newer version: its format is {version}, this version reads up to {known}.")


class Document(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`parts`: "core" and plugins' ids, each with its part. `owner`: the file's id of the account's owner; `sounds`: base64 by SHA-256."""

    format: str
    version: int
    secrets: bool = False
    owner: int | None = None
    parts: dict[str, Any]
    sounds: dict[str, str] = {}


def written(document: Document) -> bytes:
    """UTF-8 JSON with sorted keys and two spaces a level: equal configurations give equal bytes."""
    return msgspec.json.format(msgspec.json.encode(document, order="sorted"), indent=2) + b"\n"


def read(data: bytes) -> Document:
    """Raises Refused in one sentence."""
    if len(data) > MOST_BYTES:
        raise Refused(N_("The file is larger than {megabytes} MB."), megabytes=MOST_BYTES // 1024 // 1024)
    try:
        head = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refused(NO_FILE) from error
    if not isinstance(head, dict) or head.get("format") != FORMAT or not isinstance(head.get("version"), int):
        raise Refused(NO_FILE)
    if head["version"] > VERSION:
        raise Refused(NEWER, version=head["version"], known=VERSION)
    try:
        return msgspec.convert(head, Document)
    except msgspec.ValidationError as error:
        raise Refused(N_("The file can’t be read: {why}."), why=str(error)) from error


def part_of(name: str, data: Any, kind: type[P]) -> P:
    """A plugin's part out of the file. Refused when it is of a newer version, or says what this version does not know."""
    try:
        part = msgspec.convert(data, kind)
    except msgspec.ValidationError as error:
        raise Refused(N_("The file can’t be read: {why}."), why=f"{name}: {error}") from error
    known = kind.__struct_defaults__[kind.__struct_fields__.index("version") - len(kind.__struct_fields__)]
    if part.version > known:
        raise Refused(NEWER, version=f"{name} {part.version}", known=known)
    unknown = _unknown(data, msgspec.to_builtins(part), name)
    if unknown:
        raise Refused(N_("The file says something this version does not know: {field}."), field=unknown)
    return part


def _unknown(given: Any, understood: Any, path: str) -> str:
    """The first field that was not understood, as a path; ""."""
    if isinstance(given, Mapping) and isinstance(understood, Mapping):
        for key, value in given.items():
            if key not in understood:
                return f"{path}.{key}"
            if inner := _unknown(value, understood[key], f"{path}.{key}"):
                return inner
    elif isinstance(given, list) and isinstance(understood, list | tuple):
        for number, (one, other) in enumerate(zip(given, understood, strict=False)):
            if inner := _unknown(one, other, f"{path}.{number}"):
                return inner
    return ""

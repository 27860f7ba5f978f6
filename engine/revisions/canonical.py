# SPDX-License-Identifier: Apache-2.0
"""Parts as JSON that is equal exactly when the parts are; used to see what a save changed, and on disk."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from engine.errors import Refused
from engine.i18n import N_
from engine.snapshot import Part

P = TypeVar("P", bound=Part)


def canonical(part: Part) -> bytes:
    """UTF-8 JSON with sorted keys: equal parts give equal bytes."""
    return msgspec.json.encode(part, order="sorted")


def plain(part: Part) -> Any:
    """The part as dicts and lists for a JSON column."""
    return msgspec.to_builtins(part, order="sorted")


def revive(data: Any, kind: type[P]) -> P:
    """The part behind `plain`; Refused when this version of the plugin can't read it any more."""
    try:
        return msgspec.convert(data, kind)
    except msgspec.ValidationError as error:
        raise Refused(N_("This revision was saved by another version and can't be read: {why}."), why=str(error)) from error

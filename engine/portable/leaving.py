# SPDX-License-Identifier: Apache-2.0
"""An account's configuration out: into one canonical file."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from engine.db import models
from engine.db.secrets import decrypt
from engine.portable.document import FORMAT, VERSION, Document, written
from engine.portable.names import in_order, naming
from engine.portable.sounds import packed, with_paths
from engine.snapshot import CorePart, Element, Part, Ref, Snapshot, SoundElement
from engine.snapshot.pointers import renamed

P = TypeVar("P", bound=Part)


async def export(whole: Snapshot, media: Path, *, with_secrets: bool) -> bytes:
    """The file of this configuration. Raises Refused when a sound is gone, or something points outside.

    `with_secrets`: passwords of phones and lines and PINs, in clear; without them phones get new passwords where the file is taken in.
    """
    owner = await models.User.of(whole.account.id).filter(is_owner=True).first()
    elements = [element for element in whole.elements() if isinstance(element, SoundElement)]
    paths, sounds = await asyncio.to_thread(packed, elements, media)
    return written(document(whole, owner.id if owner else None, paths, sounds, with_secrets=with_secrets))


def document(whole: Snapshot, owner: int | None, paths: dict[str, str], sounds: dict[str, str], *, with_secrets: bool) -> Document:
    names = {ref: number for refs in in_order(whole, owner).values() for number, ref in enumerate(refs, 1)}
    name = naming(whole, names)
    core = msgspec.structs.replace(
        whole.core,
        users=tuple(msgspec.structs.replace(u, role="user", pin=u.pin if with_secrets else None) for u in whole.core.users),
        sip_accounts=tuple(msgspec.structs.replace(a, secret=_open(a.secret, with_secrets)) for a in whole.core.sip_accounts),
        trunks=tuple(msgspec.structs.replace(t, secret=_open(t.secret, with_secrets)) for t in whole.core.trunks),
    )
    parts: dict[str, Any] = {}
    for plugin, part in {"core": core, **whole.parts}.items():
        parts[plugin] = msgspec.to_builtins(_ordered(renamed(_with_sounds(part, paths), name)), order="sorted")
    for own in ("id", "number", "domain"):
        del parts["core"]["account"][own]
    for user in parts["core"]["users"]:
        del user["role"]
    return Document(
        format=FORMAT, version=VERSION, secrets=with_secrets, parts=parts, sounds=sounds,
        owner=names.get(Ref("core.user", owner)) if owner is not None else None,
    )  # fmt: skip


def _open(secret: str, with_secrets: bool) -> str:
    return decrypt(secret) if secret and with_secrets else ""


def _with_sounds(part: P, paths: dict[str, str]) -> P:
    changes = {}
    for field in part.__struct_fields__:
        value = getattr(part, field)
        if isinstance(value, tuple) and any(isinstance(item, SoundElement) for item in value):
            changes[field] = tuple(with_paths(item, paths) if isinstance(item, SoundElement) else item for item in value)
    return msgspec.structs.replace(part, **changes) if changes else part


def _ordered(part: P) -> P:
    """Elements by their new ids, in which the owner and the PBX come first. Numbers keep their order of connection."""
    changes = {}
    for field in part.__struct_fields__:
        value = getattr(part, field)
        numbers = isinstance(part, CorePart) and field == "dids"
        if isinstance(value, tuple) and value and all(isinstance(item, Element) for item in value) and not numbers:
            changes[field] = tuple(sorted(value, key=lambda element: element.id))
    return msgspec.structs.replace(part, **changes) if changes else part

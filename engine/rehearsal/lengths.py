# SPDX-License-Identifier: Apache-2.0
"""How long sounds are, so that a rehearsed call waits for them as a caller does."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Final

from engine.snapshot import Snapshot
from engine.sound import prompts

UNMEASURED: Final = 3.0
"""Seconds of a sound nobody has measured."""


def seconds_of(snapshot: Snapshot, path: str) -> float:
    """The length of a sound of the account or of the PBX by its path."""
    return snapshot.sound_seconds.get(path) or _built_in().get(path, UNMEASURED)


@cache
def _built_in() -> Mapping[str, float]:
    names = (f"prompts/{path.name}" for path in sorted(prompts.FOLDER.glob("*.wav")))
    return {name: prompts.seconds_of(name) for name in names}

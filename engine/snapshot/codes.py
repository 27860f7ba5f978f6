# SPDX-License-Identifier: Apache-2.0
"""Feature codes in the snapshot (PBX-6): what employees can do by keys, and the part of whichever plugin says by which."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

from engine.snapshot.element import Part, Ref, Target

Feature: TypeAlias = Literal["blind", "consult", "toggle", "cancel", "fax", "voicemail", "pickup"]
"""What an employee can do by a code (PBX-6)."""


class CodesPart(Part, frozen=True, kw_only=True):
    """The part of the plugin that says by which keys employees steer a call (PBX-6); at most one plugin has such a part."""

    def feature_codes(self) -> Mapping[Feature, tuple[str, ...]]:
        """Patterns by feature, as engine.calls.codes reads them; also of an account where nothing was ever saved."""
        return {}

    def place_of_code(self, feature: Feature, group: Ref) -> Target | None:
        """Where a code that names no number sends the other party: the fax or the mailbox of this group."""
        return None

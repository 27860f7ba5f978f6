# SPDX-License-Identifier: Apache-2.0
"""Feature codes in the snapshot («команды ДВО», PBX-6): at most one element an account; without it the built-in codes hold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Final

from msgspec import Meta

from engine.sdk import N_, CodesPart, Element, Feature, Ref, Snapshot, Target

PLACES: Final[Mapping[Feature, str]] = {"voicemail": "voicemail.group", "fax": "fax.group"}
"""Where codes without a number lead: routing actions of whatever plugin has them, with the id of the group."""


class FeatureCodes(Element, frozen=True, kw_only=True):
    """Patterns over 0–9, * and #, where “d” is exactly one digit. An empty tuple: there is no such code."""

    kind: ClassVar[str] = "codes.codes"
    noun: ClassVar[str] = N_("Feature codes")
    title: str = "Feature codes"
    blind: Annotated[tuple[str, ...], Meta(title="New call without consultation")] = ("*1ddd", "*8")
    consult: Annotated[tuple[str, ...], Meta(title="New call with consultation")] = ("*2ddd", "*9")
    toggle: Annotated[tuple[str, ...], Meta(title="Switch between the parties")] = ("*3",)
    cancel: Annotated[tuple[str, ...], Meta(title="Cancel the transfer")] = ("*4",)
    fax: Annotated[tuple[str, ...], Meta(title="To the reception of a fax")] = ("*5",)
    voicemail: Annotated[tuple[str, ...], Meta(title="To the recording of a voice message")] = ("*6",)
    pickup: Annotated[tuple[str, ...], Meta(title="Pick up a call in the group")] = ("*7",)

    @property
    def patterns(self) -> Mapping[Feature, tuple[str, ...]]:
        return {
            "blind": self.blind, "consult": self.consult, "toggle": self.toggle, "cancel": self.cancel, "fax": self.fax,
            "voicemail": self.voicemail, "pickup": self.pickup,
        }  # fmt: skip


DEFAULTS: Final = FeatureCodes(id=0)


class FeatureCodesPart(CodesPart, frozen=True, kw_only=True):
    codes: tuple[FeatureCodes, ...] = ()

    def feature_codes(self) -> Mapping[Feature, tuple[str, ...]]:
        return (self.codes[0] if self.codes else DEFAULTS).patterns

    def place_of_code(self, feature: Feature, group: Ref) -> Target | None:
        kind = PLACES.get(feature)
        return Ref(kind, group.id) if kind is not None else None


def codes_of(snapshot: Snapshot) -> FeatureCodes:
    part = snapshot.part("codes", FeatureCodesPart)
    return part.codes[0] if part is not None and part.codes else DEFAULTS

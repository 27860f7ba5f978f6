# SPDX-License-Identifier: Apache-2.0
"""The vocabulary of configuration: references, elements, parts. Every plugin's part is made of these."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, TypeAlias

import msgspec
from msgspec import Meta

from engine.errors import Problem

if TYPE_CHECKING:
    from engine.snapshot.snapshot import Snapshot


class Ref(msgspec.Struct, frozen=True, order=True):
    """A typed reference to an element: kind "groups.group" and its primary key."""

    kind: str
    id: int

    def __str__(self) -> str:
        return f"{self.kind}:{self.id}"

    @classmethod
    def parse(cls, text: str) -> Ref:
        """The inverse of str(); raises ValueError."""
        kind, colon, number = text.rpartition(":")
        if not colon or not kind or not number.isdigit():
            raise ValueError(f"not a reference: {text!r}")
        return cls(kind, int(number))


@dataclass(frozen=True, slots=True)
class To:
    """In a field's annotation, `Annotated[Ref | None, To(Condition)]`: what it may point at, a class of elements or one kind by name.

    A configuration in which it points at anything else is not saved. A Target may be anything that an action serves.
    """

    what: type[Element] | str

    def fits(self, element: Element) -> bool:
        return element.kind == self.what if isinstance(self.what, str) else isinstance(element, self.what)


@dataclass(frozen=True, slots=True)
class IdOf:
    """In a number's annotation, `Annotated[int, IdOf("core.user")]`: whose id it is. Every field that holds an id without a `Ref` needs it.

    `goes`: it goes with what it points at, as a membership does, and does not keep it from being deleted.
    A kind that no part keeps lies outside the configuration, like Telegram's chats, and is in no export.
    """

    kind: str
    goes: bool = False


Target: TypeAlias = Ref
"""A Ref to something a call may go to; its kind names the routing action."""


class Element(msgspec.Struct, frozen=True, kw_only=True):
    """One configured thing of an account: it has a kind, an id, a title, and a place in the element tree."""

    kind: ClassVar[str] = ""
    noun: ClassVar[str] = ""
    by_title: ClassVar[bool] = False
    """Lists offer it by its title alone: a second one of the same title gets a warning."""
    """What people call such a thing, a catalogue id: N_("Group")."""
    id: int
    title: Annotated[str, Meta(title="Title")]
    parent: Annotated[Ref | None, Meta(title="Place in the tree")] = None

    @property
    def ref(self) -> Ref:
        return Ref(self.kind, self.id)


class Sound(msgspec.Struct, frozen=True):
    """Something the switch can play: `path` is relative to the media root, or a "tone:…"/"silence:…" recipe."""

    path: str


class SoundElement(Element, frozen=True, kw_only=True):
    """An element that can be played (a voice file)."""

    path: Annotated[str, Meta(title="Sound")]
    seconds: Annotated[float, Meta(title="Length, seconds")] = 0.0
    """Its length; 0 when not known."""
    original: Annotated[str, Meta(title="Uploaded file")] = ""
    """What it was made of, beside it; stays behind when a configuration is exported."""

    @property
    def sound(self) -> Sound:
        return Sound(self.path)


class Verdict(msgspec.Struct, frozen=True):
    """A condition's answer, for trace and rehearsal.

    `reason`: a word that the trace's page puts into the reader's language ("outside_hours"), or a message id of the plugin's own,
    whose places are filled with `params`.
    """

    holds: bool
    reason: str = ""
    params: dict[str, str] = {}

    @property
    def told(self) -> dict[str, str]:
        """Why not, as facts of a Step: "why", and each of the reason's places as "why_<place>"."""
        return {"why": self.reason or "outside_hours", **{f"why_{place}": value for place, value in self.params.items()}}


class Condition(Element, frozen=True, kw_only=True):
    """An element that says yes or no to a call (a schedule), from memory alone."""

    def verdict(self, moment: datetime, caller: str | None, whole: Snapshot) -> Verdict:
        """`moment` aware; `caller` in E.164 or None when withheld; `whole`: the configuration the condition stands in."""
        raise TypeError(f"{type(self).__name__} has no verdict")


class Attached(Element, frozen=True, kw_only=True):
    """What a plugin keeps of an element that is not its own, its `parent`: at most one of a kind. Deleted with it, and no use of it."""

    def stands_in(self) -> Target | None:
        """Where a colleague's call to the owner goes when he does not take it (R8); None: nowhere."""
        return None


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """What one plugin keeps in an account's snapshot: tuples of Elements, under a version for exports."""

    version: int = 1

    places: ClassVar[Mapping[str, str]] = {}
    """Kinds of targets that are no elements but places at one, by the kind whose ids they carry: a user's voicemail goes by the user's."""


Severity: TypeAlias = Literal["error", "warning", "hint"]
"""A hint may well be as it should be; it is told by the check of settings only."""


def as_findings(where: Ref, problems: Iterable[Problem]) -> Iterator[Finding]:
    """What is wrong with the fields of an element, for the check of its part: it holds whatever wrote the rows, also an import."""
    for problem in problems:
        yield Finding("error", where, problem.message, {name: str(value) for name, value in problem.params.items()})


class Finding(msgspec.Struct, frozen=True):
    """What a check of a configuration found: errors stop a save. `message` is a catalogue id."""

    severity: Severity
    where: Ref | None
    message: str
    params: dict[str, str] = {}

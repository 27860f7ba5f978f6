# SPDX-License-Identifier: Apache-2.0
"""The vocabulary of configuration: references, elements, parts. Every plugin's part is made of these."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, ClassVar, Final, Literal, Protocol, TypeAlias, runtime_checkable

import msgspec
from msgspec import Meta

from engine.errors import Problem
from engine.i18n import N_

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


Notice: TypeAlias = Literal["attachment", "notice", "none"]
"""«Отправка уведомления с вложением», «Отправка только уведомления», «Не отправлять»."""
NOTICES: Final[Mapping[Notice, str]] = {
    "attachment": N_("Notice with the message attached"),
    "notice": N_("Notice only"),
    "none": N_("Do not send"),
}


class Noticed(Attached, frozen=True, kw_only=True):
    """A mailbox of something that comes for the owner, and who is told of it (VM-3)."""

    emails: Annotated[tuple[str, ...], Meta(title="E-mail")] = ()
    hidden_emails: Annotated[tuple[str, ...], Meta(title="Hidden e-mail")] = ()
    notice: Annotated[Notice, Meta(title="Notices of new messages", extra={"words": NOTICES})] = "attachment"
    chats: Annotated[tuple[int, ...], IdOf("telegram.chat"), Meta(title="Telegram chats")] = ()


class Branch(Element, frozen=True, kw_only=True):
    """An element of the tree that a call enters on its way down: a group or a menu (R3)."""

    priority: Annotated[int, Meta(title="Priority")] = 1
    """Among its siblings; lower = earlier (GRP-4)."""
    active: Annotated[bool, Meta(title="Active")] = True
    extension: Annotated[str | None, Meta(title="Extension")] = None
    schedule: Annotated[Ref | None, To(Condition), Meta(title="Schedule")] = None
    recording: Annotated[bool, Meta(title="Call recording")] = False
    outbound: Annotated[Ref | None, To("core.did"), Meta(title="Outbound number")] = None
    """The number shown on outgoing calls of its users; unset = the parent's (GRP-2)."""

    forbidden_prefixes: Annotated[tuple[str, ...], Meta(title="Forbidden prefixes")] = ()
    """First digits of numbers that its users may not call, nor those of groups inside it (RST-1); of the root: the PBX's own."""

    left_as: ClassVar[Literal["left", "menu"]] = "left"
    """Why nobody talked when the caller hung up in it: waiting for somebody, or choosing in a menu (R1)."""
    falls_back: ClassVar[bool] = False
    """Whether its kind has a no-answer action (GRP-8); the calls of one that has none go by the nearest parent's."""

    takes_back: ClassVar[bool] = False
    """Whether a caller who has heard a phrase that he chose in it comes back to it (R4)."""

    def fallback(self) -> Ref | None:
        """Its no-answer action; None when nothing is chosen."""
        return None

    def place_of(self, user: int) -> int | None:
        """Where it stands among the user's groups in the order of adding (R15), for what groups give to their members; None = none of his.

        A menu gives nothing to its users: it is none of theirs.
        """
        return None


@runtime_checkable
class Alerted(Protocol):
    """An element that names people to be told of the calls it missed (GRP-7)."""

    @property
    def title(self) -> str: ...
    @property
    def ref(self) -> Ref: ...
    @property
    def missed_emails(self) -> tuple[str, ...]: ...
    @property
    def missed_chats(self) -> tuple[int, ...]:
        """Telegram's chat ids."""


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """What one plugin keeps in an account's snapshot: tuples of Elements, under a version for exports."""

    version: int = 1

    places: ClassVar[Mapping[str, str]] = {}
    """Kinds of targets that are no elements but places at one, by the kind whose ids they carry: a user's voicemail goes by the user's."""


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


Severity: TypeAlias = Literal["error", "warning"]


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

# SPDX-License-Identifier: Apache-2.0
"""What a routing action holds of a call. Orders return at once and never raise; `next` is the only await.

The same action code runs live (engine.calls.live) and rehearsed (engine.rehearsal): nothing here knows a clock,
a socket or a switch. A released leg or a stopped playback yields no further event.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, Literal, Protocol, TypeAlias, TypeVar

from engine.calls.causes import NORMAL_CLEARING, HangupCause
from engine.facts import Fact
from engine.snapshot import Contact, Ref, Snapshot, Sound, Target, User

if TYPE_CHECKING:
    from engine.calls.leg import LegState

T = TypeVar("T")

LegReason: TypeAlias = Literal[
    "incoming", "internal", "outgoing", "member", "forward", "transfer",
    "callback_client", "callback_employee", "callout",
]  # fmt: skip
"""Why a leg exists; billing charges by it (BIL-10). "member" = a contact rung by a distribution."""


@dataclass(frozen=True, slots=True)
class Leg:
    """One party's connection; `id` is the switch's channel uuid."""

    id: str
    label: str
    """Number or login as people know it."""
    user: int | None = None
    contact: int | None = None
    external: bool = False
    """True when the leg goes through a trunk."""


NOBODY: Final = Leg("", "")
"""The party of an ordered call until somebody has answered; who asked for a transfer when that is not known."""


@dataclass(frozen=True, slots=True)
class Callee:
    """Whom a leg is dialled to and on whose behalf: what routing, CDR and billing need of it."""

    label: str
    contact: Contact | None = None
    user: User | None = None
    number: str | None = None
    """An outside number in E.164 (or an emergency number as dialled) when there is no contact."""
    group: Ref | None = None
    reason: LegReason = "member"
    timeout: timedelta = timedelta(seconds=20)
    shows: Caller | None = None
    """Whom he is shown instead of the call's caller: whoever consults him (R19)."""
    heard_early: bool = False
    """What he sends before he answers, an operator's announcement or his own ringing, is for the party to hear: EarlyMedia tells of it."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who is calling. `number` is E.164 for outsiders, an extension or login inside; None when withheld."""

    number: str | None
    name: str = ""
    external: bool = True
    user: int | None = None
    trunk: int | None = None
    dialled: str = ""
    """What was dialled: the DID in E.164, an extension, or the digits as they came."""


@dataclass(frozen=True, slots=True)
class Playback:
    id: str
    sounds: tuple[Sound, ...]


@dataclass(frozen=True, slots=True)
class Recording:
    id: str
    path: str
    """Relative to the media root."""
    leg: Leg | None = None
    """On whose channel it runs. None when an earlier engine began it on a leg that has gone."""
    turned: bool = False
    """It began on the other side's channel: left is what this leg hears, as it was before."""


@dataclass(frozen=True, slots=True)
class Message:
    """What the served party says for somebody who is not there; no part of the conversation's recording (R13)."""

    path: str
    """Relative to the media root; mono."""
    begun_at: datetime
    seconds: float | None = None
    """How long he spoke, without the silence that ended it; None while it is being recorded."""


@dataclass(frozen=True, slots=True)
class Fax:
    """A fax that the served party sends."""

    path: str
    """Of the TIFF, relative to the media root."""
    begun_at: datetime
    pages: int | None = None
    """Whole pages that have come; None while it is being received."""
    complete: bool = False
    """The sender's machine has said that this was everything."""
    sender: str = ""
    """How the sending machine calls itself (T.30: TSI), mostly its number."""
    trouble: str = ""
    """Why it is not complete, in the switch's words."""


@dataclass(frozen=True, slots=True)
class Presence:
    registered: bool
    busy_lines: int


# events ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Key:
    leg: Leg
    digit: str


@dataclass(frozen=True, slots=True)
class Played:
    playback: Playback
    reason: Literal["finished", "missing", "broken"] = "finished"


@dataclass(frozen=True, slots=True)
class Ringing:
    leg: Leg


@dataclass(frozen=True, slots=True)
class EarlyMedia:
    """A leg that is rung sends sound before it answers (183 with a description, RFC 3960); told only where it was asked for."""

    leg: Leg


@dataclass(frozen=True, slots=True)
class Answered:
    leg: Leg


@dataclass(frozen=True, slots=True)
class Ended:
    leg: Leg
    cause: HangupCause


@dataclass(frozen=True, slots=True)
class Joined:
    """A bridge the engine did not order: somebody picked the call up, or a phone put a new leg in our place (Replaces)."""

    leg: Leg
    instead_of: Leg | None = None
    group: Ref | None = None
    """The one it was rung for, in this call or in the one it comes from."""


@dataclass(frozen=True, slots=True)
class Held:
    leg: Leg
    on: bool


@dataclass(frozen=True, slots=True)
class TransferAsked:
    """A phone asked (REFER) that the other party be sent to `number`."""

    by: Leg
    number: str


@dataclass(frozen=True, slots=True)
class Recorded:
    recording: Recording
    seconds: float


@dataclass(frozen=True, slots=True)
class MessageOver:
    """By `end_message`, silence, its limit, or because the party has hung up: then it comes before CallGone is raised."""

    message: Message
    """With its `seconds`."""


@dataclass(frozen=True, slots=True)
class Faxed:
    """A fax is over; when the party has hung up, this comes before CallGone is raised."""

    fax: Fax
    """With its `pages`."""


@dataclass(frozen=True, slots=True)
class Parted:
    """Those whose talk was ended by `part` are free for other orders."""


@dataclass(frozen=True, slots=True)
class TimeUp:
    pass


Event: TypeAlias = (
    Key | Played | Ringing | EarlyMedia | Answered | Ended | Joined | Held | TransferAsked
    | Recorded | MessageOver | Faxed | Parted | TimeUp
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Step:
    """One line of a call's trace = of a rehearsal's step list. `what` names a catalogue sentence; `facts` fill it."""

    what: str
    facts: Mapping[str, str | int | float | bool | None] = field(default_factory=dict)
    target: Target | None = None


class Call(Protocol):
    @property
    def id(self) -> str: ...
    @property
    def snapshot(self) -> Snapshot: ...
    @property
    def caller(self) -> Caller: ...
    @property
    def party(self) -> Leg:
        """Whom the scenario serves now; changes on a transfer."""
    @property
    def now(self) -> datetime: ...
    @property
    def answered(self) -> bool:
        """Whether the party has been answered; keys are live only then."""

    async def next(self, until: datetime | None = None, *, keys: bool = False) -> Event:
        """The next event; TimeUp at `until`. Raises CallGone when the served party has left.

        `keys`: a key would mean something now; a rehearsal's caller types then. Calls from a switch get their keys in any case.
        """

    # the party's sound
    def answer(self) -> None: ...
    def ringback(self, music: Sound | None) -> None:
        """The party hears ringing (180, or the tone when answered) or `music`, until it is given something else to hear or is bridged."""
    def play(self, *sounds: Sound, loop: bool = False) -> Playback: ...
    def stop(self, playback: Playback) -> None: ...
    def record(self, leg: Leg, path: str) -> Recording:
        """Record the conversation of a leg in stereo (R13) to `path`, relative to the media root."""
    def end_recording(self, recording: Recording) -> None: ...
    def record_message(self, path: str, *, limit: timedelta, until_silence: timedelta) -> Message:
        """Record what the party says to `path`, relative to the media root, until MessageOver. `until_silence` 0: not by silence."""
    def end_message(self, message: Message) -> None:
        """MessageOver follows."""
    @property
    def message(self) -> Message | None:
        """The newest one of this call; after a restart of the engine too, when it may be running still."""
    @property
    def takes_faxes(self) -> bool:
        """Whether the switch can receive faxes."""
    def receive_fax(self, path: str) -> Fax:
        """Receive a fax (G.711 or T.38) from the answered party into the TIFF `path`, relative to the media root, until Faxed."""
    def end_fax(self, fax: Fax) -> None:
        """What has come by now is all there will be. Faxed follows; the party is to be hung up."""
    @property
    def fax(self) -> Fax | None:
        """The newest one of this call; after a restart of the engine too, when it may be coming in still."""

    # legs
    def dial(self, callee: Callee, *, caller_id: str | None = None) -> tuple[Leg, ...]:
        """Ring one contact or number; gates, trunk choice and time-out inside. Failure arrives as Ended.

        A leg for each phone: one, or several when several phones share the contact's login.
        """
    def dial_instead(self, leg: Leg) -> Leg | None:
        """By the next line, when that of this ended leg was at fault and another may be taken (R16); None when none is left."""
    def let_hear(self, leg: Leg) -> None:
        """The party hears the early media of this leg instead of the ringing, until it answers or ends."""
    def release(self, leg: Leg, cause: HangupCause = NORMAL_CLEARING) -> None: ...
    def bridge(self, one: Leg, other: Leg) -> None: ...
    def hold(self, leg: Leg, music: Sound | None) -> None:
        """A leg that talks with nobody hears `music` (None: the account's, else the switch's own) until it is bridged."""
    def tell(self, leg: Leg, sound: Sound) -> None:
        """The leg alone hears this once, also in the middle of a talk."""
    def send_keys(self, leg: Leg, digits: str) -> None:
        """The leg gets these keys, as if the party it talks with had pressed them."""
    def show(self, leg: Leg, party: Leg) -> None:
        """The phone of `leg` shows from now on that it talks with `party`, where phone and switch can (R19)."""
    def part(self, one: Leg, other: Leg) -> None:
        """End their talk and nobody's call; Parted follows. `bridge`, `hold` and `tell` need not wait for it."""
    def outlive(self, *legs: Leg) -> None:
        """While parties are moved about: none of these goes when the one it talks with does, and the end of the served one comes as
        Ended, after which somebody else is to be served. Without legs: all is as usual again."""
    def attend(self, leg: Leg | None, stays: Leg | None = None) -> None:
        """`leg` has sent the served party on by a code and listens: the cancelling code makes `next` raise Recalled, his hanging up is
        no event and makes `stays` the served party. Whoever then talks with the served party takes his place, or a message or a fax
        that it leaves: his leg is released."""
    @property
    def attending(self) -> Leg | None:
        """Who listens so, if he still does."""
    def pick_up(self, groups: Sequence[Ref]) -> bool:
        """Give the party the caller who has waited longest of those that ring in these groups (R15); False when there is none.

        Then the party's leg goes over into that call: CallGone.
        """

    def legs_of(self, reason: LegReason) -> Sequence[LegState]:
        """The call's legs that exist for this reason: of an ordered call that an earlier engine began, whom it has rung."""
    def serve(self, leg: Leg) -> None:
        """The scenario serves this answered leg from now on: an ordered call begins with NOBODY."""

    # the world, asked from memory and changed through one door
    def presence(self, contact: Contact) -> Presence: ...
    def involved(self, contact: Contact) -> bool:
        """Whether the contact already rings or talks in this call, or is the caller's own (R3)."""
    def shuffle(self, items: Sequence[T]) -> Sequence[T]: ...
    def note(self, step: Step) -> None: ...
    def fact(self, fact: Fact) -> None: ...

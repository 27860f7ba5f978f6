# SPDX-License-Identifier: Apache-2.0
"""A call at a mailbox: greeting, beep, the message until hang-up, “#”, silence or the maximum (VM-1, ACT-11, ACT-12)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import ClassVar, Final

from engine.sdk import (
    N_,
    Call,
    Choice,
    Done,
    Entry,
    Key,
    Message,
    MessageOver,
    Missed,
    Nesting,
    Outcome,
    Place,
    Played,
    Ref,
    Sentence,
    Snapshot,
    Sound,
    Step,
    people,
)
from plugins.groups.api import places_of_groups, places_of_users
from plugins.voicemail.facts import MessageDropped, MessageLeft
from plugins.voicemail.part import GROUP_VOICEMAIL, USER_VOICEMAIL, Mailbox, mailbox_of

GREETING: Final = Sound("prompts/voicemail.wav")
BEEP: Final = Sound("tone:%(400,0,1000)")
LEAST_SECONDS: Final = 1.0
"""Whoever speaks for less has left nothing."""
END_KEY: Final = "#"

SENTENCES: Final[Mapping[str, Sentence]] = {
    "voicemail": Sentence(N_("Voicemail of {who}")),
    "message_left": Sentence(N_("A message of {seconds} s is left for {who}"), "accent"),
    "message_empty": Sentence(N_("Nothing was said: no message is kept"), "bad"),
}


class _ToVoicemail:
    kind: ClassVar[str]
    places: ClassVar[frozenset[Place]] = frozenset({"rule", "key", "no_answer"})

    async def run(self, call: Call, entry: Entry, router: Nesting) -> Outcome:
        owner = call.snapshot.owner(entry.target)
        message = call.message if entry.by == "repeat" else None  # an engine before us may have begun it: it is heard to its end
        if message is None:
            title, mailbox = people.mailbox_title(call.snapshot, owner), mailbox_of(call.snapshot, owner)
            if not title:
                return Missed("gone")
            if not mailbox.active:
                call.note(Step("closed", {"title": title, "why": "inactive"}, owner))
                return Missed("inactive")
            call.note(Step("voicemail", {"who": title}, owner))
            call.answer()
            await _greet(call, mailbox)
            message = call.record_message(
                f"voicemail/{call.snapshot.account.id}/{call.now:%Y/%m}/{call.id}.wav",
                limit=timedelta(seconds=mailbox.max_seconds),
                until_silence=timedelta(seconds=mailbox.silence_seconds),
            )
        if message.seconds is None:
            message = await _spoken(call, message)
        if _kept(call, owner, message):
            return Done()
        # an employee has sent his party here and has left: it does not go back to him for saying nothing
        return Done(talked=True) if entry.by == "transfer" else Missed("no_message")

    def left(self, call: Call, entry: Entry, router: Nesting) -> None:
        """What was said while no engine ran is a message like any other."""
        if call.message is not None:
            _kept(call, call.snapshot.owner(entry.target), call.message)


class ToUserVoicemail(_ToVoicemail):
    """«Голосовая почта пользователя»."""

    kind: ClassVar[str] = USER_VOICEMAIL
    title: ClassVar[str] = N_("Voicemail of a user")

    def choices(self, snapshot: Snapshot) -> Iterable[Choice]:
        return places_of_users(snapshot, self.kind)


class ToGroupVoicemail(_ToVoicemail):
    """«Голосовая почта группы», that of the PBX itself among them (R25)."""

    kind: ClassVar[str] = GROUP_VOICEMAIL
    title: ClassVar[str] = N_("Voicemail of a group")

    def choices(self, snapshot: Snapshot) -> Iterable[Choice]:
        return places_of_groups(snapshot, self.kind)


async def _greet(call: Call, mailbox: Mailbox) -> None:
    """“#” skips what is played."""
    greeting = call.snapshot.sound(mailbox.greeting) or GREETING
    for sound in (greeting, BEEP) if mailbox.beep else (greeting,):
        playback = call.play(sound)
        while True:
            match await call.next():
                case Played(done, _) if done == playback:
                    break
                case Key(leg, digit) if leg == call.party and digit == END_KEY:
                    call.stop(playback)
                    break


async def _spoken(call: Call, message: Message) -> Message:
    while True:
        match await call.next():
            case Key(leg, digit) if leg == call.party and digit == END_KEY:
                call.end_message(message)
            case MessageOver(over) if over.path == message.path:
                return over


def _kept(call: Call, owner: Ref, message: Message) -> bool:
    seconds = message.seconds or 0.0
    if seconds < LEAST_SECONDS:
        call.note(Step("message_empty"))
        call.fact(MessageDropped(account=call.snapshot.account.id, call=call.id, at=message.begun_at, path=message.path))
        return False
    who = people.mailbox_title(call.snapshot, owner) or str(owner)  # who has gone meanwhile
    call.note(Step("message_left", {"who": who, "seconds": round(seconds)}, owner))
    call.fact(
        MessageLeft(
            account=call.snapshot.account.id, call=call.id, at=message.begun_at, owner=owner, caller_number=call.caller.number,
            caller_name=call.caller.name, dialled=call.caller.dialled, path=message.path, seconds=seconds,
        )
    )  # fmt: skip
    return True

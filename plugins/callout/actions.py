# SPDX-License-Identifier: Apache-2.0
"""A call in CallOut (CO-1, CO-2, R23): who calls, by his number or PIN, then number after number at the company's cost.

Keys are read from the call itself, not by `listen`, which notes them: a PIN stands in no trace.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import ClassVar, Final

from engine.sdk import (
    N_,
    NORMAL_TEMPORARY_FAILURE,
    Call,
    Caller,
    Choice,
    Entry,
    GoTo,
    Hangup,
    Key,
    Nesting,
    Outcome,
    Place,
    Played,
    Ref,
    Sentence,
    Served,
    Snapshot,
    Sound,
    Step,
    TimeUp,
    User,
    is_emergency,
    said,
    to_e164,
)
from plugins.callout.facts import PinGuard, WrongPin
from plugins.callout.part import phrases_of

CALL_OUT: Final = Ref("callout.callout", 0)
PIN_ATTEMPTS: Final = 3
NUMBER_ATTEMPTS: Final = 3
"""Numbers in a row that were none, silence too: a leg that says nothing does not stay for ever."""
FIRST_DIGIT: Final = timedelta(seconds=10)
NEXT_DIGIT: Final = timedelta(seconds=4)
MOST_DIGITS: Final = 24

ENTER_NUMBER: Final = Sound("prompts/callout-number.wav")
BAD_NUMBER: Final = Sound("prompts/callout-bad-number.wav")
ENTER_PIN: Final = Sound("prompts/callout-pin.wav")
BAD_PIN: Final = Sound("prompts/callout-bad-pin.wav")
REFUSED: Final = Sound("prompts/callout-refused.wav")

SENTENCES: Final[Mapping[str, Sentence]] = {
    "callout_by_number": Sentence(N_("CallOut knows {who} by the number"), "accent"),
    "callout_by_pin": Sentence(N_("CallOut knows {who} by the PIN"), "accent"),
    "callout_wrong_pin": Sentence(N_("Wrong PIN, attempt {number} of {of}"), "bad"),
    "callout_no_pin": Sentence(N_("No PIN was entered, attempt {number} of {of}"), "bad"),
    "callout_blocked": Sentence(N_("Too many wrong PINs from this number: no PIN is taken from it for an hour"), "bad"),
    "callout_inactive": Sentence(N_("{who} is switched off and may not use CallOut"), "bad"),
    "callout_number": Sentence(N_("CallOut calls {number}")),
    "callout_bad_number": Sentence(N_("What was entered is no number ({count} keys)"), "bad"),
}


class ToCallOut:
    """«CallOut» (ACT-15)."""

    kind: ClassVar[str] = CALL_OUT.kind
    title: ClassVar[str] = N_("CallOut")
    places: ClassVar[frozenset[Place]] = frozenset({"rule", "key", "no_answer"})

    def __init__(self, guard: PinGuard) -> None:
        self._guard = guard

    def choices(self, snapshot: Snapshot) -> Iterable[Choice]:
        return (Choice(CALL_OUT, self.title),)

    async def run(self, call: Call, entry: Entry, router: Nesting) -> Outcome:
        call.fact(Served(account=call.snapshot.account.id, call=call.id, at=call.now, how="callout"))
        call.answer()
        user = known_by_number(call.snapshot, call.caller)
        if user is not None:
            call.note(Step("callout_by_number", {"who": user.title}, user.ref))
        else:
            user = await self._by_pin(call)
        if user is None:
            return Hangup()
        if not user.active:
            call.note(Step("callout_inactive", {"who": user.title}, user.ref))
            await said(call, REFUSED)
            return Hangup()
        return await _numbers(call, user, router)

    async def _by_pin(self, call: Call) -> User | None:
        """Whose PIN is entered; None when the call is over for him."""
        account, phrases = call.snapshot.account.id, phrases_of(call.snapshot)
        owners = {u.pin: u for u in call.snapshot.core.users if u.pin}
        for attempt in range(1, PIN_ATTEMPTS + 1):
            if self._guard.blocks(account, call.caller.number, call.now):
                call.note(Step("callout_blocked"))
                await said(call, REFUSED)
                return None
            typed = await entered(call, call.snapshot.sound(phrases.enter_pin) or ENTER_PIN)
            user = owners.get(typed)
            if user is not None:
                call.note(Step("callout_by_pin", {"who": user.title}, user.ref))
                return user
            if not typed:
                call.note(Step("callout_no_pin", {"number": attempt, "of": PIN_ATTEMPTS}))
            else:
                call.note(Step("callout_wrong_pin", {"number": attempt, "of": PIN_ATTEMPTS}))
                call.fact(WrongPin(account=account, call=call.id, at=call.now, number=call.caller.number))
            await said(call, call.snapshot.sound(phrases.bad_pin) or BAD_PIN)
        return None


def known_by_number(snapshot: Snapshot, caller: Caller) -> User | None:
    """The owner of the one contact that is flagged and has this outsider's number (R23); a withheld number is nobody's."""
    if not caller.external or caller.number is None:
        return None
    flagged = [(u, c) for u in snapshot.core.users for c in u.contacts if c.by_number and c.kind == "phone" and c.address == caller.number]
    if len(flagged) != 1:
        return None
    user, contact = flagged[0]
    return user if contact.active else None


async def _numbers(call: Call, user: User, router: Nesting) -> Outcome:
    """Number after number, for as long as the caller stays."""
    phrases, here, failed = phrases_of(call.snapshot), len(router.trail), 0
    while failed < NUMBER_ATTEMPTS:
        typed = await entered(call, call.snapshot.sound(phrases.enter_number) or ENTER_NUMBER)
        if not _can_be_called(call.snapshot, typed):
            failed += 1
            # not the keys themselves: it may have been a PIN
            call.note(Step("callout_bad_number", {"count": len(typed)}))
            await said(call, call.snapshot.sound(phrases.bad_number) or BAD_NUMBER)
            continue
        failed = 0
        call.note(Step("callout_number", {"number": typed}))
        outcome = await router.follow(call, GoTo(typed, user.id, reason="callout"))
        if outcome == Hangup(NORMAL_TEMPORARY_FAILURE):  # R11
            return outcome
        del router.trail[here:]
    return Hangup()


def _can_be_called(snapshot: Snapshot, typed: str) -> bool:
    return snapshot.extension(typed) is not None or is_emergency(typed) or to_e164(typed, snapshot.account.area_code) is not None


async def entered(call: Call, phrase: Sound) -> str:
    """What is typed at this phrase, which the first key stops: up to # or a pause; "" when nothing is."""
    playback, typed, until = call.play(phrase), "", None
    while True:
        match await call.next(until, keys=not typed):  # a rehearsed caller types a number as one word
            case Key(leg, digit) if leg == call.party:
                call.stop(playback)
                if digit != "#":
                    typed += digit
                elif typed:
                    return typed
                if len(typed) >= MOST_DIGITS:
                    return typed
                until = call.now + (NEXT_DIGIT if typed else FIRST_DIGIT)
            case Played(done, _) if done == playback:
                until = call.now + FIRST_DIGIT
            case TimeUp():
                return typed

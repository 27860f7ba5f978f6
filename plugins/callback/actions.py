# SPDX-License-Identifier: Apache-2.0
"""«CallBack пользователя», «CallBack группы» (ACT-13, ACT-14): the caller is released and will be called back (CB-2, R24)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import ClassVar, Final

from engine.sdk import (
    N_,
    USER_BUSY,
    Call,
    Choice,
    Entry,
    Hangup,
    Missed,
    Nesting,
    Outcome,
    Place,
    Ref,
    Sentence,
    Snapshot,
    Sound,
    Step,
    User,
    client_forbidden,
    said,
    to_e164,
)
from plugins.callback.facts import CallBackRequested
from plugins.callback.part import owner_of, settings_of
from plugins.groups.api import Group

ACCEPTED: Final = Sound("prompts/callback-accepted.wav")
REFUSED: Final = Sound("prompts/callback-refused.wav")

SENTENCES: Final[Mapping[str, Sentence]] = {
    "callback_requested": Sentence(N_("{number} will be called back by “{title}”"), "accent"),
    "callback_refused": Sentence(N_("Who calls can't be called back: no number, or none that we can call"), "bad"),
    "callback_client_first": Sentence(N_("CallBack: first the client {number}, then “{title}”"), "accent"),
    "callback_employee_first": Sentence(N_("CallBack: first “{title}”, then the client {number}"), "accent"),
    "callback_gone": Sentence(N_("There is nobody any more who would call {number} back"), "bad"),
    "callback_final_phrase": Sentence(N_("The client hears the final phrase")),
}
"""Of the calls that ask for it, and of those that are made for it (`attempt.py`)."""


class _ToCallBack:
    """What both actions do; they differ in whom they name."""

    kind: ClassVar[str]

    async def run(self, call: Call, entry: Entry, router: Nesting) -> Outcome:
        owner = call.snapshot.element(owner_of(entry.target))
        if not isinstance(owner, User | Group):
            return Missed("gone")
        if not owner.active:
            return Missed("inactive")
        number = callable_number(call)
        if number is None:
            call.note(Step("callback_refused"))
            call.answer()
            await said(call, REFUSED)
            return Hangup()
        wish = settings_of(call.snapshot, owner.ref)
        call.note(Step("callback_requested", {"number": number, "title": owner.title}, owner.ref))
        call.fact(
            CallBackRequested(
                account=call.snapshot.account.id, call=call.id, at=call.now, number=number, did=call.caller.dialled, target=owner.ref,
                first=wish.first, attempts=wish.attempts, pause_seconds=wish.pause_seconds, delay_seconds=wish.delay_seconds,
            )
        )  # fmt: skip
        if not call.answered:
            return Hangup(USER_BUSY)
        await said(call, ACCEPTED)
        return Hangup()


class UserCallBack(_ToCallBack):
    kind: ClassVar[str] = "callback.user"
    title: ClassVar[str] = N_("CallBack of a user")
    places: ClassVar[frozenset[Place]] = frozenset({"rule", "key", "no_answer"})

    def choices(self, snapshot: Snapshot) -> Iterable[Choice]:
        return [Choice(Ref(self.kind, u.id), u.title) for u in snapshot.core.users]


class GroupCallBack(_ToCallBack):
    kind: ClassVar[str] = "callback.group"
    title: ClassVar[str] = N_("CallBack of a group")
    places: ClassVar[frozenset[Place]] = frozenset({"rule", "key", "no_answer"})

    def choices(self, snapshot: Snapshot) -> Iterable[Choice]:
        return [Choice(Ref(self.kind, e.id), e.title) for e in snapshot.elements() if isinstance(e, Group)]


def callable_number(call: Call) -> str | None:
    """Where the caller can be reached, in E.164.

    None for a withheld number, one that is none, our own, a forbidden one (R18), and callers from inside.
    """
    number = call.caller.number if call.caller.external else None
    if number is None or to_e164(number) != number or call.snapshot.did(number) is not None or client_forbidden(call.snapshot, number):
        return None
    return number

# SPDX-License-Identifier: Apache-2.0
"""Rules of missed-call notices (R1, GRP-7): who is told, who takes a call over, whom to call back. Used by facts, deliveries and bot."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from tortoise.exceptions import IntegrityError

from engine.sdk import N_, Alerted, CallEnded, Context, Element, Refused, Snapshot, clock, decode_fact, models, owe_posts
from plugins.notifications.models import Attempt, Card, Claim
from plugins.stats.api import Viewer, record_of_call

IMPATIENCE: Final = timedelta(seconds=15)
"""An order is a live call only after a moment; presses until then are the same press."""


@dataclass(frozen=True, slots=True)
class Recipients:
    emails: tuple[str, ...] = ()
    chats: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Presser:
    """An employee who pressed a button, and the chat in which he did."""

    account_id: int
    user_id: int
    title: str
    chat_id: int
    everything: bool


# who is told ----------------------------------------------------------------------------------------------------------


def recipients(ended: CallEnded, snapshot: Snapshot) -> Recipients:
    """R1: all addresses and chats of all groups in which distribution failed, each once; before any group the root's; else nobody."""
    if ended.direction != "in" or ended.talked or not ended.missed:
        return Recipients()
    failed = [snapshot.element(ref) for ref in ended.failed_groups]
    return _together(_alerted(failed) or _alerted(snapshot.branches(None)))


def recipients_of_all(snapshot: Snapshot) -> Recipients:
    """Who is told what concerns the PBX as a whole: the addresses and chats of the root group."""
    return _together(_alerted(snapshot.branches(None)))


def _together(told: Sequence[Alerted]) -> Recipients:
    emails = {email.casefold(): email for group in reversed(told) for email in group.missed_emails}
    return Recipients(
        tuple(dict.fromkeys(emails[e.casefold()] for g in told for e in g.missed_emails)),
        tuple(dict.fromkeys(chat for group in told for chat in group.missed_chats)),
    )


def _alerted(elements: Iterable[Element | None]) -> list[Alerted]:
    found: Iterable[object] = elements
    return [element for element in found if isinstance(element, Alerted)]


def failed_titles(ended: CallEnded, snapshot: Snapshot) -> list[str]:
    """Names of the groups that did not answer, as they are called now."""
    return [e.title for ref in ended.failed_groups if (e := snapshot.element(ref))]


# what happened --------------------------------------------------------------------------------------------------------


async def ended_call(account_id: int, call_id: str) -> CallEnded | None:
    """The fact behind a card; None when the call was erased since."""
    row = await models.FactRow.of(account_id).filter(call_id=call_id, kind=CallEnded.kind).first()
    fact = decode_fact({**row.data, "kind": row.kind}) if row else None
    return fact if isinstance(fact, CallEnded) else None


async def claim_of(account_id: int, call_id: str, tx: Any = None) -> Claim | None:
    return await Claim.of(account_id, tx).filter(call_id=call_id).first()


async def missed_call(presser: Presser, call_id: str) -> models.CallRecord:
    """The call behind a button, if the presser may act on it: he may see it, or its card was sent to the chat he is in."""
    shown = await Card.of(presser.account_id).filter(call_id=call_id, chat_id=presser.chat_id).exists()
    return await record_of_call(Viewer(presser.account_id, presser.user_id, presser.everything or shown), call_id)


# what people do about it ----------------------------------------------------------------------------------------------


async def take(ctx: Context, presser: Presser, call_id: str) -> None:
    """«Взял»: the first one wins, and every card of the call says so. Raises Refused naming who was faster."""
    await missed_call(presser, call_id)
    try:
        async with ctx.transaction() as tx:
            before = await claim_of(presser.account_id, call_id, tx)
            if before is not None:
                if before.user_id == presser.user_id:
                    return
                raise Refused(N_("{user} has already taken this call."), user=before.user_title)
            claim = await Claim.create(
                account_id=presser.account_id, call_id=call_id, user_id=presser.user_id, user_title=presser.title, at=clock.now(),
                using_db=tx,
            )  # fmt: skip
            await refresh_cards(ctx, claim, tx)
    except IntegrityError:
        # two pressed in the same moment; the other one's row is there now
        await take(ctx, presser, call_id)


async def refresh_cards(ctx: Context, claim: Claim, tx: Any) -> None:
    """Let every card of the call show who has taken it, behind whatever its chat still waits for."""
    cards = await Card.of(claim.account_id, tx).filter(call_id=claim.call_id)
    chats = [card.chat_id for card in cards]
    await owe_posts(ctx.enqueue, claim.account_id, chats, {"refresh": claim.call_id}, key=f"taken:{claim.call_id}:chat", tx=tx)


async def call_back(ctx: Context, presser: Presser, call_id: str) -> str:
    """«Перезвонить»: order a call, the presser's phones first; returns the number that will be called.

    Pressing again while that call waits or lives changes nothing. Whoever calls back has taken the call, unless somebody had.
    """
    call = await missed_call(presser, call_id)
    if not call.caller_number:
        raise Refused(N_("The caller's number is withheld."))
    user = ctx.snapshot(presser.account_id).users.get(presser.user_id)
    if user is None or not any(contact.active for contact in user.contacts):
        raise Refused(N_("You have no phone on which the PBX could call you."))
    before = await Attempt.of(presser.account_id).filter(call_id=call_id, user_id=presser.user_id).order_by("-id")
    if not before or not await _under_way(before[0]):
        arguments = {"user": presser.user_id, "number": call.caller_number, "did": call.did or ""}
        async with ctx.transaction() as tx:
            key = f"callback:{call_id}:{presser.user_id}:{len(before)}"
            order = await ctx.orders.place(presser.account_id, "callback", arguments, key=key, tx=tx)
            await Attempt.create(
                account_id=presser.account_id, call_id=call_id, user_id=presser.user_id, order_id=order, at=clock.now(), using_db=tx
            )
    if await claim_of(presser.account_id, call_id) is None:
        await take(ctx, presser, call_id)
    return call.caller_number


async def _under_way(attempt: Attempt) -> bool:
    order = await models.CallOrder.of(attempt.account_id).filter(id=attempt.order_id).first()
    if order is None or order.status == "failed":
        return False
    if order.status != "done" or attempt.at > clock.now() - IMPATIENCE:
        return True
    call_id = order.result.get("call") if isinstance(order.result, dict) else None
    return await models.LiveCallRow.of(attempt.account_id).filter(call_id=call_id).exists()

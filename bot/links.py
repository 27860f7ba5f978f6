# SPDX-License-Identifier: Apache-2.0
"""Linking chats to cabinet users by one-time codes, and who a chat's speaker is (BOT-1). Knows no Telegram beyond its ids."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from bot.member import Member, capped
from engine.sdk import LANGUAGES, N_, Context, Forbidden, NotFound, Refused, User, clock, models

WRONG_CODES: Final = 5
WRONG_PERIOD: Final = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Place:
    """A chat as Telegram names it, and the person who writes there. In private `chat` equals `person`."""

    chat: int
    kind: str
    title: str
    person: int | None
    language: str | None = None

    @property
    def private(self) -> bool:
        return self.kind == "private"


@dataclass(slots=True)
class WrongCodes:
    """A brake on guessing: so many wrong codes in a period, then silence about codes for the rest of it; per person and per chat."""

    _seen: dict[int, deque[datetime]] = field(default_factory=dict)

    def add(self, place: Place) -> None:
        """Count a code before it is looked up, since others come in meanwhile. Raises Refused while the place is braked."""
        if any(len(self._recent(number)) >= WRONG_CODES for number in _numbers(place)):
            raise Refused(N_("Too many wrong codes. Try again in ten minutes."))
        for number in _numbers(place):
            self._seen.setdefault(number, deque()).append(clock.now())

    def give_back(self, place: Place) -> None:
        """The last counted code was right."""
        for number in _numbers(place):
            if seen := self._seen.get(number):
                seen.pop()

    def _recent(self, number: int) -> deque[datetime]:
        times = self._seen.get(number, deque())
        while times and times[0] <= clock.now() - WRONG_PERIOD:
            times.popleft()
        if not times:
            self._seen.pop(number, None)
        return times


def _numbers(place: Place) -> set[int]:
    return {place.chat} if place.person is None else {place.chat, place.person}


async def link(ctx: Context, place: Place, code: str, wrong: WrongCodes) -> Member:
    """Use up a code and link the place to its user; an earlier link of the place is replaced.

    A group that another customer has linked stays with him until it is unlinked there.
    """
    wrong.add(place)
    async with ctx.transaction() as tx:
        found = await models.TelegramCode.filter(code=code.strip().upper()).using_db(tx).first()
        user = _user(ctx, found.account_id, found.user_id) if found and found.expires_at > clock.now() else None
        if found is None or user is None:
            raise Refused(N_("This code is wrong or out of date. Take a new one in the cabinet."))
        wrong.give_back(place)
        before = models.TelegramLink.filter(chat_id=place.chat).using_db(tx)
        if not place.private and await before.exclude(account_id=found.account_id).exists():
            raise Refused(N_("This group belongs to another company. It must be unlinked there first."))
        if await models.TelegramCode.filter(id=found.id).using_db(tx).delete() != 1:
            raise Refused(N_("This code is wrong or out of date. Take a new one in the cabinet."))
        await before.delete()
        await models.TelegramLink.create(
            account_id=found.account_id, user_id=user.id, chat_id=place.chat, chat_type=place.kind[:16],
            title=place.title[:200], language=_spoken(place.language) or user.language, using_db=tx,
        )  # fmt: skip
    member = await member_of(ctx, place)
    if member is None:
        raise NotFound
    return member


async def unlink(place: Place, member: Member) -> None:
    """Forget the place's link. In a group only the one who made it, or an administrator who is linked himself."""
    links = models.TelegramLink.of(member.account_id).filter(chat_id=place.chat)
    own = member.personal and await links.filter(user_id=member.user_id).exists()
    if not (place.private or own or (member.personal and member.may("admin"))):
        raise Forbidden(N_("Only the one who linked this group, or an administrator, can unlink it."))
    await links.delete()


async def set_language(place: Place, member: Member, language: str) -> None:
    if language not in LANGUAGES:
        raise Refused(N_("This language is not there."))
    await models.TelegramLink.of(member.account_id).filter(chat_id=place.chat).update(language=language)


async def member_of(ctx: Context, place: Place) -> Member | None:
    """Whose rights the speaker has: his own in private; in a linked group his own there if he is linked too, else the group's, capped."""
    here = await models.TelegramLink.filter(chat_id=place.chat).order_by("-id").first()
    if here is None:
        return None
    if place.private:
        return _member(ctx, here, here, personal=True)
    own = place.person and await models.TelegramLink.of(here.account_id).filter(chat_id=place.person).order_by("-id").first()
    return (_member(ctx, own, here, personal=True) if own else None) or _member(ctx, here, here, personal=False)


def _member(ctx: Context, rights: models.TelegramLink, here: models.TelegramLink, *, personal: bool) -> Member | None:
    user = _user(ctx, rights.account_id, rights.user_id)
    if user is None:
        return None
    account = ctx.snapshot(rights.account_id).account
    role = user.role if personal else capped(user.role)
    return Member(account.id, user.id, user.title, role, here.language, account.timezone, personal, here.chat_id)


def _user(ctx: Context, account_id: int, user_id: int) -> User | None:
    """The user if he and his company are there and active."""
    try:
        snapshot = ctx.snapshot(account_id)
    except NotFound:
        return None
    user = snapshot.users.get(user_id)
    return user if user and user.active and snapshot.account.active else None


def _spoken(language: str | None) -> str | None:
    """The Telegram setting when we speak that language."""
    head = (language or "").partition("-")[0]
    return head if head in LANGUAGES else None

# SPDX-License-Identifier: Apache-2.0
"""Users: created, changed, deleted inside an edit; the rules of USR, R17 and CO-1 that are no matter of a single field's type."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from engine.db import Tx
from engine.db.models import User, WebSession
from engine.errors import InUse, Invalid, Problem, Refused
from engine.i18n import N_
from engine.people.passwords import check_password, hash_password, random_password
from engine.people.prefixes import prefix_problems
from engine.people.wishes import LoginWish, UserWish
from engine.revisions import Edit
from engine.snapshot import Did, Ref
from engine.snapshot import User as UserElement
from engine.snapshot.rows import assign_extension

_PIN: Final = re.compile(r"[0-9]{4,8}")
_LOGIN: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{2,99}")


async def create_user(edit: Edit, wish: UserWish) -> int:
    """Returns the new user's id. Raises Invalid with every wrong field."""
    await _check(edit, wish, None)
    row = await User.create(account_id=edit.account_id, using_db=edit.tx, **_columns(wish))
    await assign_extension(edit.account_id, Ref(UserElement.kind, row.id), wish.extension, edit.tx)
    edit.note(f"user “{wish.title}” created")
    return row.id


async def edit_user(edit: Edit, user_id: int, wish: UserWish) -> None:
    row = await User.of(edit.account_id, edit.tx).fetch(user_id)
    await _check(edit, wish, user_id)
    if row.active and not wish.active:
        await _keep_an_administrator(edit, row)
        await WebSession.of(edit.account_id, edit.tx).filter(user_id=user_id).delete()
    await assign_extension(edit.account_id, Ref(UserElement.kind, user_id), wish.extension, edit.tx)
    row.update_from_dict(_columns(wish))
    await row.save(using_db=edit.tx)
    edit.note(f"user “{wish.title}” changed")


async def remove_user(edit: Edit, user_id: int, going: frozenset[Ref] = frozenset()) -> None:
    """Delete the row with contacts, phones, login and sessions; memberships are engine.people.branches' business.

    InUse while an element that is not itself `going` leads to the user.
    """
    row = await User.of(edit.account_id, edit.tx).fetch(user_id)
    if row.is_owner:
        raise Refused(N_("The owner of the account can’t be deleted."))
    await _keep_an_administrator(edit, row)
    ref = Ref(UserElement.kind, user_id)
    places = [e.title for e in edit.before.referers(ref) if e.ref not in going]
    if places:
        raise InUse(row.title, places)
    await assign_extension(edit.account_id, ref, None, edit.tx)
    await row.delete(using_db=edit.tx)
    edit.note(f"user “{row.title}” deleted")


@dataclass(frozen=True, slots=True)
class Login:
    """A wish with its password hashed, made by `ready_login`; for `set_login`."""

    wish: LoginWish
    hash: str | None
    made: str | None
    """The password made at random where none is wished; of use only to a user who has none yet."""


async def ready_login(wish: LoginWish) -> Login:
    """Hash the password, before any edit begins: it takes its time, and an edit keeps others waiting. Raises Problem if it is too weak."""
    if wish.login is None:
        return Login(wish, None, None)
    if wish.password is not None:
        check_password("password", wish.password, wish.login)
        return Login(wish, await hash_password(wish.password), None)
    made = random_password()
    return Login(wish, await hash_password(made), made)


async def set_login(edit: Edit, user_id: int, login: Login) -> str | None:
    """Open, change or close the way into the cabinet; returns a password made at random, if one was.

    Every open session of the user ends, since rights or password may have changed.
    """
    wish = login.wish
    row = await User.of(edit.account_id, edit.tx).fetch(user_id)
    if wish.login is None or wish.role != "admin":
        await _keep_an_administrator(edit, row)
    made: str | None = None
    if wish.login is None:
        row.login = row.password_hash = None
    else:
        await check_login(wish.login, user_id, edit.tx)
        if wish.password is not None or row.password_hash is None:
            row.password_hash, made = login.hash, login.made
        row.login = wish.login
    row.role = wish.role
    await row.save(using_db=edit.tx)
    await WebSession.of(edit.account_id, edit.tx).filter(user_id=user_id).delete()
    edit.note(f"cabinet login of “{row.title}” changed")
    return made


def _columns(wish: UserWish) -> dict[str, object]:
    return {
        "title": wish.title,
        "extension": wish.extension,
        "active": wish.active,
        "outbound_did_id": wish.outbound.id if wish.outbound else None,
        "recording": wish.recording,
        "schedule_kind": wish.schedule.kind if wish.schedule else None,
        "schedule_id": wish.schedule.id if wish.schedule else None,
        "no_ivr_transfer": wish.no_ivr_transfer,
        "pin": wish.pin,
        "forbidden_prefixes": list(wish.forbidden_prefixes),
        "language": wish.language,
    }


async def _check(edit: Edit, wish: UserWish, user_id: int | None) -> None:
    problems: list[Problem] = []
    if not wish.title.strip():
        problems.append(Problem("title", N_("This field is required.")))
    try:
        await _check_pin(edit, wish.pin, user_id)
    except Problem as problem:
        problems.append(problem)
    if wish.outbound is not None and edit.before.get(wish.outbound, Did) is None:
        problems.append(Problem("outbound", N_("Choose one of the list.")))
    problems += prefix_problems("forbidden_prefixes", wish.forbidden_prefixes)
    if problems:
        raise Invalid(problems)


async def _check_pin(edit: Edit, pin: str | None, user_id: int | None) -> None:
    """CO-1: PINs are unique in the account, since they alone say who is calling."""
    if pin is None:
        return
    if not _PIN.fullmatch(pin):
        raise Problem("pin", N_("A PIN has four to eight digits."))
    others = User.of(edit.account_id, edit.tx).filter(pin=pin)
    if await (others.exclude(id=user_id) if user_id else others).exists():
        raise Problem("pin", N_("Somebody else has this PIN; choose another one."))


async def check_login(login: str, user_id: int = 0, tx: Tx | None = None) -> None:
    """Raise Problem unless the user (0 = a new one) may have this login."""
    if not _LOGIN.fullmatch(login):
        raise Problem("login", N_("At least three Latin letters, digits or the signs . _ - + @."))
    # logins are unique in the whole installation, whatever their case
    if await User.filter(login__iexact=login).using_db(tx).exclude(id=user_id).exists():
        raise Problem("login", N_("This login is taken."))


async def _keep_an_administrator(edit: Edit, leaving: User) -> None:
    """Somebody must be able to administer the PBX after this change."""
    if leaving.role != "admin" or not leaving.login or not leaving.active:
        return
    others = User.of(edit.account_id, edit.tx).filter(role="admin", active=True, login__not_isnull=True).exclude(id=leaving.id)
    if not await others.exists():
        raise Refused(N_("“{title}” is the last administrator of the PBX."), title=leaving.title)


async def set_own(edit: Edit, user_id: int, language: str, pin: str | None) -> None:
    """What an employee may change of himself (ACC-4): language and PIN."""
    row = await User.of(edit.account_id, edit.tx).fetch(user_id)
    await _check_pin(edit, pin, user_id)
    row.language, row.pin = language, pin
    await row.save(using_db=edit.tx, update_fields=["language", "pin"])
    edit.note(f"own settings of “{row.title}” changed")

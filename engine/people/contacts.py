# SPDX-License-Identifier: Apache-2.0
"""Contacts of users and their SIP accounts (USR-3, USR-4), inside an edit; and changes of one's own contacts (ACC-4)."""

from __future__ import annotations

import re
from typing import Final

from engine.db.models import Contact, SipAccount, User
from engine.db.secrets import encrypt
from engine.errors import NotFound, Problem
from engine.i18n import N_
from engine.numbering import to_e164
from engine.people.passwords import check_password, random_password
from engine.people.wishes import ContactWish, OwnContactWish
from engine.revisions import Edit
from engine.snapshot import Ref

_SIP_LOGIN: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,63}")


async def add_contact(edit: Edit, user_id: int, wish: ContactWish) -> tuple[int, str | None]:
    """Returns the contact's id and, for a SIP contact, the password of its account (which works for registration at once)."""
    user = await User.of(edit.account_id, edit.tx).fetch(user_id)
    address = await _address(edit, wish)
    await _refuse_double(edit, user_id, address)
    row = await Contact.create(
        account_id=edit.account_id, user_id=user_id, kind=wish.kind, address=address, using_db=edit.tx, **_columns(wish)
    )
    password: str | None = None
    if wish.kind == "sip":
        password = await _set_secret(edit, row, wish.password)
    edit.note(f"contact {address} of “{user.title}” added")
    return row.id, password


async def edit_contact(edit: Edit, contact_id: int, wish: ContactWish) -> None:
    """Kind and SIP login stay as they are: another phone is another contact."""
    row = await Contact.of(edit.account_id, edit.tx).fetch(contact_id)
    if row.kind == "phone":
        row.address = _phone(edit, wish.address)
        await _refuse_double(edit, row.user_id, row.address, without=row.id)
    row.update_from_dict(_columns(wish))
    await row.save(using_db=edit.tx)
    edit.note(f"contact {row.address} changed")


async def edit_own_contact(edit: Edit, user_id: int, contact_id: int, wish: OwnContactWish) -> None:
    """NotFound when the contact is not this user's."""
    row = await Contact.of(edit.account_id, edit.tx).fetch(contact_id)
    if row.user_id != user_id:
        raise NotFound
    row.active = wish.active
    row.timeout_seconds = wish.timeout_seconds
    row.schedule_kind, row.schedule_id = _ref_columns(wish.schedule)
    await row.save(using_db=edit.tx)
    edit.note(f"contact {row.address} changed by its user")


async def delete_contact(edit: Edit, contact_id: int) -> None:
    """A SIP contact's account goes with it."""
    row = await Contact.of(edit.account_id, edit.tx).fetch(contact_id)
    await SipAccount.of(edit.account_id, edit.tx).filter(contact_id=contact_id).delete()
    await row.delete(using_db=edit.tx)
    edit.note(f"contact {row.address} deleted")


async def set_sip_password(edit: Edit, contact_id: int, password: str | None = None) -> str:
    """A new password for the contact's SIP account, made at random when none is given; returns it, it can't be read later."""
    row = await Contact.of(edit.account_id, edit.tx).fetch(contact_id)
    if row.kind != "sip":
        raise Problem("password", N_("Only SIP contacts have a password."))
    made = await _set_secret(edit, row, password)
    edit.note(f"SIP password of {row.address} changed")
    return made


async def _set_secret(edit: Edit, contact: Contact, wanted: str | None) -> str:
    password = wanted or random_password(16)
    check_password("password", password, contact.address)
    account = await SipAccount.of(edit.account_id, edit.tx).filter(contact_id=contact.id).first()
    if account is None:
        account = SipAccount(account_id=edit.account_id, user_id=contact.user_id, contact_id=contact.id, login=contact.address)
    account.secret = encrypt(password)
    await account.save(using_db=edit.tx)
    return password


def _columns(wish: ContactWish) -> dict[str, object]:
    kind, number = _ref_columns(wish.schedule)
    return {
        "priority": wish.priority,
        "active": wish.active,
        "lines": wish.lines,
        "timeout_seconds": wish.timeout_seconds,
        "schedule_kind": kind,
        "schedule_id": number,
        "by_number": wish.by_number and wish.kind == "phone",
    }


def _ref_columns(ref: Ref | None) -> tuple[str | None, int | None]:
    return (ref.kind, ref.id) if ref else (None, None)


async def _address(edit: Edit, wish: ContactWish) -> str:
    if wish.kind == "phone":
        return _phone(edit, wish.address)
    login = wish.address.strip()
    if not _SIP_LOGIN.fullmatch(login):
        raise Problem("address", N_("A SIP login has at least two Latin letters, digits or the signs . _ -."))
    # a registrar takes logins literally, but people don't: 201a and 201A must not be two phones
    if await SipAccount.of(edit.account_id, edit.tx).filter(login__iexact=login).exists():
        raise Problem("address", N_("There is already a SIP account with this login."))
    return login


async def _refuse_double(edit: Edit, user_id: int, address: str, without: int = 0) -> None:
    """The same telephone would be rung twice at once; SIP logins are one of a kind anyway."""
    others = Contact.of(edit.account_id, edit.tx).filter(user_id=user_id, kind="phone", address=address).exclude(id=without)
    if await others.exists():
        raise Problem("address", N_("The user has this number already."))


def _phone(edit: Edit, text: str) -> str:
    number = to_e164(text, edit.before.account.area_code)
    if number is None:
        raise Problem("address", N_("This is no phone number. Examples: 8 927 123-45-67, +7 927 123-45-67."))
    return number

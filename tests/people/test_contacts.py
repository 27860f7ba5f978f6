# SPDX-License-Identifier: Apache-2.0
"""Contacts, SIP accounts, and what an employee may change of his own."""

from __future__ import annotations

from typing import Literal

import pytest

from engine import people
from engine.db.models import SipAccount
from engine.db.secrets import decrypt
from engine.errors import NotFound, Problem
from engine.people import ContactWish, OwnContactWish
from tests.people.conftest import Office


@pytest.mark.feature("USR-4")
async def test_a_sip_contact_comes_with_credentials_that_work_at_once(office: Office) -> None:
    async with office.edit() as edit:
        contact, made = await people.add_contact(edit, office.boris, ContactWish(address="boris.mobile", lines=2, timeout_seconds=30))
    account = office.snapshot.sip_accounts["boris.mobile"]
    assert (account.user, account.contact) == (office.boris, contact)
    assert made is not None
    assert decrypt(account.secret) == made
    assert office.snapshot.contacts[contact][1].lines == 2
    async with office.edit() as edit:
        fresh = await people.set_sip_password(edit, contact)
    assert fresh != made
    assert decrypt(office.snapshot.sip_accounts["boris.mobile"].secret) == fresh


@pytest.mark.feature("USR-3")
@pytest.mark.parametrize("typed", ["8 (927) 123-45-67", "+7 927 123-45-67", "9271234567"])
async def test_a_phone_contact_is_kept_in_international_form(office: Office, typed: str) -> None:
    async with office.edit() as edit:
        contact, made = await people.add_contact(edit, office.boris, ContactWish(kind="phone", address=typed, by_number=True))
    assert made is None
    assert office.snapshot.contacts[contact][1].address == "+79271234567"
    assert office.snapshot.contacts[contact][1].by_number


async def test_a_number_is_one_contact_of_a_user(office: Office) -> None:
    async with office.edit() as edit:
        await people.add_contact(edit, office.boris, ContactWish(kind="phone", address="89271234567"))
        other, _ = await people.add_contact(edit, office.boris, ContactWish(kind="phone", address="89271234568"))
        await people.add_contact(edit, office.anna, ContactWish(kind="phone", address="89271234567"))  # a shared telephone
    for change, whose in ((people.add_contact, office.boris), (people.edit_contact, other)):
        with pytest.raises(Problem) as refused:
            async with office.edit() as edit:
                await change(edit, whose, ContactWish(kind="phone", address="+7 927 123-45-67"))
        assert (refused.value.field, refused.value.message) == ("address", "The user has this number already.")
    async with office.edit() as edit:
        await people.edit_contact(edit, other, ContactWish(kind="phone", address="89271234568", priority=3))


@pytest.mark.parametrize(
    ("kind", "address"),
    [("phone", "12"), ("phone", "abc"), ("sip", "x"), ("sip", "с кириллицей"), ("sip", "201"), ("sip", "a@b")],
)
async def test_a_wrong_address_is_named(office: Office, kind: Literal["sip", "phone"], address: str) -> None:
    with pytest.raises(Problem) as refused:
        async with office.edit() as edit:
            await people.add_contact(edit, office.boris, ContactWish(kind=kind, address=address))
    assert refused.value.field == "address"


async def test_sip_logins_differ_by_more_than_case(office: Office) -> None:
    async with office.edit() as edit:
        await people.add_contact(edit, office.boris, ContactWish(address="boris"))
    with pytest.raises(Problem):
        async with office.edit() as edit:
            await people.add_contact(edit, office.anna, ContactWish(address="Boris"))


async def test_a_deleted_contact_takes_its_account_along(office_anywhere: Office) -> None:
    office = office_anywhere
    contact = office.snapshot.sip_accounts["201"].contact
    async with office.edit() as edit:
        await people.delete_contact(edit, contact)
    assert office.snapshot.contacts == {}
    assert await SipAccount.of(office.account).count() == 0


@pytest.mark.feature("ACC-4")
async def test_an_employee_changes_only_his_own_contacts(office: Office) -> None:
    contact = office.snapshot.sip_accounts["201"].contact
    with pytest.raises(NotFound):
        async with office.edit() as edit:
            await people.edit_own_contact(edit, office.boris, contact, OwnContactWish(active=False))
    async with office.edit() as edit:
        await people.edit_own_contact(edit, office.anna, contact, OwnContactWish(active=False, timeout_seconds=45))
    changed = office.snapshot.contacts[contact][1]
    assert (changed.active, changed.timeout_seconds, changed.address) == (False, 45, "201")


async def test_a_phone_contact_has_no_password(office: Office) -> None:
    async with office.edit() as edit:
        contact, _ = await people.add_contact(edit, office.boris, ContactWish(kind="phone", address="89271234567"))
    with pytest.raises(Problem):
        async with office.edit() as edit:
            await people.set_sip_password(edit, contact)

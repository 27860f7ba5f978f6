# SPDX-License-Identifier: Apache-2.0
"""Users and their logins: the rules of USR, ACC and R17."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from engine import people
from engine.db.models import SipAccount, User, WebSession
from engine.errors import InUse, Invalid, NotFound, Problem, Refused
from engine.people import ContactWish, LoginWish, UserWish
from engine.revisions import Edit
from engine.sdk import clock
from plugins.groups.part import Group
from plugins.groups.service import save_group
from plugins.groups.service import store as groups
from tests.people.conftest import ANNA, Office


@pytest.mark.feature("USR-2")
async def test_a_user_keeps_what_was_wished(office: Office) -> None:
    async with office.edit() as edit:
        wish = UserWish(title="Vera", extension="205", pin="4321", recording=True, forbidden_prefixes=("810",), language="en")
        user = await people.create_user(edit, wish)
    vera = office.snapshot.users[user]
    assert (vera.title, vera.extension, vera.pin, vera.recording, vera.forbidden_prefixes) == ("Vera", "205", "4321", True, ("810",))
    assert office.snapshot.extension("205") == vera.ref


@pytest.mark.parametrize(
    ("field", "wish"),
    [
        ("title", UserWish(title=" ")),
        ("pin", UserWish(title="V", pin="12")),
        ("pin", UserWish(title="V", pin="12a4")),
        ("forbidden_prefixes", UserWish(title="V", forbidden_prefixes=("8-10",))),
        ("extension", UserWish(title="V", extension="2")),
        ("extension", UserWish(title="V", extension="201")),
        ("extension", UserWish(title="V", extension="2O1")),
    ],
)
async def test_a_wrong_field_is_named_and_nothing_is_saved(office: Office, field: str, wish: UserWish) -> None:
    before = office.snapshot.revision
    with pytest.raises(Invalid) as refused:
        async with office.edit() as edit:
            await people.create_user(edit, wish)
    assert [p.field for p in refused.value.problems] == [field]
    assert office.snapshot.revision == before
    assert await User.of(office.account).count() == 2


@pytest.mark.feature("R17")
async def test_112_is_no_extension_and_101_brings_a_warning(office: Office) -> None:
    with pytest.raises(Invalid):
        async with office.edit() as edit:
            await people.edit_user(edit, office.boris, UserWish(title="Boris", extension="112"))
    assert people.extension_warning("101")
    assert not people.extension_warning("201")
    assert not people.extension_warning(None)


@pytest.mark.feature("CO-1")
async def test_a_pin_is_somebodys_own(office: Office) -> None:
    async with office.edit() as edit:
        await people.edit_user(edit, office.anna, UserWish(title="Anna", extension="201", pin="7777"))
    with pytest.raises(Invalid):
        async with office.edit() as edit:
            await people.edit_user(edit, office.boris, UserWish(title="Boris", extension="202", pin="7777"))
    async with office.edit() as edit:
        await people.edit_user(edit, office.anna, UserWish(title="Anna S.", extension="201", pin="7777"))  # his own stays possible


async def test_an_extension_moves_with_its_user(office: Office) -> None:
    async with office.edit() as edit:
        await people.edit_user(edit, office.boris, UserWish(title="Boris", extension="303"))
    assert office.snapshot.extension("202") is None
    assert office.snapshot.extension("303") == office.snapshot.users[office.boris].ref


@pytest.mark.feature("USR-1")
async def test_deleting_a_user_takes_everything_of_his(office_anywhere: Office) -> None:
    office = office_anywhere
    async with office.edit() as edit:
        await people.add_contact(edit, office.boris, ContactWish(address="202"))
    async with office.edit() as edit:
        await people.delete_user(edit, office.boris)
    group = office.snapshot.get(office.sales, Group)
    assert group is not None
    assert [m.user for m in group.members] == [office.anna]
    assert office.snapshot.extension("202") is None
    assert await SipAccount.of(office.account).filter(login="202").count() == 0


async def test_a_user_a_group_leads_to_is_not_deleted(office: Office) -> None:
    async with office.edit() as edit:
        group = office.snapshot.get(office.root, Group)
        assert group is not None
        await save_group(edit, Group(id=group.id, title=group.title, no_answer=office.snapshot.users[office.boris].ref))
    with pytest.raises(InUse) as refused:
        async with office.edit() as edit:
            await people.delete_user(edit, office.boris)
    assert refused.value.places == ("Romashka",)
    assert office.boris in office.snapshot.users


@pytest.mark.feature("ACC-4")
async def test_the_last_administrator_can_neither_go_nor_step_down(office: Office) -> None:
    async def refuses(change: Callable[[Edit], Awaitable[object]]) -> None:
        with pytest.raises(Refused, match="last administrator"):
            async with office.edit() as edit:
                await change(edit)

    await refuses(lambda edit: people.delete_user(edit, office.anna))
    none, less = [await people.ready_login(wish) for wish in (LoginWish(login=None), LoginWish(login="anna", role="manager"))]
    await refuses(lambda edit: people.set_login(edit, office.anna, none))
    await refuses(lambda edit: people.set_login(edit, office.anna, less))
    await refuses(lambda edit: people.edit_user(edit, office.anna, UserWish(title="Anna", extension="201", active=False)))
    await office.set_login(office.boris, LoginWish(login="boris", role="admin"))
    async with office.edit() as edit:
        await people.delete_user(edit, office.anna)


@pytest.mark.feature("ACC-2", "ACC-6")
async def test_a_login_is_opened_changed_and_closed(office_anywhere: Office) -> None:
    office = office_anywhere
    made = await office.set_login(office.boris, LoginWish(login="boris", role="manager"))
    row = await User.of(office.account).fetch(office.boris)
    assert made is not None
    assert await people.verify_password(row.password_hash, made)
    assert made not in (row.password_hash or "")
    await WebSession.create(
        id="x", account_id=office.account, user_id=office.boris, created=clock.now(), seen=clock.now(), expires=clock.now(), csrf="c"
    )
    assert await office.set_login(office.boris, LoginWish(login="boris", role="user")) is None
    assert await WebSession.filter(user_id=office.boris).count() == 0  # the old rights must not live on
    await office.set_login(office.boris, LoginWish(login=None))
    row = await User.of(office.account).fetch(office.boris)
    assert (row.login, row.password_hash) == (None, None)
    assert not await people.verify_password(row.password_hash, made)


@pytest.mark.parametrize("login", ["ANNA", "bo", "борис", "bo ris", ""])
async def test_a_login_is_unique_whatever_its_case_and_of_plain_signs(office: Office, login: str) -> None:
    with pytest.raises(Problem) as refused:
        await office.set_login(office.boris, LoginWish(login=login, password="korova-7-nebo"))
    assert refused.value.field == "login"


@pytest.mark.parametrize("password", ["short", "aaaaaaaaaa", "boris-boris"])
async def test_weak_passwords_are_refused(office: Office, password: str) -> None:
    with pytest.raises(Problem) as refused:
        await office.set_login(office.boris, LoginWish(login="boris-boris", password=password))
    assert refused.value.field == "password"


async def test_the_owner_is_not_deleted(office: Office) -> None:
    await User.of(office.account).filter(id=office.boris).update(is_owner=True)
    with pytest.raises(Refused, match="owner"):
        async with office.edit() as edit:
            await people.delete_user(edit, office.boris)


async def test_another_accounts_user_is_not_found(office: Office) -> None:
    async with office.revisions.create_account(ANNA, number="2", title="B", domain="b.example") as edit:
        await groups.insert(edit.account_id, Group(id=0, title="B"), edit.tx)
    stranger = edit.account_id
    for change in (lambda e: people.delete_user(e, office.boris), lambda e: people.edit_user(e, office.boris, UserWish(title="X"))):
        with pytest.raises(NotFound):
            async with office.revisions.edit(stranger, ANNA) as edit:
                await change(edit)


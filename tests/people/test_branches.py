# SPDX-License-Identifier: Apache-2.0
"""Users in groups and menus, and deleting a branch with all that goes with it."""

from __future__ import annotations

import pytest

from engine import people
from engine.errors import InUse, NotFound, Refused
from engine.people import UserWish
from engine.sdk import Branch, Ref
from plugins.groups.api import Membership
from plugins.groups.part import Group
from plugins.groups.service import create_group
from plugins.ivr.part import Menu, MenuKey
from plugins.ivr.service import create_menu
from tests.people.conftest import Office


def members(office: Office, ref: Ref) -> list[tuple[int, int]]:
    branch = office.snapshot.get(ref, Branch)
    assert branch is not None
    return [(m.user, m.priority) for m in branch.members]


@pytest.mark.feature("USR-1")
async def test_a_user_is_moved_from_a_group_to_a_menu(office: Office) -> None:
    async with office.edit() as edit:
        await people.move_user(edit, office.boris, office.sales, office.menu)
    assert members(office, office.sales) == [(office.anna, 1)]
    assert members(office, office.menu) == [(office.boris, 1)]


@pytest.mark.feature("USR-1")
async def test_out_of_one_of_two_groups_a_user_stays_out_of_the_last_he_is_deleted(office: Office) -> None:
    async with office.edit() as edit:
        await people.set_membership(edit, office.menu, office.boris, 5)
    async with office.edit() as edit:
        assert await people.leave_branch(edit, office.sales, office.boris) is False
    assert office.boris in office.snapshot.users
    async with office.edit() as edit:
        assert await people.leave_branch(edit, office.menu, office.boris) is True
    assert office.boris not in office.snapshot.users
    assert members(office, office.menu) == []


@pytest.mark.feature("R15")
async def test_the_first_group_is_the_one_joined_first_until_another_is_chosen(office: Office) -> None:
    async with office.edit() as edit:
        early = await create_group(edit, Group(id=0, title="Early", parent=office.root))  # before “Sales” in the tree of equal priorities
    async with office.edit() as edit:
        await people.set_membership(edit, early.ref, office.boris, 1)
    assert [b.ref for b in office.snapshot.groups_of(office.boris)] == [office.sales, early.ref]
    async with office.edit() as edit:
        await people.set_first_group(edit, office.boris, early.ref)
    async with office.edit() as edit:
        await people.set_membership(edit, early.ref, office.boris, 7)  # another priority: the same place
    assert [b.ref for b in office.snapshot.groups_of(office.boris)] == [early.ref, office.sales]
    for strange in (office.root, office.menu, Ref("groups.group", 999)):
        with pytest.raises(NotFound):
            async with office.edit() as edit:
                await people.set_first_group(edit, office.boris, strange)


async def test_a_priority_is_changed_in_place(office: Office) -> None:
    async with office.edit() as edit:
        await people.set_membership(edit, office.sales, office.anna, 9)
    assert sorted(members(office, office.sales)) == sorted([(office.boris, 2), (office.anna, 9)])


@pytest.mark.feature("GRP-1")
async def test_a_group_goes_with_its_menus_groups_and_people_of_no_other_group(office_anywhere: Office) -> None:
    office = office_anywhere
    async with office.edit() as edit:
        inner = await create_group(edit, Group(id=0, title="Inner", parent=office.sales, extension="310"))
        vera = await people.create_user(edit, UserWish(title="Vera", extension="205"))
    async with office.edit() as edit:
        key = MenuKey("1", office.snapshot.users[vera].ref)
        menu = await create_menu(edit, Menu(id=0, title="Below", parent=inner.ref, keys=(key,), members=(Membership(vera),)))
        await people.set_membership(edit, office.root, office.anna, 1)
    sales = office.snapshot.get(office.sales, Group)
    assert sales is not None
    doomed = people.doomed_with(office.snapshot, sales)
    assert [b.title for b in doomed.branches] == ["Below", "Inner", "Sales"]
    assert {u.title for u in doomed.users} == {"Boris", "Vera"}
    assert doomed.places == ()
    async with office.edit() as edit:
        await people.delete_branch(edit, office.sales)
    assert set(office.snapshot.users) == {office.anna}
    assert office.snapshot.element(menu.ref) is None
    assert office.snapshot.extension("310") is None
    assert office.snapshot.branches(office.root)[0].ref == office.menu


@pytest.mark.feature("GRP-1")
async def test_a_group_that_something_outside_leads_to_stays(office: Office) -> None:
    async with office.edit() as edit:
        await create_menu(edit, Menu(id=0, title="Front", parent=office.root, keys=(MenuKey("1", office.sales),)))
    with pytest.raises(InUse) as refused:
        async with office.edit() as edit:
            await people.delete_branch(edit, office.sales)
    assert refused.value.places == ("Front",)
    assert office.snapshot.element(office.sales) is not None


async def test_the_pbx_itself_stays(office: Office) -> None:
    with pytest.raises(Refused):
        async with office.edit() as edit:
            await people.delete_branch(edit, office.root)


async def test_what_takes_no_users_is_not_found(office: Office) -> None:
    for ref in (Ref("groups.group", 999), Ref("core.user", office.anna)):
        with pytest.raises(NotFound):
            async with office.edit() as edit:
                await people.set_membership(edit, ref, office.anna, 1)

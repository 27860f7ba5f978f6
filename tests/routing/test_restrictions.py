# SPDX-License-Identifier: Apache-2.0
"""Who may not call where: restrictions of a user, of all his groups and of the PBX, united (RST-1, R15, R17, R18)."""

from __future__ import annotations

import msgspec
import pytest

from engine.plugin.testing import office, sip_user
from engine.routing.restrictions import is_forbidden, starts_with
from engine.snapshot import Ref, Snapshot
from plugins.groups.api import Membership
from plugins.groups.part import Group, GroupsPart

ROOT = Group(id=1, title="PBX", forbidden_prefixes=("8809",))
OUTER = Group(id=2, title="Sales", parent=ROOT.ref, forbidden_prefixes=("810",))
INNER = Group(id=3, title="Sales south", parent=OUTER.ref, members=(Membership(201, place=2),), forbidden_prefixes=("8495",))
OTHER = Group(id=4, title="Stock", parent=ROOT.ref, members=(Membership(201, place=1),), forbidden_prefixes=("+7812",))


def house(*, own: tuple[str, ...] = ()) -> Snapshot:
    users = (sip_user(201, forbidden_prefixes=own), sip_user(202))
    return office(users, {"groups": GroupsPart(groups=(ROOT, OUTER, INNER, OTHER))})


@pytest.mark.feature("RST-1", "R15", "R18")
@pytest.mark.parametrize(
    ("number", "why"),
    [
        ("+78095551234", "the PBX"), ("+74957654321", "a group of his"), ("+78127654321", "another group of his"),
        ("+4930123456", "a group around his"), ("+79271234567", "himself"),
    ],
)  # fmt: skip
def test_what_is_forbidden_anywhere_is_forbidden(number: str, why: str) -> None:
    snapshot = house(own=("8927",))
    assert is_forbidden(snapshot, snapshot.users[201], number), why
    assert not is_forbidden(snapshot, snapshot.users[201], "+78452123456")


@pytest.mark.feature("RST-1", "R18")
def test_who_is_in_no_group_has_the_restrictions_of_the_pbx() -> None:
    snapshot = house()
    for user in (snapshot.users[202], None):
        assert is_forbidden(snapshot, user, "+78095551234")
        assert not is_forbidden(snapshot, user, "+74957654321")


@pytest.mark.feature("R17")
def test_nothing_stops_an_emergency_call() -> None:
    root = msgspec.structs.replace(ROOT, forbidden_prefixes=("1", "112"))
    snapshot = office((sip_user(201, forbidden_prefixes=("1",)),), {"groups": GroupsPart(groups=(root,))})
    assert not any(is_forbidden(snapshot, snapshot.users[201], number) for number in ("112", "101", "104"))


@pytest.mark.feature("R18")
@pytest.mark.parametrize("prefix", ["8495", "7495", "+7495"])
def test_a_prefix_is_understood_in_either_form(prefix: str) -> None:
    assert starts_with("+74957654321", (prefix,))
    assert not starts_with("+78127654321", (prefix,))


@pytest.mark.feature("R15")
def test_the_first_group_is_the_one_joined_first() -> None:
    snapshot = house()
    assert [b.title for b in snapshot.groups_of(201)] == ["Stock", "Sales south"]
    first = snapshot.first_group(201)
    assert first is not None
    assert first.ref == Ref("groups.group", 4)

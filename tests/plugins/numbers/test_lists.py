# SPDX-License-Identifier: Apache-2.0
"""Number lists by their service on both databases, and what a rule makes of them."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.sdk import HANGUP, Did, InUse, Invalid, NotFound, Ref, Trunk
from plugins.numbers.part import ListEntry, NumberList, Rule
from plugins.numbers.service import delete_list, delete_rule, read_lines, save_did, save_list, save_rule, save_trunk
from tests.plugins.configured import Configured

IVANOV, STORE = ListEntry("+79271234567", "Ivanov"), ListEntry("+74951112233", "Store", active=False)


async def saved(house: Configured, *entries: ListEntry, **fields: object) -> NumberList:
    values: dict[str, object] = {"title": "Regulars", **fields}
    async with house.edit() as edit:
        return await save_list(edit, NumberList(id=0, entries=entries, **values))  # type: ignore[arg-type]  # fields of the struct


@pytest.mark.feature("DIR-1")
async def test_numbers_are_kept_in_e164(house: Configured) -> None:
    made = await saved(house, ListEntry("8 (927) 123-45-67", " Ivanov "), ListEntry("111-22-33", "Store", active=False), title=" Regulars ")
    kept = (await house.anew()).get(made.ref, NumberList)
    assert kept == NumberList(id=made.id, title="Regulars", entries=(IVANOV, STORE))
    assert kept is not None
    assert kept.holds("+79271234567")
    assert not kept.holds("+74951112233")  # switched off
    assert not kept.holds("+79990000000")
    assert not kept.holds(None)


@pytest.mark.feature("DIR-1")
async def test_it_is_renamed_switched_off_and_its_entries_change(house: Configured) -> None:
    made = await saved(house, IVANOV, STORE)
    async with house.edit() as edit:
        changed = msgspec.structs.replace(made, title="VIP", active=False, entries=(msgspec.structs.replace(STORE, active=True),))
        await save_list(edit, changed)
    assert (await house.anew()).get(made.ref, NumberList) == changed


@pytest.mark.feature("DIR-1")
async def test_what_is_wrong_is_named_by_its_place(house: Configured) -> None:
    for entries, fields in (
        ((IVANOV, ListEntry("12"), ListEntry("word")), ["entries.1", "entries.2"]),
        ((IVANOV, STORE, ListEntry("8 927 123 45 67", "again")), ["entries.2"]),
    ):
        with pytest.raises(Invalid) as refused:
            await saved(house, *entries)
        assert [p.field for p in refused.value.problems] == fields
    with pytest.raises(Invalid) as refused:
        await saved(house, IVANOV, title=" ")
    assert [p.field for p in refused.value.problems] == ["title"]
    with pytest.raises(Invalid, match="10000 numbers at most"):
        await saved(house, *(ListEntry(f"+7900{n:07}") for n in range(10_001)))
    assert not [e for e in (await house.anew()).elements() if isinstance(e, NumberList)]


@pytest.mark.feature("DIR-1", "NUM-1")
async def test_it_can_not_be_deleted_while_a_rule_asks_it(house: Configured) -> None:
    made = await saved(house, IVANOV)
    async with house.edit() as edit:
        trunk = await save_trunk(edit, Trunk(id=0, title="Provider", registers=False, sources=("198.51.100.1",)))
    async with house.edit() as edit:
        did = await save_did(edit, Did(id=0, title="", number="+74951234567", trunk=trunk))
    async with house.edit() as edit:
        rule = await save_rule(edit, Rule(id=0, title="Regulars to Anna", did=did, numbers=made.ref, target=HANGUP))
    with pytest.raises(InUse) as refused:
        async with house.edit() as edit:
            await delete_list(edit, made.id)
    assert refused.value.places == ("Regulars to Anna",)
    async with house.edit() as edit:
        await delete_rule(edit, rule.id)
    async with house.edit() as edit:
        await delete_list(edit, made.id)
    assert (await house.anew()).element(made.ref) is None


async def test_what_is_not_there_is_not_found(house: Configured) -> None:
    with pytest.raises(NotFound):
        async with house.edit() as edit:
            await delete_list(edit, 999)
    with pytest.raises(NotFound):
        async with house.edit() as edit:
            await save_list(edit, NumberList(id=999, title="Gone"))
    assert house.snapshot.element(Ref(NumberList.kind, 999)) is None


@pytest.mark.feature("DIR-1")
@pytest.mark.parametrize(
    ("line", "number", "name"),
    [
        ("8 927 123-45-67", "8 927 123-45-67", ""),
        ("8 927 123-45-67 Ivanov", "8 927 123-45-67", "Ivanov"),
        ("+7(927)1234567; Ivanov, Pyotr; boss", "+7(927)1234567", "Ivanov, Pyotr; boss"),
        ("89271234567\t2nd floor", "89271234567", "2nd floor"),
        ("89271234567,Ivanov", "89271234567", "Ivanov"),
        ("Ivanov", "Ivanov", ""),
    ],
)
def test_pasted_lines(line: str, number: str, name: str) -> None:
    assert read_lines(f"\n  {line}  \r\n\n") == [ListEntry(number, name)]


@given(st.text(max_size=200))
def test_any_text_can_be_pasted(text: str) -> None:
    for entry in read_lines(text):
        assert entry.number.strip() == entry.number
        assert entry.number or entry.name

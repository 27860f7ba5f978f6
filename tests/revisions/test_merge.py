# SPDX-License-Identifier: Apache-2.0
"""What two people have changed of the same: everything that one of them has not touched is as the other has made it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.revisions import Clash, Revisions
from engine.revisions.merge import decided, taken
from engine.snapshot import Membership, Ref, User
from tests.revisions.conftest import ANNA, House, add_user, house, new_account
from tests.revisions.sample import Box, Note

__all__ = ["house"]

ROWS = st.dictionaries(st.integers(1, 5), st.integers(1, 3), max_size=5)


def members(rows: dict[int, int], order: list[int] | None = None) -> tuple[Membership, ...]:
    return tuple(Membership(user=user, priority=rows[user]) for user in (order or rows) if user in rows)


@given(st.integers(0, 2), st.integers(0, 2), st.integers(0, 2))
def test_a_value(then: int, now: int, mine: int) -> None:
    value = taken(then, now, mine)
    assert value == (now if mine == then else mine)
    assert decided(then, now, mine) == (len({then, now, mine}) == 3)
    assert taken(then, now, value) == value


@given(ROWS, ROWS, ROWS)
def test_rows(then: dict[int, int], now: dict[int, int], mine: dict[int, int]) -> None:
    """Row by row; a contradiction in one of them is one of the whole list."""
    order = sorted(now, key=list(then).index) if now.keys() <= then.keys() else None
    olds, news, wishes = members(then), members(now, order), members(mine)
    value = taken(olds, news, wishes)
    whole = {m.user: m.priority for m in value}
    contradicts = any(len({rows.get(key) for rows in (then, now, mine)}) == 3 for key in {*then, *now, *mine})
    if contradicts and wishes not in (olds, news) and olds != news:
        assert decided(olds, news, wishes)
    if not decided(olds, news, wishes):
        for key in {*then, *now, *mine}:
            assert whole.get(key) == (now.get(key) if mine.get(key) == then.get(key) else mine.get(key)), key
        assert taken(olds, news, value) == value
    else:
        assert value == wishes


@pytest.mark.parametrize(
    ("now", "mine", "expected"),
    [
        ([2, 1, 3], [1, 2, 3], [2, 1, 3]),  # they have sorted it anew
        ([1, 2, 3], [3, 1, 2], [3, 1, 2]),  # I have
        ([2, 1, 3], [3, 2, 1], None),  # both
        ([1, 2, 3, 4], [3, 1, 2], [3, 1, 2, 4]),  # they have added one meanwhile
        ([1, 2, 3, 4], [1, 2, 3, 5], [1, 2, 3, 4, 5]),  # both have
        ([1, 3], [1, 2, 3, 4], [1, 3, 4]),  # they have taken one out, I have added one
    ],
)
def test_order(now: list[int], mine: list[int], expected: list[int] | None) -> None:
    rows = dict.fromkeys(range(1, 6), 1)
    olds, news, wishes = members(rows, [1, 2, 3]), members(rows, now), members(rows, mine)
    assert decided(olds, news, wishes) == (expected is None)
    assert [m.user for m in taken(olds, news, wishes)] == (expected or mine)


def test_lists_without_keys_are_one_value() -> None:
    one, two, three = ((Ref("sample.box", number),) for number in (1, 2, 3))
    assert decided(one, two, three)
    assert taken(one, two, three) == three
    assert taken(one, two, one) == two
    assert decided(("a",), ("b",), ("c",))


@dataclass
class Office:
    home: House
    account: int

    @property
    def revisions(self) -> Revisions:
        return self.home.revisions

    async def save(self, *elements: Any, expected: int | None = None) -> Any:
        async with self.revisions.edit(self.account, ANNA, expected) as edit:
            for element in elements:
                await self.home.store.save(self.account, element, edit.tx)
        return edit


@pytest.fixture
async def office(home: House) -> Office:
    return Office(home, await new_account(home))


async def test_what_a_form_only_repeats_is_not_put_back(office: Office) -> None:
    home, account = office.home, office.account
    async with home.revisions.edit(account, ANNA) as edit:
        boris = await add_user(edit, "Boris", "101")
        papers = await home.store.insert(account, Box(id=0, title="Papers", size=1), edit.tx)
        note = await home.store.insert(account, Note(id=0, title="", parent=papers.ref, text="one"), edit.tx)
    opened = home.revisions.snapshot(account).revision
    await office.save(msgspec.structs.replace(papers, size=5, holds=(Ref(User.kind, boris.id),)))
    edit = await office.save(msgspec.structs.replace(papers, title="Letters"), msgspec.structs.replace(note, text="two"), expected=opened)
    saved = home.revisions.snapshot(account)
    assert saved.get(papers.ref, Box) == Box(id=papers.id, title="Letters", size=5, holds=(Ref(User.kind, boris.id),))
    assert saved.get(note.ref, Note) == msgspec.structs.replace(note, text="two")
    assert [(c.ref, [f.name for f in c.fields]) for c in edit.taken_over] == [(papers.ref, ["holds", "size"])]
    async with home.db.transaction() as tx:
        assert (await home.revisions.load(account, tx)).parts == saved.parts  # the rows say the same


async def test_going_back_takes_nothing_over(office: Office) -> None:
    """Who brings an element back means all of it: what others have changed since he asked is a clash."""
    home, account = office.home, office.account
    async with home.revisions.edit(account, ANNA) as edit:
        papers = await home.store.insert(account, Box(id=0, title="Papers", size=1), edit.tx)
    first = home.revisions.snapshot(account).revision
    await office.save(msgspec.structs.replace(papers, title="Letters"))
    asked = home.revisions.snapshot(account).revision
    await office.save(msgspec.structs.replace(papers, title="Letters", size=9))

    async def go(whole: bool) -> None:
        async with home.revisions.edit(account, ANNA, asked) as edit:
            await (edit.go_back(first) if whole else edit.bring_back(first, papers.ref))

    for whole in (True, False):
        with pytest.raises(Clash) as clash:
            await go(whole)
        assert clash.value.whole
        (both,) = clash.value.both
        assert [(f.name, f.before, f.after) for f in both.mine.fields] == [("size", 9, 1)]
    assert home.revisions.snapshot(account).get(papers.ref, Box) == Box(id=papers.id, title="Letters", size=9)

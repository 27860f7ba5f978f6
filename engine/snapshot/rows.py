# SPDX-License-Identifier: Apache-2.0
"""Elements as rows: one table per kind, the element itself as a JSON document, so that every plugin's Part loads and restores alike.

Nothing asks the database for the inside of an element; every question is answered by the snapshot (decision record 0006).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Generic, TypeVar, get_args, get_type_hints

import msgspec
from tortoise import fields

from engine.db.keys import keep_sequence
from engine.db.models import Extension
from engine.db.row import AccountRow
from engine.errors import Invalid, NotFound, Problem
from engine.i18n import N_
from engine.snapshot.branch import Branch
from engine.snapshot.element import Element, Finding, Part, Ref
from engine.snapshot.snapshot import Snapshot

P = TypeVar("P", bound=Part)
E = TypeVar("E", bound=Element)


class ElementRow(AccountRow):
    """A plugin's table: subclass it, name the table, nothing more."""

    id = fields.IntField(primary_key=True)
    data: fields.JSONField[Any] = fields.JSONField()

    class Meta:
        abstract = True


class ElementStore(Generic[P]):
    """Implements PartStore for a Part whose fields are tuples of elements, each kept in the table named in `rows`."""

    def __init__(
        self,
        part: type[P],
        rows: Mapping[str, type[ElementRow]],
        check: Callable[[P, Snapshot], Iterable[Finding]] = lambda part, whole: (),
    ) -> None:
        self.part = part
        self._check = check
        hints = get_type_hints(part)
        self._tables = {name: (table, _element_type(hints[name])) for name, table in rows.items()}
        self._by_type = {kind: table for table, kind in self._tables.values()}

    @property
    def tables(self) -> Mapping[str, type[ElementRow]]:
        """Where elements of each kind are kept."""
        return {kind.kind: table for kind, table in self._by_type.items()}

    async def load(self, account_id: int, tx: Any) -> P:
        found: dict[str, Any] = {}
        for name, (table, kind) in self._tables.items():
            rows = await table.of(account_id, tx).order_by("id")
            found[name] = tuple(_element(row, kind) for row in rows)
        return self.part(**found)

    async def restore(self, account_id: int, part: P, tx: Any) -> None:
        for name, (table, _) in self._tables.items():
            wanted: tuple[Element, ...] = getattr(part, name)
            have = {row.id: row for row in await table.of(account_id, tx)}
            gone = set(have) - {e.id for e in wanted}
            if gone:
                await table.of(account_id, tx).filter(id__in=gone).delete()
            back = [element for element in wanted if element.id not in have]
            for element in wanted:
                row = have.get(element.id)
                if row is None:
                    await table.create(id=element.id, account_id=account_id, data=_data(element), using_db=tx)
                elif row.data != _data(element):
                    row.data = _data(element)
                    await row.save(using_db=tx)
            if back:
                await keep_sequence(table, tx)

    def check(self, part: P, whole: Snapshot) -> Iterable[Finding]:
        return self._check(part, whole)

    def keeps(self, element: Element) -> bool:
        """Whether elements of this type live in one of our tables."""
        return type(element) in self._by_type

    # -- single elements, for services inside an edit ------------------------------------------------------------------

    async def insert(self, account_id: int, element: E, tx: Any) -> E:
        """Store a new element; what comes back carries its primary key (the given id is ignored)."""
        row = await self._table(element).create(account_id=account_id, data=_data(element), using_db=tx)
        created = msgspec.structs.replace(element, id=row.id)
        if isinstance(created, Branch):
            await assign_extension(account_id, created.ref, created.extension, tx)
        return created

    async def save(self, account_id: int, element: Element, tx: Any) -> None:
        """Overwrite an element; NotFound when it is not this account's."""
        row = await self._table(element).of(account_id, tx).fetch(element.id)
        row.data = _data(element)
        await row.save(using_db=tx)
        if isinstance(element, Branch):
            await assign_extension(account_id, element.ref, element.extension, tx)

    async def remove(self, account_id: int, element: Element, tx: Any) -> None:
        """Delete an element; NotFound when it is not this account's. Who points at it is checked by the edit."""
        row = await self._table(element).of(account_id, tx).fetch(element.id)
        await row.delete(using_db=tx)
        await assign_extension(account_id, element.ref, None, tx)

    def _table(self, element: Element) -> type[ElementRow]:
        try:
            return self._by_type[type(element)]
        except KeyError:
            raise NotFound from None


def _element_type(hint: Any) -> type[Element]:
    """tuple[Group, ...] → Group."""
    kind = get_args(hint)[0]
    if not (isinstance(kind, type) and issubclass(kind, Element)):
        raise TypeError(f"{hint} is no tuple of elements")
    return kind


def _element(row: ElementRow, kind: type[Element]) -> Element:
    return msgspec.convert({**row.data, "id": row.id}, kind)


def _data(element: Element) -> dict[str, Any]:
    plain = msgspec.to_builtins(element)
    del plain["id"]
    return dict(plain)


def extension_problem(number: str) -> str:
    """Why it can't be an internal number (R17): a catalogue sentence, or ""."""
    if not (number.isascii() and number.isdigit() and 2 <= len(number) <= 7):
        return N_("An internal number has 2 to 7 digits.")
    if number == "112":
        return N_("112 is the emergency number and can't be an internal number.")
    return ""


async def assign_extension(account_id: int, owner: Ref, number: str | None, tx: Any) -> None:
    """Give an internal number to its owner, or take it back (None). Raises Invalid when taken or not allowed (R17)."""
    mine = await Extension.of(account_id, tx).filter(owner_kind=owner.kind, owner_id=owner.id).first()
    if mine is not None and mine.number == number:
        return
    if mine is not None:
        await mine.delete(using_db=tx)
    if number is None:
        return
    if problem := extension_problem(number):
        raise Invalid([Problem("extension", problem)])
    if await Extension.of(account_id, tx).filter(number=number).exists():
        raise Invalid([Problem("extension", N_("The internal number {number} is taken."), number=number)])
    await Extension.create(account_id=account_id, number=number, owner_kind=owner.kind, owner_id=owner.id, using_db=tx)

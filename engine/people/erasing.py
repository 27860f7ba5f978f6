# SPDX-License-Identifier: Apache-2.0
"""Forgetting an outside number (personal data law): what the core keeps of it is emptied, recordings are deleted; inside an edit."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from tortoise.expressions import Q

from engine.db.models import CallLeg, CallOrder, CallRecord, FactRow, OutboxRow, Recording, Revision
from engine.errors import Problem, Refused
from engine.i18n import N_
from engine.numbering import national, pretty, to_e164
from engine.revisions import Edit

BATCH: Final = 200


@dataclass(frozen=True, slots=True)
class Erased:
    """How much was found. `files`: sound files below the media root, which the caller deletes."""

    calls: int
    files: tuple[str, ...]


def erasable(edit: Edit, text: str) -> str:
    """The number in E.164. Raises Problem for what is none, Refused for a number of the PBX or of its employees."""
    number = to_e164(text, edit.before.account.area_code)
    if number is None:
        raise Problem("number", N_("This is no phone number. Examples: 8 927 123-45-67, +7 927 123-45-67."))
    if edit.before.did(number) is not None or any(c.address == number for u in edit.before.core.users for c in u.contacts):
        raise Refused(N_("{number} is a number of the PBX itself; only outside numbers can be erased."), number=pretty(number))
    return number


def spellings(number: str, area_code: str = "") -> frozenset[str]:
    """A number in E.164 as people, phones and providers write it."""
    digits = number.removeprefix("+")
    found = {number, digits, national(number), pretty(number), f"00{digits}", f"810{digits}"}
    if digits.startswith("7"):
        found.add(digits[1:])
        if area_code and digits[1:].startswith(area_code):
            found.add(digits[1 + len(area_code) :])
    return frozenset(found)


async def erase_number(edit: Edit, number: str) -> Erased:
    """`number` in E.164. The calls stay, as those of a withheld number: who of ours talked, when, how long.

    A call in progress is written with its number when it ends; what has left the house, a mail or a message, can't be called back.
    """
    names = spellings(number, edit.before.account.area_code)
    account, tx = edit.account_id, edit.tx
    legs = await CallLeg.of(account, tx).filter(label__in=names).values_list("call_id", flat=True)
    records = CallRecord.of(account, tx)
    direct = await records.filter(Q(caller_number__in=names) | Q(dialled__in=names)).values_list("id", flat=True)
    ids = sorted({int(str(call)) for call in (*direct, *legs)})
    files: list[str] = []
    for start in range(0, len(ids), BATCH):
        files += await _erase_calls(edit, ids[start : start + BATCH], names)
    await CallLeg.of(account, tx).filter(label__in=names).update(label="")
    for order in await CallOrder.of(account, tx).filter(status__in=("done", "failed")):
        order.arguments, order.result = without(order.arguments, names), without(order.result, names)
        await order.save(using_db=tx, update_fields=["arguments", "result"])
    await _erase_deliveries(edit, names)
    await _erase_revisions(edit, names)
    return Erased(len(ids), tuple(files))


async def _erase_calls(edit: Edit, ids: Sequence[int], names: frozenset[str]) -> list[str]:
    account, tx = edit.account_id, edit.tx
    calls = await CallRecord.of(account, tx).filter(id__in=ids)
    for call in calls:
        if call.caller_number in names:
            call.caller_number, call.caller_name = None, ""
        if call.dialled in names:
            call.dialled = ""
        call.trace = without(call.trace, names)
        await call.save(using_db=tx, update_fields=["caller_number", "caller_name", "dialled", "trace"])
    for fact in await FactRow.of(account, tx).filter(call_id__in=[c.call_id for c in calls]):
        theirs = {"caller_name": ""} if fact.data.get("caller_number") in names else {}
        fact.data = without(fact.data, names) | theirs
        await fact.save(using_db=tx, update_fields=["data"])
    recordings = Recording.of(account, tx).filter(call_id__in=ids)
    files = [str(path) for path in await recordings.values_list("path", flat=True)]
    await recordings.delete()
    return files


async def _erase_deliveries(edit: Edit, names: frozenset[str]) -> None:
    """Notices about the number: those already sent, and those still owed, which would tell of it once more."""
    async for row in OutboxRow.of(edit.account_id, edit.tx):
        text = json.dumps(row.payload, ensure_ascii=False)
        if any(name in text for name in names if len(name) >= 10):
            await row.delete(using_db=edit.tx)


async def _erase_revisions(edit: Edit, names: frozenset[str]) -> None:
    """Earlier configurations, which could otherwise bring it back."""
    for number in await Revision.of(edit.account_id, edit.tx).order_by("number").values_list("id", flat=True):
        row = await Revision.of(edit.account_id, edit.tx).fetch(int(str(number)))
        left = without(row.parts, names)
        if left != row.parts:
            row.parts = left
            await row.save(using_db=edit.tx, update_fields=["parts"])


def without(value: Any, names: frozenset[str]) -> Any:
    """Stored JSON without the number: an entry of a list that is or begins with it goes, anywhere else it becomes empty."""
    if isinstance(value, str):
        return "" if value in names else value
    if isinstance(value, dict):
        return {key: without(item, names) for key, item in value.items()}
    if isinstance(value, list):
        return [without(item, names) for item in value if not _is_entry(item, names)]
    return value


def _is_entry(item: Any, names: frozenset[str]) -> bool:
    first = item[0] if isinstance(item, list) and item else item
    return isinstance(first, str) and first in names

# SPDX-License-Identifier: Apache-2.0
"""An outside number is forgotten: calls stay without it, recordings go, nothing of anybody else is touched."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from engine import clock, people
from engine.db import models
from engine.errors import Problem, Refused
from engine.people.erasing import spellings, without
from tests.people.conftest import Office

HER, OTHER = "+79271234567", "+79160000000"


async def called(office: Office, call_id: str, **fields: Any) -> models.CallRecord:
    now = clock.now()
    values = {"caller_number": HER, "caller_name": "Marina", "dialled": "+74951234567", "direction": "in", **fields}
    return await models.CallRecord.create(account_id=office.account, call_id=call_id, started_at=now, ended_at=now, **values)


async def erase(office: Office, text: str) -> people.Erased:
    async with office.edit() as edit:
        return await people.erase_number(edit, people.erasable(edit, text))


async def test_calls_stay_without_the_number_and_recordings_go(office_anywhere: Office) -> None:
    office, account, now = office_anywhere, office_anywhere.account, clock.now()
    trace = [{"at": 0, "what": "rings", "facts": {"who": HER}}, {"at": 5, "what": "talk", "facts": {"who": "201"}}]
    theirs = await called(office, "a", trace=trace, talked=True)
    out = await called(office, "b", caller_number="201", caller_name="Anna", dialled="89271234567", direction="out")
    other = await called(office, "c", caller_number=OTHER, caller_name="Pyotr")
    rung = await called(office, "d", caller_number=OTHER, caller_name="Pyotr")
    for call, label in ((theirs, HER), (rung, HER), (other, OTHER)):
        await models.CallLeg.create(account_id=account, call_id=call.id, uuid=call.call_id, label=label, reason="incoming", started_at=now)
        await models.Recording.create(account_id=account, call_id=call.id, path=f"rec/{call.call_id}.wav")
    data = {"caller_number": HER, "caller_name": "Marina", "cause": "NORMAL_CLEARING"}
    await models.FactRow.create(account_id=account, call_id="a", kind="core.call_ended", seq=1, at=now, data=data)
    done = {"kind": "callback", "arguments": {"number": HER, "user": 1}, "created_at": now}
    await models.CallOrder.create(account_id=account, key="1", status="done", **done)

    found = await erase(office, "8 (927) 123-45-67")

    assert found.calls == 3
    assert sorted(found.files) == ["rec/a.wav", "rec/d.wav"]
    assert await models.Recording.all().values_list("path", flat=True) == ["rec/c.wav"]
    rows = {r.call_id: (r.caller_number, r.caller_name, r.dialled) for r in await models.CallRecord.all()}
    main = "+74951234567"
    assert rows == {"a": (None, "", main), "b": ("201", "Anna", ""), "c": (OTHER, "Pyotr", main), "d": (OTHER, "Pyotr", main)}
    assert (await models.CallRecord.get(id=theirs.id)).trace == [
        {"at": 0, "what": "rings", "facts": {"who": ""}}, {"at": 5, "what": "talk", "facts": {"who": "201"}}
    ]  # fmt: skip
    assert (await models.CallRecord.get(id=out.id)).dialled == ""
    assert sorted(await models.CallLeg.all().values_list("label", flat=True)) == ["", "", OTHER]
    assert (await models.FactRow.get()).data == {"caller_number": "", "caller_name": "", "cause": "NORMAL_CLEARING"}
    assert (await models.CallOrder.get()).arguments == {"number": "", "user": 1}


async def test_notices_of_it_are_not_sent_any_more_and_old_configurations_forget_it(office: Office) -> None:
    account, now = office.account, clock.now()
    for key, text in (("1", "Missed: +7 927 123-45-67"), ("2", f"Missed: {OTHER}")):
        await models.OutboxRow.create(
            account_id=account, channel="email", lane="a", key=key, payload={"text": text}, next_at=now, created_at=now - timedelta(days=1)
        )
    parts = {"numbers": {"lists": [{"id": 1, "entries": [[HER, "Marina", True], [OTHER, "Pyotr", True]]}]}}
    await models.Revision.create(account_id=account, number=99, at=now, actor_name="x", channel="web", parts=parts)
    await erase(office, HER)
    assert await models.OutboxRow.all().values_list("key", flat=True) == ["2"]
    assert (await models.Revision.get(number=99)).parts == {"numbers": {"lists": [{"id": 1, "entries": [[OTHER, "Pyotr", True]]}]}}


async def test_another_customers_rows_are_not_touched(office: Office) -> None:
    now = clock.now()
    other = await models.Account.create(number="2", title="Vasilek", domain="vasilek.example")
    await models.CallRecord.create(
        account_id=other.id, call_id="x", started_at=now, ended_at=now, direction="in", caller_number=HER, caller_name="Marina"
    )
    assert (await erase(office, HER)).calls == 0
    assert (await models.CallRecord.get(call_id="x")).caller_number == HER


async def test_only_outside_numbers_can_be_erased(office: Office) -> None:
    async with office.edit() as edit:
        await people.add_contact(edit, office.anna, people.ContactWish(kind="phone", address=HER))
    async with office.edit() as edit:
        with pytest.raises(Problem):
            people.erasable(edit, "201")
        with pytest.raises(Refused, match="the PBX itself"):
            people.erasable(edit, HER)
        assert people.erasable(edit, "123-45-67") == "+74951234567"


def test_a_number_is_known_in_every_spelling() -> None:
    assert spellings("+74951234567", "495") >= {"+74951234567", "84951234567", "4951234567", "1234567", "+7 495 123-45-67"}
    assert without({"a": ["x", HER], "b": {"c": HER}, "d": [[HER, "Marina"]], "e": 1}, spellings(HER)) == {
        "a": ["x"], "b": {"c": ""}, "d": [], "e": 1
    }  # fmt: skip

# SPDX-License-Identifier: Apache-2.0
"""Who is let in: calls of providers by address and number (R5), calls of phones by login (R27)."""

from __future__ import annotations

import msgspec
import pytest

from engine.calls.reception import Admission, Rejection
from engine.esl.event import Event
from engine.plugin.testing import office, sip_user
from engine.routing.inbound import FrontDesk
from engine.snapshot import Account, CorePart, Did, Snapshot, Trunk

OURS = office((sip_user(201), sip_user(202, active=False)), {})
OTHERS = Snapshot(
    1,
    CorePart(
        account=Account(id=2, number="200", title="Other", domain="other.test"),
        trunks=(Trunk(id=2, title="Theirs", registers=False, server="127.0.0.2", sources=("127.0.0.2/32",)),),
        dids=(Did(id=2, title="", number="+74957654321", trunk=Trunk(id=2, title="", registers=False).ref),),
    ),
    {},
)
DOMAINS = {"office.test": 1, "other.test": 2}


def admit(ours: Snapshot = OURS, **headers: str) -> Admission | Rejection:
    houses = {1: ours, 2: OTHERS}
    desk = FrontDesk(lambda: iter(houses.values()), houses.__getitem__, DOMAINS.get, dict)
    return desk.admit(Event.of({"Event-Name": "CHANNEL_PARK", "Unique-ID": "a", **headers}))


def from_trunk(address: str, number: str, caller: str = "79271234567", ours: Snapshot = OURS) -> Admission | Rejection:
    called = {"Caller-Destination-Number": number, "Caller-Caller-ID-Number": caller}
    return admit(ours, **{"Caller-Context": "from-trunk", "variable_sip_received_ip": address, **called})


def from_phone(login: str, domain: str, number: str) -> Admission | Rejection:
    known = {"variable_sip_auth_username": login, "variable_sip_auth_realm": domain}
    return admit(**{"Caller-Context": "from-phone", "Caller-Destination-Number": number, **known})


@pytest.mark.feature("R5")
@pytest.mark.parametrize(
    ("address", "number", "code"),
    [
        ("127.0.0.9", "74951234567", 403),
        ("127.0.0.1", "74950000000", 404),
        ("127.0.0.1", "74957654321", 403),
        ("127.0.0.1", "", 404),
    ],
    ids=["unknown address", "unknown number", "another customer's number", "no number"],
)
def test_calls_of_providers_that_are_refused(address: str, number: str, code: int) -> None:
    got = from_trunk(address, number)
    assert isinstance(got, Rejection)
    assert got.code == code


@pytest.mark.feature("R5")
@pytest.mark.parametrize(("shown", "number"), [("79271234567", "+79271234567"), ("anonymous", None)])
def test_a_call_to_our_number(shown: str, number: str | None) -> None:
    got = from_trunk("127.0.0.1", "84951234567", shown)
    assert isinstance(got, Admission)
    assert (got.caller.number, got.caller.dialled, got.direction, got.trunk) == (number, "+74951234567", "in", 1)


@pytest.mark.feature("R5", "NUM-2")
def test_a_number_may_come_by_any_line_of_its_customer() -> None:
    """The call is counted to the line that it really came by."""
    second = Trunk(id=7, title="Second", registers=False, server="127.0.0.7", sources=("127.0.0.0/29",))
    core = msgspec.structs.replace(OURS.core, trunks=(*OURS.core.trunks, second))
    house = Snapshot(2, core, {})
    for address, line in (("127.0.0.1", 1), ("127.0.0.7", 7)):
        got = from_trunk(address, "74951234567", ours=house)
        assert isinstance(got, Admission)
        assert (got.trunk, got.caller.trunk, got.caller.dialled) == (line, line, "+74951234567")
    off = msgspec.structs.replace(core, trunks=(OURS.core.trunks[0], msgspec.structs.replace(second, active=False)))
    assert isinstance(from_trunk("127.0.0.7", "74951234567", ours=Snapshot(3, off, {})), Rejection)


@pytest.mark.feature("R27")
@pytest.mark.parametrize(
    ("login", "domain"), [("201", "other.test"), ("201", "nobody.test"), ("202", "office.test"), ("999", "office.test")]
)
def test_phones_that_are_nobodys_here(login: str, domain: str) -> None:
    got = from_phone(login, domain, "201")
    assert isinstance(got, Rejection)
    assert got.code == 403


@pytest.mark.feature("OUT-1", "OUT-2")
@pytest.mark.parametrize(("number", "direction"), [("202", "internal"), ("89271112233", "out"), ("84951234567", "in")])
def test_what_an_employee_dials(number: str, direction: str) -> None:
    got = from_phone("201", "office.test", number)
    assert isinstance(got, Admission)
    assert (got.direction, got.caller.user, got.leg.contact) == (direction, 201, 2010)

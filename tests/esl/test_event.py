# SPDX-License-Identifier: Apache-2.0
"""Events: fields by name, arrays and scalars alike, odd bytes and odd values."""

import json
from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.esl.event import Event, decode, moment, whole_number

PARK = {
    "Event-Name": "CHANNEL_PARK", "Core-UUID": "core-1", "Event-Sequence": "5217", "Event-Date-Timestamp": "1795383275218296",
    "Unique-ID": "u-1", "Call-Direction": "inbound", "Answer-State": "ringing", "Caller-Caller-ID-Name": "Иван",
    "Caller-Destination-Number": "74957776655", "Caller-Channel-Created-Time": "1795383275218296",
    "Caller-Channel-Answered-Time": "0", "variable_sip_gateway": "trunk-1", "variable_sip_h_X-Order": "77",
    "variable_vats_call": "c-1", "variable_originate_causes": ["u-2;USER_BUSY", "u-3;NONE"],
    "variable_record_ms": "1980", "_body": "text\n",
}  # fmt: skip


def encode(headers: dict[str, object]) -> bytes:
    return json.dumps(headers, ensure_ascii=False).encode()


def test_fields_by_name() -> None:
    event = decode(encode(PARK))
    assert (event.name, event.uuid, event.core_uuid, event.sequence, event.vats_call) == ("CHANNEL_PARK", "u-1", "core-1", 5217, "c-1")
    assert event.at == event.created_at == datetime(2026, 11, 22, 21, 34, 35, 218296, UTC)
    assert event.answered_at is None
    assert (event.caller_name, event.destination_number, event.sip_gateway) == ("Иван", "74957776655", "trunk-1")
    assert event.variable("sip_h_X-Order") == "77"
    assert event.record_ms == 1980
    assert event.body == "text\n"


def test_what_is_absent_is_empty() -> None:
    event = decode(b"{}")
    assert (event.name, event.uuid, event.sequence, event.vats_call, event.raw) == ("", "", 0, "", b"{}")
    assert (event.sip_gateway, event.record_ms, event.originate_causes, event.answered_at, event.at) == ("", 0, (), None, None)
    assert Event().headers == {}


@pytest.mark.parametrize(
    ("value", "text", "many"),
    [
        ("a;NONE", "a;NONE", ("a;NONE",)),
        (["a", "b"], "b", ("a", "b")),
        ("ARRAY::a|:b", "b", ("a", "b")),
        ([], "", ()),
        ("", "", ()),
        (5, "5", ("5",)),
        (None, "", ()),
    ],
)
def test_scalars_and_arrays_are_one(value: object, text: str, many: tuple[str, ...]) -> None:
    event = decode(encode({"variable_originate_causes": value, "variable_sip_gateway": value, "Unique-ID": value}))
    # the fields decoded at once are never lists on a real switch: the text form stays as it is
    assert event.originate_causes == many
    assert event.sip_gateway == text
    assert event.uuid == (value if isinstance(value, str) else text)


@pytest.mark.parametrize(("value", "number"), [("12", 12), (12, 12), ("", 0), ("x", 0), (["1", "7"], 7), (None, 0), ("1.5", 0)])
def test_numbers_as_they_come(value: object, number: int) -> None:
    event = decode(encode({"Event-Sequence": value, "variable_billmsec": value, "Unique-ID": "u"}))
    assert event.sequence == number
    assert event.bill_ms == number
    assert event.uuid == "u"


def test_bytes_that_are_not_utf8_are_replaced() -> None:
    raw = encode(PARK).replace("Иван".encode(), "Иван".encode("cp1251"))
    event = decode(raw)
    assert (event.uuid, event.sequence) == ("u-1", 5217)
    assert event.caller_name == "����"


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b'"x"', b"null", b"{'a':1}", b"\xff", b"{}x", b"[" * 100_000])
def test_what_is_no_event_raises_one_error(raw: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        decode(raw)


anything = st.one_of(st.text(), st.integers(), st.none(), st.booleans(), st.lists(st.text()))


@given(st.dictionaries(st.sampled_from([*PARK, "other"]), anything))
def test_any_values_are_taken(headers: dict[str, object]) -> None:
    event = Event.of(headers)
    for name in headers:
        assert isinstance(event.header(name), str)
        assert all(isinstance(value, str) for value in event.values(name))
    assert isinstance(event.sequence, int)
    assert isinstance(event.bill_ms, int)


def test_the_application_is_known_by_our_id() -> None:
    assert decode(b'{"Event-UUID":"run","Application-UUID":"other"}').execution == "run"
    assert decode(b'{"Application-UUID":"run"}').execution == "run"


@pytest.mark.parametrize(("text", "number"), [("7", 7), (" 7 ", 7), ("-7", -7), ("--7", 0), ("٣", 0), ("9" * 50, 0), ("", 0)])
def test_whole_numbers(text: str, number: int) -> None:
    assert whole_number(text) == number


def test_moments() -> None:
    assert moment(0) is None
    assert moment(-1) is None
    assert moment(10**19) is None
    assert moment(1_000_000) == datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)

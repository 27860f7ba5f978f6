# SPDX-License-Identifier: Apache-2.0
"""One event of the switch, decoded from JSON for `engine.calls`: the fields every handler needs at once, the rest on demand.

FreeSWITCH sends 60 to 250 headers an event. The hot ones are struct fields, decoded by msgspec in about 4 µs; the others
are descriptors that decode the whole event once, at the first use (a PARK, a HANGUP_COMPLETE, a registration).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import overload

import msgspec

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Value = str | tuple[str, ...]


class Text:
    """A header as text; "" when absent, the last element where FreeSWITCH sends an array."""

    def __init__(self, header: str) -> None:
        self.header = header

    @overload
    def __get__(self, event: None, owner: type) -> Text: ...
    @overload
    def __get__(self, event: Event, owner: type) -> str: ...
    def __get__(self, event: Event | None, owner: type) -> str | Text:
        return self if event is None else event.header(self.header)


class Number:
    """A header as a whole number; 0 when absent or not a number."""

    def __init__(self, header: str) -> None:
        self.header = header

    @overload
    def __get__(self, event: None, owner: type) -> Number: ...
    @overload
    def __get__(self, event: Event, owner: type) -> int: ...
    def __get__(self, event: Event | None, owner: type) -> int | Number:
        return self if event is None else whole_number(event.header(self.header))


class Many:
    """A header that FreeSWITCH sends as a scalar when there is one value and as an array when there are several."""

    def __init__(self, header: str) -> None:
        self.header = header

    @overload
    def __get__(self, event: None, owner: type) -> Many: ...
    @overload
    def __get__(self, event: Event, owner: type) -> tuple[str, ...]: ...
    def __get__(self, event: Event | None, owner: type) -> tuple[str, ...] | Many:
        return self if event is None else event.values(self.header)


class Moment:
    """A header in microseconds since 1970 as an aware UTC time; None when absent or 0 ("did not happen")."""

    def __init__(self, header: str) -> None:
        self.header = header

    @overload
    def __get__(self, event: None, owner: type) -> Moment: ...
    @overload
    def __get__(self, event: Event, owner: type) -> datetime | None: ...
    def __get__(self, event: Event | None, owner: type) -> datetime | Moment | None:
        return self if event is None else moment(whole_number(event.header(self.header)))


def whole_number(text: str) -> int:
    """The number in a header, 0 for anything else."""
    digits = text.strip()
    bare = digits[1:] if digits[:1] == "-" else digits
    return int(digits) if bare.isascii() and bare.isdigit() and len(bare) < 20 else 0


def moment(microseconds: int) -> datetime | None:
    """The time a header in microseconds names, None for 0 or nonsense (before 1970, after 9999)."""
    return _EPOCH + timedelta(microseconds=microseconds) if 0 < microseconds < 253_402_300_800_000_000 else None


_HOT = {
    "name": "Event-Name",
    "uuid": "Unique-ID",
    "subclass": "Event-Subclass",
    "sequence": "Event-Sequence",
    "timestamp_us": "Event-Date-Timestamp",
    "core_uuid": "Core-UUID",
    "job_uuid": "Job-UUID",
    "event_uuid": "Event-UUID",
    "application_uuid": "Application-UUID",
    "application": "Application",
    "application_response": "Application-Response",
    "direction": "Call-Direction",
    "answer_state": "Answer-State",
    "hangup_cause": "Hangup-Cause",
    "other_uuid": "Other-Leg-Unique-ID",
    "digit": "DTMF-Digit",
    "vats_call": "variable_vats_call",
    "vats_account": "variable_vats_account",
    "vats_role": "variable_vats_role",
    # not from the wire: no header has such a name
    "raw": "\x7fraw",
    "decoded": "\x7fdecoded",
}


class Event(msgspec.Struct, rename=_HOT, gc=False, eq=False):
    """An event. Text fields are "" when absent, numbers 0, times None."""

    name: str = ""
    uuid: str = ""
    """Unique-ID: the channel it is about; "" for events of the switch itself."""
    subclass: str = ""
    """Event-Subclass of CUSTOM events, such as `sofia::register`."""
    sequence: int = 0
    """Rises within one leg only, not over the connection."""
    timestamp_us: int = 0
    core_uuid: str = ""
    """Another one means: the switch has been restarted, every older leg is gone."""
    job_uuid: str = ""
    event_uuid: str = ""
    """The id the engine gave to a sendmsg; see `execution`."""
    application_uuid: str = ""
    application: str = ""
    application_response: str = ""
    direction: str = ""
    answer_state: str = ""
    hangup_cause: str = ""
    other_uuid: str = ""
    digit: str = ""
    vats_call: str = ""
    vats_account: str = ""
    vats_role: str = ""
    raw: bytes = b""
    """The JSON text it came as."""
    decoded: dict[str, object] | None = None

    body = Text("_body")
    application_data = Text("Application-Data")
    channel_state = Text("Channel-State")
    call_state = Text("Channel-Call-State")

    caller_number = Text("Caller-Caller-ID-Number")
    caller_name = Text("Caller-Caller-ID-Name")
    hide_number = Text("Caller-Privacy-Hide-Number")
    """"true" when the caller has asked his provider to withhold it."""
    hide_name = Text("Caller-Privacy-Hide-Name")
    username = Text("Caller-Username")
    destination_number = Text("Caller-Destination-Number")
    context = Text("Caller-Context")
    network_addr = Text("Caller-Network-Addr")
    created_at = Moment("Caller-Channel-Created-Time")
    answered_at = Moment("Caller-Channel-Answered-Time")

    vats_at = Text("variable_vats_at")
    vats_contact = Text("variable_vats_contact")
    vats_trunk = Text("variable_vats_trunk")

    sip_auth_username = Text("variable_sip_auth_username")
    sip_auth_realm = Text("variable_sip_auth_realm")
    sip_gateway = Text("variable_sip_gateway")
    sip_network_ip = Text("variable_sip_network_ip")
    sip_received_ip = Text("variable_sip_received_ip")
    sip_to_user = Text("variable_sip_to_user")
    sip_to_host = Text("variable_sip_to_host")
    sip_req_user = Text("variable_sip_req_user")
    sip_from_user = Text("variable_sip_from_user")
    sip_from_host = Text("variable_sip_from_host")
    sip_refer_to = Text("variable_sip_refer_to")

    current_application = Text("variable_current_application")
    transfer_source = Text("variable_transfer_source")
    endpoint_disposition = Text("variable_endpoint_disposition")
    bridge_uuid = Text("variable_bridge_uuid")
    last_bridge_to = Text("variable_last_bridge_to")
    originate_causes = Many("variable_originate_causes")

    record_ms = Number("variable_record_ms")
    record_file_path = Text("Record-File-Path")
    silence_hits_exhausted = Text("variable_silence_hits_exhausted")

    bill_ms = Number("variable_billmsec")
    proto_specific_hangup_cause = Text("variable_proto_specific_hangup_cause")
    sip_hangup_disposition = Text("variable_sip_hangup_disposition")

    fax_success = Text("variable_fax_success")
    fax_result_text = Text("variable_fax_result_text")
    fax_pages = Number("variable_fax_document_transferred_pages")
    fax_sender = Text("variable_fax_remote_station_id")

    # CUSTOM sofia::register, unregister, expire, register_failure
    from_user = Text("from-user")
    from_host = Text("from-host")
    realm = Text("realm")
    user = Text("username")
    contact = Text("contact")
    network_ip = Text("network-ip")
    network_port = Number("network-port")
    user_agent = Text("user-agent")
    expires = Number("expires")
    status = Text("status")
    call_id = Text("call-id")
    # CUSTOM sofia::gateway_state, gateway_add, gateway_delete
    gateway = Text("Gateway")
    gateway_state = Text("State")

    @property
    def at(self) -> datetime | None:
        """When the switch made the event."""
        return moment(self.timestamp_us)

    @property
    def sent_by_phone(self) -> bool:
        """Whether the channel was last sent on by a phone (REFER): into the context "vats" only we send."""
        return "bl_xfer" in self.transfer_source and "/vats/" not in self.transfer_source

    @property
    def by_silence(self) -> bool:
        """Whether the recording of what one party says has ended because it said nothing more."""
        return self.silence_hits_exhausted == "true"

    @property
    def execution(self) -> str:
        """The id by which the engine knows the application this event is about (its own Event-UUID)."""
        return self.event_uuid or self.application_uuid

    @property
    def headers(self) -> dict[str, Value]:
        """Every header."""
        return {name: _normalise(value) for name, value in self._decoded().items()}

    def _decoded(self) -> dict[str, object]:
        if self.decoded is None:
            self.decoded = _all_headers(self.raw) if self.raw else {}
        return self.decoded

    def header(self, name: str) -> str:
        """One header as text, "" when absent."""
        found = _normalise(self._decoded().get(name, ""))
        if isinstance(found, tuple):
            return found[-1] if found else ""
        return found

    def values(self, name: str) -> tuple[str, ...]:
        """One header as a list of values."""
        found = _normalise(self._decoded().get(name, ""))
        return found if isinstance(found, tuple) else (found,) if found else ()

    def variable(self, name: str) -> str:
        """One channel variable, "" when unset; `sip_h_X-…` names are the extension headers of the INVITE."""
        return self.header("variable_" + name)

    @classmethod
    def of(cls, headers: Mapping[str, object]) -> Event:
        """An event from headers (plain events, channel dumps, tests)."""
        return decode(msgspec.json.encode(headers))


def _normalise(value: object) -> Value:
    if isinstance(value, str):
        # the text form of an array, as channel variables and plain events show it
        return tuple(value[7:].split("|:")) if value.startswith("ARRAY::") else value
    if isinstance(value, list):
        return tuple(str(item) for item in value)
    return "" if value is None else str(value)


def _all_headers(raw: bytes) -> dict[str, object]:
    try:
        found = msgspec.json.decode(raw)
    except UnicodeDecodeError:
        found = msgspec.json.decode(raw.decode("utf-8", "replace"))
    except RecursionError as error:
        raise msgspec.DecodeError("an event is not nested") from error
    if not isinstance(found, dict):
        raise msgspec.ValidationError("an event is a JSON object")
    return found


_decoder = msgspec.json.Decoder(Event, strict=False)
_NUMBERS = ("Event-Sequence", "Event-Date-Timestamp")


def decode(raw: bytes) -> Event:
    """An event from the body of a `text/event-json` frame.

    Bytes that are not UTF-8 (a caller's name in another encoding) are replaced; arrays and numbers where text is expected
    are normalised. Raises `msgspec.DecodeError` when it is no JSON object.
    """
    try:
        event = _decoder.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _decode_odd(raw)
    event.raw = raw
    return event


def _decode_odd(raw: bytes) -> Event:
    clean = raw.decode("utf-8", "replace").encode()
    headers = _all_headers(clean)
    event = Event(decoded=headers, raw=clean)
    for field, header in _HOT.items():
        if header in headers:
            text = event.header(header)
            setattr(event, field, whole_number(text) if header in _NUMBERS else text)
    return event

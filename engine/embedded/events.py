# SPDX-License-Identifier: Apache-2.0
"""Events of the switch: made only when somebody listens, encoded once per format, handed to every listener that wants them."""

from __future__ import annotations

import itertools
import re
import socket
import time
from collections.abc import Callable, Iterable
from email.utils import formatdate
from typing import Literal, Protocol
from urllib.parse import quote
from uuid import uuid4
from xml.sax.saxutils import escape

import msgspec

Value = str | list[str]
Headers = dict[str, Value]
Format = Literal["plain", "json", "xml"]

_NAMES = """
CUSTOM CLONE CHANNEL_CREATE CHANNEL_DESTROY CHANNEL_STATE CHANNEL_CALLSTATE CHANNEL_ANSWER CHANNEL_HANGUP
CHANNEL_HANGUP_COMPLETE CHANNEL_EXECUTE CHANNEL_EXECUTE_COMPLETE CHANNEL_HOLD CHANNEL_UNHOLD CHANNEL_BRIDGE
CHANNEL_UNBRIDGE CHANNEL_PROGRESS CHANNEL_PROGRESS_MEDIA CHANNEL_OUTGOING CHANNEL_PARK CHANNEL_UNPARK
CHANNEL_APPLICATION CHANNEL_ORIGINATE CHANNEL_UUID API LOG INBOUND_CHAN OUTBOUND_CHAN STARTUP SHUTDOWN PUBLISH
UNPUBLISH TALK NOTALK SESSION_CRASH MODULE_LOAD MODULE_UNLOAD DTMF MESSAGE PRESENCE_IN NOTIFY_IN PRESENCE_OUT
PRESENCE_PROBE MESSAGE_WAITING MESSAGE_QUERY ROSTER CODEC BACKGROUND_JOB DETECTED_SPEECH DETECTED_TONE
PRIVATE_COMMAND HEARTBEAT TRAP ADD_SCHEDULE DEL_SCHEDULE EXE_SCHEDULE RE_SCHEDULE RELOADXML NOTIFY PHONE_FEATURE
PHONE_FEATURE_SUBSCRIBE SEND_MESSAGE RECV_MESSAGE REQUEST_PARAMS CHANNEL_DATA GENERAL COMMAND SESSION_HEARTBEAT
CLIENT_DISCONNECTED SERVER_DISCONNECTED SEND_INFO RECV_INFO RECV_RTCP_MESSAGE SEND_RTCP_MESSAGE CALL_SECURE NAT
RECORD_START RECORD_STOP PLAYBACK_START PLAYBACK_STOP CALL_UPDATE FAILURE SOCKET_DATA MEDIA_BUG_START
MEDIA_BUG_STOP CONFERENCE_DATA_QUERY CONFERENCE_DATA CALL_SETUP_REQ CALL_SETUP_RESULT CALL_DETAIL DEVICE_STATE
TEXT SHUTDOWN_REQUESTED CERT_RELOAD ALL
"""
NAMES = frozenset(_NAMES.split())
"""Every event name FreeSWITCH 1.10 knows; most never happen here."""

# what FreeSWITCH leaves alone when it encodes a header of a plain event
_SAFE = "!$&'()*,-./:;<=>?@[]^_`{|}~"
_XML_NAME = re.compile(r"[A-Za-z_][\w.-]*", re.ASCII)
_encode_json = msgspec.json.Encoder().encode


class Event:
    """One event with its encodings, each made at the first listener that wants it."""

    __slots__ = ("_frames", "body", "headers", "name", "subclass")

    def __init__(self, name: str, subclass: str, headers: Headers, body: str | None = None) -> None:
        self.name = name
        self.subclass = subclass
        self.headers = headers
        self.body = body
        self._frames: dict[Format, bytes] = {}

    def frame(self, form: Format) -> bytes:
        """The whole frame as it goes out."""
        found = self._frames.get(form)
        if found is None:
            data = {"plain": self.plain, "json": self.json, "xml": self.xml}[form]()
            found = b"Content-Length: %d\nContent-Type: text/event-%s\n\n%s" % (len(data), form.encode(), data)
            self._frames[form] = found
        return found

    def json(self) -> bytes:
        if self.body is None:
            return _encode_json(self.headers)
        length = str(len(self.body.encode("utf-8", "replace")))
        return _encode_json({**self.headers, "Content-Length": length, "_body": self.body})

    def plain(self) -> bytes:
        lines = "".join(
            f"{name}: {quote(_scalar(value), safe=_SAFE, errors='replace') or '_undef_'}\n" for name, value in self.headers.items()
        )
        if not self.body:
            return f"{lines}\n".encode()
        inner = self.body.encode("utf-8", "replace")
        return b"%sContent-Length: %d\n\n%s" % (lines.encode(), len(inner), inner)

    def xml(self) -> bytes:
        headers = "".join(
            f"<{name}>{escape(_scalar(value))}</{name}>" for name, value in self.headers.items() if _XML_NAME.fullmatch(name)
        )
        body = ""
        if self.body:
            length = len(self.body.encode("utf-8", "replace"))
            body = f"<Content-Length>{length}</Content-Length><body>{escape(self.body)}</body>"
        return f"<event><headers>{headers}</headers>{body}</event>".encode("utf-8", "replace")


def _scalar(value: Value) -> str:
    return value if isinstance(value, str) else "ARRAY::" + "|:".join(value)


class Listener(Protocol):
    """A connection that has asked for events."""

    def wants(self, name: str, subclass: str) -> bool: ...
    def take(self, event: Event) -> None: ...


class Bus:
    """Where events start. `fire` costs one dictionary look-up when nobody listens."""

    def __init__(self, switchname: str, core_uuid: str | None = None) -> None:
        self.core_uuid = core_uuid or str(uuid4())
        self.hostname = socket.gethostname()
        self._fixed: Headers = {
            "Core-UUID": self.core_uuid,
            "FreeSWITCH-Hostname": self.hostname,
            "FreeSWITCH-Switchname": switchname,
            "FreeSWITCH-IPv4": "127.0.0.1",
            "FreeSWITCH-IPv6": "::1",
        }
        self._sequence = itertools.count(1)
        self._listeners: list[Listener] = []
        self._wanted: dict[tuple[str, str], tuple[Listener, ...]] = {}
        self._second = 0
        self._dates = ("", "")

    def add(self, listener: Listener) -> None:
        if listener not in self._listeners:
            self._listeners.append(listener)
        self.changed()

    def remove(self, listener: Listener) -> None:
        if listener in self._listeners:
            self._listeners.remove(listener)
        self.changed()

    def changed(self) -> None:
        """A listener wants other events than before."""
        self._wanted.clear()

    def listeners(self, name: str, subclass: str = "") -> tuple[Listener, ...]:
        key = (name, subclass)
        found = self._wanted.get(key)
        if found is None:
            if len(self._wanted) > 500:  # subclasses come from outside (sendevent)
                self._wanted.clear()
            found = self._wanted[key] = tuple(one for one in self._listeners if one.wants(name, subclass))
        return found

    def base(self, name: str, origin: str = "") -> Headers:
        """The headers every event begins with; draws an Event-Sequence."""
        now = time.time_ns() // 1000
        second = now // 1_000_000
        if second != self._second:
            self._second = second
            self._dates = (time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(second)), formatdate(second, usegmt=True))
        return {
            "Event-Name": name,
            **self._fixed,
            "Event-Date-Local": self._dates[0],
            "Event-Date-GMT": self._dates[1],
            "Event-Date-Timestamp": str(now),
            "Event-Calling-File": "embedded",
            "Event-Calling-Function": origin or name.lower(),
            "Event-Calling-Line-Number": "1",
            "Event-Sequence": str(next(self._sequence)),
        }

    def fire(
        self,
        name: str,
        headers: Callable[[], Headers] | Headers | None = None,
        *,
        subclass: str = "",
        body: str | None = None,
        origin: str = "",
    ) -> None:
        """Tell the listeners. `headers` may be a function, called only when there is one."""
        listeners = self.listeners(name, subclass)
        if not listeners:
            next(self._sequence)
            return
        all_headers = self.base(name, origin)
        if subclass:
            all_headers["Event-Subclass"] = subclass
        if headers is not None:
            all_headers.update(headers() if callable(headers) else headers)
        self.hand_out(Event(name, subclass, all_headers, body), listeners)

    @staticmethod
    def hand_out(event: Event, listeners: Iterable[Listener]) -> None:
        for listener in listeners:
            listener.take(event)

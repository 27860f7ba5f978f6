# SPDX-License-Identifier: Apache-2.0
"""Where registered phones are: the binding record and its storage on disk; the registrar reads and writes it."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

from engine.embedded.sip.syntax import parse_uri

log = logging.getLogger(__name__)

_REWRITE_AFTER = 1000  # journal lines beyond four times the living bindings

BindingKey = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Binding:
    """One contact of one address of record. Times are Unix seconds, since bindings outlive the process."""

    aor: str  # user@domain, domain in lower case
    contact: str  # the URI as the phone wrote it
    listener: str
    transport: str
    source: tuple[str, int]  # where its REGISTER came from: a NATed phone is reached there
    expires_at: float
    expires: int  # seconds granted
    registered_at: float
    call_id: str
    cseq: int
    username: str = ""  # of the digest
    realm: str = ""
    user_agent: str = ""
    path: tuple[str, ...] = ()
    instance: str = ""  # +sip.instance and reg-id (RFC 5626): the same phone at a new address
    q: float = 1.0
    direct: bool = True  # no proxy in between

    @property
    def key(self) -> BindingKey:
        """A phone that names its instance keeps one binding wherever it moves; others are told apart by contact."""
        return self.aor, self.instance or self.contact

    @property
    def dial_uri(self) -> str:
        """The contact, and where it was seen when that is elsewhere: two phones behind two NATs may write the same contact.

        `fs_path` is FreeSWITCH's name for it; it never leaves the switch.
        """
        uri, (host, port) = parse_uri(self.contact), self.source
        if self.transport == "udp" and (uri.host, uri.port or 5060) == (host, port):
            return self.contact
        host = f"[{host}]" if ":" in host else host
        return f"{self.contact};fs_path={quote(f'sip:{host}:{port};transport={self.transport}', safe='')}"


class BindingStore(Protocol):
    """Keeps bindings across restarts. Every call has happened when it returns, as far as the operating system goes."""

    def load(self) -> list[Binding]: ...

    def put(self, binding: Binding) -> None: ...

    def remove(self, key: BindingKey) -> None: ...

    def close(self) -> None: ...


class MemoryStore:
    """For tests and switches without a state directory: forgets with the process."""

    def load(self) -> list[Binding]:
        return []

    def put(self, binding: Binding) -> None:
        _ = binding

    def remove(self, key: BindingKey) -> None:
        _ = key

    def close(self) -> None:
        return


class JournalStore:
    """A file of JSON lines, one per change, rewritten when it has grown; survives kill -9 at any moment.

    No fsync: after a power cut the phones register again anyway. A write that fails is logged, and the switch goes on.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._live: dict[BindingKey, Binding] = {}
        self._lines = 0
        self._file: int | None = None

    def load(self) -> list[Binding]:
        """Read what is there (a torn last line is passed over) and begin a fresh journal. Raises OSError."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        if self._path.exists():
            for line in self._path.read_bytes().splitlines():
                self._replay(line)
        self._rewrite()
        return list(self._live.values())

    def _replay(self, line: bytes) -> None:
        try:
            entry = json.loads(line)
            if "gone" in entry:
                self._live.pop((entry["gone"][0], entry["gone"][1]), None)
            else:
                binding = _from_json(entry)
                self._live[binding.key] = binding
        except (ValueError, TypeError, KeyError, IndexError) as error:
            log.warning("registrations: unreadable line in %s passed over: %s", self._path, error)

    def put(self, binding: Binding) -> None:
        self._live[binding.key] = binding
        self._append(asdict(binding))

    def remove(self, key: BindingKey) -> None:
        if self._live.pop(key, None) is not None:
            self._append({"gone": list(key)})

    def _append(self, entry: dict[str, Any]) -> None:
        if self._file is None:
            return
        try:
            os.write(self._file, _line(entry))
            self._lines += 1
            if self._lines > 4 * len(self._live) + _REWRITE_AFTER:
                self._rewrite()
        except OSError as error:
            log.error("registrations: can't write %s: %s", self._path, error)

    def _rewrite(self) -> None:
        """Atomic: the new file takes the old one's place only when it is complete."""
        fresh = self._path.with_name(self._path.name + ".new")
        data = b"".join(_line(asdict(binding)) for binding in self._live.values())
        with open(fresh, "wb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
            file.write(data)
        os.replace(fresh, self._path)
        self.close()
        self._file = os.open(self._path, os.O_WRONLY | os.O_APPEND)
        self._lines = len(self._live)

    def close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None


def _line(entry: dict[str, Any]) -> bytes:
    return json.dumps(entry, separators=(",", ":")).encode() + b"\n"


def _from_json(entry: dict[str, Any]) -> Binding:
    """Raises TypeError, ValueError, KeyError or IndexError for what is no binding."""
    host, port = entry.pop("source")
    path: Iterable[str] = entry.pop("path", ())
    if not isinstance(entry["expires_at"], int | float) or not isinstance(entry["aor"], str):
        raise TypeError("wrong field types")
    parse_uri(entry["contact"])
    return Binding(source=(str(host), int(port)), path=tuple(path), **entry)

# SPDX-License-Identifier: Apache-2.0
"""Which events one event socket client wants: names, CUSTOM subclasses, filters; kept by its connection."""

from __future__ import annotations

import re

from engine.embedded.events import NAMES, Event, Format, Value


class Subscription:
    """Empty at first. The texts returned are FreeSWITCH's answers."""

    def __init__(self) -> None:
        self.format: Format = "plain"
        self.enabled = False
        self._names: set[str] = set()
        self._subclasses: set[str] = set()
        self._filters: list[tuple[str, str]] = []

    def wants(self, name: str, subclass: str) -> bool:
        if not self.enabled:
            return False
        if "ALL" in self._names:
            return True
        return name in self._names and (name != "CUSTOM" or not subclass or subclass in self._subclasses)

    def passes(self, event: Event) -> bool:
        """Positive filters are OR-ed; a negative one that matches ends it (`filter Unique-ID -X`)."""
        if not self._filters:
            return True
        send = False
        for header, wanted in self._filters:
            value = event.headers.get(header) or _any_case(event.headers, header)
            if not value:
                continue
            text = value if isinstance(value, str) else "|:".join(value)
            positive, compared = _sign(wanted)
            if send and positive:
                continue
            if _matches(text, compared):
                if not positive:
                    return False
                send = True
        return send

    def event(self, arguments: str) -> str:
        words = arguments.split()
        if words and words[0].lower() in ("plain", "json", "xml"):
            form = words.pop(0).lower()
            self.format = "json" if form == "json" else "xml" if form == "xml" else "plain"
        if not self._each(words, add=True):
            return "-ERR no keywords supplied"
        self.enabled = True
        return f"+OK event listener enabled {self.format}"

    def nixevent(self, arguments: str) -> str:
        if not self._each(arguments.split(), add=False):
            return "-ERR no keywords supplied"
        self.enabled = True
        return "+OK events nixed"

    def noevents(self) -> str:
        if not self.enabled:
            return "-ERR not listening for events"
        self.enabled = False
        self._names.clear()
        self._subclasses.clear()
        return "+OK no longer listening for events"

    def _each(self, words: list[str], *, add: bool) -> bool:
        known = custom = False
        for word in words:
            if custom:
                (self._subclasses.add if add else self._subclasses.discard)(word)
                continue
            name = word.upper()
            if name not in NAMES:
                continue
            known = True
            custom = name == "CUSTOM"
            if add:
                self._names.add(name)
            elif name == "ALL":
                self._names.clear()
            elif name != "CUSTOM":
                if "ALL" in self._names:
                    self._names = set(NAMES) - {"ALL"}
                self._names.discard(name)
        return known

    def filter(self, arguments: str) -> str:
        header, _, value = arguments.strip().partition(" ")
        value = value.strip()
        if header.lower() == "delete" and value:
            header, _, wanted = value.partition(" ")
            wanted = wanted.strip()
            if header.lower() == "all":
                self._filters.clear()
            else:
                self._filters = [
                    (name, text)
                    for name, text in self._filters
                    if name.lower() != header.lower() or (wanted and text != wanted)
                ]
            return f"+OK filter deleted. [{header}][{wanted}]"
        if header.lower() == "add" and " " in value:
            header, _, value = value.partition(" ")
        if not value:
            return "-ERR invalid syntax"
        if len(self._filters) >= 10_000:
            return "-ERR too many filters"
        self._filters.append((header, value.strip()))
        return f"+OK filter added. [{header}]=[{value.strip()}]"

    def only_channel(self, uuid: str) -> None:
        """`myevents`: everything of one channel."""
        self.enabled = True
        self._names.add("ALL")
        self._filters = [("Unique-ID", uuid)]


def _any_case(headers: dict[str, Value], name: str) -> Value | None:
    lowered = name.lower()
    return next((value for key, value in headers.items() if key.lower() == lowered), None)


def _sign(wanted: str) -> tuple[bool, str]:
    positive, index = True, 0
    while index < len(wanted) and wanted[index] in "+- ":
        positive = wanted[index] != "-" if wanted[index] != " " else positive
        index += 1
    return positive, wanted[index:]


def _matches(text: str, wanted: str) -> bool:
    if len(wanted) > 1 and wanted[0] == "/":
        pattern, _, flags = wanted[1:].rpartition("/")
        try:
            return re.search(pattern or wanted[1:], text, re.IGNORECASE if "i" in flags else 0) is not None
        except re.error:
            return False
    return text.lower() == wanted.lower()

# SPDX-License-Identifier: Apache-2.0
"""What whoever is served leaves in a rehearsal for somebody who is not there: a message, a fax."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Final

from engine.calls.call import Fax, Faxed, Message, MessageOver, Step
from engine.rehearsal.script import Script
from engine.rehearsal.timetable import Timetable

PAGE_SECONDS: Final = 30.0
"""How long a page of a fax takes."""


class Leavings:
    def __init__(self, script: Script, times: Timetable, note: Callable[[Step], None]) -> None:
        self.message: Message | None = None
        self.fax: Fax | None = None
        self._script, self._times, self._note = script, times, note

    def record_message(self, path: str, *, limit: timedelta, until_silence: timedelta) -> Message:
        self.message = Message(path, self._times.now)
        self._note(Step("message", {"path": path}))
        most = limit.total_seconds()
        spoken = self._script.speaks_seconds
        silent = spoken + until_silence.total_seconds() if until_silence else most
        self._times.after(min(most, silent), MessageOver(replace(self.message, seconds=spoken if silent < most else most)))
        return self.message

    def end_message(self, message: Message) -> None:
        self._times.after(0, MessageOver(replace(message, seconds=(self._times.now - message.begun_at).total_seconds())))

    def receive_fax(self, path: str) -> Fax:
        self.fax = Fax(path, self._times.now)
        self._note(Step("fax", {"path": path}))
        pages = self._script.fax_pages
        self._times.after((pages or 1) * PAGE_SECONDS, Faxed(replace(self.fax, pages=pages, complete=pages > 0)))
        return self.fax

    def end_fax(self, fax: Fax) -> None:
        self._times.after(0, Faxed(replace(fax, pages=self._pages_so_far(fax))))

    def _pages_so_far(self, fax: Fax) -> int:
        return min(self._script.fax_pages, int((self._times.now - fax.begun_at).total_seconds() // PAGE_SECONDS))

    def awaited(self, event: MessageOver | Faxed) -> bool:
        """Whether it is the end of what is being left; a second end is none."""
        match event:
            case MessageOver(message):
                return self.message is not None and self.message.seconds is None and self.message.path == message.path
            case Faxed(fax):
                return self.fax is not None and self.fax.pages is None and self.fax.path == fax.path

    def over(self, event: MessageOver | Faxed) -> MessageOver | Faxed:
        match event:
            case MessageOver(message):
                self.message = message
                self._note(Step("message_over", {"seconds": message.seconds}))
            case Faxed(fax):
                self.fax = fax
                told = {"pages": fax.pages, "complete": fax.complete, "sender": fax.sender, "trouble": fax.trouble}
                self._note(Step("fax_over", told))
        return event

    def broken_off(self) -> MessageOver | Faxed | None:
        """He has hung up: what was being left is over; None when that was nothing."""
        if self.fax is not None and self.fax.pages is None:
            return self.over(Faxed(replace(self.fax, pages=self._pages_so_far(self.fax))))
        if self.message is None or self.message.seconds is not None:
            return None
        return self.over(MessageOver(replace(self.message, seconds=(self._times.now - self.message.begun_at).total_seconds())))

# SPDX-License-Identifier: Apache-2.0
"""Faxes that the served party sends. The switch receives them by itself, page after page, whether or not an engine listens."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime

from engine.calls.call import Fax, Faxed, Leg, Step
from engine.calls.surroundings import Surroundings
from engine.esl.event import Event as SwitchEvent

APPLICATION = "rxfax"
_WORDS = 120
"""Characters kept of what the sending machine and the switch say."""


class Faxes:
    """Of one call, one at a time. `emit` takes the end of one, `note` what the journal must remember of it."""

    def __init__(self, node: Surroundings, emit: Callable[[Faxed], None], note: Callable[[Step], None]) -> None:
        self._node, self._emit, self._note = node, emit, note
        self.last: Fax | None = None
        self._run = ""
        """The id by which the switch knows the receiving application."""
        self._counted = 0
        """Whole pages of the one that is running."""

    @property
    def running(self) -> bool:
        return self.last is not None and self.last.pages is None

    def receive(self, party: Leg, path: str, now: datetime) -> Fax:
        self._run, self._counted = self._node.switch.receive_fax(party.id, self._node.path_on_switch(path)), 0
        self.last = Fax(path, now)
        self._note(Step("fax", {"path": path, "run": self._run}))
        return self.last

    def page(self, event: SwitchEvent) -> None:
        """The switch has a whole page."""
        if self.running and event.fax_pages > self._counted:
            self._counted = event.fax_pages
            self._note(Step("fax_page", {"page": self._counted}))

    def executed(self, event: SwitchEvent) -> bool:
        """An application of the party's channel has ended; whether it was the one that receives: its file is closed now."""
        if not self.running or event.execution != self._run:
            return False
        self.told(event)
        return True

    def told(self, of_channel: SwitchEvent) -> None:
        """How the running fax has ended, by the variables of its channel."""
        complete = of_channel.fax_success == "1"
        trouble = "" if complete else of_channel.fax_result_text
        self.over(max(of_channel.fax_pages, self._counted), complete, of_channel.fax_sender, trouble)

    def over(self, pages: int | None = None, complete: bool = False, sender: str = "", trouble: str = "") -> None:
        """The fax is over, however that was learnt; `pages` None: as many as were heard of."""
        if not self.running or self.last is None:
            return
        pages = self._counted if pages is None else pages
        self.last = replace(
            self.last, pages=pages, complete=complete and pages > 0, sender=sender.strip()[:_WORDS], trouble=trouble.strip()[:_WORDS]
        )
        self._note(Step("fax_over", {
            "pages": pages, "complete": self.last.complete, "sender": self.last.sender, "trouble": self.last.trouble,
        }))  # fmt: skip
        self._emit(Faxed(self.last))

    def restore(self, steps: Iterable[tuple[datetime, Step]]) -> None:
        """After a restart: the newest fax, from the steps."""
        for at, step in steps:
            facts = step.facts
            if step.what == "fax" and isinstance(path := facts.get("path"), str):
                self.last, self._run, self._counted = Fax(path, at), str(facts.get("run") or ""), 0
            elif step.what == "fax_page" and isinstance(page := facts.get("page"), int):
                self._counted = page
            elif step.what == "fax_over" and self.last is not None and isinstance(pages := facts.get("pages"), int):
                self.last = replace(
                    self.last, pages=pages, complete=facts.get("complete") is True,
                    sender=str(facts.get("sender") or ""), trouble=str(facts.get("trouble") or ""),
                )  # fmt: skip

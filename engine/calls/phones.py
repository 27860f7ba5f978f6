# SPDX-License-Identifier: Apache-2.0
"""The phones and provider lines of one node as the switch tells of them: who is registered, which lines are in use, how gateways fare."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final, TypeAlias

from engine import clock
from engine.calls.presence import Lines, Registration, Registrations
from engine.esl.event import Event

TABLE_LAGS: Final = timedelta(seconds=5)
"""What events have told so lately may be missing in the table, or be in it still."""

PresenceListener: TypeAlias = Callable[[int, str, bool], None]
"""(account, login, registered): a login has got its first phone or lost its last."""


class Phones:
    """One per node; fed with the switch's CUSTOM events and, after a (re)connect, with its table of registrations."""

    def __init__(self, account_of_domain: Callable[[str], int | None], on_presence: PresenceListener) -> None:
        self.registrations = Registrations()
        self.lines = Lines()
        self.gateways: dict[str, str] = {}
        """State of each registering trunk by gateway name, as last heard: REGED, TRYING, FAIL_WAIT, …"""
        self._account_of_domain, self._on_presence = account_of_domain, on_presence
        self._lately: deque[tuple[datetime, Event]] = deque()

    def on_event(self, event: Event) -> None:
        match event.subclass:
            case "sofia::register" | "sofia::unregister" | "sofia::expire":
                self._forget_old()
                self._lately.append((clock.now(), event))
                if (told := self._take(event)) is not None:
                    self._on_presence(*told, event.subclass == "sofia::register")
            case "sofia::gateway_state" | "sofia::gateway_add":
                self.gateways[event.gateway] = event.gateway_state or self.gateways.get(event.gateway, "")
            case "sofia::gateway_delete":
                self.gateways.pop(event.gateway, None)

    def _forget_old(self) -> None:
        while self._lately and clock.now() - self._lately[0][0] > TABLE_LAGS:
            self._lately.popleft()

    def _take(self, event: Event) -> tuple[int, str] | None:
        """The account and login whose presence changes by this."""
        account, user = self._account_of_domain(event.from_host), event.from_user or event.user
        if account is None:
            return None
        if event.subclass != "sofia::register":
            return (account, user) if self.registrations.remove(account, user, contact_uri(event.contact)) else None
        contact, address = contact_uri(event.contact), f"{event.network_ip}:{event.network_port}"
        known = self.registrations.find(account, user, contact)
        since = known.since if known is not None and known.since is not None else clock.now()
        phone = Registration(user, event.from_host, contact, address, event.user_agent, since)
        return (account, user) if self.registrations.add(account, phone) else None

    def load(self, rows: Iterable[Mapping[str, str]]) -> None:
        """`show registrations`, after a (re)connect and now and then. Since when and what kind of phone only events have told."""
        before = self.registrations.all_logins()
        found = []
        for row in rows:
            login, domain = row.get("reg_user", ""), row.get("realm", "")
            account = self._account_of_domain(domain)
            if account is None:
                continue
            contact = contact_uri(row.get("url", ""))
            phone = Registration(login, domain, contact, f"{row.get('network_ip', '')}:{row.get('network_port', '')}")
            known = self.registrations.find(account, login, contact)
            if known is not None:
                phone.since, phone.user_agent = known.since, known.user_agent
            found.append((account, phone))
        self.registrations.replace_all(found)
        self._forget_old()
        for _, event in self._lately:
            self._take(event)
        after = self.registrations.all_logins()
        for account, login in before ^ after:  # what no event has told
            self._on_presence(account, login, (account, login) in after)


def contact_uri(contact: str) -> str:
    """The bare URI of a binding, which events show as `"Anna" <sip:…>` and the table as `sofia/profile/sip:…`."""
    if contact.startswith("sofia/"):
        return contact.split("/", 2)[-1]
    _, bracket, rest = contact.partition("<")
    return rest.partition(">")[0] if bracket else contact

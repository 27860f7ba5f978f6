# SPDX-License-Identifier: Apache-2.0
"""The phones and provider lines of one node as the switch tells of them: who is registered, which lines are in use, how gateways fare."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TypeAlias

from engine import clock
from engine.calls.presence import Lines, Registration, Registrations
from engine.esl.event import Event

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

    def on_event(self, event: Event) -> None:
        match event.subclass:
            case "sofia::register":
                self._registered(event.from_user, event.from_host, event)
            case "sofia::unregister" | "sofia::expire":
                account = self._account_of_domain(event.from_host)
                user = event.from_user or event.user
                if account is not None and self.registrations.remove(account, user, contact_uri(event.contact)):
                    self._on_presence(account, user, False)
            case "sofia::gateway_state" | "sofia::gateway_add":
                self.gateways[event.gateway] = event.gateway_state or self.gateways.get(event.gateway, "")
            case "sofia::gateway_delete":
                self.gateways.pop(event.gateway, None)

    def _registered(self, user: str, host: str, event: Event) -> None:
        account = self._account_of_domain(host)
        if account is None:
            return
        contact, address = contact_uri(event.contact), f"{event.network_ip}:{event.network_port}"
        known = self.registrations.find(account, user, contact)
        since = known.since if known is not None and known.since is not None else clock.now()
        phone = Registration(user, host, contact, address, event.user_agent, since)
        if self.registrations.add(account, phone):
            self._on_presence(account, user, True)

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
        after = self.registrations.all_logins()
        for account, login in before ^ after:  # what no event has told
            self._on_presence(account, login, (account, login) in after)


def contact_uri(contact: str) -> str:
    """The bare URI of a binding, which events show as `"Anna" <sip:…>` and the table as `sofia/profile/sip:…`."""
    if contact.startswith("sofia/"):
        return contact.split("/", 2)[-1]
    _, bracket, rest = contact.partition("<")
    return rest.partition(">")[0] if bracket else contact

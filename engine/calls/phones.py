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
                if account is not None and self.registrations.remove(account, user, event.contact):
                    self._on_presence(account, user, False)
            case "sofia::gateway_state" | "sofia::gateway_add":
                self.gateways[event.gateway] = event.gateway_state or self.gateways.get(event.gateway, "")
            case "sofia::gateway_delete":
                self.gateways.pop(event.gateway, None)

    def _registered(self, user: str, host: str, event: Event) -> None:
        account = self._account_of_domain(host)
        if account is None:
            return
        phone = Registration(user, host, event.contact, f"{event.network_ip}:{event.network_port}", event.user_agent, clock.now())
        if self.registrations.add(account, phone):
            self._on_presence(account, user, True)

    def load(self, rows: Iterable[Mapping[str, str]]) -> None:
        """`show registrations` after a (re)connect."""
        found = []
        for row in rows:
            account = self._account_of_domain(row.get("realm", ""))
            if account is not None:
                address = f"{row.get('network_ip', '')}:{row.get('network_port', '')}"
                found.append((account, Registration(row.get("reg_user", ""), row.get("realm", ""), row.get("url", ""), address)))
        self.registrations.replace_all(found)

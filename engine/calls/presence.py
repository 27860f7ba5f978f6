# SPDX-License-Identifier: Apache-2.0
"""Which phones are registered and which lines are in use, in memory, fed by events of the switch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from engine.calls.call import Caller
from engine.snapshot import Contact, Snapshot

K = TypeVar("K")


def is_own(snapshot: Snapshot, caller: Caller, contact: Contact) -> bool:
    """Whether the contact belongs to the caller himself, by his user or by the number he calls from: it is never rung (R3)."""
    owner = snapshot.contacts.get(contact.id)
    if owner is not None and caller.user is not None and owner[0].id == caller.user:
        return True
    return contact.kind == "phone" and contact.address == caller.number


@dataclass(slots=True)
class Registration:
    """A phone of a SIP account. `host` is the domain it registered with (R27): the address of record to dial."""

    login: str
    host: str
    contact: str
    address: str = ""
    user_agent: str = ""
    since: datetime | None = None


@dataclass(slots=True)
class Registrations:
    """Bindings by (account, login); several phones may share a login."""

    _known: dict[tuple[int, str], dict[str, Registration]] = field(default_factory=dict)

    def add(self, account: int, registration: Registration) -> bool:
        """True when the login was not registered before."""
        phones = self._known.setdefault((account, registration.login), {})
        new = not phones
        phones.pop(registration.contact, None)
        phones[registration.contact] = registration
        return new

    def remove(self, account: int, login: str, contact: str) -> bool:
        """True when that was the last phone of the login."""
        phones = self._known.get((account, login))
        if phones is None:
            return False
        phones.pop(contact, None)
        if phones:
            return False
        del self._known[account, login]
        return True

    def replace_all(self, rows: Iterable[tuple[int, Registration]]) -> None:
        """What the switch says after a (re)connect."""
        self._known.clear()
        for account, registration in rows:
            self.add(account, registration)

    def of(self, account: int, login: str) -> tuple[Registration, ...]:
        """The phones of a login, the latest last."""
        return tuple(self._known.get((account, login), {}).values())

    def find(self, account: int, login: str, contact: str) -> Registration | None:
        return self._known.get((account, login), {}).get(contact)

    def all_logins(self) -> frozenset[tuple[int, str]]:
        """(account, login) of whoever is registered."""
        return frozenset(self._known)

    def logins(self, account: int) -> frozenset[str]:
        return frozenset(login for owner, login in self._known if owner == account)


@dataclass(slots=True)
class Lines:
    """Lines in use by contact and by trunk (R12, trunk limits); set again after a restart by the sweep.

    All phones of a login that one call rings take one line.
    """

    trunks: Counter[int] = field(default_factory=Counter)
    contacts: dict[int, Counter[str]] = field(default_factory=dict)
    """Legs of each contact by call id."""

    def of(self, contact: int) -> int:
        return len(self.contacts.get(contact, ()))

    def of_trunk(self, trunk: int) -> int:
        return self.trunks[trunk]

    def take(self, call: str, contact: int | None, trunk: int | None) -> None:
        if contact is not None:
            self.contacts.setdefault(contact, Counter())[call] += 1
        if trunk is not None:
            self.trunks[trunk] += 1

    def free(self, call: str, contact: int | None, trunk: int | None) -> None:
        if contact is not None and (calls := self.contacts.get(contact)) is not None:
            _one_less(calls, call)
            if not calls:
                del self.contacts[contact]
        if trunk is not None:
            _one_less(self.trunks, trunk)


def _one_less(counter: Counter[K], key: K) -> None:
    counter[key] -= 1
    if counter[key] <= 0:
        del counter[key]

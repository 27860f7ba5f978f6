# SPDX-License-Identifier: Apache-2.0
"""The switch's directory answered from the current snapshots: accounts, whitelists, trunks. Look-ups do not grow with customers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from engine.db.secrets import decrypt
from engine.directory import SipCredentials, TrunkConfig
from engine.errors import NotFound
from engine.snapshot import Snapshot


class Accounts(Protocol):
    """What is needed of engine.revisions.Revisions."""

    def accounts(self) -> Sequence[int]: ...
    def snapshot(self, account_id: int) -> Snapshot:
        """NotFound when there is no such account."""
    def account_for_domain(self, domain: str) -> int | None: ...
    def account_for_number(self, number: str) -> int | None: ...


class SnapshotDirectory:
    """Implements engine.directory.Directory. `default_account_number` owns unknown domains (R27)."""

    def __init__(self, accounts: Accounts, default_account_number: str) -> None:
        self._accounts = accounts
        self._default_number = default_account_number
        self._trunks: dict[int, tuple[Snapshot, list[TrunkConfig]]] = {}

    def account_for_domain(self, domain: str) -> int | None:
        return self._active(self._accounts.account_for_domain(domain.strip()))

    def default_account(self) -> int | None:
        return self._active(self._accounts.account_for_number(self._default_number))

    def account_for_realm(self, domain: str) -> int | None:
        """The account that answers for a domain: its own, else the default one."""
        found = self.account_for_domain(domain)
        return self.default_account() if found is None else found

    def _active(self, account_id: int | None) -> int | None:
        snapshot = self._snapshot(account_id) if account_id is not None else None
        return account_id if snapshot is not None and snapshot.account.active else None

    def _snapshot(self, account_id: int) -> Snapshot | None:
        try:
            return self._accounts.snapshot(account_id)
        except NotFound:
            return None

    def sip_account(self, account_id: int, login: str) -> SipCredentials | None:
        snapshot = self._snapshot(account_id)
        account = snapshot.sip_accounts.get(login) if snapshot else None
        owner = snapshot.contacts.get(account.contact) if snapshot and account else None
        if account is None or owner is None or not owner[0].active:
            return None
        return SipCredentials(account_id, account.id, decrypt(account.secret), account.user, account.contact)

    def whitelist(self, account_id: int) -> Sequence[str]:
        snapshot = self._snapshot(account_id)
        return snapshot.account.whitelist if snapshot else ()

    def trunks(self) -> Iterable[TrunkConfig]:
        """Only what has changed since the last question is decrypted again."""
        known, self._trunks = self._trunks, {}
        for account_id in self._accounts.accounts():
            snapshot = self._accounts.snapshot(account_id)
            before = known.get(account_id)
            told = before if before is not None and before[0] is snapshot else (snapshot, list(_trunks(snapshot)))
            self._trunks[account_id] = told
        return [trunk for _, trunks in self._trunks.values() for trunk in trunks]


def _trunks(snapshot: Snapshot) -> Iterable[TrunkConfig]:
    if not snapshot.account.active:
        return
    for trunk in snapshot.core.trunks:
        if trunk.active:
            yield TrunkConfig(
                trunk.id,
                snapshot.account.id,
                f"{trunk.server}:{trunk.port}" if trunk.server else "",
                trunk.registers,
                trunk.login,
                decrypt(trunk.secret) if trunk.secret else "",
                realm=trunk.realm,
                transport=trunk.transport,
                addresses=trunk.sources,
            )

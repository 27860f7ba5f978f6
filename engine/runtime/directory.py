# SPDX-License-Identifier: Apache-2.0
"""The switch's directory answered from the current snapshots: accounts, whitelists, trunks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from engine.db.secrets import decrypt
from engine.directory import SipCredentials, TrunkConfig
from engine.snapshot import Snapshot


class SnapshotDirectory:
    """Implements engine.directory.Directory. `default_account_number` owns unknown domains (R27)."""

    def __init__(self, snapshots: Callable[[], Iterable[Snapshot]], default_account_number: str) -> None:
        self._snapshots = snapshots
        self._default_number = default_account_number

    def account_for_domain(self, domain: str) -> int | None:
        wanted = domain.strip().lower()
        for snapshot in self._snapshots():
            if snapshot.account.active and snapshot.account.domain.lower() == wanted:
                return snapshot.account.id
        return None

    def default_account(self) -> int | None:
        for snapshot in self._snapshots():
            if snapshot.account.active and snapshot.account.number == self._default_number:
                return snapshot.account.id
        return None

    def account_for_realm(self, domain: str) -> int | None:
        """The account that answers for a domain: its own, else the default one."""
        found = self.account_for_domain(domain)
        return self.default_account() if found is None else found

    def _snapshot(self, account_id: int) -> Snapshot | None:
        return next((s for s in self._snapshots() if s.account.id == account_id), None)

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
        for snapshot in self._snapshots():
            if not snapshot.account.active:
                continue
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

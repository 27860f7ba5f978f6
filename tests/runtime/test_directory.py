# SPDX-License-Identifier: Apache-2.0
"""Whose domain, whose line: answered without looking at every customer."""

from __future__ import annotations

import msgspec
import pytest

from engine.errors import NotFound
from engine.plugin.testing import office
from engine.runtime import directory as module
from engine.runtime.directory import SnapshotDirectory
from engine.snapshot import Snapshot, Trunk


def customer(id: int, *, active: bool = True) -> Snapshot:
    made = office((), {})
    account = msgspec.structs.replace(made.account, id=id, number=str(100 + id), domain=f"C{id}.example", active=active)
    trunk = Trunk(id=10 + id, title="Line", registers=True, server="sip.example", secret=f"secret {id}")
    return Snapshot(1, msgspec.structs.replace(made.core, account=account, trunks=(trunk,)), {})


class Index:
    """Revisions' double: it refuses to list everybody when one is asked for."""

    def __init__(self, *snapshots: Snapshot) -> None:
        self.known = {s.account.id: s for s in snapshots}
        self.listed = 0

    def accounts(self) -> list[int]:
        self.listed += 1
        return sorted(self.known)

    def snapshot(self, account_id: int) -> Snapshot:
        if account_id not in self.known:
            raise NotFound
        return self.known[account_id]

    def account_for_domain(self, domain: str) -> int | None:
        return {s.account.domain.lower(): id for id, s in self.known.items()}.get(domain.lower())

    def account_for_number(self, number: str) -> int | None:
        return {s.account.number: id for id, s in self.known.items()}.get(number)


def test_domains_are_looked_up() -> None:
    index = Index(customer(1), customer(2), customer(3, active=False))
    directory = SnapshotDirectory(index, "101")
    assert directory.account_for_domain(" c2.EXAMPLE ") == 2
    assert directory.account_for_domain("c3.example") is None  # locked
    assert directory.account_for_realm("c2.example") == 2
    assert directory.account_for_realm("192.0.2.1") == 1
    assert SnapshotDirectory(index, "103").account_for_realm("192.0.2.1") is None
    assert directory.whitelist(9) == ()
    assert directory.sip_account(9, "201") is None
    assert index.listed == 0


def test_only_what_has_changed_is_decrypted_again(monkeypatch: pytest.MonkeyPatch) -> None:
    decrypted: list[str] = []

    def decrypt(token: str) -> str:
        decrypted.append(token)
        return token

    monkeypatch.setattr(module, "decrypt", decrypt)
    index = Index(customer(1), customer(2), customer(3, active=False))
    directory = SnapshotDirectory(index, "101")
    assert [t.id for t in directory.trunks()] == [11, 12]
    index.known[2] = customer(2)
    assert [(t.id, t.password) for t in directory.trunks()] == [(11, "secret 1"), (12, "secret 2")]
    assert decrypted == ["secret 1", "secret 2", "secret 2"]
    del index.known[1]
    assert [t.id for t in directory.trunks()] == [12]

# SPDX-License-Identifier: Apache-2.0
"""Where a provider's call belongs: source addresses, gateways and DIDs of many customers (R5)."""

from __future__ import annotations

import re

import pytest
from cryptography.fernet import Fernet

from engine.calls.trunks import gateway_name
from engine.db import secrets
from engine.routing.inbound import TrunkIndex
from engine.settings import Core, Settings
from engine.snapshot import Account, CorePart, Did, Snapshot, Trunk


def snapshot(account: int, *trunks: Trunk, active: bool = True) -> Snapshot:
    dids = tuple(Did(id=t.id, title="", number=f"+7495000000{t.id}", trunk=t.ref) for t in trunks)
    core = CorePart(
        account=Account(id=account, number=str(account), title="", domain=f"t{account}.example", active=active), trunks=trunks, dids=dids
    )
    return Snapshot(1, core, {})


def trunk(id: int, *sources: str, registers: bool = False, active: bool = True) -> Trunk:
    return Trunk(id=id, title="", registers=registers, sources=sources, active=active)


def found(index: TrunkIndex, address: str) -> set[int]:
    return set().union(*index.calls_from(address))


@pytest.mark.feature("NUM-2", "R5")
def test_addresses_and_networks_of_several_customers() -> None:
    index = TrunkIndex.of([
        snapshot(1, trunk(1, "192.0.2.1", "198.51.100.0/24")),
        snapshot(2, trunk(2, "192.0.2.1"), trunk(3, "192.0.2.7/29", "2001:db8::/32")),
        snapshot(3, trunk(4, "0.0.0.0/0")),
    ])  # fmt: skip
    assert found(index, "192.0.2.1") == {1, 2, 3, 4}
    assert found(index, "192.0.2.6") == {3, 4}
    assert found(index, "192.0.2.8") == {4}
    assert found(index, "198.51.100.200") == {1, 4}
    assert found(index, "2001:db8::5") == {3}
    assert found(index, "::c000:201") == set()
    assert found(index, "no address") == set()


@pytest.mark.feature("NUM-2", "R5")
def test_the_name_of_a_gateway_proves_the_provider_of_a_registering_trunk_alone() -> None:
    """A registered Contact is known to its provider only; an IP trunk's provider proves himself by his address."""
    index = TrunkIndex.of([snapshot(1, trunk(1, registers=True), trunk(2, "192.0.2.2"))])
    assert set(index.by_gateway) == {gateway_name(1)}
    assert re.fullmatch(r"trunk-1-[0-9a-f]{12}", gateway_name(1))
    assert len({gateway_name(n)[-12:] for n in range(1, 100)}) == 99
    # another installation has other names
    before = gateway_name(1)
    secrets.setup(Settings(core=Core(secret=Fernet.generate_key().decode())))
    assert gateway_name(1) != before


@pytest.mark.feature("NUM-2")
def test_registering_inactive_and_foreign_trunks_let_nobody_in() -> None:
    index = TrunkIndex.of([
        snapshot(1, trunk(1, "192.0.2.1", registers=True), trunk(2, "192.0.2.2", active=False)),
        snapshot(2, trunk(3, "192.0.2.3"), active=False),
    ])  # fmt: skip
    assert [index.calls_from(f"192.0.2.{n}") for n in (1, 2, 3)] == [[], [], []]
    assert set(index.by_gateway) == {gateway_name(1)}
    assert set(index.by_did) == {"+74950000001", "+74950000002"}


def test_a_damaged_source_harms_nobody(caplog: pytest.LogCaptureFixture) -> None:
    index = TrunkIndex.of([snapshot(1, trunk(1, "192.0.2.300", "192.0.2.1"))])
    assert found(index, "192.0.2.1") == {1}
    assert "192.0.2.300" in caplog.text

# SPDX-License-Identifier: Apache-2.0
"""What the switch is told of provider lines, also of those that changed while no engine ran."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec
import pytest

from engine.plugin.testing import office
from engine.runtime import gateways as module
from engine.runtime.gateways import Gateways
from engine.snapshot import Snapshot, Trunk

CORE, OTHER = "core-1", "core-2"
PASSWORD = "gAAAA-an-encrypted-one"


class Told:
    """The switch's double."""

    connected = True

    def __init__(self, *gateways: str) -> None:
        self.orders: list[str] = []
        self.gateways = gateways

    async def gateway_states(self) -> Mapping[str, str]:
        return dict.fromkeys(self.gateways, "REGED")

    def gateway_kill(self, profile: str, gateway: str) -> None:
        self.orders.append(f"kill {gateway}")

    def gateway_rescan(self, profile: str) -> None:
        self.orders.append("rescan")

    def reload_acl(self) -> None:
        self.orders.append("acl")


def house(*trunks: Trunk, active: bool = True) -> Snapshot:
    made = office((), {})
    core = msgspec.structs.replace(made.core, trunks=trunks, account=msgspec.structs.replace(made.account, active=active))
    return Snapshot(2, core, {})


def trunk(id: int, server: str = "sip.example") -> Trunk:
    return Trunk(id=id, title="Line", registers=True, server=server, login="100", secret=PASSWORD)


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FORGET_SECONDS", 0.0)
    monkeypatch.setattr(module, "gateway_name", lambda trunk: f"trunk-{trunk}")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "lines.told"


async def life(
    file: Path, snapshot: Snapshot, core: str = CORE, *, then: Sequence[Snapshot | None] = (), gateways: Sequence[str] = ()
) -> list[str]:
    """What an engine with this configuration, which then changes so, tells a switch that has these gateways."""
    switch = Told(*gateways)
    gateways = Gateways(switch, file)
    gateways.changed(1, snapshot)
    await gateways.connected(core)
    await settled()
    for changed in then:
        gateways.changed(1, changed)
        await settled()
    await gateways.connected(core)  # the next sweep has nothing to tell
    await settled()
    gateways.close()
    return switch.orders


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_a_line_that_changed_while_no_engine_ran_is_killed_and_added(file: Path) -> None:
    assert await life(file, house(trunk(1), trunk(2), trunk(3))) == ["rescan", "acl"]
    assert await life(file, house(trunk(1), trunk(2, "elsewhere.example"))) == ["kill trunk-2", "kill trunk-3", "rescan", "acl"]
    assert await life(file, house(trunk(1), trunk(2, "elsewhere.example"))) == ["rescan", "acl"]


async def test_another_run_of_the_switch_has_read_everything_anew(file: Path) -> None:
    await life(file, house(trunk(1)))
    assert await life(file, house(), OTHER) == ["rescan", "acl"]


async def test_of_a_switch_that_nobody_remembers_only_strange_lines_are_killed(file: Path) -> None:
    assert await life(file, house(trunk(1)), gateways=("trunk-1", "trunk-9", "trunk-1-oldmark")) == [
        "kill trunk-9", "kill trunk-1-oldmark", "rescan", "acl",
    ]  # fmt: skip


@pytest.mark.parametrize("after", [None, house(trunk(1), active=False), house()], ids=["account gone", "account locked", "line gone"])
async def test_a_change_while_the_engine_runs(file: Path, after: Snapshot | None) -> None:
    assert await life(file, house(trunk(1)), then=[after]) == ["rescan", "acl", "kill trunk-1", "rescan", "acl"]


async def test_what_could_not_be_told_is_told_after_the_reconnect(file: Path) -> None:
    switch = Told()
    gateways = Gateways(switch, file)
    gateways.changed(1, house(trunk(1)))
    await gateways.connected(CORE)
    await settled()
    switch.orders.clear()
    gateways.changed(1, house())
    switch.connected = False  # before it could be told to add
    await settled()
    assert await life(file, house()) == ["kill trunk-1", "rescan", "acl"]  # the engine died: the next one knows
    switch.connected = True
    await gateways.connected(CORE)
    await settled()
    assert switch.orders == ["kill trunk-1", "kill trunk-1", "rescan", "acl"]


async def test_no_secret_is_written_down(file: Path) -> None:
    await life(file, house(trunk(1)))
    assert PASSWORD not in file.read_text()
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("spoil", [lambda f: f.write_text("{"), lambda f: f.mkdir()], ids=["damaged", "unwritable"])
async def test_an_unusable_file_keeps_nobody_from_working(file: Path, spoil: Callable[[Path], object]) -> None:
    spoil(file)
    assert await life(file, house(trunk(1))) == ["rescan", "acl"]

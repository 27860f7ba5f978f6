# SPDX-License-Identifier: Apache-2.0
"""Roles apart: the embedded switch alone, and everything else beside it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest

import plugins
from engine.errors import SettingsError
from engine.gates import DialQuestion
from engine.runtime import Runtime
from engine.settings import Settings
from tests.calls.installation import REAL, own_address, test_settings
from tests.switches.freeswitch import free_ports

PLUGIN = '''
"""A plugin with a gate."""
from engine.sdk import Plugin, PluginMeta


class Miser(Plugin):
    meta = PluginMeta("miser", "Miser")

    async def start(self, ctx):
        ctx.gates.add("miser", lambda question: "too far away" if question.number.startswith("+1") else None)
'''


def settings_apart(folder: Path) -> Settings:
    address = own_address()
    chosen = test_settings(folder / "state", address)
    socket, directory = free_ports("127.0.0.1", 2)
    return msgspec.structs.replace(
        chosen,
        switch=msgspec.structs.replace(chosen.switch, esl_port=socket),
        directory=msgspec.structs.replace(chosen.directory, port=directory),
    )


@pytest.mark.skipif(REAL, reason="it is about the embedded switch")
async def test_the_switch_runs_alone_and_the_rest_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    more = tmp_path / "more"
    (more / "miser").mkdir(parents=True)
    (more / "miser" / "__init__.py").touch()
    (more / "miser" / "plugin.py").write_text(PLUGIN)
    monkeypatch.setattr(plugins, "__path__", [*plugins.__path__, str(more)])
    settings = settings_apart(tmp_path)
    async with Runtime(settings, ("switch",)).running() as switch:
        assert switch.switch is not None
        assert not (settings.state / "vats.sqlite3").exists()  # it decides nothing, so it needs no database
        async with Runtime(settings, ("engine", "web", "bot", "jobs")).running() as rest:
            assert rest.switch is None
            assert rest.engine is not None
            async with asyncio.timeout(30):
                await rest.engine.connected.wait()
            gates = rest.ctx.gates  # a plugin's gate is asked in the engine's process
            assert gates.refusal(DialQuestion(1, "+12125550100", "outgoing")) == "too far away"
            assert gates.refusal(DialQuestion(1, "+79271234567", "outgoing")) is None
            assert rest.engine.node._gates is gates


def test_apart_they_must_know_where_to_find_each_other(tmp_path: Path) -> None:
    settings = test_settings(tmp_path / "state", "127.0.0.1")
    for roles in (("switch",), ("engine", "web", "bot", "jobs")):
        with pytest.raises(SettingsError, match="can't be 0"):
            Runtime(settings, roles)


def test_a_freeswitch_is_not_ours_to_start(tmp_path: Path) -> None:
    settings = settings_apart(tmp_path)
    with pytest.raises(SettingsError, match="Only the embedded switch"):
        Runtime(msgspec.structs.replace(settings, switch=msgspec.structs.replace(settings.switch, kind="freeswitch")), ("switch",))

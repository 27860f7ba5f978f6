# SPDX-License-Identifier: Apache-2.0
"""A plugin that raises when it starts: everything else runs, it is shown, and calls to its places hear a phrase and have failed (R26)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import plugins
from engine.snapshot import Ref
from tests.calls.pbx import pbx
from tests.embedded.telephone import DECODE
from tests.phones import sound

PLUGIN = '''
"""A plugin that does not get up."""
from engine.sdk import Done, Plugin, PluginMeta


class Place:
    kind, title, places = "lazy.place", "A place", frozenset({"rule", "no_answer"})

    def choices(self, snapshot):
        return []

    async def run(self, call, entry, router):
        return Done()


class Lazy(Plugin):
    meta = PluginMeta("lazy", "Lazy")

    def routing_actions(self):
        return [Place()]

    async def start(self, ctx):
        raise RuntimeError("not today")
'''


@pytest.mark.feature("R26", "R1")
async def test_a_plugin_that_does_not_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    more = tmp_path / "more"
    (more / "lazy").mkdir(parents=True)
    (more / "lazy" / "__init__.py").touch()
    (more / "lazy" / "plugin.py").write_text(PLUGIN)
    monkeypatch.setattr(plugins, "__path__", [*plugins.__path__, str(more)])
    async with pbx(tmp_path) as office:
        states = office.runtime.ctx.registry.states
        assert {s.plugin.meta.id: s.error for s in states if s.error} == {"lazy": "RuntimeError: not today"}
        assert len([s for s in states if s.running]) == len(states) - 1
        sales = await office.group("Sales", await office.user("201"), no_answer=Ref("lazy.place", 1))
        rule = await office.rule(Ref("lazy.place", 1))
        async with office.telephone("201") as phone, office.provider() as caller:
            call = await caller.calls("74951234567")
            await call.answered()
            await call.ended(30)
            phrase = sound.read(office.media / "prompts" / "unavailable.wav")[0]
            heard = DECODE[np.frombuffer(bytes(caller.heard), np.uint8)].astype(np.float64) / 32768
            assert sound.correlation(heard, phrase)[0] > 0.9
            (first,) = await office.records(1)
            assert (first.talked, first.missed) == (False, True)
            assert [s["facts"]["why"] for s in first.trace if s["what"] == "unavailable"] == ["no_plugin"]
            # what does not need it goes on
            found = next(r for r in office.snapshot.elements() if r.ref == rule)
            await office.change(found, target=sales)
            second = await caller.calls("74951234567")
            ringing = await phone.answers()
            await second.answered()
            await second.hang_up()
            await ringing.ended()
            assert [r.talked for r in await office.records(2)] == [False, True]
            # failed is failed: the group's no-answer action leads nowhere either, the call is missed by the group
            third = await caller.calls("74951234567")
            await phone.refuses(486)
            await third.answered()
            await third.ended(30)
            last = (await office.records(3))[2]
            assert last.missed
            told = [s["what"] for s in last.trace if s["what"] in ("distribution_failed", "unavailable")]
            assert told == ["distribution_failed", "unavailable"]

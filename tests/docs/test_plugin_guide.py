# SPDX-License-Identifier: Apache-2.0
"""The plugin of docs/plugins.md, taken from the page: it is found, its tests pass, and it is built as the page says."""

from __future__ import annotations

import importlib
import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import plugins
from engine.plugin import loader
from engine.plugin.contract import Plugin

PAGE = Path(__file__).resolve().parents[2] / "docs" / "plugins.md"


def written(root: Path) -> list[Path]:
    """Write each block of the page to the file its first line names."""
    made = []
    for block in re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL):
        place = re.match(r"# (\S+\.py)\n", block)
        assert place, f"a block does not name its file: {block[:60]}"
        path = root / place[1]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block, "utf-8")
        made.append(path)
    (root / "plugins" / "duty" / "__init__.py").touch()
    return made


@pytest.fixture(scope="module")
def guide(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder with the page's files; its plugin is importable beside ours."""
    root = tmp_path_factory.mktemp("guide")
    written(root)
    plugins.__path__.append(str(root / "plugins"))
    importlib.invalidate_caches()
    yield root
    plugins.__path__.remove(str(root / "plugins"))
    for name in [name for name in sys.modules if name.startswith("plugins.duty")]:
        del sys.modules[name]


def test_the_plugin_is_found(guide: Path) -> None:
    states = {state.plugin.meta.id: state for state in loader.find()}
    assert states["duty"].error == ""
    assert [action.kind for action in states["duty"].plugin.routing_actions()] == ["duty.rota"]


def test_its_own_tests_pass(guide: Path) -> None:
    path = guide / "tests" / "plugins" / "duty" / "test_duty.py"
    names: dict[str, object] = {"__name__": "test_duty"}
    exec(compile(path.read_text("utf-8"), str(path), "exec"), names)
    tests = [thing for name, thing in names.items() if name.startswith("test_") and inspect.isfunction(thing)]
    assert len(tests) >= 3
    for test in tests:
        test()


def test_its_step_is_told_in_words(guide: Path) -> None:
    from engine.plugin.registry import Registry
    from engine.plugin.testing import office, sip_user, try_call
    from engine.snapshot import Ref
    from engine.telling import timeline, with_plugins

    part, actions = importlib.import_module("plugins.duty.part"), importlib.import_module("plugins.duty.actions")
    rota = part.Rota(id=1, title="Duty", users=(Ref("core.user", 201),))
    got = try_call(office((sip_user(201),), {"duty": part.DutyPart(rotas=(rota,))}), (actions.ToDuty(),), rota.ref)
    trace = [{"at": at * 1000, "what": step.what, "facts": step.facts} for at, step in got.steps]
    lines = timeline(str.format, trace, {}, with_plugins(Registry(loader.find()).sentences()))
    assert ("On duty: User 201", "accent") in [(line.text, line.tone) for line in lines]


def test_the_check_speaks_up(guide: Path) -> None:
    from engine.plugin.testing import office

    part, service = importlib.import_module("plugins.duty.part"), importlib.import_module("plugins.duty.service")
    empty = part.DutyPart(rotas=(part.Rota(id=1, title="Duty"),))
    (finding,) = service.check(empty, office((), {"duty": empty}))
    assert finding.severity == "error"


def test_the_page_lists_every_contribution() -> None:
    table = PAGE.read_text("utf-8").split("## What a plugin may contribute")[1].split("\n## ")[0]
    named = set(re.findall(r"`(\w+)\(", table))
    methods = {name for name, thing in vars(Plugin).items() if inspect.isfunction(thing)}
    assert named == methods

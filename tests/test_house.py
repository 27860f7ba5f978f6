# SPDX-License-Identifier: Apache-2.0
"""The house keeps its own rules: who imports whom, what each file begins with, what each plugin brings."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import grimp
import pytest

from engine.plugin import loader
from engine.plugin.contract import PluginState

ROOT = Path(__file__).resolve().parents[1]
OURS = ("engine", "bot", "web", "plugins")
FACES = {"engine.sdk", "bot.sdk", "web.sdk"}
WRITTEN_BY_TORTOISE = re.compile(r"/migrations/0\d+_")
TEXTS = {".py", ".js", ".css", ".html", ".txt", ".toml", ".md", ".xml", ".yml", ".po", ".sh", ""}


def files(*folders: str, suffix: str = ".py") -> Iterator[Path]:
    for folder in folders:
        for path in sorted((ROOT / folder).rglob(f"*{suffix}")):
            if "__pycache__" not in path.parts:
                yield path


def sources(*folders: str) -> Iterator[Path]:
    """Python that people write: not what Tortoise writes."""
    return (path for path in files(*folders) if not WRITTEN_BY_TORTOISE.search(str(path)))


@cache
def graph() -> grimp.ImportGraph:
    return grimp.build_graph(*OURS, include_external_packages=True, cache_dir=None)


@cache
def plugins() -> dict[str, PluginState]:
    return {state.plugin.meta.id: state for state in loader.find()}


@cache
def plugin_folders() -> list[str]:
    return [path.name for path in sorted((ROOT / "plugins").iterdir()) if (path / "__init__.py").exists()]


def inside(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")


def imported(package: str) -> Iterator[tuple[str, str]]:
    """(importer, imported) of every import out of a package."""
    for module in sorted(graph().modules):
        if inside(module, package):
            for other in sorted(graph().find_modules_directly_imported_by(module)):
                if not inside(other, package):
                    yield module, other


def test_the_layers_hold() -> None:
    code = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    run = subprocess.run([sys.executable, "-c", code, "--no-cache"], cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout[run.stdout.find("Contracts") :] + run.stderr[-1000:]


@pytest.mark.parametrize("name", plugin_folders())
def test_a_plugin_knows_the_faces_and_its_declared_neighbours_only(name: str) -> None:
    wrong = []
    for module, other in imported(f"plugins.{name}"):
        if other.split(".")[0] not in OURS or other in FACES:
            continue
        neighbour = re.fullmatch(r"plugins\.(\w+)\.api", other)
        meta = plugins()[name].plugin.meta
        if neighbour is None or neighbour[1] not in (*meta.requires, *meta.after):
            wrong.append(f"{module} → {other}")
    assert not wrong


@pytest.mark.parametrize("host", ["bot", "web"])
def test_a_host_knows_the_engine_by_its_face_only(host: str) -> None:
    assert [f"{module} → {other}" for module, other in imported(host) if other.split(".")[0] in OURS and other != "engine.sdk"] == []


def test_call_logic_has_no_clock_of_its_own() -> None:
    """Rehearsals run on a virtual clock: decisions may not look at the real one, nor throw real dice."""
    named = {f"engine.calls.{name}" for name in ("ringing", "keys", "talk", "codes", "recall")} | {"plugins.callback.attempt"}
    routing = {module for module in graph().modules if module.startswith("engine.routing.")}
    assert named <= graph().modules
    assert len(routing) > 10
    rules = named | routing | {f"plugins.{name}.actions" for name in plugin_folders()}
    wrong = [
        f"{module} → {other}"
        for module in sorted(rules & graph().modules)
        for other in graph().find_modules_directly_imported_by(module)
        if other in {"asyncio", "time", "random", "secrets"}
    ]
    assert not wrong


def looks_at_the_real_clock(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Attribute)
        and node.attr in ("now", "utcnow", "today")
        and isinstance(node.value, ast.Name)
        and node.value.id in ("datetime", "date")
    )


def test_the_time_comes_from_the_clock() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}"
        for path in sources(*OURS)
        if path != ROOT / "engine" / "clock.py"
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if looks_at_the_real_clock(node)
    ]
    assert not wrong


def test_every_source_says_its_licence_and_purpose() -> None:
    wrong = []
    for path in sources(*OURS, "tests", "benchmarks"):
        text = path.read_text("utf-8")
        if path.name == "__init__.py" and not text:
            continue
        if not text.startswith("# SPDX-License-Identifier: Apache-2.0\n"):
            wrong.append(f"{path.relative_to(ROOT)}: no licence line")
        elif not ast.get_docstring(ast.parse(text)) and (path.name != "__init__.py" or len(text.splitlines()) > 1):
            wrong.append(f"{path.relative_to(ROOT)}: no docstring")
    for suffix in (".js", ".css", ".html"):
        for path in files(*OURS, suffix=suffix):
            if "SPDX-License-Identifier: Apache-2.0" not in path.read_text("utf-8")[:200]:
                wrong.append(f"{path.relative_to(ROOT)}: no licence line")
    assert not wrong


def test_nothing_is_left_for_later() -> None:
    later = re.compile(r"\b(?:TO" + r"DO|FIX" + r"ME|X" + r"XX)\b")
    wrong = []
    for path in (*files(*OURS, "docs", "tests", "benchmarks", "deploy", suffix=""), *(p for p in ROOT.iterdir() if p.is_file())):
        if path.is_file() and path.suffix in TEXTS and path.name != ".git" and later.search(path.read_text("utf-8", errors="replace")):
            wrong.append(str(path.relative_to(ROOT)))
    assert not wrong


@pytest.mark.parametrize("name", plugin_folders())
def test_a_plugin_is_complete(name: str) -> None:
    folder = ROOT / "plugins" / name
    assert (folder / "plugin.py").exists()
    state = plugins()[name]
    assert not state.error
    readme = folder / "README.md"
    assert readme.exists(), "a plugin says what it does in its README.md"
    assert f"`{name}`" in readme.read_text("utf-8")
    models = state.plugin.models()
    if models is not None and (ROOT / "engine" / "db").exists():
        assert list((folder / "migrations").glob("0*.py")), "a plugin with tables brings its migrations"


def test_every_folder_of_plugins_is_found() -> None:
    assert plugin_folders() == sorted(plugins())


def test_every_routing_action_belongs_to_its_plugin() -> None:
    for name, state in plugins().items():
        for action in state.plugin.routing_actions():
            # an element of the core (a user) may have its action in a plugin
            assert action.kind.split(".")[0] in (name, "core"), f"{action.kind} of the plugin {name}"


def test_an_engine_without_a_bot_does_not_wait_for_aiogram() -> None:
    """It takes seconds of a processor to load, at each start, while callers wait; `bot.courier` loads it beside the calls."""
    code = "import sys, engine.runtime, engine.plugin.loader as loader; loader.find(); print('aiogram' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert run.stdout == "False\n"

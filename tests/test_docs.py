# SPDX-License-Identifier: Apache-2.0
"""The documents speak of the product as it is: settings, the SDK, decisions, plugins, links."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

from engine.cli import settings_doc
from engine.facts import Fact
from engine.plugin import loader
from engine.settings import documented
from tests.test_house import plugin_folders

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
DECISIONS = DOCS / "decisions"
PAGES = sorted(
    path
    for place in (ROOT.glob("*.md"), DOCS.rglob("*.md"), (ROOT / "plugins").glob("*/README.md"), (ROOT / "deploy").rglob("*.md"))
    for path in place
)


def section(text: str, title: str) -> str:
    """What stands under a heading of the second level."""
    found = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    assert found, f"no section “{title}”"
    return found[1]


def test_settings_are_documented() -> None:
    page = settings_doc.PLACE.read_text("utf-8")
    assert page == settings_doc.document(), "write it anew: python -m engine.cli.settings_doc"


def test_every_setting_says_what_it_does() -> None:
    assert [name for name, _, _, text in documented() if not text.endswith((".", ")"))] == []


@pytest.mark.parametrize("face", ["engine.sdk", "web.sdk", "bot.sdk"])
def test_the_sdk_is_documented(face: str) -> None:
    reference = section((DOCS / "plugins.md").read_text("utf-8"), f"Reference: `{face}`")
    rows = re.findall(r"^\| ((?:`\w+`(?:, )?)+) \|", reference, re.MULTILINE)
    named = [name for row in rows for name in re.findall(r"`(\w+)`", row)]
    assert len(named) == len(set(named))
    exported = importlib.import_module(face).__all__
    assert set(named) - set(exported) == set(), "documented, but not there"
    assert set(exported) - set(named) == set(), "there, but not documented"


@pytest.mark.parametrize("face", ["engine.sdk", "web.sdk", "bot.sdk"])
def test_the_sdk_has_what_it_promises(face: str) -> None:
    module = importlib.import_module(face)
    assert [name for name in module.__all__ if not hasattr(module, name)] == []
    assert len(module.__all__) == len(set(module.__all__))


def test_facts_are_documented() -> None:
    loader.find()  # facts are known once their plugins are imported
    named = set(re.findall(r"^\| `([\w.]+)` \|", section((DOCS / "plugins.md").read_text("utf-8"), "Facts"), re.MULTILINE))
    ours = {kind for kind in _kinds(Fact) if kind.split(".")[0] in ("core", *plugin_folders())}
    assert named == ours


def _kinds(base: type[Fact]) -> set[str]:
    """Of the subclasses that our own modules define (tests define others)."""
    found = {kind.kind for kind in base.__subclasses__() if kind.kind and kind.__module__.split(".")[0] in ("engine", "plugins")}
    return found.union(*(_kinds(kind) for kind in base.__subclasses__()))


def test_decisions_are_numbered_and_listed() -> None:
    records = sorted(path for path in DECISIONS.glob("*.md") if path.name != "README.md")
    index = (DECISIONS / "README.md").read_text("utf-8")
    numbers = []
    for path in records:
        name = re.fullmatch(r"(\d{4})-[a-z0-9-]+\.md", path.name)
        assert name, f"{path.name} is not called NNNN-title.md"
        numbers.append(int(name[1]))
        title = re.match(r"# (\d+)\.? (.+)\n", path.read_text("utf-8"))
        assert title, f"{path.name} does not begin with “# N. Title”"
        assert int(title[1]) == int(name[1])
        assert f"[{title[2]}]({path.name})" in index, f"docs/decisions/README.md does not list [{title[2]}]({path.name})"
        for part in ("Context", "Choice", "Price"):
            assert f"**{part}" in path.read_text("utf-8"), f"{path.name} has no {part}"
    assert len(numbers) == len(set(numbers)), "two decisions share a number"


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path: Path) -> None:
    text = re.sub(r"```.*?```", "", path.read_text("utf-8"), flags=re.DOTALL)
    wrong = []
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        place, _, anchor = target.partition("#")
        if "://" in target or target.startswith("mailto:"):
            continue
        page = (path.parent / place) if place else path
        if not page.exists() or (anchor and page.suffix == ".md" and anchor not in anchors(page.read_text("utf-8"))):
            wrong.append(target)
    assert not wrong


def anchors(text: str) -> set[str]:
    """The names that a heading gets: lower case, signs dropped, hyphens for blanks."""
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in re.findall(r"^#+ (.+)$", text, re.MULTILINE)}


@pytest.mark.parametrize("name", ["README.md", "README.ru.md"])
def test_the_two_commands_stand_on_top(name: str) -> None:
    top = "\n".join((ROOT / name).read_text("utf-8").splitlines()[:12])
    assert "make demo" in top
    assert "make test" in top


def test_both_readmes_name_every_plugin() -> None:
    for name in ("README.md", "README.ru.md"):
        text = (ROOT / name).read_text("utf-8")
        assert [plugin for plugin in plugin_folders() if f"plugins/{plugin}/" not in text] == []


def test_commands_of_make_are_real() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    for path in PAGES:
        for target in re.findall(r"`make (?:-s )?([a-z-]+)", path.read_text("utf-8")):
            assert target in targets, f"{path.relative_to(ROOT)}: make {target}"

# SPDX-License-Identifier: Apache-2.0
"""Pytest plugin that remembers which test of which kind passed on which switch, for `make features` (tests/features.py).

Registered by tests/conftest.py. A test says what it proves by `@pytest.mark.feature("GRP-3", "R9")`; an unknown id stops the run.
At the end of a run the outcomes are merged into RESULTS, also from parallel workers: the controller alone writes.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypedDict

import pytest

ROOT = Path(__file__).resolve().parents[1]
IDS = ROOT / "tests" / "feature_ids.txt"
RESULTS = ROOT / ".pytest_cache" / "vats-features.json"

KINDS = ("call", "pure", "service", "web", "bot")
SWITCHES = ("embedded", "freeswitch")
DATABASE_FIXTURES = frozenset({"database", "database_settings", "postgres"})
PROPERTY = "vats_feature"


class Result(TypedDict):
    """What the last run of one test on one switch said."""

    test: str
    switch: str
    kind: str
    ids: list[str]
    outcome: str


def known_ids() -> dict[str, str]:
    """Every id that a test may name, in the order of the list, with its short title."""
    lines = (line.strip() for line in IDS.read_text("utf-8").splitlines())
    return dict(line.split(" ", 1) for line in lines if line and not line.startswith("#"))


def words_of(item: pytest.Item) -> set[str]:
    """The words of its place: the folder below tests/ and those of the file's name."""
    path = item.path.relative_to(ROOT).with_suffix("")
    return {*path.parts[1:2], *path.name.split("_")}


def kind_of(item: pytest.Item) -> str:
    """What sort of proof a test is: said by its `kind` mark, else by its folder or file name, else by the database it takes."""
    marked = item.get_closest_marker("kind")
    if marked is not None:
        return str(marked.args[0])
    if item.path.relative_to(ROOT).parts[1:2] in (("calls",), ("switches",)):  # by folder only: a list of calls has tests too
        return "call"
    words = words_of(item)
    for kind in ("web", "bot", "service"):
        if kind in words:
            return kind
    taken = set(getattr(item, "fixturenames", ()))
    return "service" if taken & DATABASE_FIXTURES else "pure"


def ids_of(item: pytest.Item) -> list[str]:
    return sorted({str(one) for mark in item.iter_markers("feature") for one in mark.args})


def switch_of(item: pytest.Item) -> str:
    """The switch that its place names, else the one the run was made with (make test SWITCH=…)."""
    named = [switch for switch in SWITCHES if switch in words_of(item)]
    return named[0] if named else os.environ.get("SWITCH") or "embedded"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    known = known_ids()
    strangers = []
    for item in items:
        ids = ids_of(item)
        strangers += [f"{item.nodeid}: {one}" for one in ids if one not in known]
        kind = kind_of(item)
        if kind not in KINDS:
            strangers.append(f"{item.nodeid}: kind {kind}")
        # user_properties travel with the report, from a parallel worker too
        item.user_properties.append((PROPERTY, {"kind": kind, "switch": switch_of(item), "ids": ids}))
    if strangers:
        raise pytest.UsageError("Not in tests/feature_ids.txt, or no kind of test: " + "; ".join(strangers))


@dataclass(eq=False)  # pytest puts its plugins into sets
class Recorder:
    """Collects the outcomes of one run, in the controlling process."""

    results: dict[str, Result] = field(default_factory=dict)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        told = dict(report.user_properties).get(PROPERTY)
        if not isinstance(told, dict) or not told["ids"]:
            return
        known = self.results.get(report.nodeid)
        if known is None:
            known = Result(test=report.nodeid, switch=told["switch"], kind=told["kind"], ids=told["ids"], outcome="passed")
            self.results[report.nodeid] = known
        outcome = "xfailed" if hasattr(report, "wasxfail") else report.outcome
        if outcome != "passed" and known["outcome"] != "failed":
            known["outcome"] = outcome

    def pytest_sessionfinish(self) -> None:
        if self.results:
            merge(self.results.values())


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput") and not config.option.collectonly:
        config.pluginmanager.register(Recorder(), "vats-feature-recorder")


def read(path: Path = RESULTS) -> list[Result]:
    """What earlier runs left; nothing when there was none."""
    if not path.exists():
        return []
    found: list[Result] = json.loads(path.read_text("utf-8"))
    return found


def merge(fresh: Iterable[Result], path: Path = RESULTS) -> None:
    """Put the results of a run in the place of older ones of the same tests and switch; runs may end at the same time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        kept = {(result["test"], result["switch"]): result for result in read(path)}
        kept |= {(result["test"], result["switch"]): result for result in fresh}
        draft = path.with_suffix(".new")
        draft.write_text(json.dumps([kept[key] for key in sorted(kept)], ensure_ascii=False, indent=0), "utf-8")
        draft.replace(path)

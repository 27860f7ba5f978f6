# SPDX-License-Identifier: Apache-2.0
"""The report of features: what a run leaves behind and how it is counted."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from tests.feature_report import Recorder, Result, kind_of, known_ids, merge, read
from tests.features import count, written

pytest_plugins = ["pytester"]

MARKED = """
import pytest

@pytest.mark.feature("R1", "GRP-3")
def test_good(): pass

@pytest.mark.feature("R2")
def test_bad(): assert False

@pytest.mark.feature("R3")
def test_skipped(): pytest.skip("not here")

@pytest.mark.feature("R4")
@pytest.mark.xfail
def test_hoped(): assert False

@pytest.fixture
def broken():
    yield
    raise RuntimeError

@pytest.mark.feature("R5")
def test_torn_down_badly(broken): pass

def test_unmarked(): pass
"""


def result(test: str, switch: str = "embedded", outcome: str = "passed", kind: str = "pure", ids: tuple[str, ...] = ("R1",)) -> Result:
    return Result(test=test, switch=switch, kind=kind, ids=list(ids), outcome=outcome)


def test_the_list_has_every_feature_and_rule() -> None:
    known = known_ids()
    rules = [one for one in known if one.startswith("R") and one[1:].isdigit()]
    assert rules == [f"R{n}" for n in range(1, 29)]
    assert len(known) - len(rules) == 101
    assert all(known.values())


@pytest.mark.parametrize("parallel", [(), ("-n", "2")], ids=["alone", "parallel"])
def test_a_run_leaves_its_outcomes(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, parallel: tuple[str, ...]) -> None:
    root = Path(__file__).resolve().parents[1]
    results = pytester.path / "results.json"
    monkeypatch.setenv("SWITCH", "freeswitch")
    pytester.makeini("[pytest]\nmarkers =\n  feature(*ids)\n  kind(name)\n")
    pytester.makeconftest(f"""
import sys
from pathlib import Path
sys.path.insert(0, {str(root)!r})
from tests import feature_report
feature_report.ROOT = Path({str(pytester.path)!r})
feature_report.merge.__defaults__ = (Path({str(results)!r}),)
pytest_plugins = ["tests.feature_report"]
""")
    folder = pytester.mkdir("tests") / "calls"
    folder.mkdir()
    (folder / "test_marked.py").write_text(MARKED)
    pytester.runpytest_subprocess("-p", "no:randomly", "-p", "no:cacheprovider", *parallel)
    outcomes = {found["ids"][0]: (found["outcome"], found["kind"], found["switch"]) for found in json.loads(results.read_text())}
    assert outcomes == {
        "GRP-3": ("passed", "call", "freeswitch"),
        "R2": ("failed", "call", "freeswitch"),
        "R3": ("skipped", "call", "freeswitch"),
        "R4": ("xfailed", "call", "freeswitch"),
        "R5": ("failed", "call", "freeswitch"),
    }


@pytest.mark.parametrize(
    ("place", "kind"),
    [
        ("tests/calls/test_menu.py", "call"),
        ("tests/web/test_calls.py", "web"),
        ("tests/plugins/stats/test_calls.py", "pure"),
        ("tests/plugins/groups/test_service.py", "service"),
        ("tests/plugins/notifications/test_bot.py", "bot"),
        ("tests/cli/test_tone.py", "pure"),
    ],
)
def test_the_kind_follows_the_place(request: pytest.FixtureRequest, place: str, kind: str) -> None:
    root = Path(__file__).resolve().parents[1]
    item = pytest.Function.from_parent(request.node.parent, name="somewhere", callobj=lambda: None)
    item.path = root / place
    assert kind_of(item) == kind


def test_an_unknown_id_stops_the_run(pytester: pytest.Pytester) -> None:
    root = Path(__file__).resolve().parents[1]
    pytester.makeini("[pytest]\nmarkers =\n  feature(*ids)\n")
    pytester.makeconftest(f"""
import sys
from pathlib import Path
sys.path.insert(0, {str(root)!r})
from tests import feature_report
feature_report.ROOT = Path({str(pytester.path)!r})
pytest_plugins = ["tests.feature_report"]
""")
    pytester.makepyfile('import pytest\n\n@pytest.mark.feature("XYZ-1")\ndef test_one(): pass\n')
    run = pytester.runpytest_subprocess("-p", "no:cacheprovider")
    assert run.ret == pytest.ExitCode.USAGE_ERROR
    run.stderr.fnmatch_lines(["*XYZ-1*"])


def test_later_runs_replace_earlier_ones_of_the_same_switch(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "results.json"
    merge([result("a"), result("b")], path)
    merge([result("a", outcome="failed"), result("a", switch="freeswitch")], path)
    assert [(r["test"], r["switch"], r["outcome"]) for r in read(path)] == [
        ("a", "embedded", "failed"),
        ("a", "freeswitch", "passed"),
        ("b", "embedded", "passed"),
    ]


def test_counting_leaves_out_what_failed_or_is_gone() -> None:
    collected = {"a": ("call", ["R1", "R2"]), "b": ("pure", ["R1"]), "c": ("pure", ["R3"])}
    results = [result("a"), result("a", "freeswitch"), result("b"), result("c", outcome="failed"), result("gone")]
    counts = count(collected, results, ["R1", "R2", "R3", "R4"])
    both = {"embedded": 1, "freeswitch": 1}
    assert counts == {"R1": {"call": both, "pure": {"embedded": 1}}, "R2": {"call": both}, "R3": {}, "R4": {}}


def test_the_written_report_names_what_has_no_test() -> None:
    counts = {"R1": {"call": {"embedded": 2, "freeswitch": 1}}, "R3": {}, "R4": {}}
    text = written(counts, Counter({"R1": 3, "R3": 1}), {"R1": "one", "R3": "three", "R4": "four"})
    assert "call embedded:2 freeswitch:1" in text
    assert "no passing run yet of 1" in text
    assert "1 of 3 features" in text
    assert "Without any test (1):\n  R4 four" in text


def test_a_run_without_marks_writes_nothing() -> None:
    recorder = Recorder()
    recorder.pytest_sessionfinish()
    assert recorder.results == {}

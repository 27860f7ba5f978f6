# SPDX-License-Identifier: Apache-2.0
"""`python -m tests.features [--json]` (make features): which passing tests prove which feature or rule, and what has none.

It runs no test. The tests that exist are collected, their outcomes are what earlier runs left (tests/feature_report.py).
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import pytest

from tests.feature_report import KINDS, SWITCHES, Result, ids_of, kind_of, known_ids, read

Counts = dict[str, dict[str, dict[str, int]]]


@dataclass
class Collected:
    """The tests that exist now: test id → (kind, ids)."""

    tests: dict[str, tuple[str, list[str]]] = field(default_factory=dict)

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        for item in session.items:
            if ids := ids_of(item):
                self.tests[item.nodeid] = (kind_of(item), ids)


def collect() -> tuple[Collected, str]:
    """What pytest finds, and its complaints when it could not read everything."""
    found, said = Collected(), io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        code = pytest.main(["--collect-only", "-qq", "--continue-on-collection-errors"], plugins=[found])
    complaint = said.getvalue()
    return found, "" if code in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED) else complaint[complaint.find("= ERRORS =") :]


def count(collected: Mapping[str, tuple[str, list[str]]], results: Iterable[Result], known: Iterable[str]) -> Counts:
    """{id: {kind: {switch: passing tests}}} for every known id; results of tests that are gone or renamed do not count."""
    counts: Counts = {one: {} for one in known}
    for result in results:
        if result["outcome"] != "passed" or result["test"] not in collected:
            continue
        kind, ids = collected[result["test"]]
        for one in ids:
            by_switch = counts[one].setdefault(kind, {})
            by_switch[result["switch"]] = by_switch.get(result["switch"], 0) + 1
    return counts


def written(counts: Counts, existing: Counter[str], known: Mapping[str, str]) -> str:
    """The report for people."""
    lines = []
    for one, kinds in counts.items():
        proofs = []
        for kind in (kind for kind in KINDS if kind in kinds):
            by_switch = [f"{switch}:{kinds[kind][switch]}" for switch in SWITCHES if switch in kinds[kind]]
            proofs.append(" ".join((kind, *by_switch)))
        if proofs or existing[one]:
            lines.append(f"{one:7} {'; '.join(proofs) or f'no passing run yet of {existing[one]}':50} {known[one]}")
    without = [f"{one} {known[one]}" for one in counts if not counts[one] and not existing[one]]
    proved = sum(1 for kinds in counts.values() if kinds)
    lines.append(f"\n{proved} of {len(counts)} features and rules have a passing test.")
    if without:
        lines.append(f"Without any test ({len(without)}):")
        lines += [f"  {line}" for line in without]
    return "\n".join(lines)


def main(arguments: list[str]) -> int:
    known = known_ids()
    collected, complaint = collect()
    counts = count(collected.tests, read(), known)
    if "--json" in arguments:
        print(json.dumps(counts, ensure_ascii=False, indent=1))
    else:
        print(written(counts, Counter(one for _, ids in collected.tests.values() for one in ids), known))
    if complaint:
        sys.stderr.write(f"Some tests could not be collected:\n{complaint}\n")
    return 1 if complaint else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

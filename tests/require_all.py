# SPDX-License-Identifier: Apache-2.0
"""Pytest plugin: with VATS_REQUIRE_ALL=1 a run in which a test was skipped for want of something fails, and says what was wanting.

Registered by tests/conftest.py, switched on by .ci/run. Excused is what cannot be had there
by installing it: a FreeSWITCH and root.
"""

from __future__ import annotations

import os
import re

import pytest

VARIABLE = "VATS_REQUIRE_ALL"
EXCUSED = re.compile(
    r"\bFREESWITCH\b|\bFreeSWITCH\b|\bneeds root\b|\bIPv6\b"  # what an installation cannot bring
    r"|\bdoes not apply to (SQLite|PostgreSQL)\b"  # no want
)


def reason_of(report: pytest.TestReport | pytest.CollectReport) -> str:
    """Why it was skipped, as the test said."""
    told = report.longrepr
    return str(told[2]).removeprefix("Skipped: ") if isinstance(told, tuple) else str(told)


def excused(reason: str) -> bool:
    return EXCUSED.search(reason) is not None


class Strict:
    """Collects what was skipped, in the controlling process; decides at the end."""

    def __init__(self) -> None:
        self.wanting: dict[str, str] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._note(report)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        self._note(report)

    def _note(self, report: pytest.TestReport | pytest.CollectReport) -> None:
        if report.skipped and not hasattr(report, "wasxfail") and not excused(reason := reason_of(report)):
            self.wanting[report.nodeid] = reason

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self.wanting and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if not self.wanting:
            return
        terminalreporter.section(f"skipped, which {VARIABLE}=1 does not allow", red=True)
        for test, reason in sorted(self.wanting.items()):
            terminalreporter.line(f"{test}: {reason}")


def pytest_configure(config: pytest.Config) -> None:
    if os.environ.get(VARIABLE) == "1" and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Strict(), "vats-require-all")

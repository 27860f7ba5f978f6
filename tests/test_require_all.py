# SPDX-License-Identifier: Apache-2.0
"""VATS_REQUIRE_ALL=1: what is skipped for want of something fails the run, by name; what nobody can install does not."""

from __future__ import annotations

import pytest

pytest_plugins = ["pytester"]

EXCUSABLE = """
import pytest

def test_good(): pass

def test_switch(): pytest.skip("FREESWITCH names no FreeSWITCH")

@pytest.mark.skipif(True, reason="needs root")
def test_namespaces(): pass

@pytest.mark.xfail
def test_hoped(): assert False
"""
WANTING = EXCUSABLE + """
@pytest.mark.skipif(True, reason="sipp is not installed")
def test_phones(): pass
"""


def run(pytester: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    return pytester.runpytest_subprocess("-p", "tests.require_all", "-p", "no:randomly", *arguments)


@pytest.fixture(autouse=True)
def house(pytester: pytest.Pytester, pytestconfig: pytest.Config, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(pytestconfig.rootpath))
    monkeypatch.setenv("VATS_REQUIRE_ALL", "1")
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)


@pytest.mark.parametrize("parallel", [(), ("-n", "2")], ids=["alone", "parallel"])
def test_a_skipped_test_fails_the_run(pytester: pytest.Pytester, parallel: tuple[str, ...]) -> None:
    pytester.makepyfile(test_some=WANTING)
    done = run(pytester, *parallel)
    assert done.ret == pytest.ExitCode.TESTS_FAILED
    done.stdout.fnmatch_lines(["*skipped, which VATS_REQUIRE_ALL=1 does not allow*", "test_some.py::test_phones: sipp is not installed"])
    assert not [line for line in done.outlines if line.startswith(("test_some.py::test_switch:", "test_some.py::test_namespaces:"))]


def test_a_skipped_file_fails_the_run(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_some=WANTING, test_other='import pytest\npytest.importorskip("no_such_module")\n')
    done = run(pytester)
    assert done.ret == pytest.ExitCode.TESTS_FAILED
    done.stdout.fnmatch_lines(["test_other.py: could not import 'no_such_module'*"])


def test_what_nobody_can_install_is_excused(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_some=EXCUSABLE)
    assert run(pytester).ret == pytest.ExitCode.OK


def test_without_the_variable_nothing_changes(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VATS_REQUIRE_ALL")
    pytester.makepyfile(test_some=WANTING)
    assert run(pytester).ret == pytest.ExitCode.OK

# SPDX-License-Identifier: Apache-2.0
"""Every defect that other SIP libraries were proven to have has a regression test here; docs/embedded-switch.md names them all."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs" / "embedded-switch.md"
ITEMS = range(1, 15)


def table() -> dict[int, list[str]]:
    """Item → its tests, as the page lists them: `| 3 | … | `sip/test_x.py::test_y`, … |`."""
    rows = re.findall(r"^\| (\d+) \| [^|]+ \| ([^|]+) \|$", PAGE.read_text("utf-8"), re.MULTILINE)
    return {int(number): re.findall(r"`([^`]+)`", named) for number, named in rows}


@cache
def functions_in(path: Path) -> dict[str, str]:
    """The text of every function of a module by its name."""
    parts = re.split(r"^(?:async )?def (\w+)", path.read_text("utf-8"), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_the_page_has_all_items() -> None:
    assert sorted(table()) == list(ITEMS)


@pytest.mark.parametrize("item", ITEMS)
def test_an_item_has_a_test_that_can_fail(item: int) -> None:
    named = table()[item]
    assert named
    for one in named:
        path, _, test = one.partition("::")
        assert test.startswith("test_")
        assert test in functions_in(HERE / path), f"{one} is not there"
        assert re.search(r"^\s+assert ", functions_in(HERE / path)[test], re.MULTILINE), f"{one} asserts nothing"

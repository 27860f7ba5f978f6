# SPDX-License-Identifier: Apache-2.0
"""Callers' numbers as provider lines present them: whoever called can be called back."""

from __future__ import annotations

import pytest

from engine.numbering import presented_e164


@pytest.mark.feature("R16")
@pytest.mark.parametrize(
    ("presented", "number"),
    [
        ("79271112233", "+79271112233"),
        ("89271112233", "+79271112233"),
        ("9271112233", "+79271112233"),
        ("12125551234", "+12125551234"),  # eleven digits are not always Russian
        ("37126000111", "+37126000111"),
        ("380441234567", "+380441234567"),
        ("+12125551234", "+12125551234"),
        ("anonymous", None),
        ("201", None),
    ],
)
def test_a_presented_number(presented: str, number: str | None) -> None:
    assert presented_e164(presented) == number

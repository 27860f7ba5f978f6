# SPDX-License-Identifier: Apache-2.0
"""Feature codes in what a leg types (R21): what is withheld, for how long, and that nothing is lost, doubled or put out of order."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.calls.codes import NUMBER_GAP, SIGNS, WITHHELD, Code, CodeReader, Codes, Heard, Passed, collide, is_code
from engine.plugin.testing import AT

CODES: Codes = {
    "blind": ("*1ddd", "*8"), "consult": ("*2ddd", "*9"), "toggle": ("*3",), "cancel": ("*4",), "voicemail": ("#55",), "pickup": ("*7",),
}  # fmt: skip


def typed(digits: str, codes: Codes = CODES, pauses: Sequence[float] = ()) -> list[Heard]:
    """What is heard of these digits, `pauses[n]` seconds before the n-th, and of the silence afterwards."""
    reader, now, heard = CodeReader(codes), AT, list[Heard]()
    for n, digit in enumerate(digits):
        now += timedelta(seconds=pauses[n] if n < len(pauses) else 0.1)
        heard += reader.expire(now)
        heard += reader.press(digit, now)
    if reader.deadline is not None:
        heard += reader.expire(reader.deadline)
    assert reader.deadline is None
    assert reader.typed == ""
    return heard


def told(heard: Sequence[Heard]) -> list[object]:
    return [(one.feature, one.number) if isinstance(one, Code) else one.digits for one in heard]


@pytest.mark.feature("PBX-6", "R21")
@pytest.mark.parametrize(
    ("digits", "heard"),
    [
        ("*1202", [("blind", "202")]),
        ("*2202*3", [("consult", "202"), ("toggle", "")]),
        ("*12*4", ["*12", ("cancel", "")]),  # d is a digit, no star
        ("*120", ["*120"]),  # never finished: passed on whole
        ("5*0#", ["5", "*0", "#"]),
        ("**1202", ["*", ("blind", "202")]),
        ("*8202#", [("blind", "202")]),
        ("*989031234567", [("consult", "89031234567")]),
        ("*8#", [("blind", "")]),
        ("*82*1202", [("blind", "202")]),  # mistyped, begun anew
        ("##55", ["#", ("voicemail", "")]),
        ("*7", ["*7"]),  # is dialled, not typed
    ],
)
def test_what_is_heard_of_digits(digits: str, heard: list[object]) -> None:
    assert told(typed(digits)) == heard


@pytest.mark.feature("R21")
def test_how_long_digits_are_withheld() -> None:
    reader = CodeReader(CODES)
    assert reader.press("*", AT) == []
    assert reader.deadline == AT + WITHHELD
    assert reader.expire(AT + WITHHELD - timedelta(milliseconds=1)) == []
    assert reader.expire(AT + WITHHELD) == [Passed("*")]
    assert reader.press("6", AT) == [Passed("6")]  # begins nothing: at once
    for digit in "*8202":
        assert reader.press(digit, AT) == []
    assert reader.deadline == AT + NUMBER_GAP
    assert reader.expire(AT + NUMBER_GAP) == [Code("blind", "202")]


@pytest.mark.feature("R21")
def test_a_pause_parts_what_could_have_been_a_code() -> None:
    assert told(typed("*1202", pauses=[0, 0.5, 2.5])) == ["*1", "2", "0", "2"]


@pytest.mark.feature("R21")
@given(st.text(SIGNS, max_size=24), st.lists(st.sampled_from((0.1, 1.9, 2.1, 3.5)), max_size=24))
def test_no_digit_is_lost_doubled_or_put_out_of_order(digits: str, pauses: list[float]) -> None:
    """Codes without numbers of their own length: each is written back as its pattern."""
    codes: Codes = {"toggle": ("*3", "12#"), "cancel": ("*44",), "fax": ("**",), "blind": ("#dd0",)}
    back = ""
    for one in typed(digits, codes, pauses):
        if isinstance(one, Passed):
            assert one.digits
            back += one.digits
        else:
            back += {"toggle": "T", "cancel": "C", "fax": "F", "blind": f"#{one.number}0"}[one.feature]
    rest = digits
    for sign in back:
        forms = {"T": ("*3", "12#"), "C": ("*44",), "F": ("**",)}.get(sign, (sign,))
        taken = next((form for form in forms if rest.startswith(form)), None)
        assert taken is not None, (digits, back)
        rest = rest[len(taken) :]
    assert rest == ""


@pytest.mark.feature("R21")
@given(st.text("0123456789", max_size=20))
def test_digits_that_begin_no_code_are_not_withheld(digits: str) -> None:
    reader = CodeReader(CODES)
    for digit in digits:
        assert reader.press(digit, AT) == [Passed(digit)]


@pytest.mark.feature("R21")
@given(st.text(SIGNS + "d", min_size=1, max_size=6), st.text(SIGNS + "d", min_size=1, max_size=6))
def test_two_patterns_collide_when_one_input_could_mean_both(one: str, other: str) -> None:
    typed_by = {sign: {sign} for sign in SIGNS} | {"d": set("0123456789")}
    common = all(typed_by[a] & typed_by[b] for a, b in zip(one, other, strict=False))
    assert collide(one, other) == collide(other, one) == common


@pytest.mark.feature("PBX-6", "R15")
def test_what_is_dialled_is_compared_whole() -> None:
    assert is_code(CODES, "pickup", "*7")
    assert not is_code(CODES, "pickup", "*71")
    assert not is_code(CODES, "pickup", "*")
    assert not is_code({}, "pickup", "*7")

# SPDX-License-Identifier: Apache-2.0
"""Word splitting and escaping: what is escaped comes back, through as many splits as there are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.esl.words import escape, separate

texts = st.text(st.one_of(st.sampled_from(list("\\'\"=,; !|nrts^")), st.characters(codec="utf-8", exclude_categories=["Cc"])), max_size=30)


@given(st.lists(texts.filter(bool), min_size=1, max_size=5), st.sampled_from(" ,=;!|"))
def test_escaped_words_come_back(words: list[str], delimiter: str) -> None:
    assert separate("w" + delimiter + delimiter.join(escape(word, delimiter) for word in words), delimiter) == ["w", *words]


@given(texts.filter(bool))
def test_three_splits_need_three_escapes(text: str) -> None:
    line = f"originate {{a={escape(escape(escape(text, '='), ','), ' ')},b=1}}x &park"
    braces = separate(line, " ", 10)[1]
    pairs = [separate(pair, "=", 2) for pair in separate(braces[1 : braces.index("}x")] if "}x" in braces else braces, ",")]
    assert pairs[0] == ["a", text] or "}x" in text
    assert len(separate(line, " ")) == 3


@pytest.mark.parametrize(
    ("text", "delimiter", "limit", "words"),
    [
        ("a b  c ", " ", 9, ["a", "b", "c"]),
        ("a 'b c' d", " ", 9, ["a", "b c", "d"]),
        ("u name  the rest of it ", " ", 3, ["u", "name", "the rest of it"]),
        ("a,,b,", ",", 9, ["a", "", "b"]),
        ("a=b=c", "=", 2, ["a", "b=c"]),
        ("it's,fine", ",", 9, ["it's", "fine"]),
        ("'a,b',c", ",", 9, ["a,b", "c"]),
        ("^^:a=1:b=2,3", ",", 9, ["a=1", "b=2,3"]),
        (r"a\sb\,c,d", ",", 9, ["a b,c", "d"]),
        (r"\x\\", ",", 9, ["\\x\\"]),
        ("", ",", 9, []),
        ("", " ", 9, []),
    ],
)
def test_words_are_split_as_the_switch_does(text: str, delimiter: str, limit: int, words: list[str]) -> None:
    assert separate(text, delimiter, limit) == words

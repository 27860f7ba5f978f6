# SPDX-License-Identifier: Apache-2.0
"""The path of a call in words: complete for everything engine and plugins note, and readable in both languages."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

import pytest

from engine.i18n import translate
from engine.sdk import Ref
from web.trace import CAUSES, SENTENCES, sentence, timeline

ROOT = Path(__file__).resolve().parents[2]
RUSSIAN, ENGLISH = partial(translate, "ru"), partial(translate, "en")


def noted() -> set[str]:
    """Every Step("…") of the sources."""
    sources = [p for folder in ("engine", "plugins") for p in (ROOT / folder).rglob("*.py")]
    return {what for p in sources for what in re.findall(r'Step\(\s*"([a-z_]+)"', p.read_text("utf-8"))}


def test_every_step_has_a_sentence() -> None:
    assert noted() - set(SENTENCES) == set()


@pytest.mark.parametrize("what", sorted(SENTENCES))
def test_a_sentence_is_whole_with_and_without_its_facts(what: str) -> None:
    names = re.findall(r"\{(\w+)\}", SENTENCES[what])
    for words in (RUSSIAN, ENGLISH):
        assert "{" not in sentence(words, what, dict.fromkeys(names, "7"))
        assert "{" not in sentence(words, what, {})  # a trace of another version


def test_every_cause_of_the_engine_is_named() -> None:
    text = (ROOT / "engine/calls/causes.py").read_text("utf-8")
    assert set(re.findall(r'Final = "([A-Z_]+)"', text)) - set(CAUSES) == set()


def test_a_timeline_names_people_and_files() -> None:
    trace = [
        {"at": 4300, "what": "rings", "facts": {"who": "203", "seconds": 20.0}, "target": {"kind": "groups.group", "id": 4}},
        {"at": 65_120, "what": "no", "facts": {"who": "+79271234567", "cause": "USER_BUSY"}},
        {"at": 70_000, "what": "play", "facts": {"sound": "voice/1/a.wav + prompts/x.wav"}},
        {"what": "something_new", "facts": {"a": 1, "b": None}},
        {"facts": {}},
    ]
    lines = timeline(ENGLISH, trace, {"203": "Anna", "voice/1/a.wav": "Greeting"})
    assert [(line.clock, line.text) for line in lines] == [
        ("0:04.3", "Rings Anna (203), up to 20 s"),
        ("1:05.1", "+7 927 123-45-67 did not take the call: busy"),
        ("1:10.0", "Plays “Greeting”, prompts/x.wav"),
        ("0:00.0", "something_new: a = 1"),
    ]
    assert lines[0].target == Ref("groups.group", 4)
    assert lines[1].tone == "bad"

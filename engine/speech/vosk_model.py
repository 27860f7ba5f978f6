# SPDX-License-Identifier: Apache-2.0
"""Vosk, in whatever process has the time: plain functions for a worker of engine.heavy, which keeps the loaded model."""

from __future__ import annotations

import importlib.util
import json
import wave
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from engine.errors import Refused
from engine.i18n import N_

CHUNK_FRAMES: Final = 4000
UNKNOWN: Final = "[unk]"
"""What a grammar's recogniser says for words that are not in it."""
_PLACES: Final = ("am/final.mdl", "final.mdl")
"""Of the acoustic model, in newer and older models."""


def trouble(folder: str) -> str:
    """What is wrong with the model at a glance, in one line; "" when nothing is. `loads` knows for certain."""
    place = Path(folder)
    if importlib.util.find_spec("vosk") is None:
        return "speech.model is set, but vosk is not installed (pip install 'vats[speech]')"
    if not place.is_dir():
        return f"speech.model: there is no folder {place}"
    if not any((place / name).is_file() and (place / name).stat().st_size for name in _PLACES):
        return f"speech.model: {place} is no Vosk model (it has no {_PLACES[0]})"
    return ""


@lru_cache(maxsize=1)
def _loaded(folder: str) -> Any:
    """Takes a second or more and some hundred megabytes. Raises Refused in one sentence."""
    wrong = trouble(folder)
    if wrong:
        raise Refused(N_("The speech model can't be used: {why}."), why=wrong)
    import vosk

    vosk.SetLogLevel(-1)
    try:
        return vosk.Model(folder)
    except Exception as error:  # vosk raises nothing narrower
        raise Refused(N_("The speech model can't be used: {why}."), why=f"speech.model: {folder} can't be loaded ({error})") from error


def loads(folder: str) -> str:
    """Load the model; "" or what is wrong with it, in one line."""
    try:
        _loaded(folder)
    except Refused as error:
        return str(error.params.get("why", error))
    return ""


def hear(folder: str, sound: str, grammar: Sequence[str] = ()) -> dict[str, Any]:
    """What is said in a mono WAV of 16 bit: Vosk's own result {"text", "result": [{"word", "start", "end", "conf"}, …]}.

    With a `grammar` only its words are heard, or [unk]. Raises Refused (model, sound), OSError.
    """
    model = _loaded(folder)
    import vosk

    words: list[dict[str, Any]] = []
    try:
        with wave.open(sound, "rb") as file:
            if file.getnchannels() != 1 or file.getsampwidth() != 2:
                raise Refused(N_("This is not a sound file, or it is damaged."))
            rate = file.getframerate()
            listener = (
                vosk.KaldiRecognizer(model, rate, json.dumps([*grammar, UNKNOWN], ensure_ascii=False))
                if grammar
                else vosk.KaldiRecognizer(model, rate)
            )
            listener.SetWords(True)
            texts: list[str] = []
            while frames := file.readframes(CHUNK_FRAMES):
                if listener.AcceptWaveform(frames):
                    _take(listener.Result(), texts, words)
            _take(listener.FinalResult(), texts, words)
    except (EOFError, wave.Error) as error:
        raise Refused(N_("This is not a sound file, or it is damaged.")) from error
    return {"text": " ".join(texts), "result": words}


def _take(answer: str, texts: list[str], words: list[dict[str, Any]]) -> None:
    """One utterance of Vosk's JSON."""
    said = json.loads(answer)
    if said.get("text"):
        texts.append(said["text"])
        words.extend(said.get("result", ()))

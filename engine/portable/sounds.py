# SPDX-License-Identifier: Apache-2.0
"""Sounds in a file: the telephone WAV of each voice file, once, under its SHA-256."""

from __future__ import annotations

import base64
import binascii
import hashlib
import io
import secrets
import wave
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

import msgspec

from engine.errors import Refused
from engine.i18n import N_
from engine.portable.document import MOST_BYTES
from engine.snapshot import SoundElement

MARK: Final = "sha256:"
MOST_BYTES_EACH: Final = 15 * 1024 * 1024
RATES: Final = (8000, 16000)

BROKEN = N_("The sound of “{title}” in the file is no telephone WAV.")


def is_recipe(path: str) -> bool:
    """tone:…, silence:…: made by the switch, in no file."""
    return not path.startswith(MARK) and ":" in path.partition("/")[0]


def packed(elements: Iterable[SoundElement], media: Path) -> tuple[dict[str, str], dict[str, str]]:
    """(what stands for each path in the file, base64 by SHA-256). Refused when a sound is gone from the disk or there are too many."""
    root, paths, sounds, total = media.resolve(), dict[str, str](), dict[str, str](), 0
    for element in elements:
        if is_recipe(element.path):
            continue
        full = (root / element.path).resolve()
        if not full.is_relative_to(root) or not full.is_file():
            raise Refused(N_("The sound of “{title}” is no longer there; delete the voice file or upload it anew."), title=element.title)
        content = full.read_bytes()
        total += len(content)
        if total * 4 // 3 > MOST_BYTES:
            raise Refused(N_("The sounds are too large for one file of {megabytes} MB."), megabytes=MOST_BYTES // 1024 // 1024)
        digest = hashlib.sha256(content).hexdigest()
        paths[element.path] = MARK + digest
        sounds[digest] = base64.b64encode(content).decode()
    return paths, sounds


def unpacked(elements: Iterable[SoundElement], sounds: Mapping[str, str], folder: Path, below: str) -> dict[str, str]:
    """Write the sounds that elements name into `folder`, which is `below` the media root; the path of each by its mark.

    Raises Refused; whatever has been written then is gone again.
    """
    made: dict[str, str] = {}
    try:
        for element in elements:
            if is_recipe(element.path) or element.path in made:
                continue
            content = _content(element, sounds)
            folder.mkdir(parents=True, exist_ok=True)
            name = f"{secrets.token_hex(8)}.wav"
            (folder / name).write_bytes(content)
            made[element.path] = f"{below}/{name}"
    except BaseException:
        discard(folder, made)
        raise
    return made


def discard(folder: Path, made: Mapping[str, str]) -> None:
    """What an import has written and nobody needs."""
    for path in made.values():
        (folder / path.rpartition("/")[2]).unlink(missing_ok=True)


def _content(element: SoundElement, sounds: Mapping[str, str]) -> bytes:
    digest = element.path.removeprefix(MARK)
    if digest == element.path or digest not in sounds:
        raise Refused(N_("The sound of “{title}” is not in the file."), title=element.title)
    if len(sounds[digest]) > MOST_BYTES_EACH * 4 // 3 + 4:
        text = N_("The sound of “{title}” is larger than {megabytes} MB.")
        raise Refused(text, title=element.title, megabytes=MOST_BYTES_EACH // 1024 // 1024)
    try:
        content = base64.b64decode(sounds[digest], validate=True)
        with wave.open(io.BytesIO(content), "rb") as file:
            right = (file.getnchannels(), file.getsampwidth()) == (1, 2) and file.getframerate() in RATES and file.getnframes() > 0
    except (binascii.Error, wave.Error, EOFError, ValueError) as error:
        raise Refused(BROKEN, title=element.title) from error
    if not right or hashlib.sha256(content).hexdigest() != digest:
        raise Refused(BROKEN, title=element.title)
    return content


def with_paths(element: SoundElement, paths: Mapping[str, str]) -> SoundElement:
    """The element with its sound elsewhere; what was once uploaded stays behind."""
    return msgspec.structs.replace(element, path=paths.get(element.path, element.path), original="")

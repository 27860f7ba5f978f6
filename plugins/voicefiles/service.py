# SPDX-License-Identifier: Apache-2.0
"""Voice files: uploaded, made from text, renamed, deleted (DIR-2). Files lie below the media root under their account."""

from __future__ import annotations

import re
import secrets
import wave
from collections.abc import Iterable
from pathlib import Path

import msgspec

from engine.sdk import (
    N_,
    Context,
    Edit,
    ElementStore,
    Finding,
    InUse,
    Invalid,
    NotFound,
    Problem,
    Ref,
    Refused,
    Snapshot,
    speak,
    to_telephone,
)
from plugins.voicefiles.models import VoiceFileRow
from plugins.voicefiles.part import VoiceFile, VoicefilesPart

MAX_BYTES = 15 * 1024 * 1024
_MP3_START = re.compile(rb"ID3|\xff[\xe2-\xef\xf2-\xfb]")


def check(part: VoicefilesPart, whole: Snapshot) -> Iterable[Finding]:
    return ()


store: ElementStore[VoicefilesPart] = ElementStore(VoicefilesPart, {"files": VoiceFileRow}, check)


def kind_of(content: bytes) -> str:
    """"wav" or "mp3" by content, never by name. Raises Invalid for anything else."""
    if len(content) > MAX_BYTES:
        raise Invalid([Problem("file", N_("The file is larger than 15 MB."))])
    if content[:4] == b"RIFF" and content[8:12] == b"WAVE":
        return "wav"
    if _MP3_START.match(content):
        return "mp3"
    raise Invalid([Problem("file", N_("Only WAV and MP3 files can be used."))])


async def convert_upload(ctx: Context, account_id: int, content: bytes) -> VoiceFile:
    """Keep the original and make the telephone WAV, before any edit begins. Raises Invalid."""
    return await _converted(ctx, account_id, content, kind_of(content))


async def convert_voice_message(ctx: Context, account_id: int, content: bytes) -> VoiceFile:
    """The same of a voice message of a messenger, which is OGG with Opus. Raises Invalid."""
    if len(content) > MAX_BYTES:
        raise Invalid([Problem("file", N_("The file is larger than 15 MB."))])
    if content[:4] != b"OggS" or b"OpusHead" not in content[:100]:
        raise Invalid([Problem("file", N_("This is no voice message."))])
    return await _converted(ctx, account_id, content, "ogg")


async def _converted(ctx: Context, account_id: int, content: bytes, kind: str) -> VoiceFile:
    folder, name = _place(ctx, account_id)
    original = folder / f"{name}-original.{kind}"
    original.write_bytes(content)
    try:
        await to_telephone(original, folder / f"{name}.wav")
    except Refused as error:
        original.unlink(missing_ok=True)
        raise Invalid([Problem("file", error.message, **error.params)]) from error
    return _described(ctx, account_id, name, original.name)


async def speak_text(ctx: Context, account_id: int, text: str) -> VoiceFile:
    """Make a file from text. Raises Refused when nothing here can speak."""
    folder, name = _place(ctx, account_id)
    await speak(text, folder / f"{name}.wav")
    return _described(ctx, account_id, name, "")


def _place(ctx: Context, account_id: int) -> tuple[Path, str]:
    folder = ctx.settings.media_root / "voice" / str(account_id)
    folder.mkdir(parents=True, exist_ok=True)
    return folder, secrets.token_hex(8)


def _described(ctx: Context, account_id: int, name: str, original: str) -> VoiceFile:
    path = f"voice/{account_id}/{name}.wav"
    full = ctx.settings.media_root / path
    with wave.open(str(full), "rb") as file:
        seconds = file.getnframes() / file.getframerate()
    kept = f"voice/{account_id}/{original}" if original else ""
    return VoiceFile(id=0, title="", path=path, original=kept, seconds=round(seconds, 1), bytes=full.stat().st_size)


async def add_file(edit: Edit, file: VoiceFile, title: str) -> VoiceFile:
    """Store a converted file under a name. Raises Invalid."""
    if not title.strip():
        raise Invalid([Problem("title", N_("Enter a name."))])
    return await store.insert(edit.account_id, msgspec.structs.replace(file, title=title.strip()[:200]), edit.tx)


async def rename_file(edit: Edit, file_id: int, title: str) -> None:
    """Raises Invalid, NotFound."""
    file = edit.before.get(Ref(VoiceFile.kind, file_id), VoiceFile)
    if file is None:
        raise NotFound
    if not title.strip():
        raise Invalid([Problem("title", N_("Enter a name."))])
    await store.save(edit.account_id, msgspec.structs.replace(file, title=title.strip()[:200]), edit.tx)


def where_used(snapshot: Snapshot, file_id: int) -> list[str]:
    """Titles of what plays the file."""
    return list(dict.fromkeys(use.holder.title for use in snapshot.uses(Ref(VoiceFile.kind, file_id)) if not use.goes))


async def delete_file(edit: Edit, file_id: int) -> None:
    """Refused while used, naming where. The sound itself stays, for rollbacks; nothing removes it. Raises NotFound, InUse."""
    file = edit.before.get(Ref(VoiceFile.kind, file_id), VoiceFile)
    if file is None:
        raise NotFound
    places = where_used(edit.before, file_id)
    if places:
        raise InUse(file.title, places)
    await store.remove(edit.account_id, file, edit.tx)

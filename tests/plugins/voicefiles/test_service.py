# SPDX-License-Identifier: Apache-2.0
"""Voice files from every door (DIR-2), a WAV, an MP3, a voice message: the same sound comes out, and nothing else is taken."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from engine.sdk import InUse, Invalid, Ref
from engine.sound.conversion import to_mp3, to_voice_message
from plugins.groups.part import Group
from plugins.groups.service import save_group
from plugins.voicefiles import service
from tests.bot.office import SYSTEM, Office, open_office
from tests.phones import sound

pytestmark = [pytest.mark.kind("service"), pytest.mark.feature("DIR-2")]


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    async with open_office(tmp_path / "state") as made:
        yield made


@pytest.mark.parametrize("door", ["wav", "mp3", "voice message"])
async def test_the_same_sound_comes_out(office: Office, tmp_path: Path, door: str) -> None:
    source, sent = sound.tone(tmp_path / "tone.wav", 440, 2.0), tmp_path / "sent"
    if door == "wav":
        sent = source
    else:
        await (to_mp3 if door == "mp3" else to_voice_message)(source, sent)
    convert = service.convert_voice_message if door == "voice message" else service.convert_upload
    made = await convert(office.ctx, office.ours.id, sent.read_bytes())
    async with office.ctx.edit(office.ours.id, SYSTEM) as edit:
        kept = await service.add_file(edit, made, " Tone ")
    assert (kept.title, abs(kept.seconds - 2.0) < 0.2) == ("Tone", True)
    (samples,) = sound.read(office.ctx.settings.media_root / kept.path)
    assert sound.strength(samples[4000:12000], 440) > 0.9
    assert (office.ctx.settings.media_root / kept.original).read_bytes() == sent.read_bytes()


@pytest.mark.parametrize(
    "content", [b"", b"OggS" + bytes(200), b"RIFF\0\0\0\0WAVEfmt ", b"PK\x03\x04" + bytes(100), b"OggS" + bytes(service.MAX_BYTES)]
)
async def test_what_is_no_voice_message_is_refused_and_leaves_nothing(office: Office, content: bytes) -> None:
    with pytest.raises(Invalid) as refused:
        await service.convert_voice_message(office.ctx, office.ours.id, content)
    assert [p.field for p in refused.value.problems] == ["file"]
    folder = office.ctx.settings.media_root / "voice" / str(office.ours.id)
    assert not folder.exists() or not list(folder.iterdir())


async def test_a_damaged_voice_message_leaves_nothing(office: Office, tmp_path: Path) -> None:
    await to_voice_message(sound.tone(tmp_path / "tone.wav", 440, 1.0), tmp_path / "sent")
    with pytest.raises(Invalid):
        await service.convert_voice_message(office.ctx, office.ours.id, (tmp_path / "sent").read_bytes()[:60] + bytes(500))
    assert not list((office.ctx.settings.media_root / "voice" / str(office.ours.id)).iterdir())


async def test_a_file_in_use_is_not_deleted_and_the_refusal_names_the_place(office: Office, tmp_path: Path) -> None:
    made = await service.convert_upload(office.ctx, office.ours.id, sound.tone(tmp_path / "tone.wav", 440, 1.0).read_bytes())
    async with office.ctx.edit(office.ours.id, SYSTEM) as edit:
        kept = await service.add_file(edit, made, "Tone")
    root = office.ctx.snapshot(office.ours.id).get(office.ours.groups[""], Group)
    assert root is not None
    async with office.ctx.edit(office.ours.id, SYSTEM) as edit:
        await save_group(edit, msgspec.structs.replace(root, greeting=kept.ref))
    with pytest.raises(InUse) as refused:
        async with office.ctx.edit(office.ours.id, SYSTEM) as edit:
            await service.delete_file(edit, kept.id)
    assert root.title in str(refused.value.params)
    assert office.ctx.snapshot(office.ours.id).element(Ref("voicefiles.file", kept.id)) is not None

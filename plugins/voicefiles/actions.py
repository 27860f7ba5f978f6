# SPDX-License-Identifier: Apache-2.0
"""A voice file as a place where a call may go: it is played (ACT-8)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from engine.sdk import N_, Announced, Call, Choice, Entry, Missed, Nesting, Outcome, Place, Ref, Snapshot, said
from plugins.voicefiles.part import PHRASE, VoiceFile, VoicefilesPart


class PlayPhrase:
    """«Проиграть голосовую фразу»: chosen in a menu, then back to it; elsewhere the call ends afterwards."""

    kind: ClassVar[str] = PHRASE
    title: ClassVar[str] = N_("Play a voice phrase")
    places: ClassVar[frozenset[Place]] = frozenset({"rule", "key", "no_answer"})

    def choices(self, snapshot: Snapshot) -> Iterable[Choice]:
        part = snapshot.part("voicefiles", VoicefilesPart)
        files = sorted(part.files, key=lambda f: f.title.casefold()) if part else ()
        return [Choice(Ref(PHRASE, file.id), file.title) for file in files]

    async def run(self, call: Call, entry: Entry, router: Nesting) -> Outcome:
        file = call.snapshot.get(call.snapshot.owner(entry.target), VoiceFile)
        if file is None:
            return Missed("gone")
        call.answer()
        await said(call, file.sound)
        return Announced()

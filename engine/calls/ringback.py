# SPDX-License-Identifier: Apache-2.0
"""What the party hears while others are rung: 180, a tone or music. It is heard again after what has only interrupted it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from engine.calls.playing import Playing
from engine.calls.surroundings import Surroundings
from engine.snapshot import Sound

if TYPE_CHECKING:
    from engine.calls.live import LiveCall

TONE: Final = "tone_stream://%(1000,4000,425);loops=-1"
"""Russian ringback: 425 Hz, 1 s on, 4 s off (GOST 28384)."""


class Ringback:
    """Of one call, as the background of what is played to its party."""

    def __init__(self, call: LiveCall, node: Surroundings, playing: Playing) -> None:
        self._call, self._node, self._playing = call, node, playing
        self._on = False
        self._music: Sound | None = None

    def begin(self, music: Sound | None) -> None:
        call, switch = self._call, self._node.switch
        self._playing.end_background(call.party)
        self._on, self._music = True, music
        if music is None and not call.answered:
            switch.ring_ready(call.party.id)
            return
        if music is not None and not call.answered:
            if self._node.early_media:
                switch.pre_answer(call.party.id)
            else:
                call.answer()
        sound = TONE if music is None else self._node.path_on_switch(music.path)
        self._playing.background(call.party, sound, loop=music is not None)

    def again(self) -> None:
        """The answer (R11), or early media that has ended, has interrupted it."""
        if self._on:
            self.begin(self._music)

    def end(self) -> None:
        """The party is to hear something else."""
        self._on = False
        self._playing.end_background(self._call.party)

    def ends_with_the_bridge(self) -> None:
        """The party is to talk."""
        self._on = False
        self._playing.forget_background()

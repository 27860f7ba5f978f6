# SPDX-License-Identifier: Apache-2.0
"""Sounds of one channel in layers: a nested playback suspends the one below, which goes on afterwards where it stood."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from engine.embedded.rtp import Law, PlayEnd, Source, Stream

Done = Callable[[PlayEnd], None]


class _Resumable:
    """A source that goes on where it was broken off; starts anew when the law has changed meanwhile."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._frames: Iterator[bytes] | None = None
        self._law: Law | None = None
        self.missing = False

    def frames(self, law: Law) -> Iterator[bytes] | None:
        if self._frames is None or law is not self._law:
            self._law, self._frames = law, self._source.frames(law)
            self.missing = self._frames is None
        return self._frames


class Layer:
    """One sound; `over` once it has ended or was removed."""

    def __init__(self, source: Source, done: Done | None, loop: bool) -> None:
        self.source = source
        self.resumable = _Resumable(source)
        self.done = done
        self.loop = loop
        self.over = False
        self.turn = 0

    @property
    def missing(self) -> bool:
        """There is nothing to play (known as soon as it was begun)."""
        return self.resumable.missing


class Player:
    """The top layer is heard. Callbacks come from the event loop, never from inside push or remove."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._layers: list[Layer] = []

    @property
    def playing(self) -> bool:
        return bool(self._layers)

    def push(self, source: Source, done: Done | None, *, loop: bool = False) -> Layer:
        """Hear this now."""
        layer = Layer(source, done, loop)
        self._layers.append(layer)
        self._start(layer)
        return layer

    def put_under(self, source: Source, *, loop: bool = True) -> Layer:
        """Music that is heard while nothing else plays (hold)."""
        layer = Layer(source, None, loop)
        self._layers.insert(0, layer)
        if len(self._layers) == 1:
            self._start(layer)
        return layer

    def remove(self, layer: Layer) -> None:
        """Stop it without a callback; what lies below goes on."""
        if layer.over:
            return
        layer.over = True
        layer.turn += 1
        top = self._layers[-1] is layer
        self._layers.remove(layer)
        if not top:
            return
        if self._layers:
            self._start(self._layers[-1])
        else:
            self._stream.stop()

    def _start(self, layer: Layer) -> None:
        layer.turn += 1
        turn = layer.turn
        self._stream.play(layer.resumable, lambda end: self._ended(layer, turn, end))

    def _ended(self, layer: Layer, turn: int, end: PlayEnd) -> None:
        # a BROKEN of an earlier turn only says that another layer took over
        if layer.over or turn != layer.turn or (end is PlayEnd.BROKEN and not self._stream.closed):
            return
        if layer.loop and end is PlayEnd.FINISHED:
            layer.resumable = _Resumable(layer.source)
            self._start(layer)
            return
        self.remove(layer)
        if layer.done is not None:
            layer.done(end)

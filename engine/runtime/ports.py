# SPDX-License-Identifier: Apache-2.0
"""The ports an installation needs, by the name of their setting: asked before they are missed."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from typing import NamedTuple

from engine.settings import Settings


class Place(NamedTuple):
    setting: str
    host: str
    port: int
    kinds: tuple[socket.SocketKind, ...]


_BOTH = (socket.SOCK_DGRAM, socket.SOCK_STREAM)
_TCP = (socket.SOCK_STREAM,)


def switch_places(settings: Settings) -> Iterator[Place]:
    """Where the built-in switch listens; 0 = any free port is none of them."""
    switch = settings.switch
    yield from _fixed(
        Place("switch.sip_port", switch.sip_host, switch.sip_port, _BOTH),
        Place("switch.trunk_port", switch.sip_host, switch.trunk_port, _BOTH),
        Place("switch.esl_port", switch.esl_host, switch.esl_port, _TCP),
    )


def own_places(settings: Settings) -> Iterator[Place]:
    """Where the engine and the cabinet listen."""
    yield from _fixed(
        Place("directory.port", settings.directory.host, settings.directory.port, _TCP),
        Place("web.port", settings.web.host, settings.web.port, _TCP),
    )


def _fixed(*places: Place) -> Iterator[Place]:
    return (place for place in places if place.port)


def trouble(place: Place) -> str:
    """Why nobody can listen there now, in a sentence that names the setting; "" when one can."""
    for kind in place.kinds:
        family = socket.AF_INET6 if ":" in place.host else socket.AF_INET
        with socket.socket(family, kind) as probe:
            if kind == socket.SOCK_STREAM:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((place.host, place.port))
                if kind == socket.SOCK_STREAM:
                    probe.listen(1)
            except OSError as error:
                return refusal(place, error)
    return ""


def refusal(place: Place, error: OSError) -> str:
    """The sentence for an error of bind()."""
    why = os.strerror(error.errno) if error.errno else str(error)  # the text of asyncio's errors repeats the address
    return f"Nothing can listen on {place.host}:{place.port} ({place.setting}): {why.lower()}. Stop what has it, or set another one."

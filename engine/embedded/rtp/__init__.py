# SPDX-License-Identifier: Apache-2.0
"""The media layer of the embedded switch: RTP with G.711 and telephone-event; used by engine.embedded's channels."""

from .engine import MediaEngine
from .g711 import Law
from .playback import Playback, PlayEnd
from .ports import NoPort
from .recorder import RecordEnd, Recording, RecordReason
from .sources import Library, Source, parse_source
from .stream import Stream, StreamStats

RecordingHandle = Recording

__all__ = [
    "Law",
    "Library",
    "MediaEngine",
    "NoPort",
    "PlayEnd",
    "Playback",
    "RecordEnd",
    "RecordReason",
    "Recording",
    "RecordingHandle",
    "Source",
    "Stream",
    "StreamStats",
    "parse_source",
]

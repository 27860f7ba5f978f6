# SPDX-License-Identifier: Apache-2.0
"""Recordings of a channel: started and stopped by uuid_record, record_session and record, told by RECORD_START and RECORD_STOP."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from engine.embedded.rtp import RecordEnd, RecordReason

if TYPE_CHECKING:
    from engine.embedded.channel import Channel

_COMPLETION = {RecordReason.LIMIT: "max-duration", RecordReason.SILENCE: "silence", RecordReason.STOPPED: "stopped"}


def start(
    channel: Channel,
    path: str,
    *,
    limit: float | None = None,
    silence: tuple[int, float] | None = None,
    only_read: bool = False,
    done: Callable[[RecordEnd], None] | None = None,
) -> bool:
    """Begin; False when there is nothing to record yet, or the file is being recorded already."""
    stream = channel.media.stream
    if stream is None or channel.is_down() or path in channel.recordings:
        return False
    stereo = channel.is_true("RECORD_STEREO") and not only_read
    turned = channel.is_true("RECORD_STEREO_SWAP") and not only_read

    def ended(end: RecordEnd) -> None:
        channel.recordings.pop(path, None)
        channel.set("record_ms", str(end.ms))
        channel.set("record_seconds", str(end.ms // 1000))
        channel.set("record_samples", str(end.ms * 8))
        channel.set("record_file_path", path)
        if end.reason is RecordReason.SILENCE:
            channel.set("silence_hits_exhausted", "true")
        channel.set("record_completion_cause", _COMPLETION.get(end.reason, end.reason.name.lower()))
        channel.fire("RECORD_STOP", {"Record-File-Path": path, "Record-Completion-Cause": _COMPLETION.get(end.reason, "failed")})
        if done is not None:
            done(end)
        channel.notify()

    channel.recordings[path] = stream.record(
        path,
        mode="turned" if turned else "stereo" if stereo else "mono",
        side="read" if only_read or channel.is_true("RECORD_READ_ONLY") else "both",
        limit_s=limit,
        silence=silence,
        append=channel.is_true("RECORD_APPEND"),
        done=ended,
    )
    channel.fire("RECORD_START", {"Record-File-Path": path})
    return True


def stop(channel: Channel, path: str) -> bool:
    """One file, or `all`; False when nothing was being recorded there."""
    found = list(channel.recordings.values()) if path == "all" else [channel.recordings[path]] if path in channel.recordings else []
    for recording in found:
        recording.stop()
    return bool(found)


def mask(channel: Channel, path: str, masked: bool) -> bool:
    """Silence in the file from here, or sound again."""
    recording = channel.recordings.get(path)
    if recording is None:
        return False
    recording.masked = masked
    return True

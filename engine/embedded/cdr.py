# SPDX-License-Identifier: Apache-2.0
"""One line per ended leg in Master.csv, as mod_cdr_csv writes it with legs=ab and an own template; read by the engine after a restart."""

from __future__ import annotations

import logging
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.embedded.channel import Channel

log = logging.getLogger(__name__)


class CdrFile:
    def __init__(self, directory: Path, template: str) -> None:
        """Raises OSError when the directory can't be made."""
        directory.mkdir(parents=True, exist_ok=True)
        self.path = directory / "Master.csv"
        self._template = template
        self._file: int | None = None

    def write(self, channel: Channel) -> None:
        """One append: a line is there whole or not at all, also after kill -9."""
        line = channel.expand(self._template).replace("\n", " ").replace("\r", " ") + "\n"
        try:
            if self._file is None:
                self._file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640)
            os.write(self._file, line.encode("utf-8", "replace"))
        except OSError as error:
            log.error("%s can't be written: %s; lost: %s", self.path, error, line.strip())
            self.close()

    def rotate(self) -> None:
        """Rename the file by the time and begin a new one."""
        self.close()
        if self.path.exists():
            self.path.rename(f"{self.path}.{time.strftime('%Y-%m-%d-%H-%M-%S', time.localtime())}")

    def close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None


def _stamp(microseconds: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(microseconds // 1_000_000))


def set_times(channel: Channel) -> None:
    """The variables FreeSWITCH sets at the end: …_stamp, …_epoch, …_uepoch, durations in s, ms and µs."""
    times = channel.profile.times
    created, answered, ended = times.created, times.answered, times.hungup
    for name, moment in (
        ("start", created),
        ("profile_start", times.profile_created),
        ("answer", answered),
        ("bridge", times.bridged),
        ("progress", times.progress),
        ("progress_media", times.progress_media),
        ("end", ended),
    ):
        if moment:
            channel.set(f"{name}_stamp", _stamp(moment))
            channel.set(f"{name}_epoch", str(moment // 1_000_000))
            channel.set(f"{name}_uepoch", str(moment))
        elif name in ("answer", "bridge", "progress", "progress_media"):
            channel.set(f"{name}_epoch", "0")
            channel.set(f"{name}_uepoch", "0")
    spans = {
        "duration": ended - created,
        "bill": ended - answered if answered else 0,
        "progress": times.progress - created if times.progress else 0,
        "answer": answered - created if answered else 0,
        "wait": times.bridged - created if times.bridged else 0,
        "progress_media": times.progress_media - created if times.progress_media else 0,
        "flow_bill": ended - answered if answered else 0,
    }
    for name, span in spans.items():
        span = max(0, span)
        # whole seconds are differences of whole seconds in FreeSWITCH
        if name == "duration":
            channel.set("duration", str(ended // 1_000_000 - created // 1_000_000))
            channel.set("mduration", str(span // 1000))
            channel.set("uduration", str(span))
        else:
            seconds = ended // 1_000_000 - answered // 1_000_000 if name in ("bill", "flow_bill") and answered else span // 1_000_000
            channel.set(f"{name}sec", str(seconds))
            channel.set(f"{name}msec", str(span // 1000))
            channel.set(f"{name}usec", str(span))
    channel.set("hold_accum_seconds", str(times.hold_accum // 1_000_000))
    channel.set("hold_accum_ms", str(times.hold_accum // 1000))
    channel.set("hold_accum_usec", str(times.hold_accum))
    channel.set("last_app", channel.application)
    channel.set("last_arg", channel.application_data)
    profile = channel.profile
    if profile.caller_id_name:
        channel.set("caller_id", f'"{profile.caller_id_name}" <{profile.caller_id_number}>')
    else:
        channel.set("caller_id", profile.caller_id_number)

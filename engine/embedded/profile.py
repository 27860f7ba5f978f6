# SPDX-License-Identifier: Apache-2.0
"""Who calls whom on a channel, and when what happened to it: the source of the Caller-* and Other-Leg-* event headers."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import Any

from engine.embedded.events import Headers


def now_us() -> int:
    """The wall clock in microseconds since 1970, as events carry it."""
    return time.time_ns() // 1000


def duration(seconds: float) -> str:
    """As `status` writes it: 0 years, 0 days, 1 hour, …"""
    whole, fraction = int(seconds), int(seconds * 1_000_000) % 1_000_000
    parts = (
        (whole // 31536000, "year"),
        (whole // 86400 % 365, "day"),
        (whole // 3600 % 24, "hour"),
        (whole // 60 % 60, "minute"),
        (whole % 60, "second"),
        (fraction // 1000, "millisecond"),
        (fraction % 1000, "microsecond"),
    )
    return ", ".join(f"{count} {name}{'' if count == 1 else 's'}" for count, name in parts)


@dataclass(slots=True)
class Times:
    """Microseconds since 1970; 0: did not happen."""

    profile_created: int = 0
    created: int = 0
    answered: int = 0
    progress: int = 0
    progress_media: int = 0
    hungup: int = 0
    transferred: int = 0
    resurrected: int = 0
    bridged: int = 0
    last_hold: int = 0
    hold_accum: int = 0


@dataclass(slots=True)
class CallerProfile:
    direction: str = "inbound"
    logical_direction: str = "inbound"
    username: str = ""
    dialplan: str = "XML"
    caller_id_name: str = ""
    caller_id_number: str = ""
    orig_caller_id_name: str = ""
    orig_caller_id_number: str = ""
    callee_id_name: str = ""
    callee_id_number: str = ""
    network_addr: str = ""
    ani: str = ""
    destination_number: str = ""
    uuid: str = ""
    source: str = "mod_sofia"
    transfer_source: str = ""
    context: str = "default"
    rdnis: str = ""
    chan_name: str = ""
    hide_name: bool = False
    hide_number: bool = False
    profile_index: int = 1
    times: Times = field(default_factory=Times)

    def stepped(self, **changes: Any) -> CallerProfile:
        """The next profile of the same channel (transfer, bridge): a copy with its own creation time."""
        now = now_us()
        self.times.transferred = now
        times = replace(self.times, profile_created=now, transferred=0)
        return replace(self, profile_index=self.profile_index + 1, times=times, **changes)

    def snapshot(self) -> CallerProfile:
        """A copy that the other leg of a bridge keeps."""
        return replace(self, times=replace(self.times))

    def headers(self, prefix: str, into: Headers) -> None:
        """Add `PREFIX-…` headers; empty texts are left out, times are always there."""
        into[f"{prefix}-Direction"] = self.direction
        into[f"{prefix}-Logical-Direction"] = self.logical_direction
        for name, value in (
            ("Username", self.username),
            ("Dialplan", self.dialplan),
            ("Caller-ID-Name", self.caller_id_name),
            ("Caller-ID-Number", self.caller_id_number),
            ("Orig-Caller-ID-Name", self.orig_caller_id_name),
            ("Orig-Caller-ID-Number", self.orig_caller_id_number),
            ("Callee-ID-Name", self.callee_id_name),
            ("Callee-ID-Number", self.callee_id_number),
            ("Network-Addr", self.network_addr),
            ("ANI", self.ani),
            ("Destination-Number", self.destination_number),
            ("Unique-ID", self.uuid),
            ("Source", self.source),
            ("Transfer-Source", self.transfer_source),
            ("Context", self.context),
            ("RDNIS", self.rdnis),
            ("Channel-Name", self.chan_name),
        ):
            if value:
                into[f"{prefix}-{name}"] = value
        into[f"{prefix}-Profile-Index"] = str(self.profile_index)
        times = self.times
        into[f"{prefix}-Profile-Created-Time"] = str(times.profile_created)
        into[f"{prefix}-Channel-Created-Time"] = str(times.created)
        into[f"{prefix}-Channel-Answered-Time"] = str(times.answered)
        into[f"{prefix}-Channel-Progress-Time"] = str(times.progress)
        into[f"{prefix}-Channel-Progress-Media-Time"] = str(times.progress_media)
        into[f"{prefix}-Channel-Hangup-Time"] = str(times.hungup)
        into[f"{prefix}-Channel-Transfer-Time"] = str(times.transferred)
        into[f"{prefix}-Channel-Resurrect-Time"] = str(times.resurrected)
        into[f"{prefix}-Channel-Bridged-Time"] = str(times.bridged)
        into[f"{prefix}-Channel-Last-Hold"] = str(times.last_hold)
        into[f"{prefix}-Channel-Hold-Accum"] = str(times.hold_accum)
        into[f"{prefix}-Screen-Bit"] = "true"
        into[f"{prefix}-Privacy-Hide-Name"] = str(self.hide_name).lower()
        into[f"{prefix}-Privacy-Hide-Number"] = str(self.hide_number).lower()

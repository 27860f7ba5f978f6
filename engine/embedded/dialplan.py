# SPDX-License-Identifier: Apache-2.0
"""The fixed dialplan: every call waits parked for an engine; unclaimed it hears a phrase and gets 503. Also `inline` targets."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from engine.esl.words import separate

if TYPE_CHECKING:
    from engine.embedded.channel import Channel
    from engine.embedded.config import Config

Applications = list[tuple[str, str]]


def route(channel: Channel, config: Config) -> Applications:
    """The applications for the channel's destination; empty = no route."""
    profile = channel.profile
    if profile.dialplan.lower() == "inline":
        return inline(profile.destination_number)
    waiting = [("sched_transfer", f"+{config.dialplan.unclaimed_seconds} unavail XML vats"), ("park", "")]
    match profile.context:
        case "from-phone":
            return waiting
        case "from-trunk":
            # calls enter from providers only by the trunk profile
            return waiting if channel.get("sofia_profile_name") == "trunk" else [("respond", "403 Forbidden")]
        case "vats" if profile.destination_number == "unavail":
            phrase = os.path.join(config.sounds_dir, config.dialplan.unavailable)
            return [("pre_answer", ""), ("playback", phrase), ("hangup", "NORMAL_TEMPORARY_FAILURE")]
    return []


def inline(target: str) -> Applications:
    """`app:argument,app2` (quotes protect commas; `m:^:a^b` chooses another separator)."""
    delimiter = ","
    if target.startswith("m:") and len(target) > 4 and target[3] == ":":
        delimiter, target = target[2], target[4:]
    found = []
    for word in separate(target, delimiter):
        name, _, argument = word.partition(":")
        if name.strip():
            found.append((name.strip(), argument))
    return found

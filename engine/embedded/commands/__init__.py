# SPDX-License-Identifier: Apache-2.0
"""The api commands by name, with FreeSWITCH's answers; run for `api` and `bgapi`, and by timers (sched_api)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from engine.embedded.commands import calling, channels, show, sofia, system
from engine.embedded.event_socket.connection import Answer

if TYPE_CHECKING:
    from engine.embedded.switch import Switch

Command = Callable[["Switch", str], Answer]

COMMANDS: Mapping[str, Command] = {
    **system.COMMANDS,
    **show.COMMANDS,
    **channels.COMMANDS,
    **calling.COMMANDS,
    **sofia.COMMANDS,
}

REFUSED = frozenset(
    ("conference", "lua", "luarun", "js", "jsrun", "python", "system", "bg_system", "spawn", "load", "unload", "reload",
     "fifo", "callcenter_config", "voicemail", "valet_info", "limit", "uuid_displace", "uuid_audio", "uuid_media",
     "uuid_chat", "uuid_send_text", "uuid_video_refresh", "uuid_jitterbuffer", "uuid_debug_media", "uuid_phone_event",
     "uuid_deflect", "uuid_redirect", "loopback", "hash", "db", "opus", "verto", "pool_stats")
)  # fmt: skip
"""Known to FreeSWITCH, not offered here."""


def run(switch: Switch, line: str) -> Answer:
    """The answer of one command line, or a coroutine that gives it."""
    name, _, arguments = line.strip().partition(" ")
    command = COMMANDS.get(name.lower())
    if command is None:
        if name.lower() in REFUSED:
            return f"-ERR {name} is not offered by the embedded switch\n"
        return f"-ERR {name} Command not found!\n"
    return command(switch, arguments.strip())

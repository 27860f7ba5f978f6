# SPDX-License-Identifier: Apache-2.0
"""Commands about the switch as a whole."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from engine.embedded import causes, text
from engine.embedded.event_socket.connection import Answer
from engine.embedded.profile import duration
from engine.esl.words import separate

if TYPE_CHECKING:
    from engine.embedded.switch import Switch

_VERSION = "1.10.12-embedded"


def status(switch: Switch, arguments: str) -> str:
    count = len(switch.channels)
    return (
        f"UP {duration(time.time() - switch.started)}\n"
        f"FreeSWITCH (Version {_VERSION} VATS) is {'not ready' if switch.stopping else 'ready'}\n"
        f"{switch.sessions} session(s) since startup\n"
        f"{count} session(s) - peak {switch.peak}, last 5min {switch.peak} \n"
        f"0 session(s) per Sec out of max {switch.config.max_sessions}, peak 0, last 5min 0 \n"
        f"{switch.config.max_sessions} session(s) max\n"
        "min idle cpu 0.00/100.00\n"
    )


def version(switch: Switch, arguments: str) -> str:
    if arguments == "short":
        return "1.10.12"
    return f"FreeSWITCH Version {_VERSION} (VATS embedded switch)\n"


def uptime_(switch: Switch, arguments: str) -> str:
    seconds = time.time() - switch.started
    scale = {"us": 1e6, "ms": 1e3, "m": 1 / 60, "h": 1 / 3600, "d": 1 / 86400}
    return f"{int(seconds * scale.get(arguments, 1))}\n"


def hostname(switch: Switch, arguments: str) -> str:
    return switch.bus.hostname


def switchname(switch: Switch, arguments: str) -> str:
    return switch.config.switchname


def create_uuid(switch: Switch, arguments: str) -> str:
    return switch.new_uuid()


def echo(switch: Switch, arguments: str) -> str:
    return arguments


def expand(switch: Switch, arguments: str) -> str:
    """`[uuid:UUID] text` with variables put in."""
    if arguments.startswith("uuid:"):
        uuid, _, template = arguments[5:].partition(" ")
        channel = switch.channels.get(uuid)
        return channel.expand(template) if channel is not None else "-ERR No such channel!\n"
    return text.expand(arguments, switch.globals.get)


def global_getvar(switch: Switch, arguments: str) -> str:
    if arguments:
        return switch.globals.get(arguments, "")
    return "".join(f"{name}={value}\n" for name, value in switch.globals.items())


def global_setvar(switch: Switch, arguments: str) -> str:
    name, equals, value = arguments.partition("=")
    if not name.strip() or not equals:
        return "-USAGE: <var>=<value> [=<value2>]\n"
    switch.globals[name.strip()] = value.strip()
    return "+OK"


def reloadxml(switch: Switch, arguments: str) -> str:
    switch.bus.fire("RELOADXML")
    return "+OK [Success]\n"


async def _reload_acl(switch: Switch) -> str:
    done = await switch.reload_acl()
    return "+OK acl reloaded\n" if done else "-ERR [the directory does not answer]\n"


def reloadacl(switch: Switch, arguments: str) -> Answer:
    return _reload_acl(switch)


def acl(switch: Switch, arguments: str) -> str:
    """`acl ADDRESS LIST`: would the access list let this address in?"""
    address, _, name = arguments.partition(" ")
    if not name:
        return "-USAGE: <ip> <list_name>\n"
    known = switch.acls.get(name.strip())
    return "true" if known is not None and known.admits(address) else "false"


def xml_flush_cache(switch: Switch, arguments: str) -> str:
    """All cached accounts, or `id USER DOMAIN`."""
    words = arguments.split()
    count = switch.directory.flush(words[1], words[2]) if len(words) >= 3 else switch.directory.flush()
    return f"+OK cleared {count} entr{'y' if count == 1 else 'ies'}\n"


def cdr_csv(switch: Switch, arguments: str) -> str:
    if arguments.lower() != "rotate":
        return "-USAGE: cdr_csv rotate\n"
    switch.cdr.rotate()
    return "+OK\n"


def hupall(switch: Switch, arguments: str) -> str:
    """`hupall [CAUSE [variable value]]`."""
    words = separate(arguments, " ")
    cause = causes.parse(words[0] if words else "", "MANAGER_REQUEST")
    variable, value = (words[1], words[2]) if len(words) >= 3 else ("", "")
    for channel in list(switch.channels.values()):
        if not variable or channel.get(variable) == value:
            channel.hangup(cause)
    if variable:
        return f"+OK hangup all channels matching [{variable}]=[{value}] with cause: {cause}\n"
    return f"+OK hangup all channels with cause {cause}\n"


def fsctl(switch: Switch, arguments: str) -> str:
    words = arguments.split()
    match [word.lower() for word in words]:
        case ["shutdown", *_]:
            switch.stop_asked.set()
            return "+OK\n"
        case ["hupall", *rest]:
            hupall(switch, rest[0] if rest else "")
            return "+OK\n"
        case ["ready_check"] | ["crash"]:
            return "true\n" if not switch.stopping else "false\n"
        case ["max_sessions", *_]:
            return f"+OK max sessions: {switch.config.max_sessions}\n"
        case ["sps", *_]:
            return f"+OK sessions per second: {switch.config.max_sessions}\n"
        case ["loglevel", *_] | ["debug_level", *_]:
            return "+OK\n"
        case ["verbose_events", *rest]:
            return f"+OK verbose_events is {rest[0] if rest else 'off'} \n"
    return "-ERR Invalid command\nUSAGE: fsctl [hupall|shutdown|max_sessions|sps]\n"


def strepoch(switch: Switch, arguments: str) -> str:
    return str(int(time.time()))


def module_exists(switch: Switch, arguments: str) -> str:
    here = ("mod_sofia", "mod_event_socket", "mod_commands", "mod_dptools", "mod_xml_curl", "mod_cdr_csv",
            "mod_sndfile", "mod_native_file", "mod_tone_stream", "mod_local_stream", "mod_dialplan_xml")  # fmt: skip
    return "true" if arguments in here else "false"


COMMANDS: dict[str, Callable[[Switch, str], Answer]] = {
    "status": status,
    "version": version,
    "uptime": uptime_,
    "hostname": hostname,
    "switchname": switchname,
    "create_uuid": create_uuid,
    "echo": echo,
    "expand": expand,
    "eval": expand,
    "global_getvar": global_getvar,
    "global_setvar": global_setvar,
    "reloadxml": reloadxml,
    "reloadacl": reloadacl,
    "acl": acl,
    "xml_flush_cache": xml_flush_cache,
    "cdr_csv": cdr_csv,
    "hupall": hupall,
    "fsctl": fsctl,
    "strepoch": strepoch,
    "module_exists": module_exists,
}

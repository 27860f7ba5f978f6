# SPDX-License-Identifier: Apache-2.0
"""The uuid_* commands: everything an engine does to one channel."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

import msgspec

from engine.embedded import bridge, causes, hold, recordings, text, transfers
from engine.embedded.channel import Channel, Message
from engine.embedded.record import State
from engine.esl.words import separate

if TYPE_CHECKING:
    from engine.embedded.switch import Switch

NO_CHANNEL = "-ERR No such channel!\n"


def _channel(switch: Switch, uuid: str) -> Channel | None:
    channel = switch.channels.get(uuid)
    return None if channel is None or channel.is_down() else channel


def answer(switch: Switch, arguments: str) -> str:
    channel = _channel(switch, arguments)
    return "+OK\n" if channel is not None and channel.answer() else "-ERROR\n"


def pre_answer(switch: Switch, arguments: str) -> str:
    channel = _channel(switch, arguments)
    return "+OK\n" if channel is not None and channel.pre_answer() else "-ERROR\n"


def ring_ready(switch: Switch, arguments: str) -> str:
    words = separate(arguments, " ")
    if not words:
        return "-USAGE: <uuid> [queued]\n"
    channel = _channel(switch, words[0])
    return "+OK\n" if channel is not None and channel.ring_ready() else "-ERROR\n"


def kill(switch: Switch, arguments: str) -> str:
    words = separate(arguments, " ")
    if not words:
        return "-USAGE: <uuid> [cause]\n"
    channel = _channel(switch, words[0])
    if channel is None:
        return NO_CHANNEL
    channel.hangup(causes.parse(words[1] if len(words) > 1 else ""))
    return "+OK\n"


def park(switch: Switch, arguments: str) -> str:
    channel = _channel(switch, arguments)
    if channel is None:
        return NO_CHANNEL
    channel.redirect(State.PARK)
    return "+OK\n"


def transfer(switch: Switch, arguments: str) -> str:
    words = separate(arguments, " ")
    if not 2 <= len(words) <= 5:
        return "-USAGE: <uuid> [-bleg|-both] <dest-exten> [<dialplan>] [<context>]\n"
    channel = _channel(switch, words[0])
    if channel is None:
        return NO_CHANNEL
    which = words.pop(1).lower() if words[1].startswith("-") else ""
    extension, dialplan, context = [*words[1:], "", "", ""][:3]
    if not extension:
        return "-ERR\n"
    other = channel.bridge.other(channel) if channel.bridge is not None else None
    if which == "-bleg" and other is not None:
        channel = other
    elif which == "-both" and other is not None:
        transfers.to_extension(other, extension, dialplan, context)
    transfers.to_extension(channel, extension, dialplan, context)
    return "+OK\n"


def dual_transfer(switch: Switch, arguments: str) -> str:
    words = separate(arguments, " ")
    if len(words) != 3:
        return "-USAGE: <uuid> <A-dest-exten>[/<A-dialplan>][/<A-context>] <B-dest-exten>[/<B-dialplan>][/<B-context>]\n"
    channel = _channel(switch, words[0])
    if channel is None:
        return NO_CHANNEL
    other = channel.bridge.other(channel) if channel.bridge is not None else None
    for leg, place in ((other, words[2]), (channel, words[1])):
        if leg is not None:
            parts = [*place.split("/"), "", ""]
            transfers.to_extension(leg, parts[0], parts[1], parts[2])
    return "+OK\n"


def bridge_(switch: Switch, arguments: str) -> str:
    words = separate(arguments, " ")
    if len(words) < 2:
        return "-USAGE: <uuid> <other_uuid>\n"
    for other in words[1:3]:
        if bridge.order(switch, words[0], other):
            return f"+OK {other}\n"
    return "-ERR Invalid uuid\n"


def break_(switch: Switch, arguments: str) -> str:
    words = separate(arguments, " ")
    if not words:
        return "-USAGE: <uuid> [all]\n"
    channel = _channel(switch, words[0])
    if channel is None:
        return NO_CHANNEL
    flags = " ".join(words[1:])
    channel.break_(everything="all" in flags)
    if "both" in flags and channel.bridge is not None:
        channel.bridge.other(channel).break_(everything="all" in flags)
    return "+OK\n"


def broadcast(switch: Switch, arguments: str) -> str:
    words = separate(arguments, " ")
    if len(words) < 2:
        return "-USAGE: <uuid> <path> [aleg|bleg|holdb|both]\n"
    channel = _channel(switch, words[0])
    if channel is None:
        return "-ERR invalid uuid\n"
    which = words[2].lower() if len(words) > 2 else "aleg holdb"
    application, separator, argument = words[1].partition("::")
    if not separator:
        application, argument = "playback", words[1]
    other = channel.bridge.other(channel) if channel.bridge is not None else None
    if "both" in which or "bleg" in which:
        if other is not None:
            other.queue(Message(application, argument))
        if "both" not in which:
            return "+OK Message sent\n"
    channel.queue(Message(application, argument, hold_other="holdb" in which))
    return "+OK Message sent\n"


def record(switch: Switch, arguments: str) -> str:
    words = separate(arguments, " ")
    if len(words) < 3:
        return "-USAGE: <uuid> [start|stop|mask|unmask] <path> [<limit>] [<recording_vars>]\n"
    channel = _channel(switch, words[0])
    if channel is None:
        return "-ERR Cannot locate session!\n"
    path = words[2]
    match words[1].lower():
        case "start":
            limit = text.number(words[3]) if len(words) > 3 else 0
            if not channel.media.ready or not switch.record_when_ready(channel, path, limit):
                return "-ERR Cannot record session!\n"
        case "stop":
            if not recordings.stop(channel, path):
                return "-ERR Cannot stop record session!\n"
        case "mask":
            if not recordings.mask(channel, path, True):
                return "-ERR Cannot mask recording session!\n"
        case "unmask":
            if not recordings.mask(channel, path, False):
                return "-ERR Cannot unmask recording session!\n"
        case _:
            return "-USAGE: <uuid> [start|stop|mask|unmask] <path> [<limit>] [<recording_vars>]\n"
    return "+OK Success\n"


def setvar(switch: Switch, arguments: str) -> str:
    words = separate(arguments, " ", 3)
    if len(words) < 2:
        return "-USAGE: <uuid> <var> [value]\n"
    channel = switch.channels.get(words[0])
    if channel is None:
        return NO_CHANNEL
    if not words[1]:
        return "-ERR No variable specified\n"
    channel.set(words[1], words[2] if len(words) > 2 else "")
    return "+OK\n"


def setvar_multi(switch: Switch, arguments: str) -> str:
    uuid, _, rest = arguments.partition(" ")
    if not uuid or not rest.strip():
        return "-USAGE: <uuid> <var>=<value>;<var>=<value>...\n"
    channel = switch.channels.get(uuid)
    if channel is None:
        return NO_CHANNEL
    for pair in separate(rest, ";", 64):
        name, _, value = pair.partition("=")
        if not name:
            return "-ERR No variable specified\n"
        channel.set(name, value)
    return "+OK\n"


def getvar(switch: Switch, arguments: str) -> str:
    words = separate(arguments, " ")
    if len(words) < 2:
        return "-USAGE: <uuid> <var>\n"
    channel = switch.channels.get(words[0])
    if channel is None:
        return NO_CHANNEL
    value = channel.get(words[1])
    return "_undef_" if value is None else value


def exists(switch: Switch, arguments: str) -> str:
    return "true" if arguments in switch.channels else "false"


def dump(switch: Switch, arguments: str) -> str:
    words = separate(arguments, " ")
    if not words:
        return "-USAGE: <uuid> [format]\n"
    channel = switch.channels.get(words[0])
    if channel is None:
        return NO_CHANNEL
    headers = {**switch.bus.base("CHANNEL_DATA", "uuid_dump_function"), **channel.headers()}
    match words[1].lower() if len(words) > 1 else "txt":
        case "json":
            return msgspec.json.encode(headers).decode()
        case "xml":
            rows = "".join(f"<{name}>{escape(_flat(value))}</{name}>" for name, value in headers.items())
            return f"<event><headers>{rows}</headers></event>"
    return "".join(f"{name}: {_flat(value)}\n" for name, value in headers.items())


def _flat(value: str | list[str]) -> str:
    return value if isinstance(value, str) else "ARRAY::" + "|:".join(value)


def hold_(switch: Switch, arguments: str) -> str:
    words = separate(arguments, " ")
    if not words:
        return "-USAGE: [off|toggle] <uuid> [<display>]\n"
    mode = words.pop(0).lower() if words[0].lower() in ("off", "toggle") else "on"
    channel = _channel(switch, words[0]) if words else None
    if channel is None:
        return "-ERR Operation failed\n"
    on = not channel.media.held_by_us if mode == "toggle" else mode == "on"
    return "+OK Success\n" if hold.order(channel, on) else "-ERR Operation failed\n"


def display(switch: Switch, arguments: str) -> str:
    words = separate(arguments, " ")
    if len(words) < 2:
        return "-USAGE: <uuid> <display>\n"
    channel = _channel(switch, words[0])
    if channel is None:
        return "-ERR Operation failed\n"
    name, _, number = words[1].partition("|")
    channel.set("last_sent_callee_id_name", name)
    channel.set("last_sent_callee_id_number", number)
    if channel.answered and channel.leg is not None and channel.leg.call is not None:
        channel.leg.call.show(name, number or channel.profile.destination_number)
    return "+OK Success\n"


def send_dtmf(switch: Switch, arguments: str) -> str:
    words = separate(arguments, " ")
    if len(words) < 2:
        return "-USAGE: <uuid> <dtmf_data>\n"
    channel = _channel(switch, words[0])
    if channel is None:
        return "-ERR Cannot locate session!\n"
    if not switch.send_dtmf(channel, words[1]):
        return "-ERR Operation failed\n"
    return f"+OK {words[0]} sent DTMF {words[1]}.\n"


def flush_dtmf(switch: Switch, arguments: str) -> str:
    return "+OK\n" if arguments in switch.channels else "-ERR No such session\n"


COMMANDS = {
    "uuid_answer": answer,
    "uuid_pre_answer": pre_answer,
    "uuid_ring_ready": ring_ready,
    "uuid_kill": kill,
    "uuid_park": park,
    "uuid_transfer": transfer,
    "uuid_dual_transfer": dual_transfer,
    "uuid_bridge": bridge_,
    "uuid_break": break_,
    "uuid_broadcast": broadcast,
    "uuid_record": record,
    "uuid_setvar": setvar,
    "uuid_setvar_multi": setvar_multi,
    "uuid_getvar": getvar,
    "uuid_exists": exists,
    "uuid_dump": dump,
    "uuid_hold": hold_,
    "uuid_display": display,
    "uuid_send_dtmf": send_dtmf,
    "uuid_flush_dtmf": flush_dtmf,
}

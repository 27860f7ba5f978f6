# SPDX-License-Identifier: Apache-2.0
"""Commands that make calls or do something later: originate, sched_*, bgapi."""

from __future__ import annotations

from collections import deque
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from engine.embedded import causes, text
from engine.embedded.applications import REFUSED
from engine.embedded.event_socket.connection import Answer
from engine.embedded.originate import DEFAULT_TIMEOUT, Originate
from engine.embedded.record import State
from engine.embedded.scheduler import seconds_until
from engine.esl.words import escape, separate

if TYPE_CHECKING:
    from engine.embedded.switch import Switch

_USAGE = (
    "-USAGE: <call url> <exten>|&<application_name>(<app_args>) [<dialplan>] [<context>] [<cid_name>] [<cid_num>] [<timeout_sec>]\n"
)


def originate(switch: Switch, arguments: str) -> Answer:
    words = separate(arguments, " ", 10)
    if not 2 <= len(words) <= 7:
        return _USAGE
    words = ["" if word.lower() == "undef" else word for word in words] + [""] * 5
    application = _application(words[1])
    if application is not None and application[0].lower() in REFUSED:
        return f"-ERR {application[0]} is not offered by the embedded switch\n"
    return _originate(switch, words, application)


async def _originate(switch: Switch, words: list[str], application: tuple[str, str] | None) -> str:
    dial_string, extension, dialplan, context, name, number, seconds = words[:7]
    outcome = await Originate(
        switch,
        dial_string,
        caller_id_name=name,
        caller_id_number=number,
        timeout=text.number(seconds, DEFAULT_TIMEOUT) or DEFAULT_TIMEOUT,
    ).run()
    channel = outcome.channel
    if channel is None:
        return f"-ERR {outcome.cause}\n"
    if application is not None:
        channel.extension = deque([application])
        channel.redirect(State.EXECUTE)
    else:
        switch.transfer(channel, extension, dialplan or "XML", context or "default")
    return f"+OK {channel.uuid}\n"


def _application(extension: str) -> tuple[str, str] | None:
    """`&name(argument)`; None: an extension of the dialplan."""
    if not extension.startswith("&") or len(extension) < 2:
        return None
    name, _, argument = extension[1:].partition("(")
    return name.strip(), argument.rpartition(")")[0] if argument.endswith(")") else argument


def sched_transfer(switch: Switch, arguments: str) -> str:
    words = separate(arguments, " ")
    if not 3 <= len(words) <= 5:
        return "-USAGE: [+]<time> <uuid> <extension> [<dialplan>] [<context>]\n"
    if words[1] not in switch.channels:
        return "-ERR No such channel!\n"
    extension, dialplan, context = [*words[2:], "", ""][:3]
    switch.sched_transfer(words[1], seconds_until(words[0]), extension, dialplan, context)
    return "+OK\n"


def sched_hangup(switch: Switch, arguments: str) -> str:
    words = separate(arguments, " ")
    if not 2 <= len(words) <= 3:
        return "-USAGE: [+]<time> <uuid> [<cause>]\n"
    if words[1] not in switch.channels:
        return "-ERR No such channel!\n"
    cause = causes.parse(words[2] if len(words) > 2 else "", "ALLOTTED_TIMEOUT")
    switch.sched_hangup(words[1], seconds_until(words[0]), cause)
    return "+OK\n"


def sched_broadcast(switch: Switch, arguments: str) -> str:
    words = separate(arguments, " ")
    if len(words) < 3:
        return "-USAGE: [[+]<time>|@time] <uuid> <path> [aleg|bleg|both]\n"
    line = f"uuid_broadcast {words[1]} {escape(words[2], ' ')} {words[3] if len(words) > 3 else 'aleg'}"
    switch.scheduler.add(seconds_until(words[0]), "sched_broadcast", words[1], lambda: _run(switch, line))
    return "+OK Message scheduled\n"


def sched_api(switch: Switch, arguments: str) -> str:
    """`[+@]seconds group command`; @ repeats."""
    when, _, rest = arguments.partition(" ")
    group, _, command = rest.strip().partition(" ")
    command = command.strip().removesuffix("&")
    if not when or not group or not command:
        return "-ERR Invalid syntax. USAGE: [+@]<time> <group_name> <command_string>[&]\n"
    if when.startswith("@"):
        return f"+OK Added: {_repeat(switch, max(1, text.number(when[1:])), group, command)}\n"
    number = switch.scheduler.add(seconds_until(when), "sched_api", group, lambda: _run(switch, command))
    return f"+OK Added: {number}\n"


def _repeat(switch: Switch, seconds: int, group: str, command: str) -> int:
    def due() -> None:
        _repeat(switch, seconds, group, command)
        _run(switch, command)

    return switch.scheduler.add(seconds, "sched_api", group, due)


def _run(switch: Switch, line: str) -> None:
    from engine.embedded.commands import run

    answer = run(switch, line)
    if not isinstance(answer, str):
        switch.start_task(_forget(answer))


async def _forget(answer: Coroutine[Any, Any, str]) -> None:
    await answer


def sched_del(switch: Switch, arguments: str) -> str:
    if not arguments:
        return "-ERR Invalid syntax\n"
    return f"+OK Deleted: {switch.scheduler.delete(arguments)}\n"


def unsched_api(switch: Switch, arguments: str) -> str:
    return "+OK\n" if switch.scheduler.delete(arguments) else "-ERR No such id\n"


def bgapi(switch: Switch, arguments: str) -> str:
    """`api bgapi …` (the event socket has its own bgapi)."""
    if not arguments:
        return "-ERR Invalid syntax\n"
    job = switch.new_uuid()
    switch.backend.start_job(arguments, job)
    return f"+OK Job-UUID: {job}\n"


COMMANDS = {
    "originate": originate,
    "sched_transfer": sched_transfer,
    "sched_hangup": sched_hangup,
    "sched_broadcast": sched_broadcast,
    "sched_api": sched_api,
    "sched_del": sched_del,
    "unsched_api": unsched_api,
    "bgapi": bgapi,
}

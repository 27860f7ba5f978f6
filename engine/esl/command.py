# SPDX-License-Identifier: Apache-2.0
"""Every command to the switch is built and escaped here and nowhere else; called by `engine.esl.connection` and `switch`.

Two kinds of text go into commands. Names (channel uuids, variables, applications, causes, extensions) are checked by
`word`, which raises CommandError. What people or files bring (caller names, paths) is escaped by `value` and `escape`;
control characters, which could end a line of the protocol, become spaces.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Literal

from engine.errors import SwitchError
from engine.esl.words import escape

Legs = Literal["aleg", "bleg", "both", "holdb"]

_WORD = re.compile(r"[A-Za-z0-9_+*#][A-Za-z0-9_.:@+*#-]*", re.ASCII)
_CONTROL = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]+")
_DESTINATION = re.compile(r"[A-Za-z0-9_][^\x00-\x20\x7f,|'\"\\{}<>$]*")
_DIGITS = re.compile(r"[0-9A-Da-d*#wW]{1,128}", re.ASCII)
# only in an argument that has one of these (or an expansion) does the switch take backslashes off
_UNESCAPES = re.compile(r"\\[\\nst']")


class CommandError(SwitchError, ValueError):
    """A command cannot be built from these parts: an error of the caller."""


def word(text: str) -> str:
    """A name that goes into a command as it is: no spaces, quotes, braces, no leading minus. Raises CommandError."""
    if not _WORD.fullmatch(text):
        raise CommandError(f"not a name: {text[:80]!r}")
    return text


def one_line(text: str) -> str:
    """Text without control characters and lone surrogates: nothing in it can end a line of the protocol."""
    return _CONTROL.sub(" ", text).encode("utf-8", "replace").decode()


def value(text: str) -> str:
    """Text of others for a variable or an argument, in which the switch finds nothing to expand.

    Beside a `$` every `{` becomes `(`: some applications expand twice (`set`), and a pass drops backslashes and quotes,
    so that `$\\'{system …}` would be a command in the second one.
    """
    text = one_line(text)
    return text.replace("{", "(") if "$" in text else text


def literal(text: str) -> str:
    """Text of others as the argument of an application, arriving unchanged but for what `value` does to it."""
    text = value(text)
    return re.sub(r"([\\$])", r"\\\1", text) if _UNESCAPES.search(text) else text


def path(text: str) -> str:
    """A file name as one word of an api command."""
    if not text:
        raise CommandError("a file name is empty")
    return escape(value(text), " ")


# -- the protocol itself ------------------------------------------------------------------------------------------------


def auth(password: str) -> bytes:
    """Log in."""
    if one_line(password) != password:
        raise CommandError("the event socket password cannot hold control characters")
    return f"auth {password}\n\n".encode()


def subscribe(names: Sequence[str], subclasses: Sequence[str] = ()) -> bytes:
    """Ask for JSON events. Every word after CUSTOM is a subclass, so it comes last."""
    words = [word(name) for name in names if name != "CUSTOM"]
    if subclasses:
        words += ["CUSTOM", *(word(name) for name in subclasses)]
    return f"event json {' '.join(words)}\n\n".encode()


def leave() -> bytes:
    """Ask the switch to close the connection."""
    return b"exit\n\n"


def api(line: str) -> bytes:
    """A command that the switch answers before it reads the next one."""
    return f"api {one_line(line)}\n\n".encode()


def bgapi(line: str, job_uuid: str) -> bytes:
    """A command that runs in its own thread; its answer is a BACKGROUND_JOB event with this Job-UUID."""
    return f"bgapi {one_line(line)}\nJob-UUID: {word(job_uuid)}\n\n".encode()


def execute(uuid: str, application: str, argument: str = "", *, run: str = "", lock: bool = True, loops: int = 1) -> bytes:
    """Run an application on a channel; `run` comes back as Event-UUID. `loops=-1`: until `break_`.

    With `lock` it waits its turn; without, it runs inside the one that runs now. The argument travels as a body, so any
    text is one argument, but the switch expands `${}` in it: see `literal`.
    """
    lines = f"sendmsg {word(uuid)}\ncall-command: execute\nexecute-app-name: {word(application)}\n"
    if loops != 1:
        lines += f"loops: {loops:d}\n"
    if run:
        lines += f"Event-UUID: {word(run)}\n"
    if lock:
        lines += "event-lock: true\n"
    body = one_line(argument).encode()
    if not body:
        return f"{lines}\n".encode()
    return f"{lines}content-type: text/plain\ncontent-length: {len(body)}\n\n".encode() + body


# -- one channel --------------------------------------------------------------------------------------------------------


def answer(uuid: str) -> bytes:
    return api(f"uuid_answer {word(uuid)}")


def pre_answer(uuid: str) -> bytes:
    return api(f"uuid_pre_answer {word(uuid)}")


def ring_ready(uuid: str) -> bytes:
    return api(f"uuid_ring_ready {word(uuid)}")


def kill(uuid: str, cause: str) -> bytes:
    return api(f"uuid_kill {word(uuid)} {word(cause)}")


def park(uuid: str) -> bytes:
    return api(f"uuid_park {word(uuid)}")


def bridge(one: str, other: str) -> bytes:
    return api(f"uuid_bridge {word(one)} {word(other)}")


def break_(uuid: str) -> bytes:
    return api(f"uuid_break {word(uuid)} all")


def transfer(uuid: str, destination: str, context: str, both: bool = False) -> bytes:
    return api(f"uuid_transfer {word(uuid)} {'-both ' if both else ''}{word(destination)} XML {word(context)}")


def part(uuid: str) -> bytes:
    """The context tells these parks from transfers of phones."""
    return api(f"uuid_transfer {word(uuid)} -both park inline vats")


def display(uuid: str, name: str, number: str) -> bytes:
    """The switch takes the two apart at “|”."""
    shown = "|".join(one_line(text).replace("|", " ").replace('"', "”") for text in (name, number))
    return api(f"uuid_display {word(uuid)} {escape(shown, ' ')}")


def setvar(uuid: str, name: str, text: str) -> bytes:
    return api(f"uuid_setvar {word(uuid)} {word(name)} {escape(value(text), ' ')}")


def setvar_multi(uuid: str, values: Mapping[str, str]) -> bytes:
    if not 0 < len(values) <= 64:
        raise CommandError("uuid_setvar_multi takes 1 to 64 variables")
    return api(f"uuid_setvar_multi {word(uuid)} {';'.join(f'{word(name)}={_multi(text)}' for name, text in values.items())}")


def _multi(text: str) -> str:
    return escape(value(text), ";")


def getvar(uuid: str, name: str) -> bytes:
    return api(f"uuid_getvar {word(uuid)} {word(name)}")


def hold(uuid: str, on: bool) -> bytes:
    return api(f"uuid_hold {'' if on else 'off '}{word(uuid)}")


def send_dtmf(uuid: str, digits: str) -> bytes:
    """Digits are 0–9, A–D, *, #; w and W are pauses of 0.5 and 1 s."""
    if not _DIGITS.fullmatch(digits):
        raise CommandError(f"not DTMF digits: {digits[:80]!r}")
    return api(f"uuid_send_dtmf {word(uuid)} {digits}")


def broadcast(uuid: str, sound: str, legs: Legs) -> bytes:
    return api(f"uuid_broadcast {word(uuid)} {escape(literal(sound), ' ')} {legs}")


def record(uuid: str, action: Literal["start", "stop", "mask", "unmask"], file: str, limit_seconds: int = 0) -> bytes:
    limit = f" {limit_seconds:d}" if limit_seconds else ""
    return api(f"uuid_record {word(uuid)} {action} {path(file)}{limit}")


def sched_transfer(uuid: str, seconds: int, destination: str, context: str) -> bytes:
    return api(f"sched_transfer +{seconds:d} {word(uuid)} {word(destination)} XML {word(context)}")


def sched_del(uuid: str) -> bytes:
    return api(f"sched_del {word(uuid)}")


def playlist(sounds: Sequence[str]) -> str:
    """The argument of `playback` for sounds that follow each other without a gap."""
    if not sounds or not all(sounds):
        raise CommandError("nothing to play")
    if len(sounds) == 1:
        return literal(sounds[0])
    return literal("file_string://" + "!".join(escape(one_line(sound), "!") for sound in sounds))


def record_argument(file: str, limit_seconds: int, silence_seconds: int, silence_threshold: int) -> str:
    """The argument of the `record` application; 0 = no limit."""
    argument = path(file)
    if limit_seconds or silence_seconds:
        argument += f" {limit_seconds:d}"
    if silence_seconds:
        argument += f" {silence_threshold:d} {silence_seconds:d}"
    return literal(argument)


# -- the switch ---------------------------------------------------------------------------------------------------------


def variables(values: Mapping[str, str]) -> str:
    """`{name=value,…}` for a dial string, as one word of the originate command.

    The end of the braces is found before any quote is looked at, so braces in a value become parentheses.
    """
    return "{" + ",".join(f"{word(name)}={_dial_value(text)}" for name, text in values.items()) + "}"


def _dial_value(text: str) -> str:
    clean = value(text).replace("{", "(").replace("}", ")").replace(":_:", ":-:")  # :_: separates dial strings
    return escape(escape(escape(clean, "="), ","), " ")


def is_destination(dial_string: str) -> bool:
    """Whether `originate` takes this as one destination, without variables, lists or expansions."""
    return _DESTINATION.fullmatch(dial_string) is not None


def originate(dial_string: str, values: Mapping[str, str], application: str = "park") -> str:
    """The line of an originate: one destination, `application` (with its argument in parentheses) when it answers."""
    if not is_destination(dial_string):
        raise CommandError(f"not one destination: {dial_string[:80]!r}")
    return f"originate {variables(values)}{dial_string} &{escape(one_line(application), ' ')}"


def hupall(cause: str, name: str = "", text: str = "") -> bytes:
    return api(f"hupall {word(cause)}" + (f" {word(name)} {escape(value(text), ' ')}" if name else ""))


def gateway_rescan(profile: str) -> bytes:
    return api(f"sofia profile {word(profile)} rescan")


def gateway_kill(profile: str, gateway: str) -> bytes:
    return api(f"sofia profile {word(profile)} killgw {word(gateway)}")


def reload_acl() -> bytes:
    return api("reloadacl")


def flush_registration(profile: str, user: str) -> bytes:
    return api(f"sofia profile {word(profile)} flush_inbound_reg {word(user)}")


def xml_flush_cache(user: str = "", domain: str = "") -> bytes:
    return api(f"xml_flush_cache id {word(user)} {word(domain)}" if user else "xml_flush_cache")

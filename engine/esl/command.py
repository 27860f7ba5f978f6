# SPDX-License-Identifier: Apache-2.0
"""Every command to the switch is built and escaped here and nowhere else; called by `engine.esl.connection` and `switch`.

Two kinds of text go into commands. Identifiers (channel uuids, names of variables, applications, causes) are checked and
raise CommandError. Values that come from people (caller names, numbers, file names) are escaped; control characters,
which no header of the event socket can carry, become spaces.
"""

import re
from collections.abc import Mapping, Sequence

from engine.errors import SwitchError

_IDENTIFIER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:@+\-]*", re.ASCII)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]+")


class CommandError(SwitchError, ValueError):
    """A command cannot be built from these parts: an error of the caller."""


def identifier(text: str) -> str:
    """A uuid or name that goes into a command unquoted."""
    if not _IDENTIFIER.fullmatch(text):
        raise CommandError(f"not an identifier: {text[:80]!r}")
    return text


def one_line(text: str) -> str:
    """Text without control characters: what is left cannot end a line of the protocol."""
    return _CONTROL.sub(" ", text).encode("utf-8", "replace").decode()


def literal(text: str) -> str:
    """Text for the argument of an application or a dial string, safe from `${variable}` expansion."""
    return one_line(text).replace("\\", "\\\\").replace("$", "\\$")


def auth(password: str) -> bytes:
    """Log in."""
    if _CONTROL.search(password):
        raise CommandError("the event socket password cannot hold control characters")
    return f"auth {password}\n\n".encode()


def subscribe(names: Sequence[str], subclasses: Sequence[str] = ()) -> bytes:
    """Ask for JSON events; every word after CUSTOM is a subclass, so it comes last."""
    words = [identifier(name) for name in names if name != "CUSTOM"]
    if subclasses:
        words += ["CUSTOM", *(identifier(name) for name in subclasses)]
    return f"event json {' '.join(words)}\n\n".encode()


def leave() -> bytes:
    """Ask the switch to close the connection."""
    return b"exit\n\n"


def api(line: str) -> bytes:
    """A command answered at once."""
    return f"api {one_line(line)}\n\n".encode()


def bgapi(line: str, job_uuid: str) -> bytes:
    """A command that runs in its own thread; its answer is a BACKGROUND_JOB event with this Job-UUID."""
    return f"bgapi {one_line(line)}\nJob-UUID: {identifier(job_uuid)}\n\n".encode()


def execute(uuid: str, application: str, argument: str = "", *, event_uuid: str = "", lock: bool = True, loops: int = 1) -> bytes:
    """Run an application on a channel. With `lock` it waits its turn; without, it nests into the one that runs.

    The argument travels as the body, so any text is safe; `${}` in it is expanded by the switch: see `literal`.
    """
    lines = f"sendmsg {identifier(uuid)}\ncall-command: execute\nexecute-app-name: {identifier(application)}\n"
    if loops != 1:
        lines += f"loops: {loops:d}\n"
    if event_uuid:
        lines += f"Event-UUID: {identifier(event_uuid)}\n"
    if lock:
        lines += "event-lock: true\n"
    if not argument:
        return f"{lines}\n".encode()
    body = one_line(argument).encode()
    return f"{lines}content-type: text/plain\ncontent-length: {len(body)}\n\n".encode() + body


def quoted_value(text: str) -> str:
    """A value inside the braces of a dial string, quoted so that commas, quotes, spaces and braces stay in it."""
    clean = one_line(text).replace("\\", "").replace("$", "").replace("'", "’").replace("{", "(").replace("}", ")")
    return f"'{clean}'" if clean and not _IDENTIFIER.fullmatch(clean) else clean


def variables(values: Mapping[str, str]) -> str:
    """`{name=value,…}` before a dial string."""
    return "{" + ",".join(f"{identifier(name)}={quoted_value(value)}" for name, value in values.items()) + "}"


def originate(dial_string: str, values: Mapping[str, str], application: str = "&park") -> str:
    """The line of an originate command."""
    if any(mark in dial_string for mark in " ,|'\""):
        raise CommandError(f"one destination without spaces is wanted: {dial_string[:80]!r}")
    return f"originate {variables(values)}{one_line(dial_string)} {application}"


def setvar_list(values: Mapping[str, str]) -> str:
    """The argument of uuid_setvar_multi."""
    return ";".join(f"{identifier(name)}={one_line(value).replace(';', ',')}" for name, value in values.items())


def api_word(text: str) -> str:
    """One argument of an api command: a path or a file string, quoted when it has spaces."""
    clean = one_line(text)
    return f"'{clean.replace(chr(39), '')}'" if " " in clean else clean


def digits(text: str) -> str:
    """DTMF digits; anything else raises CommandError."""
    if not re.fullmatch(r"[0-9A-Da-d*#wW]{1,128}", text):
        raise CommandError(f"not DTMF digits: {text[:80]!r}")
    return text


def playlist(sounds: Sequence[str]) -> str:
    """One playback argument for several sounds."""
    if not sounds:
        raise CommandError("nothing to play")
    if len(sounds) == 1:
        return literal(sounds[0])
    if any("!" in sound for sound in sounds):
        raise CommandError("a sound in a list cannot have ! in its name")
    return "file_string://" + "!".join(literal(sound) for sound in sounds)

# SPDX-License-Identifier: Apache-2.0
"""FreeSWITCH's small languages: variable braces of dial strings, `${name}` expansion, truth. Words are `engine.esl.words`'s."""

from __future__ import annotations

import re
from collections.abc import Callable

from engine.esl.words import separate

_TRUE = frozenset(("yes", "on", "true", "t", "enabled", "active", "allow"))
_CLOSING = {"{": "}", "[": "]", "<": ">"}
_EXPANDED = re.compile(r"\$\\*\{|\\[\\nst']")


def true(value: str | None) -> bool:
    """What FreeSWITCH takes for yes."""
    if not value:
        return False
    lowered = value.strip().lower()
    return lowered in _TRUE or (lowered.lstrip("-").isdigit() and int(lowered) != 0)


def number(text: str, default: int = 0) -> int:
    """The whole number at the front of a text, as atoi reads it; at most 9 digits count."""
    text = text.strip()
    sign = -1 if text[:1] == "-" else 1
    digits = ""
    for character in text.lstrip("+-")[:9]:
        if character not in "0123456789":
            break
        digits += character
    return sign * int(digits) if digits else default


def closing(text: str, position: int = 0) -> int:
    """Index of the brace that closes the one at `position`, nesting regarded; -1 when it stays open.

    As in FreeSWITCH quotes and backslashes protect no brace.
    """
    opening = text[position]
    wanted = _CLOSING[opening]
    depth = 0
    for index in range(position, len(text)):
        if text[index] == opening:
            depth += 1
        elif text[index] == wanted:
            depth -= 1
            if not depth:
                return index
    return -1


def braces(text: str, opening: str) -> tuple[dict[str, str], str]:
    """Variables of all leading `{a=1,b='x,y'}` (or `[…]`, `<…>`) groups, and the rest. `^^:` chooses another separator.

    Each variable is split at the separators and once more at its `=`, so that it is unescaped twice. An unclosed brace is
    left in the rest.
    """
    found: dict[str, str] = {}
    rest = text.lstrip()
    while rest.startswith(opening):
        end = closing(rest)
        if end < 0:
            break
        inside, rest = rest[1:end], rest[end + 1 :].lstrip()
        for pair in separate(inside, ","):
            match separate(pair, "=", 2):
                case [name, value] if name:
                    found[name] = value
    return found, rest


def expand(text: str, look_up: Callable[[str], str | None], depth: int = 0) -> str:
    """Put variables in: `${name}`, `${name:start:length}`; `\\$` is a dollar, an unknown name is empty.

    A text that has neither a variable nor one of `\\\\ \\n \\s \\t \\'` stays as it is; else `\\\\` and `\\$` lose a backslash, `\\'` goes.
    """
    if not _EXPANDED.search(text):
        return text
    out: list[str] = []
    index = 0
    while index < len(text):
        character = text[index]
        if character == "\\" and index + 1 < len(text):
            following = text[index + 1]
            if following in "$\\":
                out.append(following)
                index += 2
                continue
            if following == "'":
                index += 2
                continue
        if character == "$" and text[index + 1 : index + 2] in ("{", "$"):
            start = index + 1
            if text[start] == "$" and text[start + 1 : start + 2] == "{":
                start += 1
            if text[start] == "{" and (end := closing(text, start)) > 0:
                inside = text[start + 1 : end]
                out.append(_look_up(expand(inside, look_up, depth + 1) if "$" in inside and depth < 10 else inside, look_up))
                index = end + 1
                continue
        out.append(character)
        index += 1
    return "".join(out)


def _look_up(name: str, look_up: Callable[[str], str | None]) -> str:
    parts = name.split(":")
    value = look_up(parts[0])
    if value is None:
        return ""
    if len(parts) in (2, 3) and all(part.lstrip("-").isdigit() for part in parts[1:]):
        start = number(parts[1])
        value = value[start:] if start >= 0 else value[max(0, len(value) + start) :]
        if len(parts) == 3:
            length = number(parts[2])
            value = value[:length] if length >= 0 else value[: max(0, len(value) + length)]
    return value

# SPDX-License-Identifier: Apache-2.0
"""FreeSWITCH's small languages: words with quotes, variable braces of dial strings, `${name}` expansion, truth."""

from __future__ import annotations

from collections.abc import Callable

_TRUE = frozenset(("yes", "on", "true", "t", "enabled", "active", "allow"))
_CLOSING = {"{": "}", "[": "]", "<": ">"}


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


def split(text: str, delimiter: str = " ", limit: int = 0) -> list[str]:
    """Words parted by `delimiter`; single quotes protect, a backslash protects a quote, a delimiter or itself.

    Blanks part words in runs; with another delimiter empty words count and blanks around a word are taken off.
    The last of `limit` words takes the rest as it is.
    """
    words: list[str] = []
    word: list[str] = []
    quoted = False
    position, length = 0, len(text)
    if delimiter == " ":
        text = text.strip()
        length = len(text)
    while position < length:
        if limit and len(words) == limit - 1 and not word and not quoted:
            rest = text[position:]
            words.append(_unquote(rest))
            return words
        character = text[position]
        following = text[position + 1] if position + 1 < length else ""
        if character == "\\" and following and following in ("'", '"', "\\", delimiter):
            word.append(following)
            position += 2
            continue
        if character == "'" and (quoted or "'" in text[position + 1 :]):
            quoted = not quoted
            position += 1
            continue
        if character == delimiter and not quoted:
            words.append("".join(word))
            word = []
            position += 1
            if delimiter == " ":
                while position < length and text[position] == " ":
                    position += 1
            continue
        word.append(character)
        position += 1
    if word or words or length:
        words.append("".join(word))
    return words if delimiter == " " else [part.strip() for part in words]


def _unquote(text: str) -> str:
    text = text.strip()
    return text[1:-1] if len(text) > 1 and text[0] == "'" == text[-1] and "'" not in text[1:-1] else text


def closing(text: str, position: int = 0) -> int:
    """Index of the brace that closes the one at `position`, quotes and nesting regarded; -1 when it stays open."""
    opening = text[position]
    wanted = _CLOSING[opening]
    depth, quoted = 0, False
    index = position
    while index < len(text):
        character = text[index]
        if character == "\\":
            index += 2
            continue
        if character == "'" and (quoted or "'" in text[index + 1 :]):
            quoted = not quoted
        elif not quoted:
            if character == opening:
                depth += 1
            elif character == wanted:
                depth -= 1
                if not depth:
                    return index
        index += 1
    return -1


def braces(text: str, opening: str) -> tuple[dict[str, str], str]:
    """Variables of all leading `{a=1,b='x,y'}` (or `[…]`, `<…>`) groups, and the rest. `^^:` chooses another separator.

    An unclosed brace is left in the rest.
    """
    found: dict[str, str] = {}
    rest = text.lstrip()
    while rest.startswith(opening):
        end = closing(rest)
        if end < 0:
            break
        inside, rest = rest[1:end], rest[end + 1 :].lstrip()
        delimiter = ","
        if inside.startswith("^^") and len(inside) > 2:
            delimiter, inside = inside[2], inside[3:]
        for pair in _pairs(inside, delimiter):
            name, equals, value = pair.partition("=")
            if equals and name.strip():
                found[name.strip()] = _value(value)
    return found, rest


def _pairs(text: str, delimiter: str) -> list[str]:
    pairs, start, quoted, index = [], 0, False, 0
    while index < len(text):
        character = text[index]
        if character == "\\":
            index += 2
            continue
        if character == "'" and (quoted or "'" in text[index + 1 :]):
            quoted = not quoted
        elif character == delimiter and not quoted:
            pairs.append(text[start:index])
            start = index + 1
        index += 1
    pairs.append(text[start:])
    return pairs


def _value(text: str) -> str:
    text = text.strip()
    out, quoted, index = [], False, 0
    while index < len(text):
        character = text[index]
        if character == "\\" and index + 1 < len(text) and text[index + 1] in "\\',":
            out.append(text[index + 1])
            index += 2
            continue
        if character == "'" and (quoted or "'" in text[index + 1 :]):
            quoted = not quoted
        else:
            out.append(character)
        index += 1
    return "".join(out)


def expand(text: str, look_up: Callable[[str], str | None], depth: int = 0) -> str:
    """Put variables in: `${name}`, `${name:start:length}`; `\\$` is a dollar, an unknown name is empty."""
    if "$" not in text and "\\" not in text:
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
                out.append(following)
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

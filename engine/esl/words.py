# SPDX-License-Identifier: Apache-2.0
"""How the switch splits an argument string into words, and the escaping that survives it; for `command` and the embedded switch.

FreeSWITCH splits at a delimiter unless it is quoted with ' or escaped with a backslash, then cleans each word: quotes go,
`\\\\ \\' \\"` and the escaped delimiter lose their backslash, `\\n \\r \\t \\s` become line feed, return, tab and space, spaces
around a word go. Text that is split several times is escaped once for each time, the last split first.
"""

_NAMED = {"n": "\n", "r": "\r", "t": "\t", "s": " "}


def escape(text: str, delimiter: str) -> str:
    """Text as one word of a string that will be split at `delimiter`; `separate` gives it back unchanged."""
    text = text.replace("\\", "\\\\").replace("'", "\\'")
    if delimiter == " ":
        return text.replace(" ", "\\s")
    inner = text.strip(" ")
    front = text[: len(text) - len(text.lstrip(" "))]
    back = text[len(front) + len(inner) :]
    return "\\s" * len(front) + inner.replace(delimiter, "\\" + delimiter) + "\\s" * len(back)


def separate(text: str, delimiter: str, limit: int = 1024) -> list[str]:
    """The words of `text`, at most `limit`: the last one takes the rest. A leading `^^x` makes x the delimiter."""
    if text.startswith("^^") and len(text) > 3:
        delimiter, text = text[2], text[3:]
    pieces = _split_blank(text, limit) if delimiter == " " else _split(text, delimiter, limit)
    return [_clean(piece, "" if delimiter == " " else delimiter) for piece in pieces]


def _split(text: str, delimiter: str, limit: int) -> list[str]:
    pieces: list[str] = []
    start = at = 0
    quoted = False
    while at < len(text) and len(pieces) < limit - 1:
        mark = text[at]
        if mark == "\\":
            at += 1
        elif mark == "'" and (quoted or text.find("'", at + 1) >= 0):
            quoted = not quoted
        elif mark == delimiter and not quoted:
            pieces.append(text[start:at])
            start = at + 1
        at += 1
    if start < len(text):
        pieces.append(text[start:])
    return pieces


def _split_blank(text: str, limit: int) -> list[str]:
    pieces: list[str] = []
    at = 0
    while at < len(text):
        while at < len(text) and text[at] == " ":
            at += 1
        start = at
        quoted = False
        while at < len(text) and (len(pieces) == limit - 1 or quoted or text[at] != " "):
            if text[at] == "\\":
                at += 1
            elif text[at] == "'":
                quoted = not quoted
            at += 1
        if start < len(text):
            pieces.append(text[start:at])
    return pieces


def _clean(word: str, delimiter: str) -> str:
    word = word.lstrip(" ")
    out: list[str] = []
    end = 0  # what is behind it are unquoted spaces
    quoted = False
    at = 0
    while at < len(word):
        mark = word[at]
        following = word[at + 1 : at + 2]
        if mark == "\\" and following and (following in "'\"\\" or following == delimiter or following in _NAMED):
            literal = following in "'\"\\" or following == delimiter
            out.append(following if literal else _NAMED[following])
            end = len(out)
            at += 2
            continue
        if mark == "'" and (quoted or word.find("'", at + 1) >= 0):
            quoted = not quoted
            if quoted:
                end = len(out)
        else:
            out.append(mark)
            if mark != " " or quoted:
                end = len(out)
        at += 1
    return "".join(out[:end]) if end else "".join(out)

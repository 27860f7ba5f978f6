# SPDX-License-Identifier: Apache-2.0
"""DTMF in INFO requests: `application/dtmf-relay` (Signal=, Duration=) and the bare `application/dtmf`; for calls."""

from __future__ import annotations

_NAMES = {"10": "*", "11": "#", "12": "A", "13": "B", "14": "C", "15": "D"}
_DEFAULT_MS = 160
_DIGITS = "0123456789*#ABCD"


def dtmf_of(kind: str, body: bytes) -> tuple[str, int] | None:
    """(digit, milliseconds), or None for anything else, such as a hook flash."""
    text = body.decode("ascii", "replace")
    if kind == "application/dtmf":
        return _digit(text.strip(), "")
    fields = {}
    for line in text.splitlines():
        name, _, value = line.partition("=")
        fields[name.strip().lower()] = value.strip()
    return _digit(fields.get("signal", ""), fields.get("duration", ""))


def _digit(signal: str, duration: str) -> tuple[str, int] | None:
    digit = _NAMES.get(signal, signal).upper()
    if len(digit) != 1 or digit not in _DIGITS:
        return None
    milliseconds = int(duration) if duration.isascii() and duration.isdigit() and len(duration) < 6 else _DEFAULT_MS
    return digit, milliseconds or _DEFAULT_MS

# SPDX-License-Identifier: Apache-2.0
"""The Reason header (RFC 3326): why a call ended, read and written by calls."""

from __future__ import annotations

from collections.abc import Iterable

from engine.embedded.sip.syntax import optional_number, parse_params, quoted

_SIP_TEXTS = {200: "Call completed elsewhere", 487: "Request terminated"}
_FINAL_CODES = {
    1: 404, 2: 404, 3: 404, 17: 486, 18: 480, 19: 480, 20: 480, 21: 603, 22: 410, 26: 404, 27: 502, 28: 484, 29: 501,
    31: 480, 34: 503, 38: 503, 41: 503, 42: 503, 44: 503, 47: 503, 50: 501, 57: 403, 58: 503, 65: 488, 88: 488,
    102: 504, 127: 500,
}  # fmt: skip


def parse_reasons(values: Iterable[str]) -> tuple[int | None, int | None, str]:
    """(Q.850 cause, SIP cause, text) of what the headers hold; unreadable parts count as missing."""
    q850 = sip = None
    text = ""
    for value in values:
        protocol, _, tail = value.partition(";")
        params = parse_params(tail)
        cause = optional_number(params.get("cause"))
        text = text or params.get("text", "")
        if protocol.strip().upper() == "Q.850":
            q850 = cause
        elif protocol.strip().upper() == "SIP":
            sip = cause
    return q850, sip, text


def reason_headers(q850: int | None, text: str, sip: int | None) -> list[tuple[str, str]]:
    """Reason headers for what is known."""
    headers: list[tuple[str, str]] = []
    if sip is not None:
        headers.append(("Reason", f"SIP;cause={sip};text={quoted(_SIP_TEXTS.get(sip, text or 'Ended'))}"))
    if q850 is not None:
        headers.append(("Reason", f"Q.850;cause={q850}" + (f";text={quoted(text)}" if text else "")))
    return headers


def final_code(q850: int | None) -> int:
    """The refusal of an unanswered INVITE for a Q.850 cause (RFC 3398 §8.2.6.1); 480 for everything ordinary."""
    return _FINAL_CODES.get(q850 or 0, 480)

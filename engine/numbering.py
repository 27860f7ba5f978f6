# SPDX-License-Identifier: Apache-2.0
"""Phone numbers as Russians dial and read them, to E.164 and back (R16, OUT-2). Pure; used by calls, hosts and imports."""

from __future__ import annotations

import re
from typing import Final

EMERGENCY: Final = ("112", "101", "102", "103", "104")
_SEPARATORS = re.compile(r"[\s().\-\u00a0\u2010-\u2015]+")


def is_emergency(dialled: str) -> bool:
    return dialled in EMERGENCY


def to_e164(raw: str, area_code: str = "") -> str | None:
    """The number in E.164 (“+7…”), or None when it is none.

    Takes 8/7/+7 + 10 digits, 10 digits, 810…, 00…, +…, and 5–7 local digits when the PBX has an area code (R16).
    """
    text = _SEPARATORS.sub("", raw.strip())
    plus, digits = text.startswith("+"), text.lstrip("+")
    if not digits.isascii() or not digits.isdigit():
        return None
    if plus:
        international = digits
    elif digits.startswith("810") and len(digits) > 11:
        international = digits[3:]
    elif digits.startswith("00") and len(digits) > 9:
        international = digits[2:]
    elif len(digits) == 11 and digits[0] in "78":
        international = "7" + digits[1:]
    elif len(digits) == 10:
        international = "7" + digits
    elif 5 <= len(digits) <= 7 and len(area_code) + len(digits) == 10:
        international = "7" + area_code + digits
    else:
        return None
    if international.startswith("7") and len(international) != 11:
        return None
    return f"+{international}" if 7 <= len(international) <= 15 and international[0] != "0" else None


def user_part(raw: str) -> str:
    """What was dialled, of a SIP user part that may carry parameters of a phone number (RFC 3261 19.1.6, RFC 3966).

    `1234567;phone-context=+7495` is a local number that its context completes: +74951234567.
    """
    dialled, _, parameters = raw.partition(";")
    for parameter in parameters.split(";"):
        name, _, context = parameter.partition("=")
        if name.strip().lower() == "phone-context" and context.startswith("+") and not dialled.startswith("+"):
            whole = to_e164(context + dialled)
            if whole is not None and to_e164(dialled) is None:
                return whole
    return dialled


def presented_e164(raw: str) -> str | None:
    """A number as a trunk presents it; None when withheld or no number. Providers omit the plus."""
    raw = user_part(raw)
    number = to_e164(raw)
    if number is None and raw.isascii() and raw.isdigit() and 11 <= len(raw) <= 15:
        return f"+{raw}"
    return number


def national(e164: str) -> str:
    """As dialled in Russia: 8 + ten digits, or 810 + the international number."""
    digits = e164.lstrip("+")
    if digits.startswith("7") and len(digits) == 11:
        return "8" + digits[1:]
    return "810" + digits if e164.startswith("+") else e164


def pretty(number: str) -> str:
    """For people: “+7 927 123-45-67”; anything that is no Russian number stays as it is."""
    digits = number.lstrip("+")
    if number.startswith("+7") and len(digits) == 11:
        return f"+7 {digits[1:4]} {digits[4:7]}-{digits[7:9]}-{digits[9:]}"
    return number

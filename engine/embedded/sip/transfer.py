# SPDX-License-Identifier: Apache-2.0
"""Call transfer: REFER (RFC 3515) with its NOTIFYs, and the Replaces header (RFC 3891); the core decides what happens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote

from engine.embedded.sip.message import REASONS, Request
from engine.embedded.sip.server import ServerTransaction
from engine.embedded.sip.states import CallDirection, CallState
from engine.embedded.sip.syntax import MalformedMessage, parse_name_addr, parse_params, parse_uri

if TYPE_CHECKING:
    from engine.embedded.sip.call import SipCall


@dataclass(frozen=True, slots=True)
class Replaces:
    """Names a dialog as the side that is asked to replace it sees it: `to_tag` is that side's own tag."""

    call_id: str
    to_tag: str
    from_tag: str
    early_only: bool = False


def parse_replaces(value: str) -> Replaces:
    """Raises MalformedMessage."""
    call_id, _, tail = value.partition(";")
    params = parse_params(tail)
    if not call_id.strip() or "to-tag" not in params or "from-tag" not in params:
        raise MalformedMessage("Bad Replaces")
    return Replaces(call_id.strip(), params["to-tag"], params["from-tag"], "early-only" in params)


def find_replaced(dialogs: Mapping[tuple[str, str, str], SipCall], call: SipCall, request: Request) -> SipCall | int | None:
    """The call an INVITE wants to take over (RFC 3891 §3): None when it names none, or the refusal's status."""
    values = request.headers.get("replaces")
    if not values:
        return None
    try:
        replaces = parse_replaces(values[0])
    except MalformedMessage:
        return 400
    if len(values) > 1:
        return 400
    found = dialogs.get((replaces.call_id, replaces.to_tag, replaces.from_tag))
    if found is None or found is call:
        return 481
    if found.state is CallState.ENDED:
        return 603
    if found.is_confirmed:
        return 486 if replaces.early_only else found
    # an early dialog may be replaced only at the side that began it
    return found if found.direction is CallDirection.OUTBOUND else 481


class Refer:
    """A transfer somebody asked for. Call accept() or reject() once, then report by SipCall.notify_refer()."""

    def __init__(self, call: SipCall, transaction: ServerTransaction) -> None:
        """Raises MalformedMessage when there is not exactly one usable Refer-To."""
        request: Request = transaction.request
        values = request.values("refer-to")
        if len(values) != 1:
            raise MalformedMessage("Bad Refer-To")
        uri_text = parse_name_addr(values[0]).uri_text
        uri = parse_uri(uri_text)
        self.call = call
        self.header = values[0]
        self.target = uri
        self.target_uri = uri_text.partition("?")[0] if uri.headers else uri_text
        self.replaces = _replaces_of(uri.headers)
        self.referred_by = request.header("referred-by")
        self.number = request.cseq[0]
        self.wants_notify = (request.header("refer-sub") or "true").strip().lower() != "false"
        self._transaction = transaction

    def accept(self) -> None:
        """202, and the first NOTIFY (100 Trying) unless the phone wants none."""
        headers = [("Contact", self.call.contact())]
        if not self.wants_notify:
            headers.append(("Refer-Sub", "false"))
        if self._transaction.respond(202, headers=headers):
            self.call.notify_refer(self, 100, final=False)

    def reject(self, code: int = 603) -> None:
        self._transaction.respond(code)

    def report(self, code: int, final: bool) -> tuple[list[tuple[str, str]], bytes]:
        """Headers and body of a NOTIFY about this transfer."""
        state = "terminated;reason=noresource" if final else "active;expires=60"
        headers = [
            ("Event", f"refer;id={self.number}"),
            ("Subscription-State", state),
            ("Content-Type", "message/sipfrag;version=2.0"),
        ]
        return headers, f"SIP/2.0 {code} {REASONS.get(code, 'Unknown')}\r\n".encode()


def _replaces_of(uri_headers: str) -> Replaces | None:
    for item in uri_headers.split("&"):
        name, _, value = item.partition("=")
        if name.lower() == "replaces":
            return parse_replaces(unquote(value))
    return None

# SPDX-License-Identifier: Apache-2.0
"""Dialog state (RFC 3261 §12): tags, sequence numbers, route set, remote target, and which way requests go; for calls."""

from __future__ import annotations

from dataclasses import dataclass, field

from engine.embedded.sip.contract import Hop
from engine.embedded.sip.flow import Flow
from engine.embedded.sip.message import Message, Request, Response
from engine.embedded.sip.nat import behind_nat
from engine.embedded.sip.syntax import MalformedMessage, Uri, parse_name_addr, parse_uri

DialogKey = tuple[str, str, str]


def hop_of(uri: Uri) -> Hop | None:
    """Where a URI says its requests go (RFC 3263 without DNS records); None for tel: and sips:, which we can't reach."""
    if uri.scheme != "sip":
        return None
    return Hop(uri.params.get("maddr") or uri.host, uri.port or 5060, uri.transport)


@dataclass(slots=True)
class Dialog:
    """One dialog. `local` and `remote` are complete From/To values with tags; `flow` is where the peer was seen last."""

    call_id: str
    local: str
    remote: str
    local_tag: str
    remote_tag: str
    target: str
    flow: Flow
    direct: bool = True  # no proxy between us: the peer's packets come from the peer itself
    route: list[str] = field(default_factory=list)
    local_cseq: int = 0
    remote_cseq: int | None = None

    @property
    def key(self) -> DialogKey:
        return self.call_id, self.local_tag, self.remote_tag

    @classmethod
    def as_server(cls, request: Request, local_tag: str, flow: Flow) -> Dialog:
        """The dialog an INVITE opens at us."""
        local = request.headers["to"][0]
        return cls(
            call_id=request.call_id,
            local=f"{local};tag={local_tag}",
            remote=request.headers["from"][0],
            local_tag=local_tag,
            remote_tag=request.from_.tag,
            target=request.contact_uri() or _source_uri(flow),
            flow=flow,
            direct=len(request.values("via")) == 1,
            route=request.values("record-route"),
            remote_cseq=request.cseq[0],
        )

    @classmethod
    def as_client(cls, response: Response, local: str, local_tag: str, local_cseq: int, flow: Flow) -> Dialog:
        """The dialog a response to our INVITE opens."""
        return cls(
            call_id=response.call_id,
            local=local,
            remote=response.headers["to"][0],
            local_tag=local_tag,
            remote_tag=response.to.tag,
            target=response.contact_uri() or _source_uri(flow),
            flow=flow,
            route=response.values("record-route")[::-1],
            local_cseq=local_cseq,
        )

    def confirm(self, response: Response) -> None:
        """The 2xx to our INVITE: it settles route set and target anew (RFC 3261 §13.2.2.4)."""
        self.route = response.values("record-route")[::-1]
        self.refresh(response)

    def refresh(self, message: Message) -> None:
        """Target refresh by a re-INVITE, UPDATE, or the 2xx to one; also follows a peer whose address has changed."""
        target = message.contact_uri()
        if target is not None:
            self.target = target
        if message.flow is not None:
            self.flow = message.flow

    def addressed(self) -> tuple[str, list[tuple[str, str]]]:
        """Request URI and Route headers of a request in this dialog, for loose and strict routers (§12.2.1.1)."""
        if not self.route:
            return self.target, []
        try:
            first = parse_name_addr(self.route[0])
            loose = "lr" in first.uri.params
        except MalformedMessage:
            return self.target, []
        if loose:
            return self.target, [("Route", value) for value in self.route]
        return first.uri_text, [("Route", value) for value in (*self.route[1:], f"<{self.target}>")]

    def way(self) -> Flow | Hop:
        """Where the next request goes: by the route set or the target, or back to where a NATed peer was seen."""
        try:
            uri = parse_name_addr(self.route[0]).uri if self.route else parse_uri(self.target)
        except MalformedMessage:
            return self.flow
        if not self.route and self.direct and self.flow.reliable and not self.flow.closed:
            return self.flow
        if (self.direct or self.route) and behind_nat(uri, self.flow.remote):
            return self.flow
        return hop_of(uri) or self.flow


def _source_uri(flow: Flow) -> str:
    """Stands in for a missing Contact."""
    host, port = flow.remote
    host = f"[{host}]" if ":" in host else host
    return f"sip:{host}:{port}{';transport=tcp' if flow.transport == 'tcp' else ''}"

# SPDX-License-Identifier: Apache-2.0
"""What calls and registrations stand on: transports, transactions, the dialog table; made and fed by the agent."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from engine.embedded.sip.client import ClientTransaction
from engine.embedded.sip.contract import Hop, SipOptions
from engine.embedded.sip.dialogs import DialogKey
from engine.embedded.sip.flow import Flow
from engine.embedded.sip.message import Headers, Response, build_request
from engine.embedded.sip.transactions import TransactionLayer, new_branch
from engine.embedded.sip.transport import Transports

if TYPE_CHECKING:
    from engine.embedded.sip.call import SipCall

log = logging.getLogger(__name__)

ALLOW = "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE, REFER, NOTIFY"
SUPPORTED = "replaces"


class Stack:
    """Shared by everything that sends."""

    def __init__(self, options: SipOptions, transports: Transports) -> None:
        self.options = options
        self.loop = asyncio.get_running_loop()
        self.transports = transports
        self.transactions = TransactionLayer(options.timers)
        self.dialogs: dict[DialogKey, SipCall] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def spawn(self, work: Coroutine[Any, Any, None], name: str) -> None:
        """Run in the background; what it raises goes to the loop's exception handler."""
        task = self.loop.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.loop.call_exception_handler({"message": f"{task.get_name()} failed", "exception": error, "task": task})

    def reach(self, listener: str, way: Flow | Hop, then: Callable[[Flow | None], None], otherwise: Flow | None = None) -> None:
        """Call `then` with the flow to `way`: at once, or after its name was resolved.

        `otherwise` stands in for a name that nobody knows; None when there is no way.
        """
        if isinstance(way, Flow):
            then(way)
            return
        known = self.transports.known(listener, way)
        if known is not None:
            then(self.transports.flow(listener, known))
            return
        self.spawn(self._resolve(listener, way, then, otherwise), f"resolve {way.host}")

    async def _resolve(self, listener: str, hop: Hop, then: Callable[[Flow | None], None], otherwise: Flow | None) -> None:
        known = await self.transports.resolve(listener, hop)
        then(otherwise if known is None else self.transports.flow(listener, known))

    def request(
        self,
        flow: Flow | None,
        method: str,
        uri: str,
        headers: Headers,
        body: bytes,
        on_response: Callable[[Response], None],
        on_failure: Callable[[int], None],
    ) -> ClientTransaction | None:
        """Send in a new transaction; without a flow `on_failure(503)` follows."""
        if flow is None:
            self.loop.call_soon(on_failure, 503)
            return None
        return self.transactions.request(method, uri, headers, body, flow, on_response, on_failure)

    def send_ack(self, listener: str, way: Flow | Hop, uri: str, headers: Headers, otherwise: Flow) -> None:
        """The ACK to a 2xx is a request of its own without a transaction."""

        def go(flow: Flow | None) -> None:
            if flow is not None:
                flow.send(build_request("ACK", uri, [("Via", flow.via(new_branch())), *headers], b""))

        self.reach(listener, way, go, otherwise)

    async def close(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        self.transactions.close()
        await self.transports.close()

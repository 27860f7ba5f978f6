# SPDX-License-Identifier: Apache-2.0
"""The transaction layer: finds the transaction a message belongs to with one dictionary look-up, and makes new ones.

The machines themselves are in `server.py` and `client.py`; the agent feeds messages in.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from collections.abc import Callable, Iterable

from engine.embedded.sip.client import ClientTransaction
from engine.embedded.sip.contract import Timers
from engine.embedded.sip.flow import Flow
from engine.embedded.sip.message import Request, Response
from engine.embedded.sip.server import ServerTransaction
from engine.embedded.sip.syntax import MalformedMessage

COOKIE = "z9hG4bK"
ServerKey = tuple[str, ...]
ClientKey = tuple[str, str]
MergeKey = tuple[str, str, int]
AnyTransaction = ServerTransaction | ClientTransaction


def new_branch() -> str:
    return COOKIE + secrets.token_hex(9)


def new_tag() -> str:
    """Tags and nonces must not be guessable (RFC 3261 §19.3)."""
    return secrets.token_hex(8)


def server_key(request: Request) -> ServerKey:
    """Branch, sent-by, method (ACK and CANCEL look for their INVITE); RFC 2543 senders are told apart by the dialog."""
    method = "INVITE" if request.method in ("ACK", "CANCEL") else request.method
    via = request.via
    branch = via.branch
    if branch.startswith(COOKIE):
        return branch, via.host, str(via.port), method
    return "2543", request.call_id, str(request.cseq[0]), request.from_.tag, request.values("via")[0], method


class Lingering:
    """Transactions waiting for the end of their absorbing time, which is the same for all in one queue.

    One timer for the whole queue: at hundreds of calls a second a timer each would fill the loop's heap.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, seconds: float, expire: Callable[[AnyTransaction], None]) -> None:
        self._loop = loop
        self._seconds = seconds
        self._expire = expire
        self._queue: deque[tuple[float, AnyTransaction]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def add(self, transaction: AnyTransaction) -> None:
        due = self._loop.time() + self._seconds
        self._queue.append((due, transaction))
        if self._timer is None:
            self._timer = self._loop.call_at(due, self._run)

    def _run(self) -> None:
        now = self._loop.time() + 0.01
        queue = self._queue
        while queue and queue[0][0] <= now:
            self._expire(queue.popleft()[1])
        self._timer = self._loop.call_at(queue[0][0], self._run) if queue else None

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._queue.clear()


class TransactionLayer:
    """All transactions of the process."""

    def __init__(self, timers: Timers) -> None:
        self.timers = timers
        self.loop = asyncio.get_running_loop()
        self.servers: dict[ServerKey, ServerTransaction] = {}
        self.clients: dict[ClientKey, ClientTransaction] = {}
        self.unacked_refusals = 0  # of INVITEs; honest callers acknowledge within moments
        self._merged: dict[MergeKey, ServerTransaction] = {}
        self._long = Lingering(self.loop, timers.give_up, self._forget)
        self._short = Lingering(self.loop, timers.t4, self._forget)

    def find_server(self, request: Request) -> ServerTransaction | None:
        """The transaction this request repeats, acknowledges or cancels (for a CANCEL: the INVITE's)."""
        return self.servers.get(server_key(request))

    def is_merged(self, request: Request) -> bool:
        """The same INVITE came before by another way and was not refused (RFC 3261 §8.2.2.2 → 482)."""
        return request.method == "INVITE" and not request.to.tag and self._merge_key(request) in self._merged

    def serve(self, request: Request, flow: Flow) -> ServerTransaction:
        """A new server transaction."""
        key = server_key(request)
        transaction = ServerTransaction(self, key, request, flow, new_tag())
        self.servers[key] = transaction
        if request.method == "INVITE" and not request.to.tag:
            transaction.merge_key = self._merge_key(request)
            self._merged[transaction.merge_key] = transaction
        return transaction

    @staticmethod
    def _merge_key(request: Request) -> MergeKey:
        return request.call_id, request.from_.tag, request.cseq[0]

    def request(
        self,
        method: str,
        uri: str,
        headers: Iterable[tuple[str, str]],
        body: bytes,
        flow: Flow,
        on_response: Callable[[Response], None],
        on_failure: Callable[[int], None],
        branch: str = "",
    ) -> ClientTransaction:
        """Send a request in a new client transaction (Via is added). `on_failure` gets 408 (timeout) or 503 (network).

        Neither callback comes before this method has returned. `branch` is given for a CANCEL: its INVITE's.
        """
        branch = branch or new_branch()
        transaction = ClientTransaction(self, method, uri, list(headers), body, flow, branch, on_response, on_failure)
        self.clients[(branch, method)] = transaction
        transaction.start()
        return transaction

    def response(self, response: Response) -> bool:
        """Hand a response to its transaction; False when it has none."""
        try:
            response.check()
            transaction = self.clients.get((response.via.branch, response.cseq[1]))
        except MalformedMessage:
            return False
        if transaction is None:
            return False
        transaction.received(response)
        return True

    def linger(self, transaction: AnyTransaction, *, short: bool = False) -> None:
        """Keep a finished transaction for 64*T1 (or T4) to absorb what is repeated."""
        (self._short if short else self._long).add(transaction)

    @staticmethod
    def _forget(transaction: AnyTransaction) -> None:
        transaction.terminate()

    def remove_server(self, transaction: ServerTransaction) -> None:
        self.servers.pop(transaction.key, None)
        self.refused(transaction)

    def refused(self, transaction: ServerTransaction) -> None:
        """After a refusal the same request may come again (some phones authenticate without a new CSeq)."""
        if transaction.merge_key is not None and self._merged.get(transaction.merge_key) is transaction:
            del self._merged[transaction.merge_key]

    def remove_client(self, transaction: ClientTransaction) -> None:
        self.clients.pop((transaction.branch, transaction.method), None)

    def close(self) -> None:
        everything: list[AnyTransaction] = [*self.servers.values(), *self.clients.values()]
        for transaction in everything:
            transaction.terminate()
        self._long.close()
        self._short.close()

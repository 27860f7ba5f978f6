# SPDX-License-Identifier: Apache-2.0
"""The registrar's rules (RFC 3261 §10.3): who is bound where, for how long; the agent feeds it authenticated REGISTERs."""

from __future__ import annotations

import asyncio
import heapq
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from engine.embedded.sip.bindings import Binding, BindingKey, BindingStore, MemoryStore
from engine.embedded.sip.contract import Address, RegistrarRules
from engine.embedded.sip.message import Request
from engine.embedded.sip.syntax import MalformedMessage, NameAddr, optional_number, parse_uri

log = logging.getLogger(__name__)

Headers = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Registering:
    """The facts of an authenticated REGISTER besides its own headers."""

    aor: str
    username: str
    realm: str
    listener: str
    transport: str
    source: Address


@dataclass(frozen=True, slots=True)
class Outcome:
    """What to answer, and which bindings changed."""

    code: int
    reason: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    bound: tuple[Binding, ...] = ()
    gone: tuple[tuple[Binding, str], ...] = ()


class _Refused(Exception):  # noqa: N818 - an answer on its way out, not an error
    def __init__(self, code: int, reason: str = "", headers: tuple[tuple[str, str], ...] = ()) -> None:
        super().__init__(code)
        self.outcome = Outcome(code, reason, headers)


class Registrar:
    """All bindings, by address of record. `expired` is told about each binding that runs out."""

    def __init__(
        self,
        rules: RegistrarRules,
        store: BindingStore | None = None,
        expired: Callable[[Binding], None] | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._rules = rules
        self._store: BindingStore = store or MemoryStore()
        self._expired = expired
        self._now = now
        self._by_aor: dict[str, dict[BindingKey, Binding]] = {}
        self._connected: dict[Address, set[BindingKey]] = {}  # TCP only
        self._due: list[tuple[float, BindingKey]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._count = 0

    def start(self) -> list[Binding]:
        """Read the stored bindings and begin to watch expiry; what ran out meanwhile is dropped silently."""
        now = self._now()
        for binding in self._store.load():
            if binding.expires_at + self._rules.grace > now:
                self._keep(binding)
            else:
                self._store.remove(binding.key)
        self._watch()
        return self.all()

    def bindings(self, aor: str) -> list[Binding]:
        """Live contacts, the best q and the newest first. The domain's letter case does not matter."""
        found = self._by_aor.get(normal_aor(aor), {})
        return sorted(found.values(), key=lambda binding: (-binding.q, -binding.registered_at))

    def all(self) -> list[Binding]:
        return [binding for found in self._by_aor.values() for binding in found.values()]

    def connected(self, source: Address) -> list[Binding]:
        """The bindings made over the TCP connection from this address."""
        found = (self._by_aor.get(key[0], {}).get(key) for key in self._connected.get(source, ()))
        return [binding for binding in found if binding is not None and binding.source == source]

    def __len__(self) -> int:
        return self._count

    def flush(self, aor: str, call_id: str | None = None) -> list[Binding]:
        """Drop an account's bindings (or the one of this Call-ID); the caller tells about them."""
        gone = [b for b in self.bindings(aor) if call_id is None or b.call_id == call_id]
        for binding in gone:
            self._drop(binding)
        return gone

    def drop(self, binding: Binding) -> bool:
        """Forget one binding; False when it is no longer the current one."""
        current = self._by_aor.get(binding.aor, {}).get(binding.key)
        if current is not binding:
            return False
        self._drop(binding)
        return True

    def register(self, request: Request, facts: Registering) -> Outcome:
        """Apply a REGISTER: all of it or nothing. Raises MalformedMessage for broken Contact headers."""
        try:
            return self._register(request, facts)
        except _Refused as refused:
            return refused.outcome

    def _register(self, request: Request, facts: Registering) -> Outcome:
        contacts = request.contacts()
        aor = normal_aor(facts.aor)
        known = dict(self._by_aor.get(aor, {}))
        expires_header = optional_number(request.header("expires"))
        gone: list[tuple[Binding, str]] = []
        bound: list[Binding] = []
        if any(contact.uri_text == "*" for contact in contacts):
            if len(contacts) != 1 or expires_header != 0:
                raise _Refused(400, "Contact * wants Expires: 0 and no other Contact")
            for binding in known.values():
                self._check_order(binding, request)
                gone.append((binding, "unregistered"))
            contacts = []
        for contact in contacts:
            self._one(request, facts, contact, expires_header, known, bound, gone)
        self._evict(known, bound, gone)
        for binding, _ in gone:
            self._drop(binding)
        for binding in bound:
            self._keep(binding)
            self._store.put(binding)
        if bound:
            self._watch()
        return Outcome(200, headers=self._listed(aor, request), bound=tuple(bound), gone=tuple(gone))

    def _one(
        self,
        request: Request,
        facts: Registering,
        contact: NameAddr,
        expires_header: int | None,
        known: dict[BindingKey, Binding],
        bound: list[Binding],
        gone: list[tuple[Binding, str]],
    ) -> None:
        """One Contact of the REGISTER: decide, change nothing yet but `known`, `bound` and `gone`."""
        uri = parse_uri(contact.uri_text)
        if uri.scheme != "sip":
            raise _Refused(400, "Only sip: contacts can be reached")
        expires = optional_number(contact.params.get("expires"))
        if expires is None:
            expires = self._rules.default_expires if expires_header is None else expires_header
        if 0 < expires < self._rules.min_expires:
            raise _Refused(423, "", (("Min-Expires", str(self._rules.min_expires)),))
        expires = min(expires, self._rules.max_expires)
        instance = contact.params.get("+sip.instance", "")
        if instance:
            instance = f"{instance};{contact.params.get('reg-id', '')}"
        now = self._now()
        binding = Binding(
            aor=normal_aor(facts.aor),
            contact=contact.uri_text,
            listener=facts.listener,
            transport=facts.transport,
            source=facts.source,
            expires_at=now + expires,
            expires=expires,
            registered_at=now,
            call_id=request.call_id,
            cseq=request.cseq[0],
            username=facts.username,
            realm=facts.realm,
            user_agent=(request.header("user-agent") or "")[:200],
            path=tuple(request.values("path")),
            instance=instance,
            q=_q(contact.params.get("q")),
            direct=len(request.values("via")) == 1,
        )
        old = known.get(binding.key)
        if old is not None:
            self._check_order(old, request)
        if expires == 0:
            if old is not None:
                gone.append((old, "unregistered"))
                del known[old.key]
            return
        known[binding.key] = binding
        bound.append(binding)

    @staticmethod
    def _check_order(old: Binding, request: Request) -> None:
        """A late copy of an older REGISTER must not undo a newer one (§10.3 step 7)."""
        if old.call_id == request.call_id and request.cseq[0] <= old.cseq:
            raise _Refused(500, "CSeq out of order")

    def _evict(
        self, known: dict[BindingKey, Binding], bound: list[Binding], gone: list[tuple[Binding, str]]
    ) -> None:
        """Beyond the limit the contacts refreshed longest ago give way: mostly leftovers of phones behind NATs."""
        if len(bound) > self._rules.max_contacts:
            raise _Refused(403, "Too many contacts")
        fresh = {binding.key for binding in bound}
        leaving = {binding.key for binding, _ in gone}
        rest = sorted(
            (b for b in known.values() if b.key not in fresh and b.key not in leaving), key=lambda b: b.registered_at
        )
        for binding in rest[: max(0, len(rest) + len(bound) - self._rules.max_contacts)]:
            gone.append((binding, "replaced"))

    def _listed(self, aor: str, request: Request) -> tuple[tuple[str, str], ...]:
        """The 200's Contacts with what is left of each, and Path as RFC 3327 wants it back."""
        now = self._now()
        headers: Headers = []
        for binding in self.bindings(aor):
            left = max(0, round(binding.expires_at - now))
            headers.append(("Contact", f"<{binding.contact}>;expires={left}"))
        headers += [("Path", value) for value in request.values("path")]
        return tuple(headers)

    def _keep(self, binding: Binding) -> None:
        found = self._by_aor.setdefault(binding.aor, {})
        self._count += binding.key not in found
        found[binding.key] = binding
        if binding.transport == "tcp":
            self._connected.setdefault(binding.source, set()).add(binding.key)
        heapq.heappush(self._due, (binding.expires_at + self._rules.grace, binding.key))
        if len(self._due) > 4 * len(self) + 1000:  # mostly entries of bindings refreshed since
            self._due = [(kept.expires_at + self._rules.grace, kept.key) for kept in self.all()]
            heapq.heapify(self._due)

    def _drop(self, binding: Binding) -> None:
        found = self._by_aor.get(binding.aor, {})
        if found.pop(binding.key, None) is not None:
            self._count -= 1
        keys = self._connected.get(binding.source)
        if keys is not None:
            keys.discard(binding.key)
            if not keys:
                del self._connected[binding.source]
        if not found:
            self._by_aor.pop(binding.aor, None)
        self._store.remove(binding.key)

    def _watch(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._due:
            wait = max(0.0, self._due[0][0] - self._now())
            self._timer = asyncio.get_running_loop().call_later(min(wait + 0.01, 60.0), self._expire)

    def _expire(self) -> None:
        """The heap may hold outdated entries of refreshed bindings; those are passed over."""
        self._timer = None
        now = self._now()
        while self._due and self._due[0][0] <= now:
            _, key = heapq.heappop(self._due)
            binding = self._by_aor.get(key[0], {}).get(key)
            if binding is not None and binding.expires_at + self._rules.grace <= now:
                self._drop(binding)
                if self._expired is not None:
                    self._expired(binding)
        self._watch()

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._store.close()


def normal_aor(aor: str) -> str:
    """user@domain with the domain in lower case."""
    user, at, domain = aor.rpartition("@")
    return f"{user}{at}{domain.lower()}"


def _q(text: str | None) -> float:
    try:
        value = float(text) if text is not None else 1.0
    except ValueError as error:
        raise MalformedMessage("Bad q") from error
    return value if 0.0 <= value <= 1.0 else 1.0

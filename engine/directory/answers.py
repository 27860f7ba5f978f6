# SPDX-License-Identifier: Apache-2.0
"""Turns the form of a mod_xml_curl request into the document that answers it; pure, used by the listener."""

from __future__ import annotations

import hmac
import logging
from collections import Counter
from hashlib import md5
from urllib.parse import parse_qsl

from engine.directory import documents
from engine.directory.documents import NOT_FOUND
from engine.directory.guard import Guard
from engine.directory.networks import contains, parse
from engine.directory.source import Directory, SipCredentials, ha1

log = logging.getLogger(__name__)

_FIELDS = frozenset(
    {
        "section", "tag_name", "key_name", "key_value", "key", "user", "domain", "ip", "purpose",
        "action", "sip_to_user", "sip_to_host", "sip_auth_method", "sip_auth_nonce", "sip_auth_uri",
        "sip_auth_qop", "sip_auth_cnonce", "sip_auth_nc", "sip_auth_response",
    }
)  # fmt: skip
# FreeSWITCH splits auth-acl into at most a hundred entries; a longer list is checked here alone
_MOST_NETWORKS = 100


class Answers:
    """Documents for one switch; every text that can't be understood is answered "not found"."""

    def __init__(self, directory: Directory, guard: Guard, cache_milliseconds: int = 0) -> None:
        """`cache_milliseconds` lets the switch keep an account that long; see docs/decisions/0010 before using it."""
        self._directory = directory
        self._guard = guard
        self._cache = cache_milliseconds

    def directory(self, body: bytes) -> str:
        """Who is this SIP account? Asked for each REGISTER and INVITE that carries a digest, and for user/x@y."""
        form = read_form(body)
        if form.get("section") != "directory" or form.get("tag_name") != "domain" or form.get("purpose"):
            return NOT_FOUND
        login, domain = form.get("user", ""), form.get("domain", "")
        if form.get("key") != "id" or not login or not domain or form.get("key_value") != domain:
            return NOT_FOUND
        account, credentials = self._find(login, domain)
        signing_in = form.get("action") == "sip_auth"
        address = form.get("ip", "")
        if signing_in and not self._pass_guard(form, login, domain, credentials):
            log.info("%s@%s from %s refused: too many failures", login, domain, address)
            return NOT_FOUND
        if account is None or credentials is None:
            log.info("%s@%s from %s is no SIP account here", login, domain, address or "the switch")
            return NOT_FOUND
        if signing_in and not self._registers_itself(form, login, account):
            log.warning("%s@%s from %s tried to register another account's address", login, domain, address)
            return NOT_FOUND
        whitelist = tuple(self._directory.whitelist(account))
        networks = parse(whitelist)
        if signing_in and whitelist and not contains(networks, address):
            log.info("%s@%s refused: %s is outside the account's white list", login, domain, address)
            return NOT_FOUND
        listed = [str(network) for network in networks] if len(networks) <= _MOST_NETWORKS else []
        try:
            return documents.user(login, domain, credentials, listed, self._cache)
        except documents.UnprintableError:
            return NOT_FOUND

    def configuration(self, body: bytes) -> str:
        """A configuration file: sofia.conf with the trunks, acl.conf with their addresses; the rest lies with the switch."""
        form = read_form(body)
        if form.get("section") != "configuration" or form.get("tag_name") != "configuration":
            return NOT_FOUND
        wanted = form.get("key_value")
        if wanted not in ("sofia.conf", "acl.conf"):
            return NOT_FOUND
        trunks = []
        for trunk in self._directory.trunks():
            if documents.usable(trunk):
                trunks.append(trunk)
            else:
                log.warning("trunk %d is left out: its settings can't be written down for the switch", trunk.id)
        if wanted == "sofia.conf":
            return documents.sofia(trunks)
        if not all(trunk.addresses for trunk in trunks):
            return documents.acl(None)
        return documents.acl(sorted({str(network) for trunk in trunks for network in parse(trunk.addresses)}))

    def _pass_guard(self, form: dict[str, str], login: str, domain: str, credentials: SipCredentials | None) -> bool:
        """Whether the attempt may go on. The switch decides about the password afterwards, but the question holds all it
        decides by, so failures are counted here."""
        address = form.get("ip", "")
        if self._guard.is_barred(address, credentials.sip_account_id if credentials else None):
            return False
        if credentials is None:
            self._guard.unknown_name(address)
        elif form.get("sip_auth_response"):
            expected = _expected(form, ha1(login, domain, credentials.password))
            if hmac.compare_digest(form["sip_auth_response"].lower().encode(), expected.encode()):
                self._guard.proved(address, credentials.sip_account_id)
            else:
                self._guard.wrong_password(address, credentials.sip_account_id)
        return True

    def _find(self, login: str, domain: str) -> tuple[int | None, SipCredentials | None]:
        """The account a domain belongs to (R27) and its SIP account of that name."""
        account = self._account(domain)
        return account, self._directory.sip_account(account, login) if account is not None else None

    def _account(self, domain: str) -> int | None:
        account = self._directory.account_for_domain(domain)
        return account if account is not None else self._directory.default_account()

    def _registers_itself(self, form: dict[str, str], login: str, account: int) -> bool:
        """FreeSWITCH checks the password against the realm the phone names and stores the binding under To: these
        two must mean the same SIP account, or a customer could take over a neighbour's phone."""
        if form.get("sip_auth_method") != "REGISTER":
            return True
        return form.get("sip_to_user") == login and self._account(form.get("sip_to_host", "")) == account


def _expected(form: dict[str, str], secret: str) -> str:
    """The digest response of RFC 2617 section 3.2.2.1, as FreeSWITCH computes it: with qop only if all its parts came."""
    what = _md5(f"{form.get('sip_auth_method', '')}:{form.get('sip_auth_uri', '')}")
    parts = [form.get(f"sip_auth_{name}", "") for name in ("nc", "cnonce", "qop")]
    between = [form.get("sip_auth_nonce", ""), *(parts if all(parts) else [])]
    return _md5(":".join([secret, *between, what]))


def _md5(text: str) -> str:
    return md5(text.encode(), usedforsecurity=False).hexdigest()


def read_form(body: bytes) -> dict[str, str]:
    """The fields of a form that matter here; empty when it can't be trusted.

    FreeSWITCH writes the domain a phone sent unescaped in front (key_value), so a phone can add fields of its own;
    the real ones follow, hence a field that comes twice gives the forgery away.
    """
    try:
        pairs = parse_qsl(body.decode("utf-8"), keep_blank_values=True, strict_parsing=True, max_num_fields=1000)
    except ValueError:
        return {}
    wanted = [(name, value) for name, value in pairs if name in _FIELDS]
    if any(count > 1 for count in Counter(name for name, _ in wanted).values()):
        return {}
    return dict(wanted)

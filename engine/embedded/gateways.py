# SPDX-License-Identifier: Apache-2.0
"""Trunks (FreeSWITCH's gateways): read from sofia.conf, registered at their providers, shown by `sofia status gateway`."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from engine.embedded import directory, text
from engine.embedded.sip.contract import Credentials, GatewayAccount, Hop, RegistrationState
from engine.embedded.sip.syntax import MalformedMessage, split_hostport

if TYPE_CHECKING:
    from engine.embedded.sip.registration import ClientRegistration
    from engine.embedded.switch import Switch

log = logging.getLogger(__name__)

_REMOVAL_SECONDS = 0.5
_RULE = "=" * 97


class Gateway:
    """One trunk of one profile. `state` is FreeSWITCH's: NOREG, TRYING, REGED, FAILED, FAIL_WAIT, UNREGED."""

    def __init__(self, switch: Switch, profile: str, config: directory.Gateway) -> None:
        self._switch = switch
        self.profile = profile
        self.config = config
        self.name = config.name
        self.params = config.params
        self.registers = text.true(self.params.get("register", "true"))
        self.state = "UNREGED" if self.registers else "NOREG"
        self.code = 0
        self.phrase = ""
        self.up_since = time.monotonic()
        self.calls = {"in": 0, "out": 0, "failed_in": 0, "failed_out": 0}
        self._registration: ClientRegistration | None = None

    # -- parameters --------------------------------------------------------------------------------------------------

    def param(self, name: str, default: str = "") -> str:
        return self.params.get(name, "").strip() or default

    @property
    def username(self) -> str:
        return self.param("username")

    @property
    def proxy(self) -> str:
        """Host (and port) of the provider."""
        return self.param("proxy", self.param("realm"))

    @property
    def from_domain(self) -> str:
        return self.param("from-domain", self.param("realm", self.proxy))

    @property
    def transport(self) -> str:
        return self.param("register-transport", "udp").lower()

    @property
    def caller_id_in_from(self) -> bool:
        return text.true(self.params.get("caller-id-in-from"))

    @property
    def extension(self) -> str:
        """Where inbound calls go: a number, or auto_to_user for the user of To."""
        return self.param("extension")

    @property
    def up(self) -> bool:
        return self.state in ("NOREG", "REGED")

    @property
    def credentials(self) -> Credentials | None:
        user = self.param("auth-username", self.username)
        return Credentials(user, self.param("password"), self.param("realm") or None) if user else None

    def hop(self, *, registering: bool = False) -> Hop | None:
        """Where requests go first."""
        outbound = self.param("outbound-proxy")
        place = (self.param("register-proxy", outbound) if registering else outbound) or self.proxy
        return self._hop(place)

    def _hop(self, place: str) -> Hop | None:
        place = place.removeprefix("sip:").partition(";")[0]
        try:
            host, port = split_hostport(place)
        except MalformedMessage:
            return None
        return Hop(host, port or 5060, self.transport) if host else None

    def variables(self, direction: str) -> list[tuple[str, str]]:
        """Those of <variables> that are meant for calls of this direction."""
        return [(name, value) for name, value, way in self.config.variables if way in ("", direction)]

    # -- registration ------------------------------------------------------------------------------------------------

    def start(self) -> None:
        if not self.registers or self._registration is not None:
            return
        domain = self.param("from-domain", self.param("realm", self.proxy)) if self.param("from-domain") else self.proxy
        try:
            host = split_hostport(domain)[0]
        except MalformedMessage:
            host = domain
        account = GatewayAccount(
            name=self.name,
            listener=self.profile,
            domain=host,
            username=self.param("from-user", self.username),
            password=self.param("password"),
            hop=self.hop(registering=True),
            auth_username=self.param("auth-username", self.username),
            realm=self.param("realm") or None,
            expires=text.number(self.param("expire-seconds"), 3600) or 3600,
            retry_seconds=float(text.number(self.param("retry-seconds"), 30) or 30),
            contact_user=f"gw+{self.name}",
            contact_params=self.param("contact-params"),
        )
        self._registration = self._switch.agent.register(account, self)

    def registration(self, state: RegistrationState, code: int, reason: str) -> None:
        """The SIP layer's news."""
        if state is RegistrationState.REGED and self.state != "REGED":
            self.up_since = time.monotonic()
        self.state, self.code, self.phrase = state.value, code, reason
        self.tell()

    def tell(self) -> None:
        headers: dict[str, str | list[str]] = {
            "Gateway": self.name,
            "State": self.state,
            "Ping-Status": "UP" if self.up else "DOWN",
        }
        if self.phrase:
            headers["Phrase"] = self.phrase
        if self.code:
            headers["Status"] = str(self.code)
        self._switch.bus.fire("CUSTOM", headers, subclass="sofia::gateway_state", origin="gateway")

    def stop(self) -> None:
        """Give the registration back."""
        if self._registration is not None:
            self._registration.unregister()
            self._registration = None

    # -- showing -----------------------------------------------------------------------------------------------------

    @property
    def register_to(self) -> str:
        return f"sip:{self.username}@{self.proxy}"

    def rows(self) -> list[tuple[str, str]]:
        uptime = int(time.monotonic() - self.up_since) if self.up else 0
        return [
            ("Name", self.name),
            ("Profile", self.profile),
            ("Scheme", "Digest"),
            ("Realm", self.param("realm", self.proxy)),
            ("Username", self.username),
            ("Password", "yes" if self.param("password") else "no"),
            ("From", f"<sip:{self.username}@{self.from_domain}>"),
            ("Contact", f"<sip:gw+{self.name}@{self.profile}>"),
            ("Exten", self.extension),
            ("To", self.register_to),
            ("Proxy", f"sip:{self.proxy}"),
            ("Context", "from-trunk"),
            ("Expires", self.param("expire-seconds", "3600")),
            ("Freq", self.param("expire-seconds", "3600")),
            ("Ping", "0"),
            ("PingFreq", "0"),
            ("PingTime", "0.00"),
            ("PingState", "0/0/0"),
            ("State", self.state),
            ("Status", "UP" if self.up else "DOWN"),
            ("Uptime", f"{uptime}s"),
            ("CallsIN", str(self.calls["in"])),
            ("CallsOUT", str(self.calls["out"])),
            ("FailedCallsIN", str(self.calls["failed_in"])),
            ("FailedCallsOUT", str(self.calls["failed_out"])),
        ]

    def status(self) -> str:
        lines = "".join(f"{name:<8}\t{value}\n" for name, value in self.rows())
        return f"{_RULE}\n{lines}{_RULE}\n"

    def xml(self) -> str:
        names = {"Username": "username", "PingFreq": "pingfreq", "CallsIN": "calls-in", "CallsOUT": "calls-out"}
        names |= {"FailedCallsIN": "failed-calls-in", "FailedCallsOUT": "failed-calls-out", "Uptime": "uptime-usec"}
        lines = []
        for name, value in self.rows():
            tag = names.get(name, name.lower())
            shown = str(int(value.rstrip("s")) * 1_000_000) if name == "Uptime" else value
            lines.append(f"    <{tag}>{escape(shown)}</{tag}>\n")
        return f"  <gateway>\n{''.join(lines)}  </gateway>\n"


class Gateways:
    """All trunks by name. Rescan adds; a changed or removed one is dropped by killgw first, as in FreeSWITCH."""

    def __init__(self, switch: Switch) -> None:
        self._switch = switch
        self._gateways: dict[str, Gateway] = {}

    def get(self, name: str) -> Gateway | None:
        return self._gateways.get(name)

    def all(self) -> list[Gateway]:
        return list(self._gateways.values())

    async def rescan(self, profile: str) -> bool:
        """Read sofia.conf and add what is new; False when the directory did not answer."""
        try:
            found = await self._switch.directory.gateways(profile)
        except directory.DirectoryAwayError as error:
            log.warning("the trunks of %s can't be read: %s", profile, error)
            return False
        for name, config in found.items():
            if name in self._gateways:
                continue
            gateway = self._gateways[name] = Gateway(self._switch, profile, config)
            log.info("trunk %s added to %s (%s)", name, profile, "registers" if gateway.registers else "does not register")
            self._switch.bus.fire(
                "CUSTOM", {"Gateway": name, "profile-name": profile}, subclass="sofia::gateway_add", origin="gateway"
            )
            gateway.start()
        return True

    def kill(self, name: str) -> bool:
        """Drop a trunk; it is gone within a second, and the next rescan may bring it anew."""
        gateway = self._gateways.get(name)
        if gateway is None:
            return False
        gateway.stop()
        asyncio.get_running_loop().call_later(_REMOVAL_SECONDS, self._remove, gateway)
        return True

    def _remove(self, gateway: Gateway) -> None:
        if self._gateways.get(gateway.name) is gateway:
            del self._gateways[gateway.name]
            log.info("trunk %s removed", gateway.name)
            self._switch.bus.fire(
                "CUSTOM",
                {"profile-name": gateway.profile, "Gateway": gateway.name},
                subclass="sofia::gateway_delete",
                origin="gateway",
            )

    def stop(self) -> None:
        for gateway in self._gateways.values():
            gateway.stop()

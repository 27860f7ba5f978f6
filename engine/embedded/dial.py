# SPDX-License-Identifier: Apache-2.0
"""Dial strings: from `user/101@d`, `sofia/gateway/NAME/number`, `sofia/internal/sip:…` to the calls to be made."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from engine.embedded import text
from engine.embedded.directory import DirectoryAwayError
from engine.embedded.sip.contract import Credentials, Hop
from engine.embedded.sip.nat import is_ip
from engine.embedded.sip.syntax import MalformedMessage, Uri, parse_uri

if TYPE_CHECKING:
    from engine.embedded.gateways import Gateway
    from engine.embedded.sip.bindings import Binding
    from engine.embedded.switch import Switch

PROFILES = ("internal", "trunk")


class DialError(Exception):
    """The destination can't be called; `cause` is what the originate answers."""

    def __init__(self, cause: str) -> None:
        super().__init__(cause)
        self.cause = cause


@dataclass(frozen=True, slots=True)
class Destination:
    """One SIP call to make."""

    profile: str
    uri: str
    number: str
    """Caller-Destination-Number of the new channel."""
    name: str
    """Channel-Name."""
    domain: str = ""
    """Of From; empty: our own address."""
    hop: Hop | None = None
    flow: Binding | None = None
    gateway: Gateway | None = None
    credentials: Credentials | None = None
    variables: Mapping[str, str] = field(default_factory=dict)

    @property
    def peer(self) -> str:
        """Host the call goes to first."""
        if self.flow is not None:
            return self.flow.source[0]
        if self.hop is not None:
            return self.hop.host
        return parse_uri(self.uri).host


async def resolve(switch: Switch, place: str) -> list[Destination]:
    """Where a destination of a dial string leads; several for a user with several phones. Raises DialError."""
    kind, _, rest = place.strip().partition("/")
    match kind.lower():
        case "user":
            return await _user(switch, rest)
        case "sofia":
            profile, _, rest = rest.partition("/")
            if profile.lower() == "gateway":
                return [_gateway(switch, rest)]
            if profile not in PROFILES:
                raise DialError("INVALID_PROFILE")
            phone = _phone(switch, rest) if profile == "internal" else None
            return [phone or await _uri(profile, rest)]
    raise DialError("CHAN_NOT_IMPLEMENTED")


async def _user(switch: Switch, address: str) -> list[Destination]:
    user, _, domain = address.partition("@")
    if not user or not domain:
        raise DialError("SUBSCRIBER_ABSENT")
    try:
        known = await switch.directory.user(user, domain, {"action": "user_call", "dialed_extension": user})
    except DirectoryAwayError:
        raise DialError("DESTINATION_OUT_OF_ORDER") from None
    if known is None:
        raise DialError("SUBSCRIBER_ABSENT")
    variables = {name: value for name, value, way in known.variables if way == "outbound"}
    variables |= {"dialed_user": user, "dialed_domain": domain}
    found = [binding_destination(binding, variables) for binding in switch.bindings(user, domain)]
    if not found:
        raise DialError("USER_NOT_REGISTERED")
    return found


def _phone(switch: Switch, uri: str) -> Destination | None:
    """The registered phone that this URI means, as `show registrations` and the events name it. Raises DialError when it has left."""
    bare, path, _ = uri.partition(";fs_path=")
    for binding in switch.agent.registrar.all():
        if binding.contact == bare and binding.dial_uri == uri:
            user, _, domain = binding.aor.partition("@")
            return binding_destination(binding, {"dialed_user": user, "dialed_domain": domain})
    if path:
        raise DialError("USER_NOT_REGISTERED")
    return None


def binding_destination(binding: Binding, variables: Mapping[str, str]) -> Destination:
    user, _, domain = binding.aor.partition("@")
    return Destination(
        profile=binding.listener,
        uri=binding.contact,
        number=user,
        name=f"sofia/{binding.listener}/{binding.contact.removeprefix('sip:').partition(';')[0]}",
        domain=domain,
        flow=binding,
        variables=variables,
    )


def _gateway(switch: Switch, rest: str) -> Destination:
    name, _, number = rest.partition("/")
    gateway = switch.gateways.get(name)
    if gateway is None:
        raise DialError("INVALID_GATEWAY")
    if not gateway.up:
        raise DialError("GATEWAY_DOWN")
    number, _, params = number.partition(";")
    if not number:
        raise DialError("INVALID_NUMBER_FORMAT")
    host, _, port = gateway.proxy.removeprefix("sip:").partition(":")
    uri = str(Uri("sip", number, host, text.number(port) or None))
    if gateway.transport == "tcp":
        uri += ";transport=tcp"
    if params:
        uri += f";{params}"
    return Destination(
        profile=gateway.profile,
        uri=uri,
        number=number,
        name=f"sofia/{gateway.profile}/{number}",
        domain=gateway.from_domain.partition(":")[0],
        hop=gateway.hop(),
        gateway=gateway,
        credentials=gateway.credentials,
        variables={"sip_gateway_name": gateway.name, **dict(gateway.variables("outbound"))},
    )


async def _uri(profile: str, rest: str) -> Destination:
    uri_text = rest if rest.startswith(("sip:", "sips:")) else f"sip:{rest}"
    try:
        uri = parse_uri(uri_text)
    except MalformedMessage:
        raise DialError("INVALID_URL") from None
    if uri.scheme == "sips" or uri.transport not in ("udp", "tcp"):
        raise DialError("CHAN_NOT_IMPLEMENTED")
    hop = None
    if not is_ip(uri.host):
        address = await _look_up(uri.host)
        hop = Hop(address, uri.port or 5060, uri.transport)
    return Destination(
        profile=profile,
        uri=uri_text,
        number=uri.user or uri.host,
        name=f"sofia/{profile}/{uri_text.partition(':')[2].partition(';')[0]}",
        hop=hop,
    )


async def _look_up(host: str) -> str:
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, None)
    except OSError:
        raise DialError("NORMAL_TEMPORARY_FAILURE") from None
    return str(found[0][4][0])

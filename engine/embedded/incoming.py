# SPDX-License-Identifier: Apache-2.0
"""What the SIP layer asks and tells the switch: accounts, registrations, incoming calls, which become channels here."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from engine.embedded.channel import Channel
from engine.embedded.directory import DirectoryAwayError, User
from engine.embedded.events import Headers
from engine.embedded.identity import identity_of
from engine.embedded.leg import Leg
from engine.embedded.media import CODECS
from engine.embedded.profile import CallerProfile
from engine.embedded.record import State
from engine.embedded.sip import sdp
from engine.embedded.sip.auth import credentials_of
from engine.embedded.sip.contract import AuthAnswer, AuthKnown, AuthOutcome, AuthQuestion, Refuse
from engine.embedded.sip.syntax import MalformedMessage, NameAddr, Uri, parse_uri

if TYPE_CHECKING:
    from engine.embedded.gateways import Gateway
    from engine.embedded.sip.bindings import Binding
    from engine.embedded.sip.call import SipCall
    from engine.embedded.sip.message import Request
    from engine.embedded.switch import Switch

log = logging.getLogger(__name__)

_CONTEXTS = {"internal": "from-phone", "trunk": "from-trunk"}
_KEPT_HEADERS = ("diversion", "p-asserted-identity", "p-preferred-identity", "history-info", "alert-info", "call-info", "privacy")
_NOWHERE = Uri("sip", "", "")


class Incoming:
    """Implements the SIP layer's Handler."""

    def __init__(self, switch: Switch) -> None:
        self._switch = switch
        self._accounts: dict[str, Headers] = {}
        """Of accounts that have signed in lately: sofia::register tells them too."""

    # -- accounts ----------------------------------------------------------------------------------------------------

    async def account(self, ask: AuthQuestion) -> AuthAnswer:
        try:
            user = await self._switch.directory.user(ask.user, ask.realm, _details(ask))
        except DirectoryAwayError as error:
            log.warning("the directory can't say who %s@%s is: %s", ask.user, ask.realm, error)
            return AuthOutcome.UNAVAILABLE
        if user is None or not user.ha1:
            return AuthOutcome.UNKNOWN
        if not user.admits(ask.source[0]):
            log.info("%s@%s from %s: rejected by user acl", ask.user, ask.realm, ask.source[0])
            return AuthOutcome.REFUSED
        if len(self._accounts) > 20_000:
            self._accounts.clear()
        self._accounts[f"{ask.user}@{ask.realm.lower()}"] = {name: value for name, value, _ in user.variables}
        return AuthKnown(user.ha1, user)

    def registered(self, binding: Binding) -> None:
        account = self._accounts.get(f"{binding.username}@{binding.realm.lower()}", {})
        headers: Headers = {**account, **self._registration(binding)}
        headers |= {
            "rpid": "unknown",
            "status": f"Registered({binding.transport.upper()})",
            "expires": str(binding.expires),
        }
        self._custom("sofia::register", headers)

    def unregistered(self, binding: Binding, reason: str) -> None:
        headers = self._registration(binding)
        if reason in ("unregistered", "replaced"):
            self._custom("sofia::unregister", {**headers, "rpid": "unknown"})
            return
        user, _, host = binding.aor.partition("@")
        self._custom("sofia::expire", {**headers, "user": user, "host": host, "expires": str(int(binding.expires_at)), "reason": reason})

    def registration_failed(self, who: str, source: tuple[str, int], why: str) -> None:
        user, _, realm = who.partition("@")
        self._custom(
            "sofia::register_failure",
            {
                "profile-name": "internal",
                "to-user": user,
                "to-host": realm,
                "user": user,
                "realm": realm,
                "network-ip": source[0],
                "network-port": str(source[1]),
                "registration-type": "REGISTER",
                "reason": why,
            },
        )

    def sip_out_of_dialog(self, request: Request, source: tuple[str, int], code: int) -> None:
        log.debug("%s from %s:%d answered with %d", request.method, *source, code)

    def _registration(self, binding: Binding) -> Headers:
        user, _, host = binding.aor.partition("@")
        return {
            "profile-name": binding.listener,
            "from-user": user,
            "from-host": host,
            "presence-hosts": "n/a",
            "contact": f'"" <{binding.dial_uri}>',
            "call-id": binding.call_id,
            "to-user": user,
            "to-host": host,
            "network-ip": binding.source[0],
            "network-port": str(binding.source[1]),
            "username": binding.username or user,
            "realm": binding.realm or host,
            "user-agent": binding.user_agent,
        }

    def _custom(self, subclass: str, headers: Headers) -> None:
        self._switch.bus.fire("CUSTOM", headers, subclass=subclass, origin="sofia_reg")

    # -- calls -------------------------------------------------------------------------------------------------------

    def incoming(self, call: SipCall) -> Leg | Refuse:
        switch = self._switch
        source = call.source[0]
        if switch.stopping:
            return Refuse(503)
        if len(switch.channels) >= switch.config.max_sessions:
            log.warning("a call from %s refused: %d sessions", source, len(switch.channels))
            return Refuse(503, "Maximum Calls In Progress")
        if call.listener == "trunk" and not switch.trunk_admits(source):
            log.warning("a call from %s on the trunk side refused: it is no trunk's address", source)
            return Refuse(403)
        try:
            offer = sdp.parse_offer(call.offer) if call.offer else None
        except sdp.SdpError as error:
            return Refuse(400, f"Bad session description: {error}")
        if offer is not None and not any(codec in CODECS for codec in offer.codecs):
            return Refuse(488)
        try:
            return self._channel(call, offer)
        except MalformedMessage as error:
            return Refuse(400, str(error))

    def _channel(self, call: SipCall, offer: sdp.Offer | None) -> Leg:
        switch, request = self._switch, call.request
        assert request is not None
        caller, to = request.from_, request.to
        from_uri, to_uri = _uri(caller.uri_text), _uri(to.uri_text)
        target = request.uri
        gateway = switch.gateways.get(target.user.removeprefix("gw+")) if target.user.startswith("gw+") else None
        if call.listener != "trunk":
            gateway = None
        user = call.account if isinstance(call.account, User) else None
        identity = identity_of(request)
        number = identity.number or "unknown"
        name = identity.name or "unknown"
        profile = CallerProfile(
            username=user.id if user else from_uri.user,
            caller_id_name=name,
            caller_id_number=number,
            orig_caller_id_name=name,
            orig_caller_id_number=number,
            network_addr=call.source[0],
            ani=number,
            destination_number=_destination(target, to_uri, gateway),
            context=_CONTEXTS.get(call.listener, "default"),
            hide_name=identity.hide_name,
            hide_number=identity.hide_number,
        )
        host = from_uri.host or call.source[0]
        channel = Channel(
            switch,
            uuid=switch.new_uuid(),
            direction="inbound",
            name=f"sofia/{call.listener}/{from_uri.user + '@' if from_uri.user else ''}{host}",
            profile=profile,
        )
        leg = Leg(channel)
        leg.call, leg.offer = call, offer
        channel.leg = leg
        self._variables(channel, call, gateway, user)
        if call.replaces is not None and not self._replace(channel, call):
            log.info("%s: the call to be replaced is gone", channel.name)
        switch.add(channel)
        channel.set_callstate("RINGING")
        channel.fire("CHANNEL_CREATE")
        # an INVITE with Replaces waits for the switch to join it, it never meets the dialplan
        channel.start(State.HIBERNATE if channel.uuid in switch.replacing else State.ROUTING)
        return leg

    def _replace(self, channel: Channel, call: SipCall) -> bool:
        """An INVITE with Replaces: the channel takes the place of the replaced one at its partner."""
        replaced = self._switch.channel_of(call.replaces)
        if replaced is None or replaced.is_down():
            return False
        self._switch.replacing[channel.uuid] = replaced.uuid
        self._switch.loop.call_soon(self._switch.take_over, channel, replaced)
        return True

    def _variables(self, channel: Channel, call: SipCall, gateway: Gateway | None, user: User | None) -> None:
        request = call.request
        assert request is not None
        caller, to, target = request.from_, request.to, request.uri
        ip, port = call.source[0], str(call.source[1])
        values: dict[str, str] = {
            "sofia_profile_name": call.listener,
            "recovery_profile_name": call.listener,
            "sip_profile_name": call.listener,
            "channel_name": channel.name,
            "sip_local_network_addr": call.local_address,
            "sip_network_ip": ip,
            "sip_network_port": port,
            "sip_received_ip": ip,
            "sip_received_port": port,
            "sip_via_protocol": call.transport,
            "sip_call_id": call.call_id,
            "sip_from_display": _display(caller),
            "sip_from_tag": caller.tag,
            "sip_full_from": request.header("from") or "",
            "sip_full_to": request.header("to") or "",
            "sip_full_via": request.header("via") or "",
            "sip_user_agent": call.remote_user_agent or "",
            "sip_allow": request.header("allow") or "",
            "sip_subject": request.header("subject") or "",
            "max_forwards": request.header("max-forwards") or "70",
            "switch_r_sdp": request.body.decode("utf-8", "replace") if request.body else "",
            "endpoint_disposition": "RECEIVED",
            "call_uuid": channel.uuid,
        }
        for prefix, uri in (("from", _uri(caller.uri_text)), ("to", _uri(to.uri_text)), ("req", target)):
            values[f"sip_{prefix}_user"] = uri.user
            values[f"sip_{prefix}_host"] = uri.host
            values[f"sip_{prefix}_uri"] = f"{uri.user}@{uri.hostport}" if uri.user else uri.hostport
            values[f"sip_{prefix}_port"] = str(uri.port) if uri.port else ""
        via = request.via
        values |= {"sip_via_host": via.host, "sip_via_port": str(via.port or 5060)}
        contact = request.contact_uri()
        if contact is not None:
            where = _uri(contact)
            values |= {
                "sip_contact_user": where.user,
                "sip_contact_host": where.host,
                "sip_contact_port": str(where.port or 5060),
                "sip_contact_uri": f"{where.user}@{where.hostport}",
            }
        for header, found in request.headers.items():
            if header.startswith("x-") or header in _KEPT_HEADERS:
                values[f"sip_h_{_title(header)}"] = found[0]
        if referred := request.header("referred-by"):
            values["sip_h_Referred-By"] = referred
        for name, value in values.items():
            channel.set(name, value)
        if gateway is not None:
            gateway.calls["in"] += 1
            channel.set("sip_gateway", gateway.name)
            for name, value in gateway.variables("inbound"):
                channel.set(name, value)
        if user is not None:
            channel.set("sip_authorized", "true")
            channel.set("sip_auth_username", user.id)
            channel.set("sip_auth_realm", user.domain)
            channel.set("user_name", user.id)
            channel.set("domain_name", user.domain)
            channel.set("requested_user_name", user.id)
            channel.set("requested_domain_name", user.domain)
            channel.set("presence_id", f"{user.id}@{user.domain}")
            for name, value, way in user.variables:
                if way in ("", "inbound"):
                    channel.set(name, value)
            if context := channel.get("user_context"):
                channel.profile.context = context


def _details(ask: AuthQuestion) -> Mapping[str, str]:
    """The fields mod_sofia adds to a directory request for a digest."""
    request = ask.request
    contact = request.contact_uri()
    where = _uri(contact) if contact else _NOWHERE
    caller, to, target = _uri(request.from_.uri_text), _uri(request.to.uri_text), request.uri
    signed = credentials_of((*request.headers.get("authorization", ()), *request.headers.get("proxy-authorization", ()))) or {}
    return {
        **{f"sip_auth_{name}": signed[name] for name in ("nonce", "uri", "qop", "cnonce", "nc", "response") if name in signed},
        "action": "sip_auth",
        "sip_profile": ask.listener,
        "sip_user_agent": ask.user_agent or "unknown",
        "sip_auth_username": ask.user,
        "sip_auth_realm": ask.realm,
        "sip_auth_method": ask.method,
        "sip_contact_user": where.user,
        "sip_contact_host": where.host,
        "sip_to_user": to.user,
        "sip_to_host": to.host,
        "sip_to_port": str(to.port or ""),
        "sip_via_protocol": ask.transport,
        "sip_from_user": caller.user,
        "sip_from_host": caller.host,
        "sip_from_port": str(caller.port or ""),
        "sip_call_id": request.call_id,
        "sip_request_host": target.host,
        "sip_request_port": str(target.port or ""),
        "ip": ask.source[0],
        "client_port": str(ask.source[1]),
        "Event-Calling-Function": "sofia_reg_parse_auth",
        "Event-Date-Timestamp": str(time.time_ns() // 1000),
    }


def _uri(uri_text: str) -> Uri:
    try:
        return parse_uri(uri_text)
    except MalformedMessage:
        return _NOWHERE


def _display(address: NameAddr) -> str:
    return address.display.strip()


def _destination(target: Uri, to: Uri, gateway: Gateway | None) -> str:
    if gateway is not None and gateway.extension:
        if gateway.extension == "auto_to_user":
            return to.user or target.user
        return target.user if gateway.extension == "auto" else gateway.extension
    return target.user or to.user or "unknown"


def _title(header: str) -> str:
    return "-".join(part.capitalize() for part in header.split("-"))

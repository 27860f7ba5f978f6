# SPDX-License-Identifier: Apache-2.0
"""`sofia status`, `sofia profile`, `sofia_contact` …: phones' registrations and trunks."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from engine.embedded.dial import PROFILES
from engine.embedded.event_socket.connection import Answer

if TYPE_CHECKING:
    from engine.embedded.sip.bindings import Binding
    from engine.embedded.switch import Switch

_RULE = "=" * 97
_XML = '<?xml version="1.0" encoding="ISO-8859-1"?>\n'
_USAGE = (
    "-ERR sofia: status|xmlstatus [profile <name> [reg [<user@domain>]]|gateway [<name>]]"
    " | profile <name> rescan|killgw|flush_inbound_reg|register|unregister\n"
)


def sofia(switch: Switch, arguments: str) -> Answer:
    words = arguments.split()
    match words:
        case ["status"]:
            return _status(switch)
        case ["status", "gateway"]:
            return _gateway_table(switch)
        case ["status", "gateway", name]:
            gateway = switch.gateways.get(name)
            return gateway.status() if gateway is not None else "Invalid Gateway!\n"
        case ["status", "profile", profile, *rest] if profile in PROFILES:
            return _profile(switch, profile, rest)
        case ["xmlstatus"]:
            return _xmlstatus(switch)
        case ["xmlstatus", "gateway"]:
            return f"{_XML}<gateways>\n{''.join(gateway.xml() for gateway in switch.gateways.all())}</gateways>\n"
        case ["xmlstatus", "gateway", name]:
            gateway = switch.gateways.get(name)
            return _XML + gateway.xml() if gateway is not None else "Invalid Gateway!\n"
        case ["xmlstatus", "profile", profile, *rest] if profile in PROFILES:
            return _xml_profile(switch, profile, rest)
        case ["status" | "xmlstatus", "profile", *_]:
            return "Invalid Profile!\n"
        case ["profile", profile, *rest]:
            return _order(switch, profile, rest)
    return _USAGE


def _order(switch: Switch, profile: str, words: list[str]) -> Answer:
    if profile not in PROFILES:
        return f"Invalid Profile [{profile}]"
    match [words[0].lower(), *words[1:]] if words else []:
        case ["rescan", *_]:
            return _rescan(switch, profile)
        case ["killgw", "_all_"]:
            for gateway in switch.gateways.all():
                switch.gateways.kill(gateway.name)
            return "+OK every gateway marked for deletion.\n"
        case ["killgw", name]:
            return "+OK gateway marked for deletion.\n" if switch.gateways.kill(name) else "-ERR no such gateway.\n"
        case ["killgw"]:
            return "-ERR missing gw name\n"
        case ["register" | "unregister", name]:
            found = switch.gateways.get(name)
            if found is None:
                return "Invalid gateway!\n"
            if words[0].lower() == "register":
                found.start()
            else:
                found.stop()
            return "+OK\n"
        case ["flush_inbound_reg", *rest]:
            _flush(switch, profile, rest[0] if rest else "")
            what = f"matching specified call_id {rest[0]}" if rest else ""
            return f"+OK flushing all registrations {what}\n".replace(" \n", "\n")
        case ["start" | "restart" | "stop" | "gwlist" | "siptrace" | "capture" | "watchdog" | "check_sync", *_]:
            return f"-ERR sofia profile {words[0]} is not offered by the embedded switch\n"
    return f"-ERR Unknown command!\n{_USAGE}"


async def _rescan(switch: Switch, profile: str) -> str:
    if await switch.gateways.rescan(profile):
        return "Reload XML [Success]\n+OK scan complete\n"
    return f"Reload XML [Success]\n-ERR cannot find config for profile {profile}\n"


def _bindings(switch: Switch, profile: str, who: str = "") -> list[Binding]:
    found = [binding for binding in switch.agent.registrar.all() if binding.listener == profile]
    if not who:
        return found
    return [binding for binding in found if who.lower() in binding.aor.lower() or who in (binding.call_id, binding.contact)]


def _flush(switch: Switch, profile: str, who: str) -> None:
    """Of `user@domain`, of one Call-ID, or all."""
    for binding in _bindings(switch, profile):
        if not who or who.lower() == binding.aor.lower() or who == binding.call_id:
            switch.agent.flush(binding.aor, binding.call_id)


def _place(switch: Switch, profile: str) -> str:
    place = switch.config.trunk if profile == "trunk" else switch.config.internal
    return f"sip:mod_sofia@{place.host}:{switch.ports.get(profile, place.port)}"


def _status(switch: Switch) -> str:
    calls = list(switch.channels.values())
    lines = [f"{'Name':>25}\t{'   Type':<7}\t{'Data':>41}\tState", _RULE]
    for profile in PROFILES:
        count = sum(1 for channel in calls if channel.get("sofia_profile_name") == profile)
        lines.append(f"{profile:>25}\tprofile\t{_place(switch, profile):>41}\tRUNNING ({count})")
    for gateway in switch.gateways.all():
        lines.append(f"{gateway.profile + '::' + gateway.name:>25}\tgateway\t{gateway.register_to:>41}\t{gateway.state}")
    lines += [_RULE, f"{len(PROFILES)} profiles 0 aliases", ""]
    return "\n".join(lines)


def _gateway_table(switch: Switch) -> str:
    lines = ["  Profile::Gateway-Name\t    Data    \tState\tPing Time\tIB Calls(F/T)\tOB Calls(F/T)", _RULE]
    for gateway in switch.gateways.all():
        calls = gateway.calls
        lines.append(
            f"{gateway.profile + '::' + gateway.name:>25}\t{gateway.register_to:>32}\t{gateway.state}\t  0.00\t"
            f"{calls['failed_in']}/{calls['in']}\t{calls['failed_out']}/{calls['out']}"
        )
    count = len(switch.gateways.all())
    lines += [_RULE, f"{count} gateway{'' if count == 1 else 's'}: Inbound(Failed/Total): 0/0,Outbound(Failed/Total):0/0", ""]
    return "\n".join(lines)


def _profile(switch: Switch, profile: str, rest: list[str]) -> str:
    lines = []
    if not rest or rest[0] not in ("reg", "user"):
        lines += [_RULE, f"Name             \t{profile}", f"URL              \t{_place(switch, profile)}"]
        lines += [f"REGISTRATIONS    \t{len(_bindings(switch, profile))}", _RULE, ""]
        return "\n".join(lines)
    found = _bindings(switch, profile, rest[1] if len(rest) > 1 else "")
    lines += ["", "Registrations:", _RULE]
    for binding in found:
        user, _, domain = binding.aor.partition("@")
        left = int(binding.expires_at - time.time())
        stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(binding.expires_at))
        lines += [
            f"Call-ID:    \t{binding.call_id}",
            f"User:       \t{binding.aor}",
            f'Contact:    \t"" <{binding.dial_uri}>',
            f"Agent:      \t{binding.user_agent}",
            f"Status:     \tRegistered({binding.transport.upper()})(unknown) EXP({stamp}) EXPSECS({left})",
            "Ping-Status:\tReachable",
            "Ping-Time:\t0.00",
            f"Host:       \t{switch.bus.hostname}",
            f"IP:         \t{binding.source[0]}",
            f"Port:       \t{binding.source[1]}",
            f"Auth-User:  \t{binding.username or user}",
            f"Auth-Realm: \t{binding.realm or domain}",
            f"MWI-Account:\t{binding.aor}",
            "",
        ]
    lines += [f"Total items returned: {len(found)}", _RULE, ""]
    return "\n".join(lines)


def _xml_profile(switch: Switch, profile: str, rest: list[str]) -> str:
    head = f"{_XML}<profile>\n"
    if not rest or rest[0] not in ("reg", "user"):
        info = f"<name>{profile}</name>\n<url>{escape(_place(switch, profile))}</url>\n"
        return f"{head}<profile-info>\n{info}</profile-info>\n</profile>\n"
    rows = []
    for binding in _bindings(switch, profile, rest[1] if len(rest) > 1 else ""):
        user, _, domain = binding.aor.partition("@")
        left = int(binding.expires_at - time.time())
        stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(binding.expires_at))
        values = {
            "call-id": binding.call_id,
            "user": binding.aor,
            "contact": f'"" <{binding.dial_uri}>',
            "agent": binding.user_agent,
            "status": f"Registered({binding.transport.upper()})(unknown) exp({stamp}) expsecs({left})",
            "ping-status": "Reachable",
            "ping-time": "0.00",
            "host": switch.bus.hostname,
            "network-ip": binding.source[0],
            "network-port": str(binding.source[1]),
            "sip-auth-user": binding.username or user,
            "sip-auth-realm": binding.realm or domain,
            "mwi-account": binding.aor,
        }
        fields = "".join(f"        <{tag}>{escape(value)}</{tag}>\n" for tag, value in values.items())
        rows.append(f"    <registration>\n{fields}    </registration>\n")
    return f"{head}  <registrations>\n{''.join(rows)}  </registrations>\n</profile>\n"


def _xmlstatus(switch: Switch) -> str:
    rows = [("profile", profile, _place(switch, profile), "RUNNING") for profile in PROFILES]
    rows += [("gateway", gateway.name, gateway.register_to, gateway.state) for gateway in switch.gateways.all()]
    body = "".join(
        f"<{kind}>\n<name>{escape(name)}</name>\n<type>{kind}</type>\n<data>{escape(data)}</data>\n<state>{state}</state>\n</{kind}>\n"
        for kind, name, data, state in rows
    )
    return f"{_XML}<profiles>\n{body}</profiles>\n"


def sofia_contact(switch: Switch, arguments: str) -> str:
    """`[profile/]user@domain`: every contact as a dial string, joined by commas."""
    profile, slash, address = arguments.partition("/")
    if not slash:
        profile, address = "*", arguments
    user, _, domain = address.partition("@")
    found = [one for one in switch.bindings(user, domain) if profile in ("*", one.listener)]
    if not found:
        return "error/user_not_registered"
    return ",".join(f"sofia/{binding.listener}/{binding.dial_uri}" for binding in found)


def sofia_count_reg(switch: Switch, arguments: str) -> str:
    profile, slash, address = arguments.partition("/")
    if not slash:
        profile, address = "*", arguments
    user, _, domain = address.partition("@")
    return str(len([one for one in switch.bindings(user, domain) if profile in ("*", one.listener)]))


COMMANDS = {"sofia": sofia, "sofia_contact": sofia_contact, "sofia_count_reg": sofia_count_reg}

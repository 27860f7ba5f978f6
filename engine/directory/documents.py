# SPDX-License-Identifier: Apache-2.0
"""The XML documents that mod_xml_curl understands, built with everything escaped; the listener sends them.

FreeSWITCH runs its preprocessor over an answer before it parses it: `$${name}` would be replaced by a global variable
and a line with an X-PRE-PROCESS tag would be obeyed. So `$` is escaped too, and a control character is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from engine.calls.trunks import gateway_name
from engine.directory.source import SipCredentials, TrunkConfig, ha1

NOT_FOUND = (
    '<document type="freeswitch/xml"><section name="result"><result status="not found"/></section></document>\n'
)

_UNSAFE = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
_HOST_PORT = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?")
# these would end the name in the From header that FreeSWITCH builds of a gateway
_NO_NAME = re.compile(r"""[\s<>"]""")
_ENTITIES = str.maketrans(
    {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;", "$": "&#36;", "{": "&#123;", "}": "&#125;"}
)

# Every contact of the registered phone; asked by the switch when `user/<login>@<domain>` is dialled.
_DIAL_STRING = "${sofia_contact(internal/${dialed_user}@${dialed_domain})}"


class UnprintableError(ValueError):
    """A value holds a character that no XML document may hold."""


def escape(value: object) -> str:
    """Text for an attribute value in double quotes. Raises UnprintableError."""
    text = str(value)
    if _UNSAFE.search(text):
        raise UnprintableError(text)
    return text.translate(_ENTITIES)


def user(
    login: str, domain: str, credentials: SipCredentials, networks: Sequence[str], cache_milliseconds: int = 0
) -> str:
    """The SIP account `login` in the domain asked; `networks` limit where it may come from. Raises UnprintableError."""
    params = [("a1-hash", ha1(login, domain, credentials.password)), ("dial-string", _DIAL_STRING)]
    if networks:
        params.append(("auth-acl", ",".join(networks)))
    variables: list[tuple[str, object]] = [
        ("user_context", "from-phone"),
        ("vats_account", credentials.account_id),
        ("vats_sip_account", credentials.sip_account_id),
    ]
    if credentials.user_id is not None:
        variables.append(("vats_user", credentials.user_id))
    if credentials.contact_id is not None:
        variables.append(("vats_contact", credentials.contact_id))
    cacheable = f' cacheable="{cache_milliseconds}"' if cache_milliseconds > 0 else ""
    return _document(
        "directory",
        f'<domain name="{escape(domain)}"><groups><group name="default"><users>\n<user id="{escape(login)}"{cacheable}>'
        f"<params>{_items('param', params)}</params>\n<variables>{_items('variable', variables)}</variables>"
        "</user>\n</users></group></groups></domain>",
    )


def sofia(trunks: Iterable[TrunkConfig]) -> str:
    """The whole sofia.conf: the profiles' own settings stay in the switch's files, the gateways come from the trunks.

    Give only trunks for which `usable` says yes.
    """
    gateways = "\n".join(_gateway(trunk) for trunk in trunks if trunk.proxy)
    return _document(
        "configuration",
        '<configuration name="sofia.conf" description="SIP">\n'
        '<X-PRE-PROCESS cmd="include" data="sofia/global.xml"/>\n'
        '<profiles>\n<profile name="internal">\n<gateways/><aliases/><domains/>\n'
        '<X-PRE-PROCESS cmd="include" data="sofia/internal.xml"/>\n</profile>\n'
        f'<profile name="trunk">\n<gateways>\n{gateways}\n</gateways><aliases/><domains/>\n'
        '<X-PRE-PROCESS cmd="include" data="sofia/trunk.xml"/>\n</profile>\n</profiles>\n</configuration>',
    )


def acl(networks: Sequence[str] | None) -> str:
    """The switch's access lists: `trunks` names who may call on the trunk side; None opens it."""
    default = "allow" if networks is None else "deny"
    nodes = "".join(f'<node type="allow" cidr="{escape(network)}"/>\n' for network in networks or ())
    return _document(
        "configuration",
        '<configuration name="acl.conf" description="Access lists"><network-lists>\n'
        f'<list name="trunks" default="{default}">\n{nodes}</list>\n</network-lists></configuration>',
    )


def usable(trunk: TrunkConfig) -> bool:
    """Whether the trunk can be written down for the switch at all; a broken one must not take the others with it."""
    texts = (trunk.username, trunk.password, trunk.auth_username, trunk.realm, trunk.from_domain)
    hosts = [host for host in (trunk.proxy, trunk.outbound_proxy) if host]
    return (
        not any(_UNSAFE.search(text) for text in texts)
        and not any(_NO_NAME.search(text) for text in (trunk.username, trunk.from_domain))
        and all(_HOST_PORT.fullmatch(host) for host in hosts)
        and not (trunk.register and not (trunk.username and trunk.proxy))
    )


def _gateway(trunk: TrunkConfig) -> str:
    params: list[tuple[str, object]] = [
        # FreeSWITCH refuses a gateway without these two even when it never registers
        ("username", trunk.username or f"trunk-{trunk.id}"),
        ("password", trunk.password or "none"),
        ("proxy", trunk.proxy),
        ("register", "true" if trunk.register else "false"),
        ("register-transport", trunk.transport),
        ("expire-seconds", trunk.expire_seconds),
        ("retry-seconds", trunk.retry_seconds),
        # the number dialled by the outside world stands in To; the request URI names the gateway
        ("extension", "auto_to_user"),
        ("caller-id-in-from", "true"),
    ]
    optional = {
        "auth-username": trunk.auth_username,
        "realm": trunk.realm,
        "from-domain": trunk.from_domain,
        "outbound-proxy": trunk.outbound_proxy,
        "register-proxy": trunk.outbound_proxy,
    }
    params.extend((name, value) for name, value in optional.items() if value)
    # the account is not told: it follows from the trunk
    variables = f'<variables><variable name="vats_trunk" value="{trunk.id}" direction="inbound"/></variables>'
    return f'<gateway name="{gateway_name(trunk.id)}">{_items("param", params)}{variables}</gateway>'


def _items(tag: str, pairs: Iterable[tuple[str, object]]) -> str:
    return "".join(f'<{tag} name="{name}" value="{escape(value)}"/>' for name, value in pairs)


def _document(section: str, body: str) -> str:
    return f'<?xml version="1.0"?>\n<document type="freeswitch/xml"><section name="{section}">\n{body}\n</section></document>\n'

# SPDX-License-Identifier: Apache-2.0
"""Our registrations at providers: challenge, refresh, 423, failure with back-off, taking back, calls that come by them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from engine.embedded.sip.agent import ClientRegistration, GatewayAccount, Hop, RegistrationState
from tests.embedded.sip.conftest import Switch, until
from tests.embedded.sip.core import Gateway
from tests.embedded.sip.phone import SDP, Msg, Phone

MakePhone = Callable[..., Awaitable[Phone]]


def begin(switch: Switch, provider: Phone, **more: Any) -> tuple[ClientRegistration, Gateway]:
    told = Gateway()
    account = GatewayAccount(
        name="one", listener="trunk", domain="provider.test", username="74951", password="pw",
        hop=Hop(provider.host, provider.port), retry_seconds=0.2, **more,
    )  # fmt: skip
    return switch.agent.register(account, told), told


def ok(provider: Phone, request: Msg, expires: int = 100) -> bytes:
    contacts = [("Contact", "<sip:other@10.0.0.1>;expires=3600"), ("Contact", f"<{request.contact}>;expires={expires}")]
    return provider.reply(request, 200, tag="p", extra=contacts)


async def test_challenge_then_registered_then_taken_back(switch: Switch, phone: MakePhone) -> None:
    provider = await phone()
    registration, told = begin(switch, provider)
    first = await provider.get("REGISTER")
    assert first.uri == "sip:provider.test"
    assert first.get("To") == "<sip:74951@provider.test>"
    assert first.contact == f"sip:gw+one@127.0.0.1:{switch.trunk[1]}"
    challenge = [("WWW-Authenticate", 'Digest realm="p", nonce="n", qop="auth", algorithm=MD5')]
    provider.send(provider.reply(first, 401, tag="p", extra=challenge))
    second = await provider.get("REGISTER")
    assert 'username="74951"' in second.get("Authorization")
    assert second.get("Call-ID") == first.get("Call-ID")
    assert second.cseq[0] == first.cseq[0] + 1
    provider.send(ok(provider, second))
    await told.wait("REGED")
    assert registration.state is RegistrationState.REGED
    assert 90 < registration.expires_at - switch.agent.stack.loop.time() <= 100
    registration.unregister()
    last = await provider.get("REGISTER")
    assert last.get("Expires") == "0"
    provider.send(ok(provider, last, 0))
    await told.wait("UNREGED")
    assert [name for name, _ in told.log] == ["TRYING", "REGED", "UNREGED"]


async def test_refresh_and_interval_too_brief(switch: Switch, phone: MakePhone) -> None:
    provider = await phone()
    registration, told = begin(switch, provider, expires=5)
    first = await provider.get("REGISTER")
    provider.send(provider.reply(first, 423, tag="p", extra=[("Min-Expires", "60")]))
    second = await provider.get("REGISTER")
    assert second.get("Expires") == "60"
    provider.send(ok(provider, second, 1))
    await told.wait("REGED")
    third = await provider.get("REGISTER")
    provider.send(ok(provider, third, 60))
    await until(lambda: not switch.agent.stack.transactions.clients)
    assert len(told.all("REGED")) == 1
    registration.stop()
    assert registration.state is RegistrationState.UNREGED


@pytest.mark.parametrize("code", [403, 503])
async def test_failure_waits_and_tries_again(switch: Switch, phone: MakePhone, code: int) -> None:
    provider = await phone()
    registration, told = begin(switch, provider)
    for _ in range(2):
        request = await provider.get("REGISTER")
        provider.send(provider.reply(request, code, tag="p"))
    assert await told.wait("FAILED") == code
    assert await told.wait("FAIL_WAIT") == code
    request = await provider.get("REGISTER")
    provider.send(ok(provider, request))
    await told.wait("REGED")
    registration.unregister()
    await provider.get("REGISTER")


async def test_wrong_password_is_not_hammered(switch: Switch, phone: MakePhone) -> None:
    provider = await phone()
    _, told = begin(switch, provider)
    challenge = [("WWW-Authenticate", 'Digest realm="p", nonce="n"')]
    for _ in range(2):
        request = await provider.get("REGISTER")
        provider.send(provider.reply(request, 401, tag="p", extra=challenge))
    assert await told.wait("FAILED") == 401
    await provider.silence(0.1, "REGISTER")


async def test_unreachable_provider(switch: Switch) -> None:
    told = Gateway()
    account = GatewayAccount("two", "trunk", "nowhere.invalid", "u", "p", retry_seconds=30)
    registration = switch.agent.register(account, told)
    assert await told.wait("FAILED", within=6) == 503
    registration.unregister()
    assert registration.state is RegistrationState.UNREGED


async def test_a_silent_provider_times_out(switch: Switch, phone: MakePhone) -> None:
    provider = await phone()
    _, told = begin(switch, provider)
    assert await told.wait("FAILED", within=6) == 408
    assert len([m for m in provider.seen if m.method == "REGISTER"]) > 8


async def test_calls_of_the_provider_come_with_our_contact(switch: Switch, phone: MakePhone) -> None:
    provider = await phone()
    begin(switch, provider)
    request = await provider.get("REGISTER")
    provider.send(ok(provider, request))
    provider.send(provider.request("INVITE", request.contact, to="<sip:74957776655@provider.test>", body=SDP))
    call = await switch.core.wait("incoming")
    assert call.request.uri.user == "gw+one"
    assert call.request.to.uri.user == "74957776655"

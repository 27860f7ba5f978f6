# SPDX-License-Identifier: Apache-2.0
"""Trunks: rescan and killgw, registration at a provider (a scripted one), calls in and out, the access list of the trunk side."""

from __future__ import annotations

import re

import pytest

from engine.calls.trunks import gateway_name
from engine.directory import TrunkConfig
from tests.embedded.conftest import House
from tests.embedded.sip.phone import parse
from tests.embedded.telephone import Telephone


class Provider(Telephone):
    """The registrar and the network of a provider: takes REGISTERs, calls through the Contact it was given."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 9), "74956000000", "provider.test", "trunk-pw")
        self.contact_of_switch = ""
        self.refuse_with = 0

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if not data.startswith(b"REGISTER"):
            super().datagram_received(data, addr)
            return
        request = parse(data, addr)
        self.server = addr
        if self.refuse_with:
            self.send(self.reply(request, self.refuse_with, tag="p"))
        elif not request.get("Authorization"):
            challenge = 'Digest realm="provider.test", nonce="n1", qop="auth", algorithm=MD5'
            self.send(self.reply(request, 401, tag="p", extra=[("WWW-Authenticate", challenge)]))
        elif 'username="74956000000"' in request.get("Authorization"):
            self.contact_of_switch = request.contact
            self.send(self.reply(request, 200, tag="p", extra=[("Contact", f"<{request.contact}>;expires=600")]))


def trunk(number: int, host: str, port: int, **options: object) -> TrunkConfig:
    return TrunkConfig(id=number, account_id=1, proxy=f"{host}:{port}", username="74956000000", password="trunk-pw", **options)  # type: ignore[arg-type]


@pytest.fixture
async def provider(house: House):  # type: ignore[no-untyped-def]
    phone = Provider()
    phone.server = house.trunk
    await phone.open(house.address)
    house.phones.append(phone)
    return phone


async def test_a_registering_trunk(house: House, provider: Provider) -> None:
    line = trunk(1, provider.host, provider.port, register=True, from_domain="provider.test", addresses=("127.0.0.0/8",))
    house.office.lines.append(line)
    async with house.esl() as esl:
        assert await esl.api("sofia profile trunk rescan") == "Reload XML [Success]\n+OK scan complete\n"
        added = await esl.event("CUSTOM", **{"Event-Subclass": "sofia::gateway_add"})
        assert added["Gateway"] == gateway_name(1)
        states = []
        while not states or states[-1] != "REGED":
            states.append((await esl.event("CUSTOM", **{"Event-Subclass": "sofia::gateway_state", "Gateway": gateway_name(1)}))["State"])
        assert "TRYING" in states
        status = await esl.api(f"sofia status gateway {gateway_name(1)}")
        assert "State   \tREGED\n" in status
        assert "Username\t74956000000\n" in status
        assert "<state>REGED</state>" in await esl.api("sofia xmlstatus gateway")
        assert f"trunk::{gateway_name(1)}" in await esl.api("sofia status gateway")
        await esl.api("reloadacl")
        # a call comes by the registration
        assert f"gw+{gateway_name(1)}@" in provider.contact_of_switch
        uri = provider.contact_of_switch
        provider.send(provider.request("INVITE", uri, to="<sip:74957776655@provider.test>", body=provider.sdp()))
        park = await esl.event("CHANNEL_PARK")
        assert park["Caller-Destination-Number"] == "74957776655"
        assert park["Caller-Context"] == "from-trunk"
        assert park["variable_sip_gateway"] == gateway_name(1)
        assert park["variable_vats_trunk"] == "1"
        assert park["variable_sip_network_ip"] == provider.host
        await esl.api(f"uuid_kill {park['Unique-ID']} USER_BUSY")
        assert (await provider.final("INVITE")).code == 486
        # a call goes out
        variables = "{origination_caller_id_number=74956000001,sip_cid_type=pid}"
        job = await esl.bgapi(f"originate {variables}sofia/gateway/{gateway_name(1)}/79031234567 &park")
        call = await provider.incoming()
        assert call.invite.uri.startswith(f"sip:79031234567@{provider.host}")
        assert "<sip:74956000001@provider.test>" in call.invite.get("From")
        assert "<sip:74956000001@provider.test>" in call.invite.get("P-Asserted-Identity")
        assert f"gw+{gateway_name(1)}@" in call.invite.contact
        await call.answer()
        assert (await esl.job(job)).startswith("+OK")
        esl.rewind()
        leg = await esl.event("CHANNEL_ANSWER")
        assert leg["variable_sip_gateway_name"] == gateway_name(1)


async def test_a_proxy_that_challenges_calls(house: House, provider: Provider) -> None:
    house.office.lines.append(trunk(1, provider.host, provider.port))
    async with house.esl() as esl:
        await esl.api("sofia profile trunk rescan")
        assert "State   \tNOREG\n" in await esl.api(f"sofia status gateway {gateway_name(1)}")
        job = await esl.bgapi(f"originate sofia/gateway/{gateway_name(1)}/79031234567 &park")
        invite = await provider.get("INVITE")
        challenge = 'Digest realm="provider.test", nonce="n1", qop="auth", algorithm=MD5'
        provider.send(provider.reply(invite, 407, tag="x", extra=[("Proxy-Authenticate", challenge)]))
        call = await provider.incoming()
        assert re.search(r'username="74956000000"', call.invite.get("Proxy-Authorization"))
        await call.answer()
        assert (await esl.job(job)).startswith("+OK")


async def test_a_trunk_that_is_down(house: House, provider: Provider) -> None:
    provider.refuse_with = 403
    house.office.lines.append(trunk(1, provider.host, provider.port, register=True))
    async with house.esl() as esl:
        await esl.api("sofia profile trunk rescan")
        await esl.event("CUSTOM", State="FAILED", Status="403")
        assert await esl.api(f"originate sofia/gateway/{gateway_name(1)}/79031234567 &park") == "-ERR GATEWAY_DOWN\n"


async def test_rescan_only_adds_killgw_removes(house: House) -> None:
    house.office.lines[:] = [trunk(1, "127.0.0.1", 5095), trunk(2, "127.0.0.1", 5097)]
    async with house.esl() as esl:
        await esl.api("sofia profile trunk rescan")
        house.office.lines[:] = [trunk(1, "127.0.0.1", 5096)]
        await esl.api("sofia profile trunk rescan")
        assert "5095" in await esl.api(f"sofia status gateway {gateway_name(1)}")
        assert "5097" in await esl.api(f"sofia status gateway {gateway_name(2)}")
        for name in (gateway_name(1), gateway_name(2)):
            assert await esl.api(f"sofia profile trunk killgw {name}") == "+OK gateway marked for deletion.\n"
            await esl.event("CUSTOM", **{"Event-Subclass": "sofia::gateway_delete", "Gateway": name})
        await esl.api("sofia profile trunk rescan")
        assert "5096" in await esl.api(f"sofia status gateway {gateway_name(1)}")
        assert await esl.api(f"sofia status gateway {gateway_name(2)}") == "Invalid Gateway!\n"
        assert await esl.api(f"sofia profile trunk killgw {gateway_name(2)}") == "-ERR no such gateway.\n"


async def test_unknown_addresses_never_enter(house: House) -> None:
    house.office.lines.append(trunk(1, "127.0.0.1", 5095, addresses=("10.1.2.3/32",)))
    stranger = await house.phone("79030000000", trunk=True)
    async with house.esl() as esl:
        await esl.api("reloadacl")
        raw = stranger.request("INVITE", "sip:74957776655@x", body=stranger.sdp())
        stranger.send(raw)
        refused = await stranger.final("INVITE")
        assert refused.code == 403
        stranger.send(stranger.ack(raw, refused))
        assert (await stranger.register()).code == 405
        house.office.lines.append(trunk(2, "127.0.0.1", 5095, addresses=(f"{stranger.host}/32",)))
        await esl.api("reloadacl")
        stranger.send(stranger.request("INVITE", "sip:74957776655@x", body=stranger.sdp()))
        park = await esl.event("CHANNEL_PARK")
        assert park["Caller-Context"] == "from-trunk"
        assert "variable_sip_gateway" not in park
        assert "variable_sip_auth_username" not in park

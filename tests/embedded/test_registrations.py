# SPDX-License-Identifier: Apache-2.0
"""Accounts and registrations as the engine sees them: events, tables, white lists, the cache, two customers with one login."""

from __future__ import annotations

import msgspec
import pytest

from tests.embedded.conftest import House, parked


async def test_register_and_unregister(house: House) -> None:
    async with house.esl("json CUSTOM sofia::register sofia::unregister") as esl:
        phone = await house.phone("101", register=True)
        event = await esl.event("CUSTOM", **{"Event-Subclass": "sofia::register"})
        assert (event["from-user"], event["from-host"], event["username"], event["realm"]) == ("101", "t1.test", "101", "t1.test")
        assert event["network-ip"] == house.address
        assert int(event["expires"]) == 300
        assert f"sip:101@{house.address}:{phone.port}" in event["contact"]
        rows = msgspec.json.decode(await esl.api("show registrations as json"))["rows"]
        assert (rows[0]["reg_user"], rows[0]["realm"], rows[0]["network_ip"]) == ("101", "t1.test", house.address)
        assert "101@t1.test" in await esl.api("sofia xmlstatus profile internal reg 101@t1.test")
        assert "User:       \t101@t1.test" in await esl.api("sofia status profile internal reg")
        assert await esl.api("sofia_count_reg internal/101@t1.test") == "1"
        assert (await phone.register(expires=0, cseq=10)).code == 200
        gone = await esl.event("CUSTOM", **{"Event-Subclass": "sofia::unregister"})
        assert gone["from-user"] == "101"
        assert await esl.api("show registrations as json") == '{"row_count": 0}\n'
        assert await esl.api("sofia_contact */101@t1.test") == "error/user_not_registered"


async def test_the_same_login_of_two_customers(house: House) -> None:
    one = await house.phone("101", "t1.test", register=True)
    two = await house.phone("101", "t2.test")
    assert (await two.register(password="pw-101")).code == 403
    assert (await two.register(password="other-101", cseq=20)).code == 200
    async with house.esl() as esl:
        a, b = await esl.api("sofia_contact 101@t1.test"), await esl.api("sofia_contact 101@t2.test")
        assert str(one.port) in a
        assert str(two.port) in b
        assert str(two.port) not in a


async def test_failures_are_told(house: House) -> None:
    phone = await house.phone("101")
    async with house.esl("json CUSTOM sofia::register_failure") as esl:
        assert (await phone.register(password="wrong")).code == 403
        event = await esl.event("CUSTOM")
        assert (event["to-user"], event["to-host"], event["network-ip"]) == ("101", "t1.test", house.address)
        assert (await (await house.phone("999")).register()).code == 403
        assert (await esl.event("CUSTOM"))["user"] == "999"


async def test_admin_throws_a_phone_out(house: House) -> None:
    await house.phone("101", register=True)
    await house.phone("102", register=True)
    async with house.esl("json CUSTOM sofia::expire") as esl:
        assert (await esl.api("sofia profile internal flush_inbound_reg 101@t1.test")).startswith("+OK")
        event = await esl.event("CUSTOM")
        assert (event["user"], event["host"]) == ("101", "t1.test")
        assert await esl.api("sofia_count_reg 101@t1.test") == "0"
        assert await esl.api("sofia_count_reg 102@t1.test") == "1"


async def test_white_list(house: House) -> None:
    house.office.networks[1] = ["10.0.0.0/8"]
    phone = await house.phone("101")
    assert (await phone.register()).code == 403
    house.office.networks[1] = ["10.0.0.0/8", f"{house.address}/32"]
    assert (await phone.register(cseq=10)).code == 200


async def test_directory_away(house: House) -> None:
    await house.directory.stop()
    phone = await house.phone("101")
    assert (await phone.register()).code == 503
    async with house.esl() as esl:
        assert await esl.api("reloadacl") == "-ERR [the directory does not answer]\n"
        assert (await esl.api("sofia profile trunk rescan")).endswith("-ERR cannot find config for profile trunk\n")


class TestCache:
    @pytest.fixture
    async def directory(self, office):  # type: ignore[no-untyped-def]
        from engine.directory import DirectoryListener

        listener = DirectoryListener(
            office, host="127.0.0.1", port=0, secret="s3cret", allowed=["127.0.0.0/8"], cache_milliseconds=60_000
        )
        await listener.start()
        yield listener
        await listener.stop()

    async def test_cacheable_accounts_are_asked_once(self, house: House) -> None:
        phone = await house.phone("101", register=True)
        asked = house.office.asked
        for cseq in (10, 20):
            assert (await phone.register(cseq=cseq)).code == 200
        assert house.office.asked == asked
        async with house.esl() as esl:
            assert await esl.api("xml_flush_cache id 101 t1.test") == "+OK cleared 1 entry\n"
            assert await esl.api("xml_flush_cache id 101 t1.test") == "+OK cleared 0 entries\n"
        assert (await phone.register(cseq=30)).code == 200
        assert house.office.asked > asked


async def test_variables_of_the_account_and_of_the_call(house: House) -> None:
    phone = await house.phone("101")
    async with house.esl() as esl:
        _, uuid = await parked(esl, phone)
        park = await esl.find("CHANNEL_PARK", uuid)
        for name, value in {
            "sip_authorized": "true",
            "sip_auth_username": "101",
            "sip_auth_realm": "t1.test",
            "user_name": "101",
            "domain_name": "t1.test",
            "vats_account": "1",
            "vats_user": "7",
            "vats_contact": "9",
            "sip_from_user": "101",
            "sip_from_host": "t1.test",
            "sip_to_user": "700",
            "sip_req_user": "700",
            "sip_network_ip": house.address,
            "sip_received_ip": house.address,
            "sip_network_port": str(phone.port),
            "sofia_profile_name": "internal",
            "direction": "inbound",
        }.items():
            assert park[f"variable_{name}"] == value, name
        assert park["Caller-Network-Addr"] == house.address
        assert park["Caller-Username"] == "101"
        assert park["Channel-Name"] == "sofia/internal/101@t1.test"
        answered = await esl.find("CHANNEL_ANSWER", uuid)
        assert answered["variable_read_codec"] == "PCMA"
        assert answered["Channel-Read-Codec-Name"] == "PCMA"
        assert answered["variable_endpoint_disposition"] == "ANSWER"


async def test_extra_headers_become_variables(house: House) -> None:
    phone = await house.phone("101")
    async with house.esl() as esl:
        await phone.call("700", extra=[("X-Tracking-Id", "55"), ("Diversion", "<sip:1@x>;reason=no-answer")])
        park = await esl.event("CHANNEL_PARK")
        assert park["variable_sip_h_X-Tracking-Id"] == "55"
        assert park["variable_sip_h_Diversion"] == "<sip:1@x>;reason=no-answer"

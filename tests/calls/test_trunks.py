# SPDX-License-Identifier: Apache-2.0
"""Calls through providers: by an IP trunk, by a registering one, in both directions; and who is turned away at the trunk side."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest

from engine.db.secrets import encrypt
from engine.people import ContactWish
from tests.calls.installation import Installation, own_address
from tests.calls.pbx import OUTSIDER, Pbx, company
from tests.calls.telephone import Provider

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.mark.feature("OUT-2", "R16", "R19", "NUM-2")
async def test_an_employee_calls_out_by_an_ip_trunk(shared: Pbx) -> None:
    await shared.user("201")
    async with shared.provider() as provider, shared.telephone("201") as phone:
        trunk = await shared.line(server=provider.host, port=provider.port)
        await shared.number("+74956660001", trunk)
        talk = await phone.call("89031234567")
        call = await provider.takes()
        assert call.invite.uri.startswith("sip:79031234567@")
        assert "sip:74956660001@" in call.invite.get("From")
        await call.answer()
        await talk.answered()
        phone.say(500)
        provider.say(1300)
        await provider.hears(500)
        await phone.hears(1300)
        await call.hang_up()
        await talk.ended()
        (record,) = await shared.records(1)
    assert record.direction == "out"
    assert record.talked
    assert [(leg.reason, leg.trunk_id) for leg in sorted(record.legs, key=lambda x: x.started_at)] == [
        ("outgoing", None), ("outgoing", trunk.id),
    ]  # fmt: skip


@pytest.mark.feature("OUT-2")
@pytest.mark.parametrize(("code", "told"), [(486, (486,)), (404, (404,)), (503, (503, 480))])
async def test_the_caller_hears_why_a_provider_refuses(shared: Pbx, code: int, told: tuple[int, ...]) -> None:
    await shared.user("201")
    async with shared.provider() as provider, shared.telephone("201") as phone:
        trunk = await shared.line(server=provider.host, port=provider.port)
        await shared.number(f"+74956661{code}", trunk)
        talk = await phone.call("89031234567")
        await provider.refuses(code)
        assert await talk.refused() in told


@pytest.mark.feature("NUM-2", "OUT-2", "R16")
async def test_a_registering_trunk(shared: Pbx) -> None:
    await shared.rule(await shared.group("Sales", await shared.user("201")))
    async with shared.provider() as provider, shared.telephone("201") as phone:
        trunk = await shared.line(
            registers=True, server=provider.host, port=provider.port, login=provider.login, secret=encrypt(provider.secret)
        )
        await shared.number("+74956660002", trunk)
        await provider.is_registered()
        await shared.line_is_up(trunk)
        # out
        talk = await phone.call("89031234567")
        call = await provider.answers()
        assert "sip:74956660002@" in call.invite.get("From")
        await talk.answered()
        await talk.hang_up()
        await call.ended()
        # in: the provider calls the Contact he was given, the number stands in To
        incoming = await provider.calls("74956660002", by=provider.registered_from)
        ringing = await phone.answers()
        assert OUTSIDER[2:] in ringing.invite.get("From")
        await incoming.answered()
        await incoming.hang_up()
        await ringing.ended()
        _, record = await shared.records(2)
    assert record.did == "+74956660002"
    assert record.caller_number == OUTSIDER


@pytest.mark.feature("R5", "NUM-2", "ACC-1")
async def test_who_is_turned_away(shared: Pbx, house: Installation, tmp_path: Path) -> None:
    neighbour = await company(house, tmp_path)
    await shared.rule(await shared.group("Sales", await shared.user("201")))
    await neighbour.rule(await neighbour.group("Sales", await neighbour.user("201")))
    async with shared.telephone("201") as phone, neighbour.telephone("201") as other:
        async with shared.provider(address=own_address()) as stranger:
            assert await (await stranger.calls(shared.did[1:])).refused() == 403
            assert await (await stranger.calls("79031234567")).refused() == 403
        async with shared.provider() as provider:
            assert await (await provider.calls("74959999999")).refused() == 404  # nobody's
            assert await (await provider.calls("79031234567")).refused() == 404  # a trunk leads in, never out
            assert await (await provider.calls("201")).refused() == 404
            assert await (await provider.calls(neighbour.did[1:])).refused() == 403  # comes by another customer's line
        assert not phone.rung
        assert not other.rung
    await neighbour.quiet()


@pytest.mark.feature("R5", "NUM-2", "ACC-1")
async def test_a_registering_trunk_lets_nobody_else_in(shared: Pbx) -> None:
    """Its provider may call from any address, so the trunk side is open; only he knows the Contact that was registered."""
    await shared.rule(await shared.group("Sales", await shared.user("201")))
    async with shared.provider() as provider, shared.telephone("201") as phone, shared.provider(address=own_address()) as stranger:
        trunk = await shared.line(
            registers=True, sources=[], server=provider.host, port=provider.port, login=provider.login, secret=encrypt(provider.secret)
        )
        await shared.number("+74956660009", trunk)
        await provider.is_registered()
        await shared.line_is_up(trunk)
        while "true" not in await shared.house.ask(f"acl {stranger.host} trunks"):
            await asyncio.sleep(0.05)
        us = f"{shared.trunk[0]}:{shared.trunk[1]}"
        name = provider.registered_from.removeprefix("sip:gw+").partition("@")[0]
        guesses = [
            f"sip:74956660009@{us}", f"sip:gw+trunk-{trunk.id}@{us}", f"sip:gw+trunk-{trunk.id}-000000000000@{us}", f"sip:gw+@{us}",
            f"sip:74956660009@{us};gw=trunk-{trunk.id}", f"sip:{name}@{us}", f"sip:gw+{name[:-1]}@{us}",
        ]  # fmt: skip
        for guess in guesses:
            assert await (await stranger.calls("74956660009", by=guess)).refused() in (403, 404), guess
        assert not phone.rung
        assert not shared.calls
        incoming = await provider.calls("74956660009", by=provider.registered_from)
        ringing = await phone.answers()
        await incoming.answered()
        await incoming.hang_up()
        await ringing.ended()
        (record,) = await shared.records(1)
    assert record.did == "+74956660009"


@pytest.mark.feature("R19")
async def test_a_phone_contact_is_reached_through_the_trunk(shared: Pbx) -> None:
    user = await shared.user("201", ContactWish(kind="phone", address="+79051112233", timeout_seconds=5))
    async with shared.provider() as provider, shared.provider() as caller:
        trunk = await shared.line(server=provider.host, port=provider.port)
        await shared.number("+74956660003", trunk)
        await shared.rule(await shared.group("Sales", user))
        talk = await caller.calls(shared.did[1:])
        call = await provider.answers()
        assert call.invite.uri.startswith("sip:79051112233@")
        assert "sip:74956660003@" in call.invite.get("From")  # the operator would reject a foreign number
        await talk.answered()
        await talk.hang_up()
        await call.ended()
        (record,) = await shared.records(1)
    assert {leg.reason for leg in record.legs} == {"incoming", "forward"}


async def fails(provider: Provider, trouble: int | str) -> None:
    """The next call at its line; nothing comes to one that is down."""
    if trouble == "down":
        return
    call = await provider.incoming()
    if trouble == 183:
        call.early()
    await call.refuse(503 if trouble == 183 else int(trouble))


@pytest.mark.feature("OUT-2", "R16")
async def test_a_line_whose_provider_says_nothing_at_all_is_given_up_soon(shared: Pbx) -> None:
    await shared.user("201")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as dead:
        dead.bind((shared.phones_at, 0))
        async with shared.provider() as second, shared.telephone("201") as phone:
            own = await shared.line(title="Dead", server=shared.phones_at, port=dead.getsockname()[1])
            did = await shared.number("+74956662015", own)
            await shared.line(title="Reserve", server=second.host, port=second.port, may_show=[f"core.did:{did.id}"])
            talk = await phone.call("89031234567")
            began = asyncio.get_running_loop().time()
            call = await second.answers()
            assert asyncio.get_running_loop().time() - began < 12  # SIP by itself would wait for 32 s
            await talk.answered()
            await talk.hang_up()
            await call.ended()
            (record,) = await shared.records(1)
    assert [leg.cause for leg in sorted(record.legs, key=lambda leg: leg.started_at)][1] == "RECOVERY_ON_TIMER_EXPIRE"


@pytest.mark.feature("OUT-2", "R16", "BIL-10")
@pytest.mark.parametrize(
    ("trouble", "number"), [(503, "+74956662010"), ("down", "+74956662012"), (403, "+74956662013"), (183, "+74956662014")]
)
async def test_the_next_line_takes_a_call_that_its_own_one_fails(shared: Pbx, trouble: int | str, number: str) -> None:
    """An employee's and a forwarded one; a line that may not show the number is never asked."""
    await shared.user("201")
    away = await shared.user("202", ContactWish(kind="phone", address="+79051112233", timeout_seconds=5))
    async with shared.provider() as first, shared.provider() as silent, shared.provider() as second, shared.telephone("201") as phone:
        registers = {"registers": True, "login": "nobody", "secret": encrypt("x")} if trouble == "down" else {}
        own = await shared.line(title="Own", server=first.host, port=first.port, **registers)
        did = await shared.number(number, own)
        await shared.line(title="Foreign", server=silent.host, port=silent.port)
        reserve = await shared.line(title="Reserve", server=second.host, port=second.port, may_show=[f"core.did:{did.id}"])
        await shared.rule(await shared.group("Sales", away), number=did.number)
        talk = await phone.call("89031234567")
        await fails(first, trouble)
        call = await second.takes()
        assert call.invite.uri.startswith("sip:79031234567@")
        assert f"sip:{number[1:]}@" in call.invite.get("From")
        await call.answer()
        await talk.answered()
        await talk.hang_up()
        await call.ended()
        incoming = await second.calls(number[1:])
        await fails(first, trouble)
        forwarded = await second.answers()
        assert forwarded.invite.uri.startswith("sip:79051112233@")
        await incoming.answered()
        await incoming.hang_up()
        await forwarded.ended()
        records = await shared.records(2)
        assert not silent.rung
    for record in records:
        tried = [leg for leg in sorted(record.legs, key=lambda leg: leg.started_at) if leg.direction == "out" and leg.trunk_id]
        assert [leg.trunk_id for leg in tried] == [own.id, reserve.id]
        assert tried[0].answered_at is None
        assert [s["facts"]["line"] for s in record.trace if s["what"] == "line_failed"] == ["Own"]


@pytest.mark.feature("OUT-2", "R16")
async def test_a_refusal_of_the_called_one_is_no_fault_of_the_line(shared: Pbx) -> None:
    await shared.user("201")
    async with shared.provider() as first, shared.provider() as second, shared.telephone("201") as phone:
        own = await shared.line(server=first.host, port=first.port)
        did = await shared.number("+74956662011", own)
        await shared.line(server=second.host, port=second.port, may_show=[f"core.did:{did.id}"])
        for code in (486, 404, 603):
            talk = await phone.call("89031234567")
            await first.refuses(code)
            assert await talk.refused() >= 400
        talk = await phone.call("89031234567")
        ringing = await first.takes()
        await ringing.refuse(503)  # it has rung: the called phone was reached
        assert await talk.refused() >= 400
        await shared.records(4)
        assert not second.rung

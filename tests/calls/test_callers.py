# SPDX-License-Identifier: Apache-2.0
"""Who calls and what was dialled, however the provider or the phone writes it: asserted identities, privacy, number parameters."""

from __future__ import annotations

import pytest

from tests.calls.pbx import Pbx
from tests.embedded.telephone import Talk

ANONYMOUS = '"Anonymous" <sip:anonymous@anonymous.invalid>;tag=a1'
KNOWN = "<sip:+79271234567@provider.test>;tag=a1"


@pytest.mark.asyncio(loop_scope="session")
@pytest.mark.feature("R19", "R27")
@pytest.mark.parametrize(
    ("sender", "headers", "number", "name"),
    [
        (ANONYMOUS, [], None, ""),
        (ANONYMOUS, [("P-Asserted-Identity", '"Ivan" <sip:+79031112233@provider.test>')], "+79031112233", "Ivan"),
        (ANONYMOUS, [("P-Asserted-Identity", "<tel:+79031112233>")], "+79031112233", ""),
        (ANONYMOUS, [("Remote-Party-ID", '"Ivan" <sip:79031112233@provider.test>;party=calling')], "+79031112233", "Ivan"),
        (KNOWN, [("P-Asserted-Identity", "<sip:+79031112233@provider.test>, <tel:+79031112233>")], "+79031112233", ""),
        (KNOWN, [("P-Asserted-Identity", "<sip:provider.test>")], "+79271234567", ""),
        (KNOWN, [("Privacy", "id")], None, ""),
        (
            ANONYMOUS,
            [("P-Asserted-Identity", '"Ivan" <sip:+79031112233@provider.test>'), ("Privacy", "user;id")],
            None,
            "",
        ),
        (KNOWN, [("Remote-Party-ID", '"Ivan" <sip:79031112233@provider.test>;party=calling;privacy=full')], None, ""),
        ("<sip:89271234567;phone-context=+7@provider.test;user=phone>;tag=a1", [], "+79271234567", ""),
    ],
)
async def test_who_calls(shared: Pbx, sender: str, headers: list[tuple[str, str]], number: str | None, name: str) -> None:
    await shared.rule(await shared.group("Sales", await shared.user("201")))
    async with shared.telephone("201") as phone, shared.provider() as provider:
        await shared.registered("201")
        raw = provider.request("INVITE", f"sip:{shared.did[1:]}@{provider.domain}", from_=sender, body=provider.sdp(), extra=headers)
        provider.send(raw)
        talk = Talk(provider, raw)
        ringing = await phone.takes()
        shown = ringing.invite.get("From")
        talk.cancel()
        assert await talk.refused() == 487
        await ringing.cancelled()
        (record,) = await shared.records(1)
    assert (record.caller_number, record.caller_name) == (number, name)
    assert ("89031112233" in shown) == (number == "+79031112233")
    assert ("89271234567" in shown) == (number == "+79271234567")
    assert (name in shown) if name else ("Ivan" not in shown)


@pytest.mark.asyncio(loop_scope="session")
@pytest.mark.parametrize(
    "written",
    [
        "sip:+{digits};phone-context=+7@{domain};user=phone",
        "sip:{digits}@{domain};user=phone",
        "sip:{local};phone-context=%2B7495@{domain};user=phone",
        "sip:{local};phone-context=+7495@{domain}",
        "sip:{digits};npdi@{domain};user=phone",
    ],
)
async def test_a_called_number_with_parameters(shared: Pbx, written: str) -> None:
    await shared.rule(await shared.group("Sales", await shared.user("201")))
    async with shared.telephone("201") as phone, shared.provider() as provider:
        await shared.registered("201")
        uri = written.format(digits=shared.did[1:], local=shared.did[5:], domain=provider.domain)
        raw = provider.request("INVITE", uri, body=provider.sdp())
        provider.send(raw)
        talk = Talk(provider, raw)
        ringing = await phone.takes()
        talk.cancel()
        assert await talk.refused() == 487
        await ringing.cancelled()
        (record,) = await shared.records(1)
    assert record.did == shared.did


@pytest.mark.asyncio(loop_scope="session")
@pytest.mark.feature("OUT-1")
async def test_a_phone_that_adds_parameters_to_what_it_dials(shared: Pbx) -> None:
    await shared.user("202")
    await shared.user("201")
    async with shared.telephone("201") as phone, shared.telephone("202") as other:
        await shared.registered("201", "202")
        talk = await phone.call(f"202;phone-context={shared.domain}@{shared.domain};user=phone")
        ringing = await other.takes()
        talk.cancel()
        assert await talk.refused() == 487
        await ringing.cancelled()
        (record,) = await shared.records(1)
    assert record.dialled == "202"

# SPDX-License-Identifier: Apache-2.0
"""Transfers by REFER: blind from either side, attended with both calls up, attended while the target still rings."""

from __future__ import annotations

from tests.embedded.conftest import House, dialled, joined, parked
from tests.embedded.esl import Esl
from tests.embedded.telephone import replaces


def order(esl: Esl, since: int, *wanted: str) -> list[tuple[str, str]]:
    """(event or subclass, channel) of these kinds, in order."""
    found = []
    for event in esl.events[since:]:
        name = event.get("Event-Subclass") or event["Event-Name"]
        if name in wanted:
            found.append((name, event["Unique-ID"]))
    return found


async def test_blind_by_the_callee(house: House) -> None:
    a, b = await house.phone("101"), await house.phone("102", register=True)
    async with house.esl() as esl:
        talk, uuid = await parked(esl, a)
        await esl.api(f"uuid_setvar_multi {uuid} vats_call=5;force_transfer_context=from-phone")
        call = await dialled(esl, b, "leg")
        await joined(esl, uuid, "leg")
        since = len(esl.events)
        assert await call.refer("sip:555@t1.test") == 202
        first, second = await b.get("NOTIFY"), await b.get("NOTIFY")
        for notify in (first, second):
            b.send(b.reply(notify, 200))
        assert second.body.startswith("SIP/2.0 200")
        park = await esl.event("CHANNEL_PARK", **{"Unique-ID": uuid})
        assert park["Caller-Destination-Number"] == "555"
        assert park["Caller-Context"] == "from-phone"
        assert "bl_xfer:555/from-phone/XML" in park["variable_transfer_source"]
        assert park["variable_sip_refer_to"] == "<sip:555@t1.test>"
        assert park["variable_sip_h_Referred-By"] == "<sip:102@t1.test>"
        assert park["variable_vats_call"] == "5"
        assert park["variable_park_after_bridge"] == "true"
        await call.ended()
        assert order(esl, since, "CHANNEL_UNBRIDGE", "CHANNEL_PARK") == [("CHANNEL_UNBRIDGE", uuid), ("CHANNEL_PARK", uuid)]
        # the dialplan has armed the guard again
        assert await esl.api(f"sched_del {uuid}") == "+OK Deleted: 1\n"
        await talk.hang_up()


async def test_blind_by_the_caller(house: House) -> None:
    a, b = await house.phone("101"), await house.phone("102", register=True)
    async with house.esl() as esl:
        talk, uuid = await parked(esl, a)
        call = await dialled(esl, b, "leg", "force_transfer_context=from-phone")
        await joined(esl, uuid, "leg")
        assert await talk.refer("sip:555@t1.test") == 202
        park = await esl.event("CHANNEL_PARK", **{"Unique-ID": "leg"})
        assert park["Caller-Destination-Number"] == "555"
        a_park = await esl.find("CHANNEL_PARK", uuid)
        assert a_park["Unique-ID"] == uuid
        esl.rewind()
        a_park = await esl.event("CHANNEL_PARK", **{"Unique-ID": uuid, "variable_endpoint_disposition": "BLIND_TRANSFER"})
        assert a_park["variable_transfer_to"].startswith("blind:")
        await talk.hang_up()
        await esl.api("uuid_kill leg")
        await call.ended()


async def test_blind_by_the_caller_without_a_context_loses_the_callee(house: House) -> None:
    a, b = await house.phone("101"), await house.phone("102", register=True)
    async with house.esl() as esl:
        talk, uuid = await parked(esl, a)
        await dialled(esl, b, "leg")
        await joined(esl, uuid, "leg")
        assert await talk.refer("sip:555@t1.test") == 202
        assert (await esl.event("CHANNEL_HANGUP_COMPLETE", **{"Unique-ID": "leg"}))["Hangup-Cause"] == "NO_ROUTE_DESTINATION"


async def test_a_transfer_of_nobody(house: House) -> None:
    a = await house.phone("101")
    async with house.esl() as esl:
        talk, _ = await parked(esl, a)
        assert await talk.refer("sip:555@t1.test") == 403


async def test_attended_with_both_calls_up(house: House) -> None:
    """A talks with B; B holds, calls C, they talk; B's phone joins A and C."""
    a, b, c = await house.phone("101"), await house.phone("102", register=True), await house.phone("103", register=True)
    async with house.esl() as esl:
        talk, uuid = await parked(esl, a)
        first = await dialled(esl, b, "b1")
        await joined(esl, uuid, "b1")
        await first.hold()
        await esl.event("CHANNEL_HOLD")
        second, b2 = await parked(esl, b, "103")
        target = await dialled(esl, c, "c")
        await joined(esl, b2, "c")
        since = len(esl.events)
        assert await first.refer(replaces(second.tags, "103@t1.test")) == 202
        bridge = await esl.event("CHANNEL_BRIDGE", **{"Unique-ID": uuid})
        assert bridge["Other-Leg-Unique-ID"] == "c"
        park = await esl.find("CHANNEL_PARK", b2)
        esl.rewind()
        park = await esl.event("CHANNEL_PARK", **{"Unique-ID": b2, "variable_transfer_disposition": "replaced"})
        assert park["variable_endpoint_disposition"] == "ATTENDED_TRANSFER"
        await first.ended()
        a.say(700)
        c.say(900)
        await a.hears(900)
        await c.hears(700)
        told = order(
            esl, since, "sofia::replaced", "sofia::transferor", "sofia::transferee", "CHANNEL_PARK", "CHANNEL_UNHOLD",
            "CHANNEL_HANGUP_COMPLETE", "CHANNEL_BRIDGE", "CHANNEL_UNBRIDGE",
        )  # fmt: skip
        assert told[:3] == [("sofia::replaced", b2), ("sofia::transferor", "b1"), ("sofia::transferee", uuid)]
        for earlier, later in (
            (("CHANNEL_UNBRIDGE", b2), ("CHANNEL_PARK", b2)),
            (("CHANNEL_UNHOLD", "b1"), ("CHANNEL_HANGUP_COMPLETE", "b1")),
            (("CHANNEL_UNBRIDGE", uuid), ("CHANNEL_BRIDGE", uuid)),
            (("CHANNEL_PARK", b2), ("CHANNEL_BRIDGE", uuid)),
        ):
            assert told.index(earlier) < told.index(later)
        assert ":uuid_br:" in bridge["variable_transfer_source"]
        over = await esl.event("CHANNEL_HANGUP_COMPLETE", **{"Unique-ID": b2})
        assert over["Hangup-Cause"] == "ATTENDED_TRANSFER"
        await second.ended()
        await target.hang_up()
        await esl.event("CHANNEL_PARK", **{"Unique-ID": uuid})
        await talk.hang_up()


async def test_attended_while_the_target_rings(house: House) -> None:
    a, b, c = await house.phone("101"), await house.phone("102", register=True), await house.phone("103", register=True)
    async with house.esl() as esl:
        talk, uuid = await parked(esl, a)
        await esl.api(f"uuid_setvar {uuid} force_transfer_context from-phone")
        first = await dialled(esl, b, "b1")
        await joined(esl, uuid, "b1")
        await first.hold()
        second, b2 = await parked(esl, b, "103")
        job = await esl.bgapi("originate {origination_uuid=c}user/103@t1.test &park")
        ringing = await c.incoming()
        ringing.ring()
        await esl.event("CHANNEL_PROGRESS", **{"Unique-ID": "c"})
        assert await first.refer(replaces(second.tags, "103@t1.test")) == 202
        park = await esl.event("CHANNEL_PARK", **{"Unique-ID": uuid})
        assert park["Caller-Destination-Number"] == "103"
        assert "bl_xfer" in park["variable_transfer_source"]
        assert park["variable_sip_h_Referred-By"] == "<sip:102@t1.test>"
        assert (await esl.find("CHANNEL_HANGUP_COMPLETE", b2))["Hangup-Cause"] == "ATTENDED_TRANSFER"
        await esl.find("CHANNEL_HANGUP_COMPLETE", "b1")
        assert await esl.api(f"sched_del {uuid}") == "+OK Deleted: 1\n"
        await ringing.answer()
        assert await esl.job(job) == "+OK c\n"
        await joined(esl, uuid, "c")
        c.say(900)
        await a.hears(900)
        await talk.hang_up()


async def test_refer_to_a_call_that_is_not_here(house: House) -> None:
    a, b = await house.phone("101"), await house.phone("102", register=True)
    async with house.esl() as esl:
        _, uuid = await parked(esl, a)
        call = await dialled(esl, b, "leg")
        await joined(esl, uuid, "leg")
        assert await call.refer(replaces(("none", "x", "y"), "103@t1.test")) == 481
        assert await esl.api("uuid_exists leg") == "true"


async def test_invite_with_replaces_takes_the_place(house: House) -> None:
    a, b, p = await house.phone("101"), await house.phone("102", register=True), await house.phone("103")
    async with house.esl() as esl:
        _, uuid = await parked(esl, a)
        call = await dialled(esl, b, "leg")
        await joined(esl, uuid, "leg")
        call_id, to_tag, from_tag = call.tags
        taking = await p.call("102", extra=[("Replaces", f"{call_id};to-tag={to_tag};from-tag={from_tag}")])
        await taking.answered()
        await call.ended()
        bridge = await esl.event("CHANNEL_BRIDGE", **{"Unique-ID": uuid})
        assert bridge["Other-Leg-Unique-ID"] != "leg"
        p.say(900)
        await a.hears(900)

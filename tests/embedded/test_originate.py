# SPDX-License-Identifier: Apache-2.0
"""Calling out: answers, refusals, timeouts, early media, variables and their quoting, several legs."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from engine.embedded.config import Config
from engine.esl import command
from tests.embedded.conftest import Configure, House, dialled, parked

NASTY = (
    "Отдел продаж · Анна", "O'Brien", "Smith, John", 'Ivan "Vanya"', "C:\\x y", "a}b{c]d[e",
    "Иван, 'Co' \"x\" \\n a=b;c | ^^ < > :_ end\\ ",
    "  two  ", "'", "''", "it's", "$5", "$$ \\$", "\\", "\\\\", "a\\sb\\tc\\n", ",", ";'x", "=", "a=b", "^^:a",
    "${uuid}", "$\\'{uuid}", "}{",
)  # fmt: skip


async def test_leg_by_leg(house: House) -> None:
    phone = await house.phone("102", register=True)
    async with house.esl() as esl:
        line = (
            "originate {origination_uuid=u-123,origination_caller_id_number=74951234567,origination_caller_id_name=Ромашка\\\\,\\sООО,"
            "vats_call=77,sip_h_X-Call='a b',ignore_early_media=true,originate_timeout=20}user/102@t1.test &park"
        )
        job = await esl.bgapi(line)
        call = await phone.incoming()
        assert '"Ромашка, ООО" <sip:74951234567@t1.test>' in call.invite.get("From")
        assert call.invite.get("X-Call") == "a b"
        assert call.invite.get("To") == "<sip:102@t1.test>"
        rows = msgspec.json.decode(await esl.api("show channels as json"))["rows"]
        assert (rows[0]["uuid"], rows[0]["state"], rows[0]["direction"]) == ("u-123", "CS_CONSUME_MEDIA", "outbound")
        call.ring()
        progress = await esl.event("CHANNEL_PROGRESS")
        assert progress["Channel-Call-State"] == "RINGING"
        await call.answer()
        assert await esl.job(job) == "+OK u-123\n"
        park = await esl.find("CHANNEL_PARK", "u-123")
        assert park["variable_vats_call"] == "77"
        assert park["Answer-State"] == "answered"
        assert park["Call-Direction"] == "outbound"
        assert park["Caller-Caller-ID-Name"] == "Ромашка, ООО"
        assert park["Caller-Destination-Number"] == "102"
        assert park["variable_dialed_user"] == "102"
        create = await esl.find("CHANNEL_CREATE", "u-123")
        assert create["variable_vats_call"] == "77"
        again = await esl.api("originate {origination_uuid=u-123}user/102@t1.test &park")
        assert again.startswith("-ERR")
        await esl.api("uuid_kill u-123")
        await call.ended()
        over = await esl.event("CHANNEL_HANGUP_COMPLETE")
        assert over["variable_vats_call"] == "77"
        assert int(over["variable_billmsec"]) <= int(over["variable_mduration"])


@pytest.mark.parametrize(
    ("code", "cause"),
    [(486, "USER_BUSY"), (603, "CALL_REJECTED"), (480, "NO_USER_RESPONSE"), (404, "UNALLOCATED_NUMBER"), (503, "NORMAL_TEMPORARY_FAILURE"),
     (600, "USER_BUSY"), (488, "INCOMPATIBLE_DESTINATION")],
)  # fmt: skip
async def test_refusals(house: House, code: int, cause: str) -> None:
    phone = await house.phone("102", register=True)
    async with house.esl() as esl:
        job = await esl.bgapi("originate {origination_uuid=u1}user/102@t1.test &park")
        await (await phone.incoming()).refuse(code)
        assert await esl.job(job) == f"-ERR {cause}\n"
        over = await esl.find("CHANNEL_HANGUP_COMPLETE", "u1")
        assert over["Hangup-Cause"] == cause
        assert over["variable_proto_specific_hangup_cause"] == f"sip:{code}"
        assert over["variable_sip_hangup_disposition"] == "recv_refuse"


async def test_destinations_that_cannot_be_called(house: House) -> None:
    async with house.esl() as esl:
        for place, cause in {
            "user/101@t1.test": "USER_NOT_REGISTERED",
            "user/999@t1.test": "SUBSCRIBER_ABSENT",
            "user/101": "SUBSCRIBER_ABSENT",
            "sofia/gateway/none/123": "INVALID_GATEWAY",
            "sofia/nowhere/sip:1@127.0.0.1": "INVALID_PROFILE",
            "error/user_not_registered": "CHAN_NOT_IMPLEMENTED",
            "loopback/1": "CHAN_NOT_IMPLEMENTED",
            "sofia/internal/sip:1@[:::::": "INVALID_URL",
        }.items():
            assert await esl.api(f"originate {place} &park") == f"-ERR {cause}\n", place
        assert (await esl.api("originate x")).startswith("-USAGE")
        assert await esl.api("originate user/1@2 &rxfax(/x)") == "-ERR rxfax is not offered by the embedded switch\n"
        assert not [event for event in esl.events if event["Event-Name"] == "CHANNEL_CREATE"]


async def test_nobody_answers(house: House) -> None:
    phone = await house.phone("102", register=True)
    async with house.esl() as esl:
        job = await esl.bgapi("originate {originate_timeout=1}user/102@t1.test &park")
        call = await phone.incoming()
        call.ring()
        cancel = await call.cancelled()
        assert "elsewhere" not in cancel.get("Reason")
        assert await esl.job(job) == "-ERR NO_ANSWER\n"
        assert (await esl.event("CHANNEL_HANGUP_COMPLETE"))["variable_sip_hangup_disposition"] == "send_cancel"


async def test_answered_elsewhere(house: House) -> None:
    phone = await house.phone("102", register=True)
    async with house.esl() as esl:
        job = await esl.bgapi("originate {origination_uuid=u1}user/102@t1.test &park")
        call = await phone.incoming()
        call.ring()
        await esl.event("CHANNEL_PROGRESS")
        assert await esl.api("uuid_kill u1 LOSE_RACE") == "+OK\n"
        cancel = await call.cancelled()
        assert cancel.get("Reason").startswith("SIP;cause=200")
        assert await esl.job(job) == "-ERR LOSE_RACE\n"


async def test_early_media_counts_unless_ignored(house: House) -> None:
    phone = await house.phone("102", register=True)
    async with house.esl() as esl:
        job = await esl.bgapi("originate {origination_uuid=u1}user/102@t1.test &park")
        call = await phone.incoming()
        call.early()
        assert await esl.job(job) == "+OK u1\n"
        park = await esl.find("CHANNEL_PARK", "u1")
        assert park["Answer-State"] == "early"
        await call.answer()
        assert (await esl.event("CHANNEL_ANSWER"))["Unique-ID"] == "u1"
        await esl.api("uuid_kill u1")
        await call.ended()


async def test_all_phones_of_a_user_ring(house: House) -> None:
    one, two = await house.phone("102", register=True), await house.phone("102", register=True)
    async with house.esl() as esl:
        contacts = await esl.api("sofia_contact internal/102@t1.test")
        assert contacts.count("sofia/internal/sip:102@") == 2
        job = await esl.bgapi("originate {ignore_early_media=true}user/102@t1.test &park")
        first, second = await one.incoming(), await two.incoming()
        first.ring()
        second.ring()
        await first.answer()
        assert (await second.cancelled()).get("Reason").startswith("SIP;cause=200")
        assert (await esl.job(job)).startswith("+OK")
        losers = await esl.event("CHANNEL_HANGUP_COMPLETE")
        assert losers["Hangup-Cause"] == "LOSE_RACE"


async def test_texts_arrive_as_they_were_written(house: House) -> None:
    phone = await house.phone("102", register=True)
    given = {f"v{number}": text for number, text in enumerate(NASTY)}
    async with house.esl() as esl:
        job = await esl.bgapi(command.originate("user/102@t1.test", {"origination_uuid": "u-1", **given}))
        call = await phone.incoming()
        await call.answer()
        assert (await esl.job(job)).startswith("+OK")
        for name, text in given.items():
            line = command.setvar("u-1", f"s{name}", text).decode().strip()
            assert await esl.api(line.removeprefix("api ")) == "+OK\n"
        line = command.setvar_multi("u-1", {f"m{name}": text for name, text in given.items()}).decode().strip()
        assert await esl.api(line.removeprefix("api ")) == "+OK\n"
        found = msgspec.json.decode(await esl.api("uuid_dump u-1 json"))
        plain = [command.value(text) for text in NASTY]
        assert [found[f"variable_{name}"] for name in given] == [text.replace("{", "(").replace("}", ")") for text in plain]
        assert [found[f"variable_s{name}"] for name in given] == plain
        assert [found[f"variable_m{name}"] for name in given] == plain
        await esl.api("uuid_kill u-1")
        await call.ended()


async def test_lists_with_brackets(house: House) -> None:
    busy, late = await house.phone("102", register=True), await house.phone("103", register=True)
    async with house.esl() as esl:
        line = "originate {x=1}[leg_timeout=1,y=\\'2,3\\']user/102@t1.test|[y=4]user/103@t1.test &park"
        job = await esl.bgapi(line)
        first = await busy.incoming()
        first.ring()
        await first.cancelled()
        assert (await esl.event("CHANNEL_HANGUP_COMPLETE", variable_y="2,3"))["Hangup-Cause"] == "ALLOTTED_TIMEOUT"
        second = await late.incoming()
        await second.answer()
        assert (await esl.job(job)).startswith("+OK")
        esl.rewind()
        park = await esl.event("CHANNEL_PARK")
        assert (park["variable_x"], park["variable_y"]) == ("1", "4")


async def test_applications_after_the_answer(house: House) -> None:
    phone = await house.phone("102", register=True)
    async with house.esl() as esl:
        job = await esl.bgapi("originate user/102@t1.test &playback(local_stream://moh)")
        await (await phone.incoming()).answer()
        assert (await esl.job(job)).startswith("+OK")
        await phone.hears(300)
        await esl.api("hupall NORMAL_CLEARING")
        await phone.get("BYE")
        job = await esl.bgapi("originate user/102@t1.test &hangup(USER_BUSY)")
        await (await phone.incoming()).answer()
        await phone.get("BYE")
        job = await esl.bgapi("originate user/102@t1.test 800 XML from-phone")
        await (await phone.incoming()).answer()
        park = await esl.event("CHANNEL_PARK")
        assert (park["Caller-Destination-Number"], park["Call-Direction"]) == ("800", "outbound")


async def test_the_answer_times_stay_within_the_call(house: House) -> None:
    phone = await house.phone("102", register=True)
    async with house.esl() as esl:
        call = await dialled(esl, phone, "leg")
        await call.hang_up()
        over = await esl.find("CHANNEL_HANGUP_COMPLETE", "leg")
        times = [int(over[f"Caller-Channel-{name}-Time"]) for name in ("Created", "Progress", "Answered", "Hangup")]
        assert times == sorted(times)
        assert times[0] > 0


async def test_bridge_application(house: House) -> None:
    """`bridge` on a parked call passes ringing, early media and the answer on; the call comes back afterwards."""
    a, b = await house.phone("101"), await house.phone("102", register=True)
    async with house.esl() as esl:
        talk, uuid = await parked(esl, a, answer=False)
        await esl.api(f"uuid_setvar {uuid} park_after_bridge true")
        await esl.execute(uuid, "bridge", "[origination_uuid=bb]user/102@t1.test", run="br")
        call = await b.incoming()
        assert "<sip:101@t1.test>" in call.invite.get("From")
        call.ring()
        await a.get(180)
        call.early()
        b.say(900)
        await talk.early()
        await a.hears(900)
        await call.answer()
        await talk.answered()
        await esl.event("CHANNEL_BRIDGE", **{"Unique-ID": uuid})
        a.say(700)
        await b.hears(700)
        await call.hang_up()
        done = await esl.event("CHANNEL_EXECUTE_COMPLETE", **{"Application-UUID": "br"})
        assert done["variable_originate_disposition"] == "SUCCESS"
        assert done["variable_last_bridge_to"] == "bb"
        await esl.event("CHANNEL_PARK", **{"Unique-ID": uuid})
        await talk.hang_up()


async def test_bridge_application_fails(house: House) -> None:
    a, b, c = await house.phone("101"), await house.phone("102", register=True), await house.phone("103", register=True)
    async with house.esl() as esl:
        talk, uuid = await parked(esl, a, answer=False)
        await esl.api(f"uuid_setvar {uuid} continue_on_fail true")
        await esl.execute(uuid, "bridge", "user/102@t1.test,user/103@t1.test", run="br")
        await (await b.incoming()).refuse(486)
        await (await c.incoming()).refuse(603)
        done = await esl.event("CHANNEL_EXECUTE_COMPLETE", **{"Application-UUID": "br"})
        assert done["Application-Response"] == "USER_BUSY"
        assert done["variable_DIALSTATUS"] == "BUSY"
        assert isinstance(done["variable_originate_causes"], list)
        assert sorted(cause.split(";")[1] for cause in done["variable_originate_causes"]) == ["CALL_REJECTED", "USER_BUSY"]
        assert await esl.api(f"uuid_exists {uuid}") == "true"
        await esl.execute(uuid, "bridge", "user/102@t1.test", run="br2")
        call = await b.incoming()
        call.ring()
        await a.get(180)
        talk.cancel()
        await call.cancelled()
        assert await talk.refused() == 487
        esl.rewind()
        overs = [await esl.event("CHANNEL_HANGUP_COMPLETE", **{"Hangup-Cause": "ORIGINATOR_CANCEL"}) for _ in range(2)]
        assert {event["Call-Direction"] for event in overs} == {"inbound", "outbound"}


async def test_failed_bridge_ends_the_caller_with_the_same_answer(house: House) -> None:
    a, b = await house.phone("101"), await house.phone("102", register=True)
    async with house.esl() as esl:
        talk, uuid = await parked(esl, a, answer=False)
        await esl.execute(uuid, "bridge", "user/102@t1.test")
        await (await b.incoming()).refuse(486)
        assert await talk.refused() == 486


@pytest.mark.parametrize(("answered", "name"), [(False, "ringback"), (True, "transfer_ringback")])
async def test_music_instead_of_ringback(house: House, answered: bool, name: str) -> None:
    a, b = await house.phone("101"), await house.phone("102", register=True)
    async with house.esl() as esl:
        talk, uuid = await parked(esl, a, answer=answered)
        await esl.api(f"uuid_setvar {uuid} {name} local_stream://moh")
        await esl.execute(uuid, "bridge", "{ignore_early_media=true}user/102@t1.test")
        call = await b.incoming()
        call.ring()
        if not answered:
            await talk.early()
        await a.hears(300)
        await call.answer()
        if not answered:
            await talk.answered()
        b.say(900)
        await a.hears(900)


class TestFull:
    @pytest.fixture
    def configure(self) -> Configure:
        def change(config: Config) -> Config:
            return msgspec.structs.replace(config, max_sessions=1)

        return change

    async def test_no_more_sessions(self, house: House) -> None:
        a, b = await house.phone("101"), await house.phone("102", register=True)
        async with house.esl() as esl:
            await parked(esl, a)
            other = await house.phone("103")
            assert await (await other.call("1")).refused() == 503
            assert await esl.api(f"originate user/{b.user}@t1.test &park") == "-ERR SWITCH_CONGESTION\n"


async def test_many_originates_at_once_leave_nothing_behind(house: House) -> None:
    phone = await house.phone("102", register=True)
    async with house.esl("json BACKGROUND_JOB") as esl:
        jobs = [await esl.bgapi("originate {originate_timeout=20}user/102@t1.test &park") for _ in range(20)]
        for _ in jobs:
            await (await phone.incoming()).refuse(486)
        async with asyncio.timeout(10):
            for job in jobs:
                esl.rewind()
                assert await esl.job(job) == "-ERR USER_BUSY\n"
        assert house.switch.media.streams == 0
        assert house.switch.channels == {}

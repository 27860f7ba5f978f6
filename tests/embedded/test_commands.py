# SPDX-License-Identifier: Apache-2.0
"""Commands about the switch, its tables and timers: the texts an engine (or an operator) parses."""

from __future__ import annotations

import json
from xml.etree import ElementTree

import msgspec

from tests.embedded.conftest import House, dialled, joined, parked


async def test_tables_of_a_talk(house: House) -> None:
    a, b = await house.phone("101"), await house.phone("102", register=True)
    async with house.esl() as esl:
        for kind in ("channels", "calls", "registrations"):
            assert (await esl.api(f"show {kind}")).endswith(" total.\n")
        assert await esl.api("show channels as json") == '{"row_count": 0}\n'
        _, uuid = await parked(esl, a)
        await dialled(esl, b, "leg")
        await joined(esl, uuid, "leg")
        table = msgspec.json.decode(await esl.api("show channels as json"))
        assert table["row_count"] == 2
        assert len(table["rows"][0]) == 38
        calls = msgspec.json.decode(await esl.api("show calls as json"))
        assert [(row["uuid"], row["b_uuid"]) for row in calls["rows"]] == [(uuid, "leg")]
        assert await esl.api("show channels count") == "\n2 total.\n"
        assert await esl.api("show bridged_calls count") == "\n1 total.\n"
        lines = (await esl.api("show channels")).splitlines()
        assert lines[0].startswith("uuid,direction,created,created_epoch,name,state,cid_name,cid_num,ip_addr,dest,application")
        assert msgspec.json.decode(await esl.api("show channels like leg as json"))["row_count"] >= 1
        assert ElementTree.fromstring(await esl.api("show channels as xml")).get("row_count") == "2"
        assert await esl.api("show channels as nonsense") == "-ERR Cannot find format nonsense\n"
        assert (await esl.api("show nonsense")).startswith("-USAGE")


async def test_dumps(house: House) -> None:
    a = await house.phone("101")
    async with house.esl() as esl:
        _, uuid = await parked(esl, a)
        dump = json.loads(await esl.api(f"uuid_dump {uuid} json"))
        assert dump["Event-Name"] == "CHANNEL_DATA"
        assert dump["Unique-ID"] == uuid
        assert dump["variable_sip_auth_username"] == "101"
        assert ElementTree.fromstring(await esl.api(f"uuid_dump {uuid} xml")).find("headers/Unique-ID").text == uuid  # type: ignore[union-attr]
        assert await esl.api("uuid_dump none json") == "-ERR No such channel!\n"


async def test_events_of_one_channel(house: House) -> None:
    a, b = await house.phone("101"), await house.phone("102")
    async with house.esl() as esl, house.esl("") as mine:
        talk, uuid = await parked(esl, a)
        assert (await mine.command("myevents none"))[0]["Reply-Text"] == "-ERR invalid uuid"
        assert (await mine.command(f"myevents {uuid} json"))[0]["Reply-Text"] == "+OK Events Enabled"
        await parked(esl, b, "800")
        await talk.hang_up()
        await mine.event("CHANNEL_HANGUP_COMPLETE")
        assert {event.get("Unique-ID") for event in mine.events} == {uuid}


async def test_scheduled_commands(house: House) -> None:
    async with house.esl("plain CUSTOM x") as esl:
        answer = await esl.api("sched_api +1 mine global_setvar once=yes")
        assert answer.startswith("+OK Added: ")
        number = answer.split()[-1]
        tasks = msgspec.json.decode(await esl.api("show tasks as json"))["rows"]
        assert [(task["task_id"], task["task_group"], task["task_desc"]) for task in tasks] == [(number, "mine", "sched_api")]
        assert await esl.api("sched_api +100 mine echo") != answer
        assert await esl.api("sched_api @100 mine echo")
        assert await esl.api("sched_del mine") == "+OK Deleted: 3\n"
        assert await esl.api("global_getvar once") == "-ERR no reply\n"
        kept = (await esl.api("sched_api +100 mine echo")).split()[-1]
        assert await esl.api(f"unsched_api {kept}") == "+OK\n"
        assert await esl.api(f"unsched_api {kept}") == "-ERR No such id\n"
        assert (await esl.api("sched_api x")).startswith("-ERR Invalid syntax")
        assert await esl.api("sched_del") == "-ERR Invalid syntax\n"


async def test_the_switch_itself(house: House) -> None:
    async with house.esl() as esl:
        status = await esl.api("status")
        assert status.startswith("UP 0 years, 0 days, 0 hours, ")
        assert "is ready" in status
        assert "FreeSWITCH Version 1.10.12" in await esl.api("version")
        assert len(await esl.api("create_uuid")) == 36
        assert await esl.api("global_setvar a=b") == "+OK"
        assert await esl.api("global_getvar a") == "b"
        assert await esl.api("expand ${a}c") == "bc"
        assert await esl.api("reloadxml") == "+OK [Success]\n"
        assert await esl.api("module_exists mod_sofia") == "true"
        assert await esl.api("fsctl ready_check") == "true\n"
        assert (await esl.api("fsctl nonsense")).startswith("-ERR Invalid command")
        sofia = await esl.api("sofia status")
        assert "internal\tprofile" in sofia
        assert "RUNNING" in sofia
        assert ElementTree.fromstring(await esl.api("sofia xmlstatus")).tag == "profiles"
        assert (await esl.api("sofia nonsense")).startswith("-ERR sofia")
        assert await esl.api("sofia profile none rescan") == "Invalid Profile [none]"
        assert not house.switch.stop_asked.is_set()
        assert await esl.api("fsctl shutdown") == "+OK\n"
        assert house.switch.stop_asked.is_set()


async def test_hanging_up_many(house: House) -> None:
    a, b = await house.phone("101"), await house.phone("102")
    async with house.esl() as esl:
        one, first = await parked(esl, a)
        two, _ = await parked(esl, b, "800")
        await esl.api(f"uuid_setvar {first} vats_account 5")
        answer = await esl.api("hupall NORMAL_CLEARING vats_account 5")
        assert answer == "+OK hangup all channels matching [vats_account]=[5] with cause: NORMAL_CLEARING\n"
        await one.ended()
        assert await esl.api("show channels count") == "\n1 total.\n"
        assert await esl.api("hupall") == "+OK hangup all channels with cause MANAGER_REQUEST\n"
        await two.ended()

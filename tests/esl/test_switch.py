# SPDX-License-Identifier: Apache-2.0
"""The typed commands: what goes over the wire, what comes back, and that an order never raises."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable

import pytest

from engine.errors import SwitchError
from engine.esl.connection import CommandRefusedError, NoAnswerError, SwitchAwayError
from engine.esl.event import Event
from engine.esl.switch import Refusal, Switch, deleted, rows

from .fake_switch import WAIT, FakeSwitch, event_of, response


class Desk:
    """A switch with what it reports."""

    def __init__(self, port: int) -> None:
        self.refused: asyncio.Queue[Refusal] = asyncio.Queue()
        self.events: asyncio.Queue[Event] = asyncio.Queue()
        self.switch = Switch(
            "127.0.0.1", port, "secret", on_event=self.events.put_nowait, on_refused=self.refused.put_nowait,
            call_of=lambda uuid: f"call-of-{uuid}",
        )  # fmt: skip

    async def refusal(self) -> Refusal:
        return await asyncio.wait_for(self.refused.get(), WAIT)


@pytest.fixture
async def desk(fake: FakeSwitch) -> AsyncIterator[Desk]:
    one = Desk(fake.port)
    one.switch.start()
    await one.switch.wait_connected(WAIT)
    await fake.command("event json CHANNEL_CREATE ")
    yield one
    await one.switch.close()


ORDERS: list[tuple[Callable[[Switch], object], str]] = [
    (lambda s: s.answer("u"), "api uuid_answer u"),
    (lambda s: s.pre_answer("u"), "api uuid_pre_answer u"),
    (lambda s: s.ring_ready("u"), "api uuid_ring_ready u"),
    (lambda s: s.kill("u"), "api uuid_kill u NORMAL_CLEARING"),
    (lambda s: s.park("u"), "api uuid_park u"),
    (lambda s: s.bridge("u", "v"), "api uuid_bridge u v"),
    (lambda s: s.break_("u"), "api uuid_break u all"),
    (lambda s: s.transfer("u", "101", "ctx"), "api uuid_transfer u 101 XML ctx"),
    (lambda s: s.setvar("u", "a", "b c"), "api uuid_setvar u a b\\sc"),
    (lambda s: s.setvar_multi("u", {"a": "1;2", "b": ""}), "api uuid_setvar_multi u a=1\\;2;b="),
    (lambda s: s.sched_transfer("u", 10, "unavail", "vats"), "api sched_transfer +10 u unavail XML vats"),
    (lambda s: s.broadcast("u", "/a.wav", "both"), "api uuid_broadcast u /a.wav both"),
    (lambda s: s.send_dtmf("u", "12#"), "api uuid_send_dtmf u 12#"),
    (lambda s: s.hold("u"), "api uuid_hold u"),
    (lambda s: s.record_start("u", "/r.wav", 60), "api uuid_record u start /r.wav 60"),
    (lambda s: s.record_stop("u", "/r.wav"), "api uuid_record u stop /r.wav"),
    (lambda s: s.record_mask("u", "/r.wav"), "api uuid_record u mask /r.wav"),
    (lambda s: s.record_unmask("u", "/r.wav"), "api uuid_record u unmask /r.wav"),
    (lambda s: s.hupall("NORMAL_CLEARING", "vats_account", "5"), "api hupall NORMAL_CLEARING vats_account 5"),
    (lambda s: s.hupall("MANAGER_REQUEST"), "api hupall MANAGER_REQUEST"),
    (lambda s: s.gateway_rescan("trunk"), "api sofia profile trunk rescan"),
    (lambda s: s.gateway_kill("trunk", "g-1"), "api sofia profile trunk killgw g-1"),
    (lambda s: s.flush_registration("internal", "101@t.test"), "api sofia profile internal flush_inbound_reg 101@t.test"),
    (lambda s: s.xml_flush_cache("101", "t.test"), "api xml_flush_cache id 101 t.test"),
    (lambda s: s.xml_flush_cache(), "api xml_flush_cache"),
    (lambda s: s.reload_acl(), "api reloadacl"),
]


@pytest.mark.parametrize(("order", "line"), ORDERS, ids=[line for _, line in ORDERS])
async def test_orders(fake: FakeSwitch, desk: Desk, order: Callable[[Switch], object], line: str) -> None:
    order(desk.switch)
    assert (await fake.command()).command == line


async def test_applications_wait_their_turn_and_are_known_by_their_id(fake: FakeSwitch, desk: Desk) -> None:
    run = desk.switch.playback("u", "/a.wav", "/b.wav")
    frame = await fake.command()
    assert frame.command == "sendmsg u"
    assert frame.headers["event-uuid"] == run
    assert frame.headers["event-lock"] == "true"
    assert frame.body == b"file_string:///a.wav!/b.wav"
    fake.write(event_of({"Event-Name": "CHANNEL_EXECUTE_COMPLETE", "Unique-ID": "u", "Application-UUID": run, "Event-UUID": run}))
    assert (await asyncio.wait_for(desk.events.get(), WAIT)).execution == run
    assert desk.switch.playback("u", "/a.wav", loop=True) != run
    assert (await fake.command()).headers["loops"] == "-1"
    desk.switch.record("u", "/r/m.wav", limit_seconds=20, silence_seconds=3)
    frame = await fake.command()
    assert (frame.headers["execute-app-name"], frame.body) == ("mkdir", b"/r")
    assert (await fake.command()).body == b"/r/m.wav 20 200 3"
    desk.switch.respond("u", 486)
    frame = await fake.command()
    assert (frame.headers["execute-app-name"], frame.body) == ("respond", b"486")


async def test_an_originate_names_its_channel_and_tells_its_failure(fake: FakeSwitch, desk: Desk) -> None:
    desk.switch.originate("order-1", "sofia/gateway/g/7", {"origination_caller_id_name": "Иван, Co"})
    frame = await fake.command()
    assert frame.command == (
        "bgapi originate {origination_uuid=order-1,origination_caller_id_name=Иван\\\\,\\sCo}sofia/gateway/g/7 &park"
    )
    fake.write(event_of({"Event-Name": "BACKGROUND_JOB", "Job-UUID": frame.headers["job-uuid"], "_body": "-ERR USER_BUSY\n"}))
    refusal = await desk.refusal()
    assert refusal == Refusal("originate", "order-1", "-ERR USER_BUSY", "call-of-order-1")
    assert (refusal.cause, refusal.lost) == ("USER_BUSY", False)


async def test_a_refused_order_is_reported_with_its_call(fake: FakeSwitch, desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    fake.answers["api uuid_answer"] = lambda frame: response("-ERROR")
    fake.answers["api uuid_break"] = lambda frame: response("-ERR No such channel!\n")
    desk.switch.answer("u")
    desk.switch.park("u")
    desk.switch.break_("u")
    assert (await desk.refusal()).order == "answer"
    assert await desk.refusal() == Refusal("break", "u", "-ERR No such channel!", "call-of-u")
    assert [record.__dict__["call"] for record in caplog.records if "refused" in record.message] == ["call-of-u"] * 2


@pytest.mark.parametrize(
    "order",
    [
        lambda s: s.kill("u", "NO CAUSE"),
        lambda s: s.answer("u\n\nexit"),
        lambda s: s.originate("x", "a,b", {}),
        lambda s: s.playback("u"),
        lambda s: s.send_dtmf("u", "abc def"),
        lambda s: s.setvar_multi("u", {}),
        lambda s: s.record_start("u", ""),
    ],
)
async def test_an_order_that_cannot_be_built_is_refused_not_raised(desk: Desk, order: Callable[[Switch], object]) -> None:
    order(desk.switch)
    assert desk.refused.empty()  # not from inside the order
    assert (await desk.refusal()).answer.startswith("-ERR ")


async def test_orders_without_a_connection_are_refused_later() -> None:
    desk = Desk(1)
    desk.switch.answer("u")
    desk.switch.originate("x", "loopback/1", {})
    assert desk.refused.empty()
    assert not desk.switch.connected
    assert [(await desk.refusal()).lost, (await desk.refusal()).lost] == [True, True]
    with pytest.raises(SwitchAwayError):
        await desk.switch.sched_del("u")


@pytest.mark.parametrize("said", ["+OK", '{"row_count":0}', "я"])
async def test_the_switch_has_not_become_another_one_by_a_strange_answer(fake: FakeSwitch, desk: Desk, said: str) -> None:
    fake.answers["api global_getvar core_uuid"] = lambda frame: response(said)
    with pytest.raises(SwitchError):
        await desk.switch.core_uuid()
    fake.answers["api global_getvar core_uuid"] = lambda frame: response("30a7c1c7-3830-4b23-a154-4baf5ce70000\n")
    assert await desk.switch.core_uuid() == "30a7c1c7-3830-4b23-a154-4baf5ce70000"


async def test_a_claim_that_cannot_be_built_is_answered(desk: Desk) -> None:
    """An event may name anything as its channel."""
    claims: asyncio.Queue[int] = asyncio.Queue()
    desk.switch.claim("-5\n\napi hupall", claims.put_nowait)
    assert claims.empty()
    assert await asyncio.wait_for(claims.get(), WAIT) == -1


async def test_the_claim(fake: FakeSwitch, desk: Desk) -> None:
    fake.answers["api sched_del u-1"] = lambda frame: response("+OK Deleted: 1\n")
    fake.answers["api sched_del u-2"] = lambda frame: response("+OK Deleted: 0\n")
    assert (await desk.switch.sched_del("u-1"), await desk.switch.sched_del("u-2")) == (1, 0)
    claims: asyncio.Queue[int] = asyncio.Queue()
    desk.switch.claim("u-1", claims.put_nowait)
    assert await asyncio.wait_for(claims.get(), WAIT) == 1


@pytest.mark.parametrize(("answer", "number"), [("+OK Deleted: 12\n", 12), ("-ERR x: 3", -1), ("", -1), ("+OK Deleted: x", -1)])
def test_the_number_deleted(answer: str, number: int) -> None:
    assert deleted(answer) == number


async def test_tables_and_dumps(fake: FakeSwitch, desk: Desk) -> None:
    table = {"row_count": 1, "rows": [{"uuid": "u", "callstate": "ACTIVE", "port": 5060, "ip_addr": None}]}
    fake.answers["api show"] = lambda frame: response(json.dumps(table))
    assert await desk.switch.show_channels() == [{"uuid": "u", "callstate": "ACTIVE", "port": "5060", "ip_addr": ""}]
    assert len(await desk.switch.show_registrations()) == 1
    fake.answers["api uuid_dump u json"] = lambda frame: response(json.dumps({"Event-Name": "CHANNEL_DATA", "variable_vats_call": "c"}))
    fake.answers["api uuid_dump"] = lambda frame: response("-ERR No such channel!\n")
    found = await desk.switch.dump("u")
    assert found is not None
    assert found.vats_call == "c"
    assert await desk.switch.dump("v") is None
    fake.answers["api uuid_exists"] = lambda frame: response("true")
    assert await desk.switch.exists("u")
    fake.answers["api uuid_getvar u a"] = lambda frame: response("_undef_")
    assert await desk.switch.getvar("u", "a") == ""
    states = "<gateways><gateway><name>a</name><state>REGED</state></gateway><gateway><name>b</name></gateway></gateways>"
    fake.answers["api sofia"] = lambda frame: response(states)
    assert await desk.switch.gateway_states() == {"a": "REGED", "b": ""}
    fake.answers["api show"] = lambda frame: response("gibberish")
    with pytest.raises(SwitchError, match="not understood"):
        await desk.switch.show_channels()


def test_an_empty_table() -> None:
    assert rows('{"row_count":0}\n') == []


async def test_queries_raise_only_switch_errors(fake: FakeSwitch, desk: Desk) -> None:
    fake.answers["api status"] = lambda frame: response("-ERR no\n")
    with pytest.raises(CommandRefusedError):
        await desk.switch.status()
    fake.answers["api slow"] = lambda frame: b""
    with pytest.raises(NoAnswerError):
        await desk.switch.ask("slow", 0.01)
    with pytest.raises(SwitchError):
        await desk.switch.dump("no such name")

# SPDX-License-Identifier: Apache-2.0
"""REGISTER from phones: challenges, bindings, their order and end, what survives a restart, how NATed phones are reached."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from engine.embedded.sip.agent import Agent, AuthOutcome, Binding, InviteTarget, JournalStore, Listener
from engine.embedded.sip.contract import RegistrarRules
from engine.embedded.sip.message import Request, parse
from engine.embedded.sip.registrar import Registering, Registrar
from tests.embedded.sip.conftest import FAST, Switch
from tests.embedded.sip.core import ANSWER, Core, Events
from tests.embedded.sip.phone import Phone

MakePhone = Callable[..., Awaitable[Phone]]


async def test_refresh_query_and_unregister(switch: Switch, phone: MakePhone) -> None:
    a = await phone(internal=True)
    ok = await a.register(call_id="r", cseq=1, expires=300)
    assert ok.all("Contact") == [f"<{a.contact}>;expires=300"]
    ok = await a.register(call_id="r", cseq=3, expires=100)
    assert ok.all("Contact") == [f"<{a.contact}>;expires=100"]
    assert len(switch.core.all("registered")) == 2
    query = await a.register(call_id="q", extra=[("Contact", "")])
    assert query.all("Contact") == [f"<{a.contact}>;expires=100"]
    ok = await a.register(call_id="r", cseq=5, expires=0)
    assert ok.all("Contact") == []
    binding, reason = await switch.core.wait("unregistered")
    assert (binding.contact, reason) == (a.contact, "unregistered")
    assert switch.agent.bindings("101@t.test") == []


async def test_order_within_a_call_id(switch: Switch, phone: MakePhone) -> None:
    a = await phone(internal=True)
    await a.register(call_id="r", cseq=10, expires=300)
    late = await a.register(call_id="r", cseq=4, expires=0)
    assert late.code == 500
    assert len(switch.agent.bindings("101@t.test")) == 1
    other = await a.register(call_id="another", cseq=1, expires=200)
    assert other.code == 200


async def test_interval_too_brief_and_star(switch: Switch, phone: MakePhone) -> None:
    a = await phone(internal=True)
    brief = await a.register(expires=5)
    assert (brief.code, brief.get("Min-Expires")) == (423, "10")
    assert switch.agent.bindings("101@t.test") == []
    await a.register(call_id="1")
    await a.register(call_id="2", extra=[("Contact", "<sip:101@10.0.0.1>;expires=77;q=0.5")])
    assert [b.contact for b in switch.agent.bindings("101@t.test")] == [a.contact, "sip:101@10.0.0.1"]
    assert switch.agent.bindings("101@t.test")[1].expires == 77
    assert (await a.register(expires=30, extra=[("Contact", "*")])).code == 400
    assert (await a.register(expires=0, extra=[("Contact", "*"), ("Contact", "<sip:1@x>")])).code == 400
    assert (await a.register(expires=0, extra=[("Contact", "*")])).all("Contact") == []
    assert len(switch.core.all("unregistered")) == 2


async def test_too_long_and_odd_intervals(switch: Switch, phone: MakePhone) -> None:
    a = await phone(internal=True)
    assert (await a.register(expires=2_000_000)).all("Contact") == [f"<{a.contact}>;expires=3600"]
    odd = await a.register(extra=[("Contact", f"<{a.contact}>;expires=soon")], expires=200)
    assert odd.all("Contact") == [f"<{a.contact}>;expires=200"]


async def test_all_or_nothing(switch: Switch, phone: MakePhone) -> None:
    a = await phone(internal=True)
    mixed = await a.register(extra=[("Contact", "<sip:1@10.0.0.1>"), ("Contact", "<sip:1@10.0.0.2>;expires=3")])
    assert mixed.code == 423
    assert switch.agent.bindings("101@t.test") == []
    assert (await a.register(extra=[("Contact", "<tel:+7495>")])).code == 400
    assert (await a.register(extra=[("Contact", "<sip:1@10.0.0.1")])).code == 400


async def test_the_oldest_contact_gives_way(switch: Switch, phone: MakePhone) -> None:
    a = await phone(internal=True)
    for number in range(12):
        await a.register(extra=[("Contact", f"<sip:101@10.0.0.{number}>")])
    kept = [b.contact for b in switch.agent.bindings("101@t.test")]
    assert kept == [f"sip:101@10.0.0.{n}" for n in range(11, 1, -1)]
    assert [reason for _, reason in switch.core.all("unregistered")] == ["replaced", "replaced"]


async def test_a_phone_that_names_its_instance_keeps_one_binding(switch: Switch, phone: MakePhone) -> None:
    a, moved = await phone(internal=True), await phone(internal=True)
    for one in (a, moved):
        contact = f'<{one.contact}>;+sip.instance="<urn:uuid:1>";reg-id=1'
        await one.register(extra=[("Contact", contact), ("Supported", "path, outbound"), ("Path", "<sip:edge.test;lr>")])
    (binding,) = switch.agent.bindings("101@t.test")
    assert binding.contact == moved.contact
    assert binding.path == ("<sip:edge.test;lr>",)


async def test_aor_must_be_ones_own(switch: Switch, phone: MakePhone) -> None:
    a = await phone(internal=True)
    assert (await a.register(aor_user="102")).code == 403
    assert switch.core.all("failed")[0][2] == "not its own address of record"
    assert switch.agent.registrar.all() == []


async def test_two_domains_do_not_meet(switch: Switch, phone: MakePhone) -> None:
    a, b = await phone(internal=True), await phone(internal=True)
    b.domain = "other.test"
    await a.register()
    await b.register()
    assert [x.contact for x in switch.agent.bindings("101@t.test")] == [a.contact]
    assert [x.contact for x in switch.agent.bindings("101@other.test")] == [b.contact]
    assert [ask.realm for ask in switch.core.asked] == ["t.test", "other.test"]


async def test_expiry(options: object) -> None:
    gone: list[Binding] = []
    clock = [1000.0]
    registrar = Registrar(RegistrarRules(min_expires=1, grace=5), expired=gone.append, now=lambda: clock[0])
    facts = Registering("u@d", "u", "d", "internal", "udp", ("127.0.0.1", 5060))
    registrar.register(_register(1, "<sip:u@1.1.1.1>;expires=10"), facts)
    registrar.register(_register(2, "<sip:u@2.2.2.2>;expires=100"), facts)
    clock[0] += 14
    registrar._expire()
    assert gone == []
    registrar.register(_register(3, "<sip:u@1.1.1.1>;expires=10"), facts)
    clock[0] += 14
    registrar._expire()
    assert gone == []
    clock[0] += 2
    registrar._expire()
    assert [b.contact for b in gone] == ["sip:u@1.1.1.1"]
    assert len(registrar) == 1
    for number in range(4, 5000):
        registrar.register(_register(number, "<sip:u@2.2.2.2>;expires=100"), facts)
    assert len(registrar._due) <= 1100
    registrar.close()


def _register(cseq: int, contact: str) -> Request:
    raw = (
        f"REGISTER sip:d SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK{cseq}\r\nFrom: <sip:u@d>;tag=1\r\nTo: <sip:u@d>\r\n"
        f"Call-ID: 1\r\nCSeq: {cseq} REGISTER\r\nContact: {contact}\r\n\r\n"
    )
    request = parse(raw.encode())
    assert isinstance(request, Request)
    return request


async def test_expired_on_the_loop(phone: MakePhone, switch: Switch) -> None:
    a = await phone(internal=True)
    switch.agent.registrar._rules = RegistrarRules(min_expires=1, grace=0.0)
    await a.register(expires=1)
    _, reason = await switch.core.wait("unregistered", within=4)
    assert reason == "expired"


async def test_flush(switch: Switch, phone: MakePhone) -> None:
    a = await phone(internal=True)
    await a.register(call_id="one")
    assert switch.agent.flush("101@T.test", "two") == 0
    assert switch.agent.flush("101@T.test") == 1
    assert switch.core.all("unregistered")[0][1] == "flushed"


async def test_the_core_may_file_bindings_under_another_name(phone: MakePhone, switch: Switch, monkeypatch: pytest.MonkeyPatch) -> None:
    a = await phone(internal=True)
    a.domain = "127.0.0.1"
    plain = switch.core.account

    async def account(ask: object) -> object:
        return replace(await plain(ask), aor="101@romashka.test")  # type: ignore[arg-type, type-var]

    monkeypatch.setattr(switch.core, "account", account)
    ok = await a.register()
    assert ok.all("Contact")
    assert [b.contact for b in switch.agent.bindings("101@romashka.test")] == [a.contact]


# -- NAT


async def test_a_natted_phone_is_reached_where_it_was_seen(switch: Switch, phone: MakePhone) -> None:
    b = await phone(internal=True)
    b.contact_override = "sip:101@192.168.7.7:5060"
    await b.register()
    events = Events()
    binding = switch.agent.bindings("101@t.test")[0]
    call = switch.agent.invite(InviteTarget("internal", binding.contact, "200", flow=binding), events, ANSWER)
    invite = await b.get("INVITE")
    assert invite.uri == "sip:101@192.168.7.7:5060"
    b.send(b.reply(invite, 200, tag="t", body=ANSWER.decode()))
    ack = await b.get("ACK")
    assert ack.uri == "sip:101@192.168.7.7:5060"
    call.hangup()
    bye = await b.get("BYE")
    b.send(b.reply(bye, 200))


async def test_calls_of_a_natted_phone_come_back_to_its_source(switch: Switch, phone: MakePhone) -> None:
    a = await phone()
    a.contact_override = "sip:101@10.77.0.2"
    invite = a.request("INVITE", body=ANSWER.decode())
    a.send(invite)
    call = await switch.core.wait("incoming")
    call.answer(ANSWER)
    a.send(a.ack(invite, await a.get(200)))
    await switch.core.calls[0][1].wait("acked")
    call.hangup()
    bye = await a.get("BYE")
    a.send(a.reply(bye, 200))


async def test_natted_phones_get_keep_alives(switch: Switch, phone: MakePhone) -> None:
    b = await phone(internal=True)
    b.contact_override = "sip:101@192.168.7.7:5060"
    await b.register()
    got: list[bytes] = []
    b.datagram_received = lambda data, addr: got.append(data)  # type: ignore[method-assign]
    switch.agent._keep_alive._tick()
    events = Events()
    binding = switch.agent.bindings("101@t.test")[0]
    switch.agent.invite(InviteTarget("internal", binding.contact, "200", flow=binding), events, ANSWER)
    from tests.embedded.sip.conftest import until

    await until(lambda: len(got) >= 2)
    assert got[0] == b"\r\n\r\n"


# -- storage


async def _agent_with(path: Path) -> tuple[Agent, Core, int]:
    core = Core()
    agent = Agent(core, options=FAST, store=JournalStore(path))
    return agent, core, await agent.listen(Listener("internal", "127.0.0.1", 0))


async def test_bindings_survive_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "state" / "bindings.jsonl"
    agent, _, port = await _agent_with(path)
    a = await Phone(("127.0.0.1", port)).open()
    b = await Phone(("127.0.0.1", port), "102").open()
    await a.register()
    await b.register()
    await b.register(expires=0)
    agent.registrar.close()  # as after kill -9, nothing else is saved
    before = agent.bindings("101@t.test")
    await agent.close()
    agent, _, port = await _agent_with(path)
    assert agent.bindings("101@t.test") == before
    assert agent.bindings("102@t.test") == []
    assert oct(path.stat().st_mode)[-3:] == "600"
    a.close()
    b.close()
    await agent.close()


def test_a_torn_or_foreign_line_is_passed_over(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "b"
    store = JournalStore(path)
    store.load()
    one, two = _binding("1"), _binding("2")
    store.put(one)
    store.put(two)
    store.close()
    data = path.read_bytes()
    path.write_bytes(b'{"aor": 1}\n[]\n\xff\xfe\n{"gone": []}\n' + data[:-10])
    assert JournalStore(path).load() == [one]
    assert JournalStore(path).load() == [one]
    assert "passed over" in caplog.text


def test_the_journal_does_not_grow_for_ever(tmp_path: Path) -> None:
    path = tmp_path / "b"
    store = JournalStore(path)
    store.load()
    for _ in range(3000):
        store.put(_binding("1"))
    store.remove(_binding("9").key)
    store.put(_binding("2"))
    store.remove(_binding("2").key)
    store.close()
    assert path.read_bytes().count(b"\n") < 1100
    assert JournalStore(path).load() == [_binding("1")]


def test_kill_9_loses_nothing(tmp_path: Path) -> None:
    """A process is killed while it writes; every line it has reported as written is there afterwards."""
    path = tmp_path / "b"
    script = (
        "import sys, dataclasses; from pathlib import Path\n"
        "from engine.embedded.sip.bindings import JournalStore\n"
        "from tests.embedded.sip.test_registrar import _binding\n"
        f"store = JournalStore(Path({str(path)!r})); store.load()\n"
        "for n in range(10**9):\n"
        "    store.put(_binding(str(n % 500)) if n < 500 else dataclasses.replace(_binding(str(n % 500)), cseq=n))\n"
        "    print(n, flush=True)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        last = -1
        for line in process.stdout:
            last = int(line)
            if last > 3000:  # past the first rewriting
                os.kill(process.pid, signal.SIGKILL)
                break
        last = max([last, *[int(line) for line in process.stdout.read().split("\n")[:-1] if line]])
    found = JournalStore(path).load()
    assert len(found) == 500
    assert max(binding.cseq for binding in found) >= last


def _binding(number: str) -> Binding:
    return Binding(
        aor="u@d", contact=f"sip:u@10.0.0.{number}", listener="internal", transport="udp", source=("10.0.0.1", 5060),
        expires_at=2e9, expires=60, registered_at=1.0, call_id="c", cseq=1, path=("<sip:p;lr>",),
    )  # fmt: skip


async def test_what_ran_out_while_we_were_down_is_gone(tmp_path: Path) -> None:
    store = JournalStore(tmp_path / "b")
    store.load()
    store.put(replace(_binding("1"), expires_at=time.time() - 60))
    store.put(_binding("2"))
    store.close()
    registrar = Registrar(RegistrarRules(), JournalStore(tmp_path / "b"))
    assert [b.contact for b in registrar.start()] == ["sip:u@10.0.0.2"]
    registrar.close()


async def test_directory_unavailable(switch: Switch, phone: MakePhone) -> None:
    a = await phone(internal=True)
    switch.core.answer_with = AuthOutcome.UNAVAILABLE
    refusal = await a.register()
    assert (refusal.code, refusal.get("Retry-After")) == (503, "5")

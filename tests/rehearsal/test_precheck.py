# SPDX-License-Identifier: Apache-2.0
"""The last real calls on two configurations: exactly those that go elsewhere are told, fast enough and without holding anybody up."""

from __future__ import annotations

import asyncio
import gc
import time
from datetime import timedelta
from functools import partial

import pytest

from engine.i18n import translate
from engine.rehearsal import PastCall, Script, Typed, beside, precheck, prechecking
from engine.rehearsal.past import script_of
from engine.sdk import HANGUP, Ref, Snapshot
from engine.telling import names_of, way_words
from tests.rehearsal.town import ACTIONS, CALLER, NIGHT, NOON, NUMBER, OPEN, REGULARS, group, menu, rule, town

G2, G3, M1 = Ref("groups.group", 2), Ref("groups.group", 3), Ref("ivr.menu", 1)
ENGLISH = partial(translate, "en")


def house(*, two: Ref = G3, hours: Ref | None = None, members: tuple[int, ...] = (201, 202)) -> Snapshot:
    return town(
        group(2, *members, method="BY_USER"), group(3, 203, no_answer=HANGUP), menu(1, {"1": G2, "2": two, "T": HANGUP}),
        rules=(rule(1, G3, numbers=REGULARS.ref), rule(2, M1, schedule=hours), rule(3, HANGUP)), lists=(REGULARS,),
    )  # fmt: skip


STRANGER = "+79990000001"


def call(id: int, keys: str = "", caller: str | None = STRANGER, *, night: bool = False, to: str = NUMBER, **script: object) -> PastCall:
    typed = (Typed(keys),) if keys else ()
    return PastCall(id, NIGHT if night else NOON, caller, to, Script(typed=typed, **script))  # type: ignore[arg-type]  # of the script


CALLS = [
    call(1, "1"), call(2, "2"), call(3), call(4, "1", night=True), call(5, caller=CALLER), call(6, "2", night=True), call(7, caller=None),
]  # fmt: skip


def elsewhere(edited: Snapshot, calls: list[PastCall] | None = None) -> list[int]:
    replay = precheck(house(), edited, ACTIONS, calls or CALLS)
    assert replay.calls == len(calls or CALLS)
    assert replay.elsewhere == len(replay.examples)
    return [example.call.id for example in replay.examples]


def test_nothing_changed_nothing_goes_elsewhere() -> None:
    assert elsewhere(house()) == []


def test_a_key_that_leads_elsewhere_moves_the_calls_that_pressed_it() -> None:
    assert elsewhere(house(two=G2)) == [2, 6]


def test_hours_of_a_rule_move_the_calls_of_the_night() -> None:
    assert elsewhere(house(hours=OPEN.ref)) == [4, 6]


def test_another_colleague_in_a_group_is_a_change_for_its_calls() -> None:
    assert elsewhere(house(members=(201, 202, 203))) == [1, 4]
    assert elsewhere(house(members=(202, 201))) == []  # they ring together, whoever is named first


def test_who_answers_matters() -> None:
    answered = [call(1, "1", answers={"202": (3.0, "answer")})]
    assert elsewhere(house(members=(201,)), answered) == [1]
    replay = precheck(house(), house(members=(201,)), ACTIONS, answered)
    (example,) = replay.examples
    way = "“Main” → “Menu 1” → “Group 2”; rung: User 201 (201)"
    names = names_of(ENGLISH, house(), ACTIONS)
    assert way_words(ENGLISH, house(), example.before, names) == f"{way}, User 202 (202); talk with User 202 (202)"
    assert way_words(ENGLISH, house(), example.after, names) == f"{way}; Nobody took the call"


def test_calls_to_a_number_that_is_gone_are_told_as_refused() -> None:
    lost = call(1, to="+74950000009")
    assert elsewhere(house(), [lost]) == []  # then as now
    edited = house()
    core = type(edited.core)(account=edited.account, users=edited.core.users, trunks=edited.core.trunks)
    replay = precheck(house(), Snapshot(2, core, edited.parts), ACTIONS, [call(1)])
    assert replay.elsewhere == 1
    told = way_words(ENGLISH, edited, replay.examples[0].after, names_of(ENGLISH, edited, ACTIONS))
    assert told == "+7 495 123-45-67 is none of this PBX’s numbers: such a call is refused."


def test_a_record_tells_what_people_did() -> None:
    trace = [
        {"at": 0, "what": "enters", "facts": {"title": "Menu", "by": "rule"}, "target": "ivr.menu:1"},
        {"at": 3000, "what": "key", "facts": {"digit": "2"}},
        {"at": 3800, "what": "key", "facts": {"digit": "0"}},
        {"at": 9000, "what": "key", "facts": {"digit": "1"}},
        {"at": 9100, "what": "enters", "facts": {"title": "Group"}, "target": "groups.group:2"},
        {"at": 9100, "what": "skipped", "facts": {"who": "204", "why": "not_registered"}},
        {"at": 9100, "what": "skipped", "facts": {"who": "205", "why": "lines_busy"}},
        {"at": 9200, "what": "rings", "facts": {"who": "201", "seconds": 20.0}},
        {"at": 9200, "what": "rings", "facts": {"who": "202", "seconds": 20.0}},
        {"at": 10_200, "what": "no", "facts": {"who": "201", "cause": "USER_BUSY"}},
        {"at": 15_200, "what": "answered", "facts": {"who": "202"}},
        {"at": 15_200, "what": "talk", "facts": {"who": "202"}},
    ]
    script = script_of(trace, timedelta(seconds=40))
    assert script.typed == (Typed("20", 3.0), Typed("1", pytest.approx(5.2)))
    assert script.answers == {"201": [(1.0, "USER_BUSY")], "202": [(6.0, "answer")]}
    assert script.absent == {"204"}
    assert (script.busy, script.caller_leaves) == ({"205": 1000}, 40.0)


def test_a_real_trace_leads_the_same_way_again() -> None:
    """What a rehearsal notes is a record's trace; read back as a script, it goes the same way."""
    from engine.rehearsal import Question, rehearse_call

    first = rehearse_call(
        house(), ACTIONS, Question(NUMBER, "+79990000001", Script({"202": (4, "answer")}, typed=(Typed("9"), Typed("1", 2.0)))), NOON
    )
    trace = [{"at": round(at * 1000), "what": s.what, "facts": dict(s.facts)} for at, s in first.rehearsal.steps]
    again = rehearse_call(house(), ACTIONS, Question(NUMBER, "+79990000001", script_of(trace)), NOON)
    assert [s for _, s in again.rehearsal.steps] == [s for _, s in first.rehearsal.steps]


async def test_a_thousand_calls_hold_nobody_up() -> None:
    """At most five seconds, never more than 50 ms at a stretch. In CPU time: what other programs take is not ours."""
    calls = [call(n, "12"[n % 2], night=bool(n % 3)) for n in range(1000)]
    pauses: list[float] = []
    done = asyncio.Event()

    async def watch() -> None:
        last = time.thread_time()
        while not done.is_set():
            await asyncio.sleep(0)
            now = time.thread_time()
            pauses.append(now - last)
            last = now

    watching = asyncio.create_task(watch())
    seen: list[int] = []
    gc.collect()
    gc.freeze()  # the heap of a test run is no engine's: a full collection of it takes 50 ms by itself
    began = time.thread_time()
    replay = await beside(prechecking(house(), house(two=G2), ACTIONS, calls, seen.append))
    took = time.thread_time() - began
    gc.unfreeze()
    done.set()
    await watching
    assert (replay.calls, seen[-1]) == (1000, 1000)
    assert replay.elsewhere == 500
    assert len(replay.examples) == 20
    assert took <= 5.0
    assert len(pauses) > 20
    assert max(pauses) <= 0.05

# SPDX-License-Identifier: Apache-2.0
"""One large PBX, 500 users, 50 nested groups, 30 menus: a call routed through it, rehearsals a second, the check of its settings,
its last 1,000 calls on two configurations, its snapshot after a save. `python -m benchmarks.large_pbx [--quick]`.
"""

import argparse
import asyncio
import json
import tempfile
import time
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.routing import ACTIONS, AT, CALLER, number, per_call_us
from engine.db import Database, secrets
from engine.plugin.testing import sip_user
from engine.rehearsal import PastCall, Question, Script, Typed, beside, checking, precheck, prechecking, rehearse_call
from engine.revisions import Actor, Revisions
from engine.revisions.saving import Store
from engine.routing.basic import HANGUP
from engine.runtime.runtime import settle
from engine.settings import Core, Settings
from engine.snapshot import Account, CorePart, Did, Ref, SipAccount, Snapshot, Trunk
from plugins.groups.api import Membership
from plugins.groups.part import Group, GroupsPart
from plugins.groups.service import save_group
from plugins.groups.service import store as groups
from plugins.ivr.part import IvrPart, Menu, MenuKey
from plugins.ivr.service import store as ivr
from plugins.numbers.part import NumbersPart, Rule
from plugins.numbers.service import store as numbers
from plugins.schedules.part import DayGroup, HourRange, Schedule, SchedulesPart
from plugins.schedules.service import store as schedules

USERS, GROUPS, MENUS, CALLS = 500, 50, 30, 1000
GOAL_PRECHECK = 5.0
"""Seconds for the last 1,000 calls on both configurations."""
GOAL_STRETCH = 50.0
"""Milliseconds for which the event loop may be held up."""
ACTOR = Actor(None, "benchmark", "cli")
STORES: Mapping[str, Store] = {"groups": groups, "ivr": ivr, "numbers": numbers, "schedules": schedules}


def large_pbx(*, moved: bool = False) -> Snapshot:
    """Groups nested five deep, ten users in each; menus in a chain of five whose keys lead to groups. `moved`: key 2 leads elsewhere."""
    trunk = Trunk(id=1, title="Provider", registers=False, server="127.0.0.1", sources=("127.0.0.0/8",))
    did = Did(id=1, title="Main", number=number(0), trunk=trunk.ref, connected=1)
    users = tuple(sip_user(n) for n in range(1001, 1001 + USERS))
    open_ = Schedule(id=1, title="Open", days=(DayGroup("Weekdays", (0, 1, 2, 3, 4), (HourRange(540, 1080),)),))
    root = Group(id=1, title="PBX", no_answer=HANGUP)
    made = [root]
    for n in range(2, GROUPS + 1):
        parent = made[-1] if n % 5 else root
        members = tuple(Membership(users[(n - 2) * 10 + k].id, k + 1) for k in range(10))
        hours = open_.ref if n % 4 == 0 else None
        made.append(Group(id=n, title=f"Group {n}", parent=parent.ref, members=members, schedule=hours, method="BY_USER", no_answer=HANGUP))
    menus = []
    for n in range(1, MENUS + 1):
        further = Ref(Menu.kind, n + 1) if n % 5 and n < MENUS else Ref(Group.kind, 2)
        second = Ref(Group.kind, 2 + (n * 3 + (7 if moved else 0)) % (GROUPS - 1))
        keys = (MenuKey("1", further), MenuKey("2", second), MenuKey("T", second))
        menus.append(Menu(id=n, title=f"Menu {n}", parent=root.ref, keys=keys))
    rules = (
        Rule(id=1, title="By day", did=did.ref, priority=1, schedule=open_.ref, target=menus[0].ref),
        Rule(id=2, title="At night", did=did.ref, priority=2, target=Ref(Group.kind, 2)),
    )
    extensions = tuple((user.extension or "", user.ref) for user in users)
    account = Account(id=1, number="1", title="Large", domain="large.example")
    phones = tuple(SipAccount(id=c.id, login=c.address, secret="", user=u.id, contact=c.id) for u in users for c in u.contacts)
    core = CorePart(account=account, users=users, sip_accounts=phones, trunks=(trunk,), dids=(did,), extensions=extensions)
    parts = {
        "groups": GroupsPart(groups=tuple(made)), "ivr": IvrPart(menus=tuple(menus)), "numbers": NumbersPart(rules=rules),
        "schedules": SchedulesPart(schedules=(open_,)),
    }  # fmt: skip
    return Snapshot(1, core, parts)


def routed(snapshot: Snapshot) -> dict[str, Any]:
    """µs of a whole rehearsed call: five menus, a group of ten that ring at once, one of whom answers; and calls a second."""
    question = Question(number(0), CALLER, Script(typed=(Typed("1"),) * 4 + (Typed("2"),), others=(2.0, "answer")))

    def once() -> None:
        assert rehearse_call(snapshot, ACTIONS, question, AT - timedelta(days=2)).rehearsal.end == "talked"

    us = per_call_us({"call": once}, 1.0)["call"]
    return {"us": us, "per_second": round(1e6 / us)}


def past_calls() -> list[PastCall]:
    """Day and night, callers who press something and those who do not, answered and not."""
    calls = []
    for n in range(CALLS):
        keys = ("2", "12", "112", "")[n % 4]
        answers = {str(1001 + k): (3.0, "answer") for k in range(0, USERS, 7)} if n % 3 else {}
        script = Script(answers=answers, typed=tuple(Typed(key) for key in keys))
        calls.append(PastCall(n + 1, AT - timedelta(hours=n), CALLER, number(0), script))
    return calls


async def checked() -> dict[str, Any]:
    """Seconds of the 1,000 calls on both configurations and of the check of settings, and the longest stretch beside a running loop."""
    before, edited = large_pbx(), large_pbx(moved=True)
    calls = past_calls()
    settle()  # as a process that serves calls
    began, cpu = time.perf_counter(), time.process_time()
    replay = precheck(before, edited, ACTIONS, calls)
    took, cpu = time.perf_counter() - began, time.process_time() - cpu
    assert 0 < replay.elsewhere < replay.calls == CALLS, replay.elsewhere
    stretches: list[float] = []
    ended = asyncio.Event()

    async def watch() -> None:
        last = time.thread_time()
        while not ended.is_set():
            await asyncio.sleep(0)
            now = time.thread_time()
            stretches.append((now - last) * 1000)
            last = now

    watching = asyncio.create_task(watch())
    await beside(prechecking(before, edited, ACTIONS, calls))
    began = time.perf_counter()
    found = await beside(checking(edited, ACTIONS, STORES, AT))
    settings = time.perf_counter() - began
    ended.set()
    await watching
    longest = max(stretches)
    return {
        "seconds": round(took, 2), "cpu_seconds": round(cpu, 2), "elsewhere": replay.elsewhere,
        "check_seconds": round(settings, 1), "findings": len(found.findings),
        "stretch_ms": round(longest, 1), "goal": GOAL_PRECHECK, "goal_ms": GOAL_STRETCH,
        "reached": took <= GOAL_PRECHECK and longest <= GOAL_STRETCH,
    }  # fmt: skip


async def saved(rounds: int) -> dict[str, float]:
    """ms from the first row of a save to the new snapshot in memory (SQLite), and of that the snapshot's load alone; the best of a few."""
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(core=Core(state=folder))
        secrets.setup(settings)
        db = await Database.open(settings, [(name, f"plugins.{name}.models") for name in STORES])
        try:
            await db.migrate()
            revisions = Revisions(db, STORES, Path(folder))
            pbx = large_pbx()
            async with revisions.create_account(ACTOR, number="1", title="Large", domain="large.example") as edit:
                await groups.insert(edit.account_id, Group(id=0, title="PBX"), edit.tx)
            async with revisions.edit(edit.account_id, ACTOR) as edit:
                await revisions.core.restore(edit.account_id, pbx.core, edit.tx)
                for name in ("schedules", "groups", "ivr", "numbers"):
                    await STORES[name].restore(edit.account_id, pbx.parts[name], edit.tx)
            account = edit.account_id
            whole, load = [], []
            for n in range(rounds):
                began = time.perf_counter()
                async with revisions.edit(account, ACTOR) as edit:
                    group = edit.before.get(Ref(Group.kind, 9), Group)
                    assert group is not None
                    await save_group(edit, msgspec.structs.replace(group, title=f"Group nine, {n}"))
                whole.append(time.perf_counter() - began)
                assert len(revisions.snapshot(account).users) == USERS
                async with db.transaction() as tx:
                    began = time.perf_counter()
                    await revisions.load(account, tx)
                    load.append(time.perf_counter() - began)
        finally:
            await db.close()
    return {"save_ms": round(min(whole) * 1000, 1), "load_ms": round(min(load) * 1000, 1)}


def run(quick: bool) -> dict[str, Any]:
    """Keys: call (us, per_second), check (seconds, stretch_ms, …), save (save_ms, load_ms)."""
    return {"call": routed(large_pbx()), "check": asyncio.run(checked()), "save": asyncio.run(saved(3 if quick else 10))}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    print(json.dumps(run(parser.parse_args().quick), indent=2))

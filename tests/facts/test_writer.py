# SPDX-License-Identifier: Apache-2.0
"""From the spool to the rows: each CDR exactly once, whatever dies or is away meanwhile."""

from __future__ import annotations

import asyncio
import json
import random
import sqlite3
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from engine.db import Database, models
from engine.facts import CallEnded, Fact, RecordingData, TraceStep
from engine.facts.spool import Spool
from engine.facts.writer import FactWriter
from engine.settings import Settings
from engine.snapshot import Ref
from tests.databases import Postgres
from tests.facts.test_spool import NOW, Rang, leg, record


@dataclass
class Subscriber:
    """Leaves a row per fact that nothing keeps unique, so that a second write would show."""

    fact: type[Fact] = Rang
    errors: list[Exception] = field(default_factory=list)
    seen: list[Any] = field(default_factory=list)

    @property
    def write(self) -> Callable[[Any, Any], Awaitable[None]]:
        return self._write

    async def _write(self, fact: Any, tx: Any) -> None:
        self.seen.append(fact)
        await models.Trunk.create(account_id=fact.account, title=fact.call, using_db=tx)
        if self.errors:
            raise self.errors.pop(0)


async def account(number: str = "1") -> int:
    return (await models.Account.create(number=number, title="x", domain=number)).id


def ended(call: str, owner: int) -> CallEnded:
    return CallEnded(account=owner, call=call, at=NOW, direction="in", started_at=NOW, ended_at=NOW)


async def test_a_call_becomes_rows(database: Database, tmp_path: Path) -> None:
    spool, rings = Spool.open(tmp_path), list[tuple[str, int]]()
    told, over = Subscriber(), Subscriber(CallEnded)
    writer = FactWriter(database, [told, over], lambda topic, owner: rings.append((topic, owner)))
    owner = await account()
    spool.opened("a", owner, NOW, {})
    spool.fact(Rang(account=owner, call="a", at=NOW, who="Анна"))
    step = TraceStep(at=250, what="enters", facts={"title": "Отдел\x00"}, target="groups.group:3")
    spool.ended(
        record(
            "a", owner, caller_number="+79271234567", did="+74951111111", user=5, user_title="Анна", group=Ref("groups.group", 3),
            group_title="Отдел продаж " * 50, talk_seconds=4, talked=True, answered_at=NOW + timedelta(seconds=1), cause="NORMAL_CLEARING",
            revision=7, trace=(step,), legs=(leg("a1", trunk=2, direction="in"), leg("a2", user=5, contact=9, ended_at=NOW)),
            recordings=(RecordingData(path="rec/a.wav", seconds=3.5, user=5),),
        ),
        [ended("a", owner)],
    )  # fmt: skip
    await writer.drain(spool)
    row = await models.CallRecord.of(owner).get(call_id="a").prefetch_related("legs", "recordings")
    assert (row.started_at, row.answered_at, row.caller_number, row.talked) == (NOW, NOW + timedelta(seconds=1), "+79271234567", True)
    assert (row.user_id, row.group_kind, row.group_id, row.revision) == (5, "groups.group", 3, 7)
    assert row.group_title is not None
    assert len(row.group_title) == 200
    assert row.trace == [{"at": 250, "what": "enters", "facts": {"title": "Отдел"}, "target": "groups.group:3"}]
    assert [(item.uuid, item.direction, item.trunk_id, item.user_id, item.contact_id) for item in row.legs] == [
        ("a1", "in", 2, None, None),
        ("a2", "out", None, 5, 9),
    ]
    assert [(item.path, item.seconds, item.user_id) for item in row.recordings] == [("rec/a.wav", 3.5, 5)]
    facts = await models.FactRow.of(owner).order_by("id")
    assert [(fact.kind, fact.seq, fact.failed) for fact in facts] == [("test.rang", 1, None), ("core.call_ended", 2, None)]
    assert facts[0].data["who"] == "Анна"
    assert told.seen[0].who == "Анна"
    assert over.seen[0].record_id == row.id
    assert rings == [("calls", owner)]
    assert not spool.behind
    spool.close()


async def test_a_replay_changes_nothing(database: Database, tmp_path: Path) -> None:
    told = Subscriber()
    writer = FactWriter(database, [told])
    owner = await account()
    spool = Spool.open(tmp_path)
    spool.opened("a", owner, NOW, {})
    spool.fact(Rang(account=owner, call="a", at=NOW, who="Anna"))
    spool.ended(record("a", owner, legs=(leg("a1"),)), [Rang(account=owner, call="a", at=NOW, who="Boris")])
    batch = spool.read()
    await writer._transact(batch.entries)  # committed, and then the engine died before it could mark it
    await writer.drain(spool)
    assert await models.CallRecord.all().count() == 1
    assert await models.CallLeg.all().count() == 1
    assert [fact.who for fact in told.seen] == ["Anna", "Boris"]
    assert await models.Trunk.all().count() == 2
    spool.close()


async def test_a_failing_subscriber_is_named_and_can_be_tried_again(database: Database, tmp_path: Path) -> None:
    bad, good = Subscriber(errors=[ValueError("bug")]), Subscriber()
    good_names = [bad, good]
    writer = FactWriter(database, good_names)
    owner = await account()
    spool = Spool.open(tmp_path)
    spool.opened("a", owner, NOW, {})
    spool.fact(Rang(account=owner, call="a", at=NOW, who="Anna"))
    await writer.drain(spool)
    assert await models.Trunk.all().count() == 1  # the failed one left nothing, the other one its row
    (row,) = await models.FactRow.all()
    assert list(row.failed.values()) == ["ValueError: bug"]
    good_names.remove(good)
    assert await writer.retry_failed() == 1
    assert await models.Trunk.all().count() == 2
    assert await writer.retry_failed() == 0
    spool.close()


async def test_a_bad_record_holds_up_nobody(database: Database, tmp_path: Path) -> None:
    writer = FactWriter(database)
    owner = await account()
    spool = Spool.open(tmp_path)
    spool.ended(record("good", owner))
    spool.ended(record("orphan", owner + 99))  # its customer has been deleted meanwhile
    spool.ended(record("fine", owner))
    await writer.drain(spool)
    assert sorted(row.call_id for row in await models.CallRecord.all()) == ["fine", "good"]
    (line,) = (tmp_path / "rejected.jsonl").read_text("utf-8").splitlines()
    assert json.loads(line)["entry"]["call"] == "orphan"
    spool.close()


async def test_what_was_refused_is_taken_when_the_database_would_take_it(database: Database, tmp_path: Path) -> None:
    writer = FactWriter(database)
    spool = Spool.open(tmp_path)
    owner = await account()
    spool.ended(record("early", owner + 1), [ended("early", owner + 1)])
    spool.ended(record("orphan", owner + 99))
    await writer.drain(spool)
    with (tmp_path / "rejected.jsonl").open("ab") as file:
        file.write(b'{"damaged\n')
    assert await writer.retry_rejected(spool) == 0
    assert await account("2") == owner + 1
    assert await writer.retry_rejected(spool) == 1
    assert [row.call_id for row in await models.CallRecord.all()] == ["early"]
    assert [row.call_id for row in await models.FactRow.all()] == ["early"]
    assert [entry.call for entry in spool.rejected()] == ["orphan"]
    assert b'{"damaged\n' in (tmp_path / "rejected.jsonl").read_bytes()
    spool.close()


async def test_nothing_is_refused_for_trouble_of_the_server(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer, spool = FactWriter(database, pause_seconds=0.0), Spool.open(tmp_path)
    troubles: list[Exception] = [asyncpg.DiskFullError("no space left on device"), asyncpg.ReadOnlySQLTransactionError("read-only")]
    transact = writer._transact

    async def sometimes(entries: Any) -> None:
        if troubles:
            raise troubles.pop(0)
        await transact(entries)

    monkeypatch.setattr(writer, "_transact", sometimes)
    spool.ended(record("a", await account()))
    await writer.drain(spool)
    assert not spool.rejected()
    assert await models.CallRecord.all().count() == 1
    spool.close()


async def test_a_fact_that_can_be_read_again_reaches_everybody(database: Database, tmp_path: Path) -> None:
    one, other = Subscriber(), Subscriber()
    writer, spool = FactWriter(database, [one, other]), Spool.open(tmp_path)
    owner = await account()
    spool.fact(Rang(account=owner, call="a", at=NOW, who="Anna"))
    await writer.drain(spool)
    one.seen.clear(), other.seen.clear()
    await models.FactRow.all().update(failed={"decode": "written by a later version"})
    assert await writer.retry_failed() == 1
    assert [len(one.seen), len(other.seen)] == [1, 1]
    spool.close()


async def test_failures_that_stay_do_not_hold_up_newer_ones(database: Database, tmp_path: Path) -> None:
    told = Subscriber()
    writer, spool = FactWriter(database, [told]), Spool.open(tmp_path)
    owner = await account()
    name = f"{told.write.__module__}.{told.write.__qualname__}"
    for call in ("a", "b", "c"):
        spool.fact(Rang(account=owner, call=call, at=NOW, who="Anna"))
    await writer.drain(spool)
    await models.FactRow.filter(call_id__in=["a", "b"]).update(failed={"absent.plugin.write": "bug"})
    await models.FactRow.filter(call_id="c").update(failed={name: "bug"})
    told.seen.clear()
    assert await writer.retry_failed(page=1) == 1
    assert [fact.call for fact in told.seen] == ["c"]
    rows = await models.FactRow.all().order_by("id")
    assert [row.failed for row in rows] == [{"absent.plugin.write": "bug"}, {"absent.plugin.write": "bug"}, None]
    spool.close()


async def test_a_fact_of_an_absent_plugin_is_kept(database: Database, tmp_path: Path) -> None:
    owner = await account()
    spool = Spool.open(tmp_path)
    spool.ended(record("a", owner), [Rang(account=owner, call="a", at=NOW, who="Anna")])
    path = tmp_path / "calls-00000001.jsonl"
    path.write_bytes(path.read_bytes().replace(b"test.rang", b"gone.rang"))
    await FactWriter(database, [Subscriber()]).drain(spool)
    assert [row.kind for row in await models.FactRow.of(owner)] == ["gone.rang"]
    spool.close()


async def test_the_database_is_away_for_a_while(database: Database, database_settings: Settings, tmp_path: Path, request: Any) -> None:
    owner = await account()
    spool = Spool.open(tmp_path)
    written = asyncio.Event()
    writer = FactWriter(database, [], lambda topic, account: written.set(), pause_seconds=0.05)
    task = asyncio.create_task(writer.run(spool))
    if database.dialect == "sqlite":
        await database.connection.execute_query("PRAGMA busy_timeout = 20")
        blocker = sqlite3.connect(database_settings.state / "vats.sqlite3", isolation_level=None)
        blocker.execute("BEGIN EXCLUSIVE")
    else:
        server: Postgres = request.getfixturevalue("postgres")
        await asyncio.to_thread(server.stop)
    for n in range(100):
        spool.opened(str(n), owner, NOW, {})
        spool.ended(record(str(n), owner))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(written.wait(), 1)
    assert not task.done()
    if database.dialect == "sqlite":
        blocker.execute("ROLLBACK")
        blocker.close()
    else:
        await asyncio.to_thread(server.start)
    async with asyncio.timeout(60):
        while await models.CallRecord.of(owner).count() < 100:
            await written.wait()
            written.clear()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    spool.close()


ENGINE = """
import asyncio, sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from engine.db import Database, models
from engine.facts import TraceStep
from engine.facts.spool import Spool
from engine.facts.writer import FactWriter
from engine.settings import Core, Settings
from engine.settings import Database as DatabaseSettings
from tests.facts.test_spool import NOW, Rang, leg, record
from tests.facts.test_writer import Subscriber

def say(*words):
    print(*words, flush=True)

async def main(folder, state, url, owner, run):
    db = await Database.open(Settings(core=Core(state=state), database=DatabaseSettings(url=url)))
    spool = Spool.open(Path(folder))
    writer = FactWriter(db, [Subscriber()])
    for call in list(spool.recovered.values()):
        spool.ended(record(call.call_id, owner, cause="ENGINE_LOST", legs=tuple(call.legs.values()), trace=tuple(call.steps)))
    if run == "last":
        await writer.drain(spool)
        spool.close()
        await db.close()
        return
    task = asyncio.create_task(writer.run(spool))
    for n in range(100000):
        name = f"{run}-{n}"
        spool.opened(name, owner, NOW, {})
        say("open", name)
        spool.step(name, TraceStep(at=0, what="enters"))
        spool.fact(Rang(account=owner, call=name, at=NOW, who="x"))
        say("fact", name)
        spool.leg(name, leg(name + "-1"))
        if n >= 3:
            old = f"{run}-{n - 3}"
            whole = record(old, owner, cause="NORMAL_CLEARING", legs=(leg(old + "-1"),))
            spool.ended(whole, [Rang(account=owner, call=old, at=NOW, who="y")])
            say("end", old)
        await asyncio.sleep(0.0005)

folder, state, url, owner, run = sys.argv[1:]
asyncio.run(main(folder, state, url, int(owner), run))
"""


async def start(*arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(sys.executable, "-c", ENGINE, *arguments, stdout=asyncio.subprocess.PIPE)


async def test_killed_at_any_point_each_call_has_one_record(database: Database, database_settings: Settings, tmp_path: Path) -> None:
    owner = await account()
    seed = random.randrange(10**6)
    print("seed", seed)
    dice = random.Random(seed)
    fixed = (str(tmp_path / "spool"), str(database_settings.state), database_settings.database.url, str(owner))
    said: dict[str, set[str]] = {"open": set(), "fact": set(), "end": set()}
    for run in range(5):
        engine = await start(*fixed, str(run))
        assert engine.stdout is not None
        for _ in range(dice.randrange(1, 600)):
            word, name = (await asyncio.wait_for(engine.stdout.readline(), 60)).decode().split()
            said[word].add(name)
        engine.kill()
        rest = (await asyncio.wait_for(engine.stdout.read(), 60)).decode()
        await engine.wait()
        for word, name in (line.split() for line in rest.splitlines(keepends=True) if line.endswith("\n")):
            said[word].add(name)
    last = await start(*fixed, "last")
    await asyncio.wait_for(last.communicate(), 120)
    assert last.returncode == 0
    rows = await models.CallRecord.of(owner).prefetch_related("legs")
    names = [row.call_id for row in rows]
    assert len(names) == len(set(names))
    assert said["open"] <= set(names)
    causes = {row.call_id: row.cause for row in rows}
    assert {causes[name] for name in said["end"]} == {"NORMAL_CLEARING"}
    assert {causes[name] for name in said["open"] - said["end"]} <= {"ENGINE_LOST", "NORMAL_CLEARING"}
    assert all(len(row.legs) <= 1 for row in rows)
    told = [trunk.title for trunk in await models.Trunk.of(owner)]
    for name in said["fact"]:
        assert told.count(name) == (2 if causes[name] == "NORMAL_CLEARING" else 1)
    assert len(told) == await models.FactRow.of(owner).count()

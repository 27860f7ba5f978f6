# SPDX-License-Identifier: Apache-2.0
"""Connections, transactions, migrations and scoped access on both databases."""

from __future__ import annotations

import asyncio
import sqlite3
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from tortoise.exceptions import DBConnectionError, IntegrityError, OperationalError

from engine import clock
from engine.db import Database, Tx, after_commit, is_away, models, secrets
from engine.db.backend_sqlite import Client
from engine.db.makemigrations import write
from engine.errors import NotFound, SettingsError
from engine.settings import Core, Settings
from tests.databases import migrated


async def account(number: str = "1") -> models.Account:
    return await models.Account.create(number=number, title=f"Customer {number}", domain=f"c{number}.example")


async def test_models_and_migrations_agree() -> None:
    assert await write([], {"core"}) == []


async def test_migrating_twice_changes_nothing(database: Database) -> None:
    assert await database.migrate() == []


async def test_migrations_of_two_processes_meet(database_settings: Settings) -> None:
    one = await Database.open(database_settings)
    two = await Database.open(database_settings)
    applied = await asyncio.gather(one.migrate(), two.migrate())
    assert sorted(len(names) for names in applied)[0] == 0
    await two.close()
    await one.close()


async def test_a_process_that_leaves_takes_nothing_of_the_others_with_it(tmp_path: Path) -> None:
    """Whoever closes the SQLite file in a process drops that process's locks on it: the next one to leave removed the log in use."""
    settings = Settings(core=Core(state=str(tmp_path)))
    database = await migrated(settings)
    assert await database.migrate() == []  # looks at the configuration again, while the file is in use
    file = tmp_path / "vats.sqlite3"
    look = f"import sqlite3; c = sqlite3.connect({str(file)!r}); print(c.execute('SELECT number FROM account').fetchall()); c.close()"
    for written, expected in (("1", "[('1',)]"), ("2", "[('1',), ('2',)]")):
        async with asyncio.timeout(10):
            await account(written)
        other = await asyncio.create_subprocess_exec(sys.executable, "-c", look, stdout=asyncio.subprocess.PIPE)
        said, _ = await other.communicate()
        assert said.decode().strip() == expected
    await database.close()


async def test_a_fresh_file_is_opened_by_many_at_once(tmp_path: Path) -> None:
    """The switch to WAL needs a lock that SQLite does not wait for."""

    def one(path: Path, together: threading.Barrier) -> str:
        async def connect() -> str:
            client = Client(str(path), connection_name="sqlite")
            together.wait()
            try:
                await client.create_connection(with_db=True)
                return str(await client.execute_query_dict("PRAGMA foreign_keys"))
            finally:
                await client.close()

        return asyncio.run(connect())

    with ThreadPoolExecutor(4) as threads:
        for number in range(30):
            together = threading.Barrier(4)
            found = [threads.submit(one, tmp_path / f"{number}.sqlite3", together) for _ in range(4)]
            assert {each.result() for each in found} == {"[{'foreign_keys': 1}]"}


async def test_a_connection_set_up_by_half_is_dropped(tmp_path: Path) -> None:
    path = tmp_path / "held.sqlite3"
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("CREATE TABLE kept (id INTEGER)")
    holder.execute("BEGIN EXCLUSIVE")
    client = Client(str(path), connection_name="sqlite", busy_timeout=50)
    with pytest.raises(OperationalError, match="locked") as trouble:
        await client.create_connection(with_db=True)
    assert is_away(trouble.value)
    holder.execute("COMMIT")
    holder.close()
    assert await client.execute_query_dict("PRAGMA foreign_keys") == [{"foreign_keys": 1}]
    await client.close()


async def test_a_foreign_id_is_not_found(database: Database) -> None:
    ours, theirs = await account("1"), await account("2")
    user = await models.User.create(account=ours, title="Anna")
    assert (await models.User.of(ours.id).fetch(user.id)).title == "Anna"
    with pytest.raises(NotFound):
        await models.User.of(theirs.id).fetch(user.id)
    with pytest.raises(NotFound):
        await models.User.of(ours.id).filter(title="Anna").fetch(user.id + 1)
    assert await models.User.of(theirs.id).all() == []


async def test_a_failed_transaction_leaves_nothing(database: Database) -> None:
    rang: list[str] = []

    async def fail() -> None:
        async with database.transaction() as tx:
            await models.Account.create(number="1", title="x", domain="x", using_db=tx)
            after_commit(tx, lambda: rang.append("lost"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert await models.Account.all().count() == 0
    async with database.transaction() as tx:
        await models.Account.create(number="1", title="x", domain="x", using_db=tx)
        after_commit(tx, lambda: rang.append("kept"))
        assert rang == []
    assert rang == ["kept"]


async def test_a_savepoint_fails_alone(database: Database) -> None:
    async def fail(tx: Tx) -> None:
        async with database.savepoint(tx) as inner:
            await models.Account.create(number="2", title="y", domain="y", using_db=inner)
            await models.Account.create(number="1", title="z", domain="z", using_db=tx)

    async with database.transaction() as tx:
        await models.Account.create(number="1", title="x", domain="x", using_db=tx)
        with pytest.raises(IntegrityError):
            await fail(tx)
    assert [a.number for a in await models.Account.all()] == ["1"]


async def test_a_transaction_inside_another_is_part_of_it(database: Database) -> None:
    rang: list[str] = []

    async def inner(number: str, fail: bool) -> None:
        async with database.transaction() as tx:
            await models.Account.create(number=number, title="x", domain=number, using_db=tx)
            after_commit(tx, lambda: rang.append(number))
            if fail:
                raise ZeroDivisionError

    async with database.transaction():
        await asyncio.wait_for(inner("1", fail=False), 10)
        with pytest.raises(ZeroDivisionError):
            await inner("2", fail=True)
        assert rang == []
    assert [a.number for a in await models.Account.all()] == ["1"]
    assert rang == ["1"]


async def test_cancelled_transactions_leave_the_database_usable(database: Database) -> None:
    async def work(number: int) -> None:
        async with database.transaction() as tx:
            await models.Account.create(number=str(number), title="x", domain=str(number), using_db=tx)

    for delay in range(40):
        task = asyncio.create_task(work(delay))
        for _ in range(delay):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    await asyncio.wait_for(work(1000), 10)
    assert await models.Account.exists(number="1000")


async def test_two_connections_that_read_and_then_write_do_not_lock_each_other_out(database: Database, database_settings: Settings) -> None:
    owner = await account()
    second = await Database.open(database_settings)

    async def count_up(db: Database) -> None:
        with db.active():
            for _ in range(40):
                async with db.transaction() as tx:
                    row = await models.Account.filter(id=owner.id).using_db(tx).select_for_update().get()
                    await models.Account.filter(id=owner.id).using_db(tx).update(revision=row.revision + 1)

    await asyncio.wait_for(asyncio.gather(count_up(database), count_up(second)), 60)
    await second.close()
    assert (await models.Account.get(id=owner.id)).revision == 80


async def test_a_task_that_outlives_its_transaction_works_on(database: Database) -> None:
    go = asyncio.Event()

    async def later() -> int:
        await go.wait()
        return await models.Account.all().count()

    async with database.transaction() as tx:
        await models.Account.create(number="1", title="x", domain="x", using_db=tx)
        task = asyncio.create_task(later())
    go.set()
    assert await asyncio.wait_for(task, 10) == 1


async def test_times_compare_across_zones(database: Database) -> None:
    owner = await account()
    moment = datetime(2026, 3, 1, 22, 30, tzinfo=timezone(timedelta(hours=3)))
    await models.LiveCallRow.create(account=owner, call_id="a", updated_at=moment)
    row = await models.LiveCallRow.of(owner.id).get()
    assert row.updated_at == moment
    assert row.updated_at.utcoffset() == timedelta(0)
    tokyo = timezone(timedelta(hours=9))
    assert await models.LiveCallRow.of(owner.id).filter(updated_at__gt=(moment - timedelta(seconds=1)).astimezone(tokyo)).count() == 1
    assert await models.LiveCallRow.of(owner.id).filter(updated_at__gt=(moment + timedelta(seconds=1)).astimezone(tokyo)).count() == 0


async def test_a_record_outlives_its_user(database: Database) -> None:
    owner = await account()
    now = clock.now()
    row = await models.CallRecord.create(account=owner, call_id="c", started_at=now, ended_at=now, direction="in", user_id=99)
    assert (await models.CallRecord.of(owner.id).select_related("user").fetch(row.id)).user is None


def test_secrets_are_made_once(tmp_path: object) -> None:
    settings = Settings(core=Core(state=str(tmp_path)))
    secrets.setup(settings)
    token = secrets.encrypt("пароль")
    secrets.setup(settings)
    assert secrets.decrypt(token) == "пароль"
    assert (settings.state / "secret.key").stat().st_mode & 0o777 == 0o600
    (settings.state / "secret.key").unlink()
    secrets.setup(settings)
    with pytest.raises(SettingsError, match="another key"):
        secrets.decrypt(token)
    with pytest.raises(SettingsError, match=r"core\.secret"):
        secrets.setup(Settings(core=Core(secret="short")))


@pytest.mark.parametrize("code", ["53100", "25006", "57P01", "57P02", "40001", "40P01", "58030", "08006"])
@pytest.mark.parametrize("inside", [False, True], ids=["alone", "in a transaction"])
async def test_trouble_of_the_server_passes(database: Database, code: str, inside: bool) -> None:
    if database.dialect != "postgres":
        pytest.skip("does not apply to SQLite: codes of PostgreSQL")
    statement = f"DO $$ BEGIN RAISE EXCEPTION 'trouble' USING ERRCODE = '{code}'; END $$"

    async def fails() -> None:
        if not inside:
            await database.connection.execute_script(statement)
        async with database.transaction() as tx:
            await tx.execute_script(statement)

    with pytest.raises(DBConnectionError) as caught:
        await fails()
    assert is_away(caught.value)
    assert await database.reachable()


async def test_a_standby_is_away(database: Database) -> None:
    if database.dialect != "postgres":
        pytest.skip("does not apply to SQLite, which has no standby")

    async def writes() -> None:
        async with database.transaction() as tx:
            await tx.execute_query("SET TRANSACTION READ ONLY")
            await models.Account.create(number="1", title="x", domain="x", using_db=tx)

    with pytest.raises(DBConnectionError, match="read-only"):
        await writes()
    await account("1")


async def test_what_was_asked_wrongly_is_no_trouble_of_the_server(database: Database) -> None:
    await account("1")
    with pytest.raises(IntegrityError) as caught:
        await account("1")
    assert not is_away(caught.value)
    with pytest.raises(OperationalError) as wrong:
        await database.connection.execute_query("SELECT nonsense")
    assert not is_away(wrong.value)

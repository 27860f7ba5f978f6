# SPDX-License-Identifier: Apache-2.0
"""The one door: what is saved, what is refused, what comes back, and what other processes see of it."""

from __future__ import annotations

import asyncio
import errno
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from engine.db import models
from engine.db.models import Extension
from engine.errors import Conflict, InUse, Invalid, NotFound
from engine.plugin.testing import office
from engine.revisions import TOPIC, Actor, Clash, Edit, differences
from engine.revisions.disk import SnapshotFiles
from engine.revisions.rollback import LOGIN_GOES, NO_ADMINISTRATOR
from engine.settings import Database as DatabaseSettings
from engine.settings import Settings
from engine.snapshot import Ref, Snapshot, User
from engine.snapshot.rows import assign_extension
from tests.revisions.conftest import ANNA, House, add_user, house, new_account
from tests.revisions.sample import Box, Note, SamplePart


async def box(home: House, edit: Edit, title: str, *holds: Ref, size: int = 1) -> Box:
    return await home.store.insert(edit.account_id, Box(id=0, title=title, holds=holds, size=size), edit.tx)


async def state(home: House, account: int) -> dict[str, object]:
    async with home.db.transaction() as tx:
        snapshot = await home.revisions.load(account, tx)
    return {"core": snapshot.core, **snapshot.parts}


async def test_a_save_is_one_revision(home: House) -> None:
    seen: list[int] = []
    home.revisions.on_change(lambda account, snapshot: seen.append(snapshot.revision if snapshot else -1))
    account = await new_account(home)
    async with home.revisions.edit(account, ANNA, expected=1) as edit:
        user = await add_user(edit, "Boris", "101")
        await box(home, edit, "Papers", Ref(User.kind, user.id))
    snapshot = home.revisions.snapshot(account)
    assert snapshot.revision == 2
    assert edit.after is snapshot
    assert [element.title for element in snapshot.elements()] == ["Boris", "Papers"]
    assert snapshot.sip_accounts["101"].user == user.id
    assert seen == [1, 2]
    assert home.rang == [(TOPIC, account)] * 2
    last, first = await home.revisions.history(account)
    assert (first.number, sorted(first.parts)) == (1, ["core", "sample"])
    assert (last.number, last.actor_name, last.channel, last.actor_user_id) == (2, "Anna", "web", 7)
    assert last.summary == "+ Boris · + 101 · + Papers"
    assert home.revisions.account_for_domain("C1.Example") == account
    assert home.revisions.account_for_number("1") == account
    async with home.revisions.edit(account, ANNA) as edit:
        await models.Account.filter(id=account).using_db(edit.tx).update(domain="New.example")
    assert home.revisions.account_for_domain("new.example") == account
    assert home.revisions.account_for_domain("c1.example") is None


async def test_what_is_attached_goes_with_its_owner_and_comes_back_with_it(home: House) -> None:
    account = await new_account(home)
    async with home.revisions.edit(account, ANNA) as edit:
        user = await add_user(edit, "Boris", "101")
        owner = Ref(User.kind, user.id)
        note = await home.store.insert(account, Note(id=0, title="", parent=owner, text="likes tea"), edit.tx)
    snapshot = home.revisions.snapshot(account)
    assert snapshot.attached(owner, Note) == note
    assert snapshot.referers(owner) == []
    async with home.revisions.edit(account, ANNA) as edit:
        await models.User.of(account, edit.tx).filter(id=user.id).delete()
    assert home.revisions.snapshot(account).attached(owner, Note) is None
    assert await state(home, account) == {"core": home.revisions.snapshot(account).core, "sample": SamplePart()}
    await home.revisions.restore(account, ANNA, 2)
    assert home.revisions.snapshot(account).attached(owner, Note) == note


async def test_only_changed_parts_are_kept(home: House) -> None:
    account = await new_account(home)
    async with home.revisions.edit(account, ANNA) as edit:
        await box(home, edit, "Papers")
        edit.note("a box for papers")
    row = (await home.revisions.history(account, limit=1))[0]
    assert list(row.parts) == ["sample"]
    assert row.summary == "a box for papers"


async def test_an_empty_edit_makes_no_revision(home: House) -> None:
    account = await new_account(home)
    async with home.revisions.edit(account, ANNA) as edit:
        assert (await edit.preview()).revision == 1
    assert edit.after is None
    assert home.revisions.snapshot(account).revision == 1
    assert len(await home.revisions.history(account)) == 1


async def test_somebody_else_was_first(home: House) -> None:
    account = await new_account(home)

    async def rename(title: str, expected: int) -> None:
        async with home.revisions.edit(account, ANNA, expected) as edit:
            await models.Account.filter(id=account).using_db(edit.tx).update(title=title)

    results = await asyncio.gather(rename("one", 1), rename("two", 1), return_exceptions=True)
    assert sorted(type(result).__name__ for result in results) == ["Clash", "NoneType"]
    assert home.revisions.snapshot(account).revision == 2
    with pytest.raises(Conflict):
        await rename("three", 1)
    with pytest.raises(Conflict):
        await rename("three", 7)  # there is no such revision


async def test_what_others_have_changed_is_not_overwritten_unseen(home: House) -> None:
    """Only the same field of the same thing is the same; then the clash tells both changes."""
    account = await new_account(home)
    async with home.revisions.edit(account, ANNA) as edit:
        papers, tools = await box(home, edit, "Papers"), await box(home, edit, "Tools")
    opened = home.revisions.snapshot(account).revision

    async def save(changed: Box, expected: int | None = None) -> None:
        async with home.revisions.edit(account, ANNA, expected) as edit:
            await home.store.save(account, changed, edit.tx)

    await save(msgspec.structs.replace(papers, title="Letters"))
    await save(msgspec.structs.replace(tools, size=5), opened)  # another box
    await save(msgspec.structs.replace(papers, title="Letters", size=2), opened)  # another field
    with pytest.raises(Clash) as clash:
        await save(msgspec.structs.replace(papers, title="Bills", size=3), opened)
    await save(msgspec.structs.replace(papers), opened)  # nothing decided, so nothing put back
    (both,) = clash.value.both
    assert both.theirs.ref == papers.ref
    assert [(one.name, one.before, one.after) for one in both.theirs.fields] == [("title", "Papers", "Letters"), ("size", 1, 2)]
    assert [(one.name, one.before, one.after) for one in both.mine.fields] == [("title", "Letters", "Bills"), ("size", 2, 3)]
    assert (clash.value.then.revision, clash.value.now.revision) == (opened, opened + 3)
    journal = await home.revisions.journal(account, 3)
    about = [clash.value.concerns(differences({"sample": one.before.parts["sample"]}, one.after.parts)) for one in journal if one.before]
    assert about == [True, False, True]
    with pytest.raises(Clash):
        async with home.revisions.edit(account, ANNA, opened) as edit:
            await home.store.remove(account, papers, edit.tx)
    assert home.revisions.snapshot(account).get(papers.ref, Box) == msgspec.structs.replace(papers, title="Letters", size=2)


async def test_a_bad_save_changes_nothing(home: House) -> None:
    account = await new_account(home)

    async def save() -> None:
        async with home.revisions.edit(account, ANNA) as edit:
            await box(home, edit, "Good")
            await box(home, edit, "Bad", size=0)

    with pytest.raises(Invalid) as refused:
        await save()
    assert str(refused.value) == f"{refused.value.problems[0].field}: The box Bad has no size."
    assert home.revisions.snapshot(account).revision == 1
    assert (await state(home, account))["sample"] == home.revisions.snapshot(account).parts["sample"]
    assert home.rang == [(TOPIC, account)]


async def test_an_exception_in_the_body_changes_nothing(home: House) -> None:
    account = await new_account(home)

    async def fail() -> None:
        async with home.revisions.edit(account, ANNA) as edit:
            await box(home, edit, "Lost")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert (await state(home, account))["sample"] == home.revisions.snapshot(account).parts["sample"]


async def test_what_is_pointed_at_stays(home: House) -> None:
    account = await new_account(home)
    async with home.revisions.edit(account, ANNA) as edit:
        user = await add_user(edit, "Boris", "101")
        await box(home, edit, "Papers", Ref(User.kind, user.id))

    async def remove() -> None:
        async with home.revisions.edit(account, ANNA) as edit:
            await models.User.of(account, edit.tx).filter(id=user.id).delete()

    with pytest.raises(InUse) as refused:
        await remove()
    assert refused.value.places == ("Papers",)
    assert "Boris" in str(refused.value)


async def test_a_reference_to_nothing_is_refused_unless_its_plugin_is_away(home: House) -> None:
    account = await new_account(home)

    async def hold(ref: Ref) -> None:
        async with home.revisions.edit(account, ANNA) as edit:
            await box(home, edit, "Papers", ref)

    with pytest.raises(Invalid, match="“Papers” leads to something that does not exist"):
        await hold(Ref(User.kind, 99))
    await hold(Ref("absent.thing", 1))
    assert home.revisions.snapshot(account).revision == 2


async def test_an_old_error_elsewhere_stops_nobody(home: House) -> None:
    account = await new_account(home)
    async with home.revisions.edit(account, ANNA) as edit:
        bad = await box(home, edit, "Bad", size=1)
    async with home.db.transaction() as tx:  # stricter checks came with an upgrade
        await home.store.save(account, msgspec.structs.replace(bad, size=0), tx)
    home.revisions._snapshots.clear()
    async with home.revisions.edit(account, ANNA) as edit:
        await box(home, edit, "New")
    assert home.revisions.snapshot(account).revision == 3
    assert [finding.severity for finding in home.revisions.findings(account)] == ["error"]

    async def touch() -> None:
        async with home.revisions.edit(account, ANNA) as edit:
            await home.store.save(account, msgspec.structs.replace(bad, size=0, title="Bad still"), edit.tx)

    with pytest.raises(Invalid):
        await touch()


async def test_internal_numbers_are_unique_and_consistent(home: House) -> None:
    account = await new_account(home)
    async with home.revisions.edit(account, ANNA) as edit:
        user = await models.User.create(account_id=account, title="Anna", extension="201", using_db=edit.tx)
        await assign_extension(account, Ref(User.kind, user.id), "201", edit.tx)

    async def take(assigned: bool) -> None:
        async with home.revisions.edit(account, ANNA) as edit:
            other = await models.User.create(account_id=account, title="Boris", extension="201", using_db=edit.tx)
            if assigned:
                await Extension.create(account_id=account, number="201", owner_kind=User.kind, owner_id=other.id, using_db=edit.tx)

    with pytest.raises(Invalid, match="belongs to somebody else"):
        await take(assigned=False)
    with pytest.raises(Invalid, match="already taken") as refused:
        await take(assigned=True)
    assert refused.value.problems[0].field == "number"
    async with home.revisions.edit(account, ANNA) as edit:
        await models.User.of(account, edit.tx).filter(id=user.id).delete()
    assert home.revisions.snapshot(account).extensions == {}


async def test_restore_brings_the_same_keys_back(home: House) -> None:
    account = await new_account(home)
    async with home.revisions.edit(account, ANNA) as edit:
        trunk = await models.Trunk.create(account_id=account, title="Line", sources=["10.0.0.0/8"], using_db=edit.tx)
        one = await models.Did.create(account_id=account, number="+74951111111", trunk=trunk, connected=1, using_db=edit.tx)
        two = await models.Did.create(account_id=account, number="+74952222222", trunk=trunk, connected=2, using_db=edit.tx)
        user = await add_user(edit, "Boris", "101")
        other = await add_user(edit, "Clara", "102")
        await models.User.of(account, edit.tx).filter(id=user.id).update(
            outbound_did_id=one.id, extension="201", login="boris", password_hash="x", forbidden_prefixes=["8809"]
        )
        await models.Trunk.of(account, edit.tx).filter(id=trunk.id).update(may_show=[f"core.did:{two.id}"])
        await assign_extension(account, Ref(User.kind, user.id), "201", edit.tx)
        await box(home, edit, "Papers", Ref(User.kind, user.id), Ref(User.kind, other.id))
    wanted = await state(home, account)
    async with home.revisions.edit(account, ANNA) as edit:
        for row in await home.store._tables["boxes"][0].of(account, edit.tx):
            await row.delete(using_db=edit.tx)
        await models.User.of(account, edit.tx).filter(id=other.id).delete()
        await models.User.of(account, edit.tx).filter(id=user.id).update(title="Boris II", outbound_did_id=None, extension=None)
        await assign_extension(account, Ref(User.kind, user.id), None, edit.tx)
        # numbers and logins change hands
        await models.Did.of(account, edit.tx).filter(id=one.id).update(number="+74953333333")
        await models.Did.of(account, edit.tx).filter(id=two.id).update(number="+74951111111")
        await models.SipAccount.of(account, edit.tx).filter(login="101").update(login="102")
        await models.Account.filter(id=account).using_db(edit.tx).update(title="New name")
    assert await state(home, account) != wanted
    await home.revisions.restore(account, ANNA, 2)
    assert await state(home, account) == wanted
    assert home.revisions.snapshot(account).revision == 4
    boris, clara = await models.User.of(account).order_by("id")
    assert (boris.id, boris.login, boris.password_hash) == (user.id, "boris", "x")
    assert (clara.id, clara.title) == (other.id, "Clara")
    await home.revisions.restore(account, ANNA, 3)
    assert home.revisions.snapshot(account).account.title == "New name"
    async with home.revisions.edit(account, ANNA) as edit:  # new keys do not meet the restored ones
        fresh = await add_user(edit, "Dora", "103")
    assert fresh.id > other.id


async def test_changes_in_words(home: House) -> None:
    account = await new_account(home)
    async with home.revisions.edit(account, ANNA) as edit:
        user = await add_user(edit, "Boris", "101")
    async with home.revisions.edit(account, ANNA) as edit:
        await models.User.of(account, edit.tx).filter(id=user.id).update(title="Boris II", pin="1234")
    (change,) = await home.revisions.changes(account, 3)
    assert (change.what, change.title, change.ref) == ("changed", "Boris II", Ref(User.kind, user.id))
    assert [(field.title, field.before, field.after) for field in change.fields] == [("Title", "Boris", "Boris II"), ("PIN", "•••", "•••")]


async def test_foreign_accounts_do_not_meet(home: House) -> None:
    ours, theirs = await new_account(home, "1"), await new_account(home, "2")
    async with home.revisions.edit(ours, ANNA) as edit:
        mine = await box(home, edit, "Ours")
    async with home.revisions.edit(theirs, ANNA) as edit:
        await add_user(edit, "Boris", "101")
        with pytest.raises(NotFound):
            await home.store.save(theirs, mine, edit.tx)
    with pytest.raises(NotFound):
        await home.revisions.parts_at(theirs, 9)
    with pytest.raises(NotFound):
        home.revisions.snapshot(99)
    async with home.revisions.edit(ours, ANNA) as edit:  # the same login in another domain is another phone
        await add_user(edit, "Boris", "101")


async def test_another_process_sees_the_save(home: House, database_settings: Settings) -> None:
    account = await new_account(home)
    other = await house(database_settings)
    await other.revisions.load_all()
    assert other.revisions.snapshot(account).revision == 1
    with home.db.active():
        async with home.revisions.edit(account, Actor(None, "cron", "system")) as edit:
            await box(home, edit, "Papers")
    with other.db.active():
        await other.revisions.refresh()
        assert other.revisions.snapshot(account).parts["sample"] == home.revisions.snapshot(account).parts["sample"]
        await models.Account.filter(id=account).delete()
        await other.revisions.refresh()
    assert other.revisions.accounts() == []
    await other.db.close()


async def test_the_last_snapshots_serve_while_the_database_is_away(home: House, database_settings: Settings) -> None:
    account = await new_account(home)
    async with home.revisions.edit(account, ANNA) as edit:
        await add_user(edit, "Boris", "101")
        await box(home, edit, "Papers")
    files = list((database_settings.state / "snapshots").glob("*.json"))
    assert [file.stat().st_mode & 0o777 for file in files] == [0o600]
    nowhere = DatabaseSettings(url="postgres://vats@127.0.0.1:9/none")
    lonely = await house(msgspec.structs.replace(database_settings, database=nowhere))
    await lonely.revisions.load_all()
    ours, theirs = home.revisions.snapshot(account), lonely.revisions.snapshot(account)
    assert (theirs.revision, theirs.core, theirs.parts) == (ours.revision, ours.core, ours.parts)
    assert lonely.revisions.account_for_domain("c1.example") == account
    await lonely.db.close()


async def test_a_plugin_that_cannot_load_is_left_out(home: House, database_settings: Settings) -> None:
    account = await new_account(home)
    other = await house(database_settings)
    broken = replace(other).store
    broken._tables = {"nothing": broken._tables["boxes"]}
    await other.revisions.load_all()
    assert other.revisions.snapshot(account).parts == {}
    assert other.revisions.snapshot(account).account.title == "Customer 1"
    await other.db.close()


async def test_going_back_gives_nobody_rights_and_takes_none(home: House) -> None:
    account = await new_account(home)
    async with home.revisions.edit(account, ANNA) as edit:
        boris, clara = await add_user(edit, "Boris", "101"), await add_user(edit, "Clara", "102")
        await models.User.of(account, edit.tx).filter(id=boris.id).update(role="admin", login="boris", password_hash="x")
    trusted = home.revisions.snapshot(account).revision
    async with home.revisions.edit(account, ANNA) as edit:
        await models.User.of(account, edit.tx).filter(id=boris.id).update(role="user", title="Boris II")
        await models.User.of(account, edit.tx).filter(id=clara.id).update(role="admin", login="clara", password_hash="x")
    async with home.revisions.edit(account, ANNA) as edit:
        await models.User.of(account, edit.tx).filter(id=clara.id).update(title="Clara II")
    await home.revisions.restore(account, ANNA, trusted)
    rows = await models.User.of(account).order_by("id")
    assert [(row.title, row.role, row.login) for row in rows] == [("Boris", "user", "boris"), ("Clara", "admin", "clara")]
    async with home.revisions.edit(account, ANNA) as edit:
        await models.User.of(account, edit.tx).filter(id=clara.id).delete()
    await home.revisions.restore(account, ANNA, trusted)
    revived = await models.User.of(account).get(id=clara.id)
    assert (revived.title, revived.role, revived.login) == ("Clara", "user", None)


async def test_going_back_locks_nobody_out(home: House) -> None:
    """No revision holds a login: who would go with one stays, and so does the last administrator who can enter."""
    account = await new_account(home)
    async with home.revisions.edit(account, ANNA) as edit:
        boris = await add_user(edit, "Boris", "101")
        await models.User.of(account, edit.tx).filter(id=boris.id).update(active=False)
    early = home.revisions.snapshot(account).revision
    async with home.revisions.edit(account, ANNA) as edit:
        clara = await add_user(edit, "Clara", "102")
        await models.User.of(account, edit.tx).filter(id=boris.id).update(role="admin", login="boris", password_hash="x", active=True)
    with pytest.raises(Invalid) as refused:
        await home.revisions.restore(account, ANNA, early)
    assert [problem.message for problem in refused.value.problems] == [NO_ADMINISTRATOR]
    async with home.revisions.edit(account, ANNA) as edit:
        await models.User.of(account, edit.tx).filter(id=clara.id).update(role="admin", login="clara", password_hash="x")
    late = home.revisions.snapshot(account)
    with pytest.raises(Invalid) as refused:
        await home.revisions.restore(account, ANNA, early)
    assert [(problem.message, problem.params) for problem in refused.value.problems] == [(LOGIN_GOES, {"title": "Clara"})]
    assert home.revisions.snapshot(account) is late  # nothing is saved
    assert await models.User.of(account).filter(login__in=["boris", "clara"], active=True).count() == 2


async def test_the_newest_revision_is_the_one_on_disk(tmp_path: Path) -> None:
    """Saves write their files in threads, which finish as they like."""
    files = SnapshotFiles(tmp_path)
    house = office((), {}).core
    with ThreadPoolExecutor(8) as pool:
        for written in [pool.submit(files.write, 1, Snapshot(number, house, {})) for number in (*range(40, 0, -1), *range(1, 41))]:
            written.result()
    assert [snapshot.revision for snapshot in files.read_all({}).values()] == [40]
    assert [path.name for path in tmp_path.iterdir()] == ["1.json"]


async def test_a_full_disk_undoes_no_save(home: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    account = await new_account(home)

    def full(*words: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("engine.revisions.disk.SnapshotFiles.write", full)
    async with home.revisions.edit(account, ANNA) as edit:
        await add_user(edit, "Boris", "101")
    assert home.revisions.snapshot(account).revision == 2
    assert "can't be kept on disk" in caplog.text


async def test_elements_brought_with_their_keys_are_met_by_no_new_one(home: House) -> None:
    """As an import brings them: the database has never given these keys out."""
    account = await new_account(home)
    async with home.revisions.edit(account, ANNA) as edit:
        await home.store.restore(account, SamplePart(boxes=(Box(id=500, title="Old"), Box(id=501, title="Older"))), edit.tx)
    async with home.revisions.edit(account, ANNA) as edit:
        assert (await box(home, edit, "New")).id > 501


async def test_one_element_comes_back_with_its_key(home: House) -> None:
    account = await new_account(home)
    async with home.revisions.edit(account, ANNA) as edit:
        boris, clara = await add_user(edit, "Boris", "101"), await add_user(edit, "Clara", "102")
        await models.User.of(account, edit.tx).filter(id=boris.id).update(extension="201")
        await assign_extension(account, Ref(User.kind, boris.id), "201", edit.tx)
    wanted = home.revisions.snapshot(account)
    async with home.revisions.edit(account, ANNA) as edit:
        await assign_extension(account, Ref(User.kind, boris.id), None, edit.tx)
        await models.User.of(account, edit.tx).filter(id=boris.id).delete()
        await models.User.of(account, edit.tx).filter(id=clara.id).update(title="Clara II")
    async with home.revisions.edit(account, ANNA) as edit:
        await edit.bring_back(wanted.revision, Ref(User.kind, boris.id))
    now = home.revisions.snapshot(account)
    assert now.users[boris.id] == wanted.users[boris.id]
    assert now.core.sip_accounts == wanted.core.sip_accounts
    assert now.core.extensions == wanted.core.extensions
    assert now.users[clara.id].title == "Clara II"
    async with home.revisions.edit(account, ANNA) as edit:  # the keys go on above it
        assert (await add_user(edit, "Dora", "103")).id > clara.id


async def test_a_dropped_edit_leaves_nothing(home: House) -> None:
    account = await new_account(home)
    before = home.revisions.snapshot(account)
    async with home.revisions.edit(account, ANNA) as edit:
        await add_user(edit, "Boris", "101")
        tried = await edit.checked()
        edit.drop()
    assert len(tried.users) == 1
    assert home.revisions.snapshot(account) is before
    assert await models.User.of(account).count() == 0
    assert await models.Revision.of(account).count() == 1


async def test_the_journal_tells_each_revision_against_the_one_before(home: House) -> None:
    account = await new_account(home)
    async with home.revisions.edit(account, ANNA) as edit:
        user = await add_user(edit, "Boris", "101")
    for title in ("Boris II", "Boris III"):
        async with home.revisions.edit(account, ANNA) as edit:
            await models.User.of(account, edit.tx).filter(id=user.id).update(title=title)
    found = await home.revisions.journal(account, 2)
    assert [(one.row.number, one.after.users[user.id].title) for one in found] == [(4, "Boris III"), (3, "Boris II")]
    assert [one.before.users[user.id].title for one in found if one.before] == ["Boris II", "Boris"]
    (first,) = await home.revisions.journal(account, 5, below=2)
    assert (first.row.number, first.before) == (1, None)
    with pytest.raises(NotFound):
        await home.revisions.revised(account, 9)

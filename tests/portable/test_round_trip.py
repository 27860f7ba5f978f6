# SPDX-License-Identifier: Apache-2.0
"""A configuration out of one installation and into another: the same file comes out there, whatever ids the rows have."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from engine.db import models, secrets
from engine.errors import Refused
from engine.sdk import Ref, pretty
from engine.settings import Settings
from plugins.callback.part import CallBackSettings
from plugins.callback.service import save_settings
from plugins.voicefiles.part import VoicefilesPart
from plugins.voicemail.service import set_mailbox
from tests.portable.houses import fresh_account, installation
from tests.web.house import SYSTEM, Customer, House, TestContext, opened


@dataclass(frozen=True)
class Left:
    """What came out of the furnished installation, and the sound as it lies there."""

    secret: bytes
    bare: bytes
    sound: bytes


@pytest.fixture
async def left(furnished: tuple[Path, tuple[Customer, Customer]], tmp_path: Path) -> Left:
    """The furnished customer with an owner, and more that points at things; its installation is closed then."""
    source, (one, _) = furnished
    shutil.copytree(source, tmp_path / "source")
    async with opened(tmp_path / "source") as ctx:
        await models.User.of(one.id).filter(id=one.users["manager"]).update(is_owner=True)
        file = Ref("voicefiles.file", one.things["file"])
        async with ctx.edit(one.id, SYSTEM) as edit:
            await save_settings(edit, CallBackSettings(id=0, parent=Ref("groups.group", one.things["group"]), phrase=file))
            await set_mailbox(edit, Ref("core.user", one.users["user"]), greeting=file, chats=(7_000 + one.id,))
        secret, again, bare = [await ctx.export_account(one.id, with_secrets=wish) for wish in (True, True, False)]
        assert secret == again
        return Left(secret, bare, (ctx.settings.media_root / "voice" / str(one.id) / "a.wav").read_bytes())


@pytest.fixture
async def other(database_settings: Settings, left: Left) -> AsyncIterator[TestContext]:
    """Another installation, on either database, in which other accounts have used up ids."""
    async with installation(database_settings) as ctx:
        await fresh_account(ctx, "2000")
        yield ctx


async def taken(other: TestContext, data: bytes) -> int:
    account = await fresh_account(other)
    await other.import_account(account, SYSTEM, data)
    return account


async def test_out_and_in_gives_the_same_file(left: Left, other: TestContext) -> None:
    account = await taken(other, left.secret)
    assert await other.export_account(account, with_secrets=True) == left.secret
    assert await other.export_account(account, with_secrets=False) == left.bare
    there = other.snapshot(account)
    assert (there.account.number, there.account.domain, there.account.title) == ("2001", "n2001.example", "Ромашка")
    assert there.core.users[0].id > 1
    assert not [f for f in other.revisions.findings(account) if f.severity == "error"]


async def test_without_secrets_too(left: Left, other: TestContext) -> None:
    account = await taken(other, left.bare)
    assert await other.export_account(account, with_secrets=False) == left.bare
    passwords = {secrets.decrypt(phone.secret) for phone in other.snapshot(account).core.sip_accounts}
    assert len(passwords) == 3
    assert min(len(password) for password in passwords) > 15


def test_the_file_is_canonical_and_names_its_format(left: Left) -> None:
    told = json.loads(left.secret)
    assert (told["format"], told["version"], told["secrets"]) == ("vats.configuration", 1, True)
    assert [group["id"] for group in told["parts"]["groups"]["groups"]] == [1, 2]
    assert left.secret.endswith(b"}\n")


async def test_phones_keep_their_passwords_only_with_secrets(left: Left, other: TestContext) -> None:
    assert b"long-enough-1" in left.secret
    assert b"long-enough-1" not in left.bare
    account = await taken(other, left.secret)
    phones = other.snapshot(account).core.sip_accounts
    assert [secrets.decrypt(phone.secret) for phone in phones] == ["long-enough-1"] * 3


async def test_the_owner_keeps_his_login_and_nobody_else_gets_one(left: Left, other: TestContext) -> None:
    account = await taken(other, left.secret)
    rows = await models.User.of(account).all()
    assert {(row.title, row.login, row.role) for row in rows} == {
        ("Максим Руководитель", "owner-2001", "admin"), ("Анна Админ", None, "user"), ("Ульяна Петрова", None, "user"),
    }  # fmt: skip


async def test_sounds_come_along_and_chats_stay(left: Left, other: TestContext) -> None:
    account = await taken(other, left.secret)
    (file,) = other.snapshot(account).parts["voicefiles"].files  # type: ignore[attr-defined]
    assert (other.settings.media_root / file.path).read_bytes() == left.sound
    assert file.path.startswith(f"voice/{account}/")
    (box,) = other.snapshot(account).parts["voicemail"].mailboxes  # type: ignore[attr-defined]
    assert (box.chats, box.greeting) == ((), file.ref)


async def test_the_revision_says_that_it_came_from_a_file(left: Left, other: TestContext) -> None:
    account = await taken(other, left.secret)
    (found,) = await other.journal(account, 1)
    assert found.row.summary == "⇐"


# what is refused ------------------------------------------------------------------------------------------------------


def changed(data: bytes, change: Any) -> bytes:
    told = json.loads(data)
    change(told)
    return json.dumps(told).encode()


def put(path: str, value: Any) -> Any:
    """A change that sets one place: "parts.core.dids.0.number"."""

    def change(told: Any) -> None:
        *way, last = path.split(".")
        for step in way:
            told = told[int(step) if isinstance(told, list) else step]
        told[int(last) if isinstance(told, list) else last] = value

    return change


def give_112(told: Any) -> None:
    """To the group, in both places that say it."""
    told["parts"]["groups"]["groups"][1]["extension"] = "112"
    for entry in told["parts"]["core"]["extensions"]:
        if entry[1]["kind"] == "groups.group":
            entry[0] = "112"


REFUSED = {
    "no-json": (lambda told: None, "no configuration file"),
    "another-format": (put("format", "other"), "no configuration file"),
    "newer": (put("version", 2), "newer version"),
    "newer-part": (put("parts.ivr.version", 9), "newer version"),
    "unknown-field": (put("parts.groups.groups.1.colour", "red"), "parts.*colour|groups.groups.1.colour"),
    "unknown-top": (put("more", 1), "can’t be read"),
    "foreign-id": (put("parts.core.account.id", 1), "core.account.id"),
    "wrong-type": (put("parts.groups.groups.1.attempts", "many"), "can’t be read"),
    "absent-plugin": (put("parts.radio", {"version": 1, "boxes": [1]}), "do not run here: radio"),
    "dangling": (put("parts.ivr.menus.0.keys.0.target.id", 77), "leads to something that does not exist any more"),
    "unknown-kind": (put("parts.ivr.menus.0.keys.0.target.kind", "fax.box"), "points at “fax.box:2”"),
    "wrong-kind": (put("parts.ivr.menus.0.file", {"kind": "core.user", "id": 1}), "wrong kind"),
    "twice": (put("parts.groups.groups.1.id", 1), "twice"),
    "extension-112": (give_112, "112 is"),
    "priority": (put("parts.groups.groups.1.priority", 10**9), "From 1 to 1000"),
    "contact-priority": (put("parts.core.users.0.contacts.0.priority", 10**30), "not from 1 to 99|can’t be read"),
    "long-title": (put("parts.core.users.0.title", "x" * 5000), "at most 200"),
    "cyclic": (put("parts.groups.groups.1.parent", {"kind": "groups.group", "id": 2}), "inside itself"),
    "hours": (put("parts.schedules.schedules.0.days.0.ranges.0.end", 25 * 60), "00:00 to 24:00"),
    "overlapping-days": (put("parts.schedules.schedules.0.days.1.weekdays", [4, 5]), "one day group only"),
    "key-twice": (lambda told: told["parts"]["ivr"]["menus"][0]["keys"].append(told["parts"]["ivr"]["menus"][0]["keys"][0]), "set twice"),
    "sound-missing": (put("sounds", {}), "is not in the file"),
    "sound-broken": (lambda told: told["sounds"].update(dict.fromkeys(told["sounds"], "UEsDBA==")), "no telephone WAV"),
    "sound-elsewhere": (put("parts.voicefiles.files.0.path", "../../etc/passwd"), "is not in the file"),
    "language": (put("parts.core.account.language", "xx"), "none of the choices"),
    "address": (put("parts.voicemail.mailboxes.0.emails", ["nonsense"]), "not an e-mail"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
async def test_a_bad_file_is_refused_and_leaves_nothing(house: House, case: str) -> None:
    ctx = house.ctx
    change, words = REFUSED[case]
    data = await ctx.export_account(house.two.id, with_secrets=True)
    bad = b"PK\x03\x04 nonsense" if case == "no-json" else changed(data, change)
    account = await fresh_account(ctx)
    before = ctx.snapshot(account)
    media = ctx.settings.media_root / "voice" / str(account)
    with pytest.raises(Refused) as found:
        await ctx.import_account(account, SYSTEM, bad)
    assert re.search(words, str(found.value))
    assert ctx.snapshot(account) == before
    assert (await ctx.revisions.load(account, ctx.db.connection)).core == before.core
    assert not list(media.glob("*"))


async def test_numbers_that_another_customer_has_are_refused(house: House) -> None:
    """And named; nothing is kept, no sounds either."""
    ctx = house.ctx
    data = await ctx.export_account(house.two.id, with_secrets=True)
    account = await fresh_account(ctx)
    before = ctx.snapshot(account)
    with pytest.raises(Refused) as found:
        await ctx.import_account(account, SYSTEM, data)
    taken = [did.number for did in ctx.snapshot(house.two.id).core.dids]
    assert taken
    assert found.value.params["numbers"] == ", ".join(map(pretty, sorted(taken)))
    assert ctx.snapshot(account) == before
    assert not list((ctx.settings.media_root / "voice" / str(account)).glob("*"))


async def test_an_account_with_settings_is_refused(house: House) -> None:
    ctx, one = house.ctx, house.one
    data = await ctx.export_account(house.two.id, with_secrets=True)
    before = ctx.snapshot(one.id)
    with pytest.raises(Refused, match="has settings already"):
        await ctx.import_account(one.id, SYSTEM, data)
    assert ctx.snapshot(one.id) == before


async def test_a_file_larger_than_the_limit_is_refused(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.portable.document.MOST_BYTES", 1000)
    account = await fresh_account(house.ctx)
    with pytest.raises(Refused, match="larger than"):
        await house.ctx.import_account(account, SYSTEM, b" " * 1001)


async def test_a_sound_that_is_gone_stops_the_export(house: House) -> None:
    ctx, one = house.ctx, house.one
    part = ctx.snapshot(one.id).part("voicefiles", VoicefilesPart)
    assert part is not None
    Path(ctx.settings.media_root / part.files[0].path).unlink()
    with pytest.raises(Refused, match="no longer there"):
        await ctx.export_account(one.id, with_secrets=False)

# SPDX-License-Identifier: Apache-2.0
"""What follows from a message: one row, letters with and without the sound, hidden recipients, the voice in Telegram, its transcript."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from engine import clock
from engine.db import models
from engine.facts.spool import Spool
from engine.facts.writer import FactWriter
from engine.people import delete_user
from engine.sdk import InUse, Invalid, NotFound, Notice, Problem, Ref
from plugins.groups.api import Membership
from plugins.groups.part import Group
from plugins.groups.service import save_group
from plugins.voicemail import keeping, service
from plugins.voicemail.facts import MessageLeft
from plugins.voicemail.models import MessageRow
from plugins.voicemail.part import USER_VOICEMAIL, Mailbox
from plugins.voicemail.service import Listener
from tests.bot.office import SYSTEM, Office, open_office
from tests.phones import sound
from tests.plugins.notifications.test_mail import Letters, smtp

pytestmark = pytest.mark.kind("service")
CALLS = itertools.count(1)


@asynccontextmanager
async def mailing(tmp_path: Path) -> AsyncIterator[tuple[Office, Letters]]:
    with smtp() as (letters, mail):
        async with open_office(tmp_path / "state", mail=mail) as office:
            yield office, letters


async def set_up(office: Office, owner: Ref, **fields: Any) -> None:
    async with office.ctx.edit(office.ours.id, SYSTEM) as edit:
        await service.set_mailbox(edit, owner, **fields)


async def leave(office: Office, owner: Ref, *, times: int = 1, sounds: bool = True) -> MessageRow:
    call = f"voicemail-call-{next(CALLS)}"
    path = f"voicemail/{office.ours.id}/{call}.wav"
    full = office.ctx.settings.media_root / path
    full.parent.mkdir(parents=True, exist_ok=True)
    if sounds:
        sound.tone(full, 500, 2.0)
    fact = MessageLeft(
        account=office.ours.id, call=call, at=clock.now(), owner=owner, caller_number="+79271234567", caller_name="Иванов\r\nBcc: x@y.ru",
        dialled="+74951234567", path=path, seconds=2.0,
    )  # fmt: skip
    spool = Spool.open(office.state / "spool")
    for _ in range(times):
        spool.fact(fact)
    await FactWriter(office.ctx.db, [s for _, s in office.ctx.registry.subscribers()]).drain(spool)
    spool.close()
    assert not await models.FactRow.filter(failed__isnull=False).exists()
    return await MessageRow.get(path=path)


@pytest.mark.feature("VM-3")
@pytest.mark.parametrize("notice", ["attachment", "notice", "none"])
async def test_letters_to_visible_and_hidden_addresses(tmp_path: Path, notice: Notice) -> None:
    async with mailing(tmp_path) as (office, letters):
        group = office.ours.groups["Продажи"]
        await set_up(
            office, group, emails=("a@example.org", "b@example.org"), hidden_emails=("boss@example.org", "a@example.org"), notice=notice
        )
        row = await leave(office, group)
        await office.deliver()
    if notice == "none":
        assert letters.taken == []
        return
    assert sorted(to for tos, _ in letters.taken for to in tos) == ["a@example.org", "b@example.org", "boss@example.org"]
    for tos, letter in letters.taken:
        assert len(tos) == 1
        assert str(letter["To"]) == "a@example.org, b@example.org"
        assert letter["Bcc"] is letter["Cc"] is None
        assert "+7 927 123-45-67" in str(letter["Subject"])
        body = letter.get_body(("plain",))
        assert body is not None
        assert "Продажи" in body.get_content()
        assert "boss@" not in letter.as_string()
        attached = list(letter.iter_attachments())
        assert len(attached) == (notice == "attachment")
        for part in attached:
            assert (part.get_content_type(), str(part.get_filename())[-15:]) == ("audio/x-wav", "79271234567.wav")
            assert part.get_content() == (tmp_path / "state/media" / row.path).read_bytes()


@pytest.mark.feature("VM-3")
async def test_a_letter_to_hidden_addresses_only_names_nobody(tmp_path: Path) -> None:
    async with mailing(tmp_path) as (office, letters):
        group = office.ours.groups["Продажи"]
        await set_up(office, group, hidden_emails=("boss@example.org",))
        await leave(office, group, sounds=False)  # the sound is gone: the news is not
        await office.deliver()
    ((tos, letter),) = letters.taken
    assert tos == ["boss@example.org"]
    assert "boss" not in letter.as_string()
    assert list(letter.iter_attachments()) == []


@pytest.mark.feature("VM-1", "R1")
async def test_a_message_told_twice_is_one(tmp_path: Path) -> None:
    async with mailing(tmp_path) as (office, letters):
        user = Ref("core.user", office.ours.users["user"])
        await set_up(office, user, emails=("a@example.org",))
        row = await leave(office, user, times=2)
        await office.deliver()
        assert await MessageRow.of(office.ours.id).count() == 1
        assert (row.owner_title, row.heard, row.seconds) == (office.ctx.snapshot(office.ours.id).users[user.id].title, False, 2.0)
    assert len(letters.taken) == 1


@pytest.mark.feature("VM-4", "BOT-3")
async def test_the_voice_in_telegram(tmp_path: Path) -> None:
    async with open_office(tmp_path / "state") as office:
        person = await office.linked("user")
        group = office.ours.groups["Продажи"]
        await set_up(office, group, chats=(person.id,), notice="none")
        await leave(office, group)
        await office.deliver()
        (message,) = [m for m in office.api.messages.values() if m.chat_id == person.id]
        assert len(office.api.made("sendVoice", 200)) == 1
        assert "+7 927 123-45-67" in message.data["caption"]
        assert int(message.data["voice"]["duration"]) == 2
        await leave(office, group, sounds=False)
        await office.deliver()
        assert len(office.api.made("sendVoice", 200)) == 1
        assert len(office.api.made("sendMessage", 200)) == 1
        with pytest.raises(Invalid):
            await set_up(office, group, chats=(person.id, 424242))


@pytest.mark.feature("VM-4", "ACC-1")
async def test_a_chat_of_another_customer_hears_nothing(tmp_path: Path) -> None:
    async with open_office(tmp_path / "state") as office:
        stranger, group = await office.linked("user", office.theirs), office.ours.groups["Продажи"]
        with pytest.raises(Invalid):
            await set_up(office, group, chats=(stranger.id,))
        # ours once, theirs since: kept in the mailbox, as in a restored revision
        person = await office.linked("user")
        await set_up(office, group, chats=(person.id,), notice="none")
        await models.TelegramLink.filter(chat_id=person.id).delete()
        await set_up(office, group, silence_seconds=4)  # nobody's: it may stay
        user = office.theirs.users["user"]
        await models.TelegramLink.create(
            account_id=office.theirs.id, user_id=user, chat_id=person.id, chat_type="private", title="x", language="en"
        )
        await leave(office, group)
        await office.deliver()
        assert not office.api.made("sendVoice", 200)
        with pytest.raises(Invalid):
            await set_up(office, group, silence_seconds=5)


@pytest.mark.feature("VM-4")
@pytest.mark.parametrize("fails", [False, True])
async def test_the_transcript_comes_first_and_holds_nothing_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: bool) -> None:
    async def transcribe(settings: Any, path: Path) -> str:
        if fails:
            raise Problem("", "The speech model can't be used: {why}.", why="it is a cat")
        return "перезвоните мне"

    monkeypatch.setattr(keeping, "transcribe", transcribe)
    async with mailing(tmp_path) as (office, letters):
        keeper = keeping.Keeper(office.ctx)
        settings = msgspec.structs.replace(office.ctx.settings, speech=msgspec.structs.replace(office.ctx.settings.speech, model="/m"))
        monkeypatch.setattr(office.ctx.registry.state("voicemail").plugin, "_keeper", keeper)  # type: ignore[union-attr]
        group = office.ours.groups["Продажи"]
        await set_up(office, group, emails=("a@example.org",))
        object.__setattr__(office.ctx, "settings", settings)
        row = await leave(office, group)
        assert [r.channel for r in await models.OutboxRow.of(office.ours.id)] == [keeping.TRANSCRIPTS]
        await office.deliver()
        await row.refresh_from_db()
        assert row.transcript == ("" if fails else "перезвоните мне")
    ((_, letter),) = letters.taken
    body = letter.get_body(("plain",))
    assert body is not None
    assert ("перезвоните мне" in body.get_content()) is not fails


@pytest.mark.feature("R25", "STA-2", "ACC-1")
async def test_who_may_hear(tmp_path: Path) -> None:
    async with open_office(tmp_path / "state") as office:
        group, other = office.ours.groups["Продажи"], office.ours.groups["Сервис"]
        me, him = office.ours.users["user"], office.ours.users["other"]
        async with office.ctx.edit(office.ours.id, SYSTEM) as edit:
            element = edit.before.get(group, Group)
            assert element is not None
            await save_group(edit, msgspec.structs.replace(element, members=(Membership(me),)))
        rows = {name: (await leave(office, owner)).id for name, owner in (
            ("group", group), ("other", other), ("mine", Ref("core.user", me)), ("his", Ref("core.user", him)),
        )}  # fmt: skip
        snapshot = office.ctx.snapshot(office.ours.id)

        async def heard_by(user: int, everything: bool = False) -> set[str]:
            found = await service.audible(snapshot, Listener(office.ours.id, user, everything)).values_list("id", flat=True)
            return {name for name, id in rows.items() if id in found}

        assert await heard_by(me) == {"group", "mine"}
        assert await heard_by(him) == {"his"}
        assert await heard_by(me, everything=True) == set(rows)
        with pytest.raises(NotFound):
            await service.message(snapshot, Listener(office.ours.id, me, False), rows["his"])
        theirs = Listener(office.theirs.id, office.theirs.users["user"], True)
        assert await service.audible(office.ctx.snapshot(office.theirs.id), theirs).count() == 0


@pytest.mark.feature("VM-1")
async def test_messages_of_a_number_are_erased_with_their_sound(tmp_path: Path) -> None:
    async with open_office(tmp_path / "state") as office:
        row = await leave(office, office.ours.groups["Продажи"])
        file = office.ctx.settings.media_root / row.path
        assert file.exists()
        plugin = office.ctx.registry.state("voicemail").plugin  # type: ignore[union-attr]
        async with office.ctx.edit(office.ours.id, SYSTEM) as edit:
            await plugin.erase(edit, "+79270000000")
        assert file.exists()
        async with office.ctx.edit(office.ours.id, SYSTEM) as edit:
            await plugin.erase(edit, "+79271234567")
        assert not file.exists()
        assert await MessageRow.of(office.ours.id).count() == 0


@pytest.mark.feature("VM-1", "VM-3", "GRP-1", "USR-1")
async def test_settings_are_checked_and_go_with_their_owner(tmp_path: Path) -> None:
    async with open_office(tmp_path / "state") as office:
        account, user = office.ours.id, Ref("core.user", office.ours.users["other"])
        wrong: list[dict[str, Any]] = [
            {"max_seconds": 4}, {"max_seconds": 601}, {"silence_seconds": 1}, {"silence_seconds": 31}, {"emails": ("nobody",)},
            {"hidden_emails": ("a b@c.ru",)}, {"greeting": Ref("voicefiles.file", 99)},
        ]  # fmt: skip
        for fields in wrong:
            with pytest.raises(Invalid):
                await set_up(office, user, **fields)
        for owner in (Ref("core.user", 9999), Ref("core.did", 1), Ref("core.user", office.theirs.users["user"])):
            with pytest.raises(NotFound):
                await set_up(office, owner)
        assert office.ctx.snapshot(account).attached(user, Mailbox) is None
        await set_up(office, user, silence_seconds=0)
        await set_up(office, user, emails=("a@example.org",))
        box = office.ctx.snapshot(account).attached(user, Mailbox)
        assert box is not None
        assert (box.silence_seconds, box.emails) == (0, ("a@example.org",))
        group = office.ours.groups["Продажи"]
        async with office.ctx.edit(account, SYSTEM) as edit:
            element = edit.before.get(group, Group)
            assert element is not None
            await save_group(edit, msgspec.structs.replace(element, no_answer=Ref(USER_VOICEMAIL, user.id)))
        with pytest.raises(InUse, match="Продажи"):
            async with office.ctx.edit(account, SYSTEM) as edit:
                await delete_user(edit, user.id)
        async with office.ctx.edit(account, SYSTEM) as edit:
            await save_group(edit, element)
        async with office.ctx.edit(account, SYSTEM) as edit:
            await delete_user(edit, user.id)
        assert office.ctx.snapshot(account).attached(user, Mailbox) is None


async def test_who_deletes_a_message_while_it_is_listened_to_hears_no_more_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def transcribe(settings: Any, path: Path) -> str:
        await MessageRow.all().delete()
        return "перезвоните мне"

    monkeypatch.setattr(keeping, "transcribe", transcribe)
    async with mailing(tmp_path) as (office, letters):
        keeper = keeping.Keeper(office.ctx)
        settings = msgspec.structs.replace(office.ctx.settings, speech=msgspec.structs.replace(office.ctx.settings.speech, model="/m"))
        monkeypatch.setattr(office.ctx.registry.state("voicemail").plugin, "_keeper", keeper)  # type: ignore[union-attr]
        group = office.ours.groups["Продажи"]
        await set_up(office, group, emails=("a@example.org",))
        object.__setattr__(office.ctx, "settings", settings)
        await leave(office, group)
        await office.deliver()
        assert not await models.OutboxRow.of(office.ours.id).filter(channel="email").exists()
    assert not letters.taken

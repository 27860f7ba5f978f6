# SPDX-License-Identifier: Apache-2.0
"""What follows from a fax: one row, its PDF, letters with and without it, hidden recipients, the file in Telegram; rights; erasing."""

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
from engine.sdk import InUse, Invalid, NotFound, Notice, Ref
from plugins.fax import service
from plugins.fax.facts import FaxReceived
from plugins.fax.models import FaxRow
from plugins.fax.part import USER_FAX, Machine
from plugins.groups.api import Membership
from plugins.groups.part import Group
from plugins.groups.service import save_group
from tests.bot.office import SYSTEM, Office, open_office
from tests.phones.paper import draw, pages_of_pdf
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
        await service.set_machine(edit, owner, **fields)


async def receive(
    office: Office, owner: Ref, *, times: int = 1, pages: int = 2, complete: bool = True, content: bytes | None = None
) -> FaxRow:
    call = f"fax-call-{next(CALLS)}"
    path = f"fax/{office.ours.id}/{call}.tif"
    full = office.ctx.settings.media_root / path
    full.parent.mkdir(parents=True, exist_ok=True)
    draw(full, pages)
    if content is not None:
        full.write_bytes(content)
    fact = FaxReceived(
        account=office.ours.id, call=call, at=clock.now(), owner=owner, caller_number="+79271234567", caller_name="Иванов\r\nBcc: x@y.ru",
        dialled="+74951234567", path=path, pages=pages, complete=complete, sender="7 927\r\nBcc: z@y.ru",
    )  # fmt: skip
    spool = Spool.open(office.state / "spool")
    for _ in range(times):
        spool.fact(fact)
    await FactWriter(office.ctx.db, [s for _, s in office.ctx.registry.subscribers()]).drain(spool)
    spool.close()
    assert not await models.FactRow.filter(failed__isnull=False).exists()
    await office.deliver()
    return await FaxRow.get(path=path)


@pytest.mark.feature("VM-2", "VM-3")
@pytest.mark.parametrize("notice", ["attachment", "notice", "none"])
async def test_letters_to_visible_and_hidden_addresses(tmp_path: Path, notice: Notice) -> None:
    async with mailing(tmp_path) as (office, letters):
        group = office.ours.groups["Продажи"]
        await set_up(office, group, emails=("a@example.org", "b@example.org"), hidden_emails=("boss@example.org",), notice=notice)
        row = await receive(office, group)
        assert (row.pages, row.complete, row.pdf, row.seen, row.owner_title) == (2, True, True, False, "Продажи")
        pdf = office.ctx.settings.media_root / row.pdf_path
        assert pages_of_pdf(pdf) == 2
        if notice == "none":
            assert letters.taken == []
            return
        assert sorted(to for tos, _ in letters.taken for to in tos) == ["a@example.org", "b@example.org", "boss@example.org"]
        for _, letter in letters.taken:
            assert str(letter["To"]) == "a@example.org, b@example.org"
            assert letter["Bcc"] is letter["Cc"] is None
            assert str(letter["Subject"]) == "Новый факс: +7 927 123-45-67 (Иванов Bcc: x@y.ru)"
            body = letter.get_body(("plain",))
            assert body is not None
            assert "Страниц: 2" in body.get_content()
            assert "boss@" not in letter.as_string()
            attached = list(letter.iter_attachments())
            assert len(attached) == (notice == "attachment")
            for part in attached:
                assert (part.get_content_type(), str(part.get_filename())[-15:]) == ("application/pdf", "79271234567.pdf")
                assert part.get_content() == pdf.read_bytes()


@pytest.mark.feature("VM-2", "VM-3")
async def test_an_incomplete_fax_says_so(tmp_path: Path) -> None:
    async with mailing(tmp_path) as (office, letters):
        group = office.ours.groups["Продажи"]
        await set_up(office, group, emails=("a@example.org",))
        row = await receive(office, group, complete=False)
        assert (row.complete, row.pdf) == (False, True)
    ((_, letter),) = letters.taken
    body = letter.get_body(("plain",))
    assert body is not None
    assert "Неполный факс" in str(letter["Subject"])
    assert "оборвался" in body.get_content()


@pytest.mark.feature("VM-2", "VM-3")
@pytest.mark.parametrize("content", [b"", b"II*\0", b"no picture"], ids=["empty", "head only", "text"])
async def test_where_no_pdf_can_be_made_the_news_goes_out_all_the_same(tmp_path: Path, content: bytes) -> None:
    async with mailing(tmp_path) as (office, letters):
        group = office.ours.groups["Продажи"]
        await set_up(office, group, emails=("a@example.org",))
        row = await receive(office, group, content=content)
        assert (row.pdf, row.pages) == (False, 2)
        assert not (office.ctx.settings.media_root / row.pdf_path).exists()
    ((_, letter),) = letters.taken
    assert [str(part.get_filename())[-4:] for part in letter.iter_attachments()] == [".tif"]


@pytest.mark.feature("VM-2", "R1")
async def test_a_fax_told_twice_is_one(tmp_path: Path) -> None:
    async with mailing(tmp_path) as (office, letters):
        user = Ref("core.user", office.ours.users["user"])
        await set_up(office, user, emails=("a@example.org",))
        await receive(office, user, times=2)
        assert await FaxRow.of(office.ours.id).count() == 1
    assert len(letters.taken) == 1


@pytest.mark.feature("BOT-3", "VM-2")
async def test_the_file_in_telegram(tmp_path: Path) -> None:
    async with open_office(tmp_path / "state") as office:
        person = await office.linked("user")
        group = office.ours.groups["Продажи"]
        await set_up(office, group, chats=(person.id,), notice="none")
        await receive(office, group)
        (message,) = [m for m in office.api.messages.values() if m.chat_id == person.id]
        assert len(office.api.made("sendDocument", 200)) == 1
        assert "+7 927 123-45-67" in message.data["caption"]
        assert message.data["document"]["file_name"].endswith("79271234567.pdf")
        with pytest.raises(Invalid):
            await set_up(office, group, chats=(person.id, 424242))


@pytest.mark.feature("R25", "STA-3", "ACC-1")
async def test_who_may_see(tmp_path: Path) -> None:
    async with open_office(tmp_path / "state") as office:
        group, other = office.ours.groups["Продажи"], office.ours.groups["Сервис"]
        me, him = office.ours.users["user"], office.ours.users["other"]
        async with office.ctx.edit(office.ours.id, SYSTEM) as edit:
            element = edit.before.get(group, Group)
            assert element is not None
            await save_group(edit, msgspec.structs.replace(element, members=(Membership(me),)))
        rows = {name: (await receive(office, owner)).id for name, owner in (
            ("group", group), ("other", other), ("mine", Ref("core.user", me)), ("his", Ref("core.user", him)),
        )}  # fmt: skip
        snapshot = office.ctx.snapshot(office.ours.id)

        async def seen_by(user: int, everything: bool = False) -> set[str]:
            found = await service.readable(snapshot, user, everything).values_list("id", flat=True)
            return {name for name, id in rows.items() if id in found}

        assert await seen_by(me) == {"group", "mine"}
        assert await seen_by(him) == {"his"}
        assert await seen_by(me, everything=True) == set(rows)
        with pytest.raises(NotFound):
            await service.fax(snapshot, me, False, rows["his"])
        assert await service.readable(office.ctx.snapshot(office.theirs.id), office.theirs.users["user"], True).count() == 0


@pytest.mark.feature("VM-2")
async def test_faxes_of_a_number_are_erased_with_their_files(tmp_path: Path) -> None:
    async with open_office(tmp_path / "state") as office:
        row = await receive(office, office.ours.groups["Продажи"])
        files = [office.ctx.settings.media_root / path for path in (row.path, row.pdf_path)]
        plugin = office.ctx.registry.state("fax").plugin  # type: ignore[union-attr]
        async with office.ctx.edit(office.ours.id, SYSTEM) as edit:
            await plugin.erase(edit, "+79270000000")
        assert all(file.exists() for file in files)
        async with office.ctx.edit(office.ours.id, SYSTEM) as edit:
            await plugin.erase(edit, "+79271234567")
        assert not any(file.exists() for file in files)
        assert await FaxRow.of(office.ours.id).count() == 0


@pytest.mark.feature("VM-2", "VM-3", "GRP-1", "USR-1")
async def test_settings_are_checked_and_go_with_their_owner(tmp_path: Path) -> None:
    async with open_office(tmp_path / "state") as office:
        account, user = office.ours.id, Ref("core.user", office.ours.users["other"])
        for fields in ({"emails": ("nobody",)}, {"hidden_emails": ("a b@c.ru",)}, {"chats": (5,)}):
            with pytest.raises(Invalid):
                await set_up(office, user, **fields)
        for owner in (Ref("core.user", 9999), Ref("core.did", 1), Ref("core.user", office.theirs.users["user"])):
            with pytest.raises(NotFound):
                await set_up(office, owner)
        await set_up(office, user, active=False)
        await set_up(office, user, emails=("a@example.org",))
        machine = office.ctx.snapshot(account).attached(user, Machine)
        assert machine is not None
        assert (machine.active, machine.emails) == (False, ("a@example.org",))
        group = office.ours.groups["Продажи"]
        async with office.ctx.edit(account, SYSTEM) as edit:
            element = edit.before.get(group, Group)
            assert element is not None
            await save_group(edit, msgspec.structs.replace(element, no_answer=Ref(USER_FAX, user.id)))
        with pytest.raises(InUse, match="Продажи"):
            async with office.ctx.edit(account, SYSTEM) as edit:
                await delete_user(edit, user.id)
        async with office.ctx.edit(account, SYSTEM) as edit:
            await save_group(edit, element)
        async with office.ctx.edit(account, SYSTEM) as edit:
            await delete_user(edit, user.id)
        assert office.ctx.snapshot(account).attached(user, Machine) is None

# SPDX-License-Identifier: Apache-2.0
"""A real fax on its way to people: by SMTP with its PDF, to Telegram as a file; the call is missed by nobody."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.db import models
from engine.snapshot import Ref
from plugins.fax.part import GROUP_FAX
from plugins.fax.service import set_machine
from tests.calls.fax_machine import fax_machine
from tests.calls.installation import REAL
from tests.calls.test_fax import faxes
from tests.calls.test_missed_calls import Watched, watched
from tests.phones.paper import draw

__all__ = ["watched"]


@pytest.mark.skipif(not REAL, reason="faxes need FreeSWITCH")
@pytest.mark.feature("VM-2", "VM-3", "BOT-3", "R1", "R25", "ACT-10", "GRP-8")
async def test_a_fax_arrives_by_mail_and_telegram(watched: Watched, tmp_path: Path) -> None:
    """Nobody answers in a group whose missed calls are told; its no-answer action is the fax of the PBX itself."""
    office, api = watched.office, watched.api
    link = api.group("Office chat")
    async with office.edit() as edit:
        user = await models.User.of(office.account, edit.tx).first()
        assert user is not None
        await models.TelegramLink.create(account_id=office.account, user_id=user.id, chat_id=link.id, title="Office", using_db=edit.tx)
    async with office.edit() as edit:
        await set_machine(
            edit, office.root.ref, emails=("office@example.org",), hidden_emails=("boss@example.org",), chats=(link.id,)
        )
    sales = await office.group("Sales", method="NONE", missed_emails=("sales@example.org",), no_answer=Ref(GROUP_FAX, office.root.id))
    await office.rule(sales)
    async with fax_machine(office, tmp_path) as machine:
        assert await machine.result(await machine.sends(draw(tmp_path / "sent.tif", 2))) == (2, True)
    (record,) = await office.records(1)
    (row,) = await faxes(office, 1)
    assert (record.missed, row.owner_title) == (False, office.snapshot.account.title)
    await watched.delivered()
    assert [to for to, _ in watched.mails()] == ["boss@example.org", "office@example.org"]
    for _, letter in watched.letters.taken:
        (attached,) = letter.iter_attachments()
        assert attached.get_content_type() == "application/pdf"
        assert attached.get_content() == (office.media / row.pdf_path).read_bytes()
        assert str(letter["To"]) == "office@example.org"
    (sent,) = [m for m in api.messages.values() if m.chat_id == link.id]
    assert "+7 927 123-45-67" in sent.data["caption"]
    assert sent.data["document"]["file_name"].endswith(".pdf")

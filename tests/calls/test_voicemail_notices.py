# SPDX-License-Identifier: Apache-2.0
"""A real message on its way to people: by SMTP with its sound, to Telegram as a voice message, beside the one notice of the missed call."""

from __future__ import annotations

import pytest

from engine.db import models
from engine.snapshot import Ref
from plugins.voicemail.part import GROUP_VOICEMAIL
from tests.calls.test_missed_calls import Watched, watched
from tests.calls.test_voicemail import mailbox, messages, said, speaks_after_the_beep

__all__ = ["watched"]


@pytest.mark.feature("VM-1", "VM-3", "VM-4", "R1", "R25", "ACT-12", "GRP-8")
async def test_a_message_arrives_by_mail_and_telegram(watched: Watched) -> None:
    """Nobody answers; the group's no-answer action is the voicemail of the PBX itself."""
    office, api = watched.office, watched.api
    link = api.group("Office chat")
    async with office.edit() as edit:
        user = await models.User.of(office.account, edit.tx).first()
        assert user is not None
        await models.TelegramLink.create(account_id=office.account, user_id=user.id, chat_id=link.id, title="Office", using_db=edit.tx)
    await mailbox(office, office.root.ref, emails=("office@example.org",), hidden_emails=("boss@example.org",), chats=(link.id,))
    sales = await office.group("Sales", method="NONE", missed_emails=("sales@example.org",), no_answer=Ref(GROUP_VOICEMAIL, office.root.id))
    await office.rule(sales)
    async with office.provider() as caller:
        talk = await caller.calls("74951234567")
        await talk.answered()
        await speaks_after_the_beep(caller, 2.0)
        await talk.hang_up()
    (record,) = await office.records(1)
    (row,) = await messages(office, 1)
    assert (record.missed, record.missed_why) == (True, "voicemail")
    assert row.owner_title == office.snapshot.account.title
    await watched.delivered()
    assert [to for to, _ in watched.mails()] == ["boss@example.org", "office@example.org", "sales@example.org"]
    letters = {tos[0]: letter for tos, letter in watched.letters.taken}
    for to in ("boss@example.org", "office@example.org"):
        (attached,) = letters[to].iter_attachments()
        assert attached.get_content() == (office.media / row.path).read_bytes()
        assert str(letters[to]["To"]) == "office@example.org"
    assert list(letters["sales@example.org"].iter_attachments()) == []
    (voice,) = [m for m in api.messages.values() if m.chat_id == link.id]
    assert "+7 927 123-45-67" in voice.data["caption"]
    assert int(voice.data["voice"]["duration"]) == round(row.seconds)
    assert abs(said(office, row) - 2.0) < 0.9

# SPDX-License-Identifier: Apache-2.0
"""The pages of voicemail: settings beside users and groups, one's own mail, the messages and who may hear them."""

from __future__ import annotations

import pytest

from engine.sdk import Ref, clock
from plugins.voicemail.models import MessageRow
from plugins.voicemail.part import Mailbox
from tests.web.conftest import Visitor
from tests.web.house import House


@pytest.mark.feature("VM-1", "VM-3", "R25")
async def test_the_mailbox_of_a_group_is_set_up_beside_it(house: House, visitor: Visitor) -> None:
    admin = await visitor("romashka-admin")
    group = Ref("groups.group", house.one.things["group"])
    assert f"/mailboxes/groups.group%3A{group.id}" in (await admin.get(f"/groups/{group.id}")).replace(":", "%3A")
    page = await admin.get(f"/mailboxes/{group}")
    assert "Голосовая почта группы" in page
    values = {
        "active": "1", "beep": "1", "max_seconds": "90", "silence_seconds": "0", "greeting": "", "notice": "notice",
        "emails": "a@example.org; b@example.org", "hidden_emails": "boss@example.org", "chats": str(7_000 + house.one.id),
    }  # fmt: skip
    await admin.post(f"/mailboxes/{group}", **values)
    box = house.ctx.snapshot(house.one.id).attached(group, Mailbox)
    assert box is not None
    assert (box.active, box.max_seconds, box.silence_seconds, box.notice) == (True, 90, 0, "notice")
    assert (box.emails, box.hidden_emails) == (("a@example.org", "b@example.org"), ("boss@example.org",))
    assert box.chats == (7_000 + house.one.id,)
    for wrong in ({"max_seconds": "3"}, {"emails": "nobody"}, {"chats": "5"}, {"notice": "loud"}, {"silence_seconds": "1"}):
        text = await admin.post(f"/mailboxes/{group}", 422, **{**values, **wrong})
        assert "aria-invalid" in text or "notice bad" in text
    assert house.ctx.snapshot(house.one.id).attached(group, Mailbox) == box


@pytest.mark.feature("ACC-4", "VM-3")
async def test_an_employee_sets_his_own_mail_only(house: House, visitor: Visitor) -> None:
    user = await visitor("romashka-user")
    assert "/profile/voicemail" in await user.get("/profile")
    before = house.ctx.snapshot(house.one.id).attached(Ref("core.user", house.one.users["user"]), Mailbox)
    await user.get("/profile/voicemail")
    await user.post("/profile/voicemail", emails="me@example.org", hidden_emails="", notice="attachment", max_seconds="600", active="")
    box = house.ctx.snapshot(house.one.id).attached(Ref("core.user", house.one.users["user"]), Mailbox)
    assert before is not None
    assert box is not None
    assert box.emails == ("me@example.org",)
    assert (box.max_seconds, box.active) == (before.max_seconds, before.active)
    manager = await visitor("romashka-manager")  # nobody has set up voicemail for him
    assert "администратор" in await manager.get("/profile/voicemail")


@pytest.mark.feature("STA-2", "R25", "ACC-4")
async def test_messages_are_listed_heard_and_deleted_within_rights(house: House, visitor: Visitor) -> None:
    mine, groups = house.one.things["message"], house.one.things["group-message"]
    boss = Ref("core.user", house.one.users["manager"])
    bosses = await MessageRow.create(
        account_id=house.one.id, call_id="boss", owner_kind=boss.kind, owner_id=boss.id, owner_title="Максим", at=clock.now(),
        path=f"voicemail/{house.one.id}/boss.wav", caller_number="+79035554433",
    )  # fmt: skip
    user, manager = await visitor("romashka-user"), await visitor("romashka-manager")
    page = await user.get("/voicemail")
    assert f"/voicemail/{mine}/sound" in page
    assert f"/voicemail/{groups}/sound" in page
    assert f"/voicemail/{bosses.id}/" not in page
    assert "перезвоните мне пожалуйста" in page
    for path in ("sound", "delete"):
        async with user.http.get(f"{user.base}/voicemail/{bosses.id}/{path}") as answer:
            assert answer.status == 404
    assert f"/voicemail/{bosses.id}/sound" in await manager.get("/voicemail")
    assert f"/voicemail/{bosses.id}/sound" not in await manager.get("/voicemail?number=8+927+123-45-67")
    assert f"/voicemail/{mine}/sound" not in await manager.get(f"/voicemail?box={boss}")
    async with user.http.get(f"{user.base}/voicemail/{mine}/sound", headers={"Range": "bytes=0-99"}) as answer:
        assert (answer.status, answer.content_type) == (206, "audio/wav")
    assert (await MessageRow.get(id=mine)).heard
    assert f"/voicemail/{mine}/sound" not in await user.get("/voicemail?heard=no")
    assert f"/voicemail/{mine}/sound" in await user.get("/voicemail?heard=yes")
    await user.post(f"/voicemail/{mine}/heard", heard="no")
    assert not (await MessageRow.get(id=mine)).heard
    async with user.http.get(f"{user.base}/voicemail/{mine}/sound?download=1") as answer:
        assert "attachment" in answer.headers["Content-Disposition"]
    file = house.ctx.settings.media_root / (await MessageRow.get(id=mine)).path
    assert file.exists()
    assert "Иванов" not in await user.get(f"/voicemail/{mine}/delete")
    await user.post(f"/voicemail/{mine}/delete")
    assert not await MessageRow.filter(id=mine).exists()
    assert not file.exists()


@pytest.mark.feature("ACT-11", "ACT-12", "R25", "ACT-8")
async def test_mailboxes_and_phrases_are_offered_as_actions(house: House, visitor: Visitor) -> None:
    admin = await visitor("romashka-admin")
    for place in (f"/groups/{house.one.things['group']}", f"/menus/{house.one.things['menu']}", f"/rules/{house.one.things['rule']}"):
        page = await admin.get(place)
        for value in (
            f"voicemail.group:{house.one.things['root']}", f"voicemail.group:{house.one.things['group']}",
            f"voicemail.user:{house.one.users['user']}", f"voicefiles.phrase:{house.one.things['file']}",
        ):  # fmt: skip
            assert f'value="{value}"' in page, (place, value)
        assert "Голосовая почта группы" in page
        assert "Проиграть голосовую фразу" in page

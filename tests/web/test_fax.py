# SPDX-License-Identifier: Apache-2.0
"""The pages of fax: settings beside users and groups, one's own mail, the faxes with their pages and files, and who may see them."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from engine.sdk import Ref, clock
from plugins.fax.models import FaxRow
from plugins.fax.part import Machine
from tests.web.conftest import Visitor
from tests.web.house import House


@pytest.mark.feature("VM-2", "VM-3", "R25")
async def test_the_fax_of_a_group_is_set_up_beside_it(house: House, visitor: Visitor) -> None:
    admin = await visitor("romashka-admin")
    group = Ref("groups.group", house.one.things["group"])
    assert f"/fax-machines/groups.group%3A{group.id}" in (await admin.get(f"/groups/{group.id}")).replace(":", "%3A")
    page = await admin.get(f"/fax-machines/{group}")
    assert "Факс группы" in page
    assert "FreeSWITCH" in page  # this house has the embedded switch
    values = {
        "active": "1", "notice": "notice", "emails": "a@example.org; b@example.org", "hidden_emails": "boss@example.org",
        "chats": str(7_000 + house.one.id),
    }  # fmt: skip
    await admin.post(f"/fax-machines/{group}", **values)
    machine = house.ctx.snapshot(house.one.id).attached(group, Machine)
    assert machine is not None
    assert (machine.active, machine.notice, machine.chats) == (True, "notice", (7_000 + house.one.id,))
    assert (machine.emails, machine.hidden_emails) == (("a@example.org", "b@example.org"), ("boss@example.org",))
    for wrong in ({"emails": "nobody"}, {"chats": "5"}, {"notice": "loud"}):
        text = await admin.post(f"/fax-machines/{group}", 422, **{**values, **wrong})
        assert "aria-invalid" in text or "notice bad" in text
    assert house.ctx.snapshot(house.one.id).attached(group, Machine) == machine


@pytest.mark.feature("ACC-4", "VM-3")
async def test_an_employee_sets_his_own_mail_only(house: House, visitor: Visitor) -> None:
    user = await visitor("romashka-user")
    assert "/profile/fax" in await user.get("/profile")
    await user.post("/profile/fax", emails="me@example.org", hidden_emails="", notice="attachment", active="")
    machine = house.ctx.snapshot(house.one.id).attached(Ref("core.user", house.one.users["user"]), Machine)
    assert machine is not None
    assert (machine.emails, machine.active) == (("me@example.org",), True)
    manager = await visitor("romashka-manager")  # nobody has set up a fax for him
    assert "администратор" in await manager.get("/profile/fax")


@pytest.mark.feature("STA-3", "R25", "ACC-4")
async def test_faxes_are_listed_viewed_and_deleted_within_rights(house: House, visitor: Visitor) -> None:
    mine, groups = house.one.things["fax"], house.one.things["group-fax"]
    boss = Ref("core.user", house.one.users["manager"])
    bosses = await FaxRow.create(
        account_id=house.one.id, call_id="boss", owner_kind=boss.kind, owner_id=boss.id, owner_title="Максим", at=clock.now(),
        path=f"fax/{house.one.id}/boss.tif", caller_number="+79035554433", pages=1,
    )  # fmt: skip
    user, manager = await visitor("romashka-user"), await visitor("romashka-manager")
    page = await user.get("/faxes")
    assert f'/faxes/{mine}"' in page
    assert f'/faxes/{groups}"' in page
    assert "неполный" in page
    assert f"/faxes/{bosses.id}" not in page
    for path in ("", "/file", "/pages/1", "/delete"):
        async with user.http.get(f"{user.base}/faxes/{bosses.id}{path}") as answer:
            assert answer.status == 404
    assert f"/faxes/{bosses.id}" in await manager.get("/faxes")
    assert f"/faxes/{bosses.id}" not in await manager.get("/faxes?number=8+927+123-45-67")
    assert f"/faxes/{mine}" not in await manager.get(f"/faxes?owner={boss}")
    assert f"/faxes/{mine}" not in await user.get("/faxes?seen=yes")
    page = await user.get(f"/faxes/{mine}")
    assert page.count("<img class=\"fax-page\"") == 2
    assert (await FaxRow.get(id=mine)).seen
    assert f"/faxes/{mine}" in await user.get("/faxes?seen=yes")
    await user.post(f"/faxes/{mine}/seen", seen="no")
    assert not (await FaxRow.get(id=mine)).seen
    assert "The call dropped prematurely" in await user.get(f"/faxes/{groups}")
    for number, status in ((1, 200), (2, 200), (3, 404), (0, 404), ("x", 404), ("9" * 99, 404)):
        async with user.http.get(f"{user.base}/faxes/{mine}/pages/{number}") as answer:
            assert answer.status == status, number
            if status == 200:
                with Image.open(io.BytesIO(await answer.read())) as image:
                    assert (image.format, image.width, abs(image.height - 795) < 2) == ("PNG", 1200, True)  # 1,100 lines at 196 a inch
    for query, kind in (("", "application/pdf"), ("?as=tiff", "image/tiff")):
        async with user.http.get(f"{user.base}/faxes/{mine}/file{query}") as answer:
            assert (answer.status, answer.content_type) == (200, kind)
            assert "Content-Disposition" not in answer.headers
    async with user.http.get(f"{user.base}/faxes/{mine}/file?as=tiff&download=1") as answer:
        assert "79271234567.tif" in answer.headers["Content-Disposition"]
    row = await FaxRow.get(id=mine)
    files = [house.ctx.settings.media_root / path for path in (row.path, row.pdf_path)]
    assert all(file.exists() for file in files)
    await user.post(f"/faxes/{mine}/delete")
    assert not await FaxRow.filter(id=mine).exists()
    assert not any(file.exists() for file in files)


@pytest.mark.feature("STA-3")
@pytest.mark.parametrize("query", ["since=x", "until=0000-99-99", "owner=:", f"owner=core.user:{'9' * 40}", "seen=maybe", "number=%00%27"])
async def test_nonsense_in_the_address_does_no_harm(house: House, visitor: Visitor, query: str) -> None:
    await (await visitor("romashka-manager")).get(f"/faxes?{query}")


@pytest.mark.feature("STA-3")
async def test_files_that_are_gone_or_damaged_are_refused(house: House, visitor: Visitor) -> None:
    user, mine = await visitor("romashka-user"), house.one.things["fax"]
    row = await FaxRow.get(id=mine)
    file = house.ctx.settings.media_root / row.path
    file.write_bytes(b"no picture at all")
    async with user.http.get(f"{user.base}/faxes/{mine}/pages/1") as answer:
        assert 400 <= answer.status < 500
    file.unlink()
    for path in ("pages/1", "file?as=tiff"):
        async with user.http.get(f"{user.base}/faxes/{mine}/{path}") as answer:
            assert answer.status == 404
    row.path = "../../etc/passwd.tif"
    await row.save()
    for path in ("pages/1", "file", "file?as=tiff"):
        async with user.http.get(f"{user.base}/faxes/{mine}/{path}") as answer:
            assert answer.status == 404


@pytest.mark.feature("ACT-9", "ACT-10", "R25")
async def test_faxes_are_offered_as_actions(house: House, visitor: Visitor) -> None:
    admin = await visitor("romashka-admin")
    for place in (f"/groups/{house.one.things['group']}", f"/menus/{house.one.things['menu']}", f"/rules/{house.one.things['rule']}"):
        page = await admin.get(place)
        for value in (f"fax.group:{house.one.things['root']}", f"fax.user:{house.one.users['user']}"):
            assert f'value="{value}"' in page, (place, value)
        assert "Факс группы" in page

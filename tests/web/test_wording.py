# SPDX-License-Identifier: Apache-2.0
"""«Настройка оповещений»: the wording of letters with variables, a preview of what is typed, back to the standard."""

from __future__ import annotations

import pytest

from engine.sdk import template_of
from tests.web.conftest import Visitor
from tests.web.house import House

pytestmark = pytest.mark.feature("DIR-3")


async def test_a_letter_is_worded_previewed_and_taken_back(house: House, visitor: Visitor) -> None:
    admin = await visitor("romashka-admin")
    page = await admin.get("/notification-templates")
    for kind in ("notifications.missed", "voicemail.message", "fax.fax"):
        assert f"/notification-templates/{kind}" in page
    page = await admin.get("/notification-templates/fax.fax")
    assert "<code>{{pages}}</code>" in page
    assert "{{what}}: {{caller}}" in page
    address = "/notification-templates/fax.fax"
    shown = await admin.post(f"{address}/preview", 200, subject="Факс {{number}}", html="<p>Страниц {{pages}}</p><script>x</script>")
    assert "<b>Факс +7 927 123-45-67</b>" in shown
    assert "<p>Страниц 3</p>" in shown
    assert template_of(house.ctx.snapshot(house.one.id), "fax.fax") is None  # nothing is saved
    assert "nobody" in await admin.post(f"{address}/preview", 200, subject="x", html="{{nobody}}")
    for wrong in ({"subject": "", "html": "x"}, {"subject": "x", "html": ""}, {"subject": "{{nobody}}", "html": "x"}):
        assert "aria-invalid" in await admin.post(address, 422, **wrong)
    await admin.post(address, subject="Факс {{number}}", html="<p>Страниц {{pages}}</p>")
    template = template_of(house.ctx.snapshot(house.one.id), "fax.fax")
    assert template is not None
    assert (template.subject, template.html) == ("Факс {{number}}", "<p>Страниц {{pages}}</p>")
    assert "<p>Страниц 3</p>" in await admin.get(f"{address}/preview")
    await admin.post(f"{address}/standard")
    assert template_of(house.ctx.snapshot(house.one.id), "fax.fax") is None


async def test_the_preview_is_caged_and_unknown_letters_do_not_exist(house: House, visitor: Visitor) -> None:
    admin = await visitor("romashka-admin")
    async with admin.http.get(f"{admin.base}/notification-templates/fax.fax/preview") as answer:
        assert "sandbox; default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert answer.headers["X-Frame-Options"] == "SAMEORIGIN"
    for path in ("", "/preview", "/standard"):
        async with admin.http.get(f"{admin.base}/notification-templates/fax.nothing{path}") as answer:
            assert answer.status == 404

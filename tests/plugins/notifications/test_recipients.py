# SPDX-License-Identifier: Apache-2.0
"""Who is told of a missed call (R1), and what he reads; pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from engine.sdk import Account, CallEnded, CorePart, Ref, Snapshot
from plugins.groups.part import Group, GroupsPart
from plugins.ivr.part import IvrPart, Menu
from plugins.notifications.models import Claim
from plugins.notifications.service import Recipients, recipients
from plugins.notifications.texts import card, mail

pytestmark = [pytest.mark.kind("pure"), pytest.mark.feature("R1", "GRP-7")]

ROOT, SALES, SERVICE, MENU = Ref("groups.group", 1), Ref("groups.group", 2), Ref("groups.group", 3), Ref("ivr.menu", 1)
AT = datetime(2026, 11, 22, 18, 30, 5, tzinfo=UTC)


def office(**changes: Any) -> Snapshot:
    groups = (
        Group(id=1, title="Ромашка", missed_emails=("boss@example.org",), missed_chats=(-1,)),
        Group(id=2, title="Продажи", parent=ROOT, missed_emails=("sales@example.org", "Both@example.org"), missed_chats=(-2, -9)),
        Group(id=3, title="<Сервис>", parent=ROOT, missed_emails=("both@example.org", "service@example.org"), missed_chats=(-9, -3)),
        Group(id=4, title="Тихая", parent=ROOT),
    )
    account = Account(id=1, number="1", title="Ромашка", domain="x.example", timezone="Asia/Yekaterinburg")
    parts = {"groups": GroupsPart(groups=groups), "ivr": IvrPart(menus=(Menu(id=1, title="Меню", parent=ROOT),))}
    return Snapshot(1, CorePart(account=account), parts)


def ended(**changes: Any) -> CallEnded:
    fields: dict[str, Any] = {
        "account": 1, "call": "c1", "at": AT, "direction": "in", "caller_number": "+79271234567", "dialled": "+74951234567",
        "started_at": AT - timedelta(seconds=75), "ended_at": AT, "missed": True, "missed_why": "no_answer",
    }  # fmt: skip
    return CallEnded(**{**fields, **changes})


@pytest.mark.parametrize(
    ("call", "emails", "chats"),
    [
        (ended(failed_groups=(SALES,)), ("sales@example.org", "Both@example.org"), (-2, -9)),
        # two groups: everybody of both, each once, however the address is spelt
        (ended(failed_groups=(SALES, SERVICE)), ("sales@example.org", "Both@example.org", "service@example.org"), (-2, -9, -3)),
        # left before any group, or in the menu: the root's
        (ended(missed_why="menu"), ("boss@example.org",), (-1,)),
        (ended(missed_why="left", failed_groups=(MENU,)), ("boss@example.org",), (-1,)),
        # off hours: of the closed group
        (ended(missed_why="closed", failed_groups=(SERVICE,)), ("both@example.org", "service@example.org"), (-9, -3)),
        # a group that tells nobody; a group deleted meanwhile
        (ended(failed_groups=(Ref("groups.group", 4),)), (), ()),
        (ended(failed_groups=(Ref("groups.group", 77),)), ("boss@example.org",), (-1,)),
        # somebody finally answered
        (ended(failed_groups=(SALES,), talked=True, missed=False, missed_why=""), (), ()),
        (ended(failed_groups=(SALES,), talked=True), (), ()),
        # served otherwise (fax, hang-up by rule), internal, outgoing
        (ended(missed=False, missed_why=""), (), ()),
        (ended(direction="internal", failed_groups=(SALES,)), (), ()),
        (ended(direction="out", failed_groups=(SALES,)), (), ()),
    ],
)
def test_who_is_told(call: CallEnded, emails: tuple[str, ...], chats: tuple[int, ...]) -> None:
    assert recipients(call, office()) == Recipients(emails, chats)


def test_the_card_in_both_languages() -> None:
    call = ended(failed_groups=(SALES, SERVICE), caller_name="Пётр <b>\r\nBcc: x@example.org")
    assert card(call, office(), "ru", None) == (
        "<b>Пропущенный вызов</b>\n<b>+7 927 123-45-67</b> · Пётр &lt;b&gt; Bcc: x@example.org\nНикто не ответил\n"
        "Набранный номер: +7 495 123-45-67\nГруппа: Продажи, &lt;Сервис&gt;\nВремя: 22 нояб. 2026\u202fг., 23:28:50\nОжидание: 1:15"
    )
    claim = Claim(account_id=1, call_id="c1", user_id=5, user_title="Анна & Ко", at=AT + timedelta(minutes=2))
    english = card(ended(caller_number=None, missed_why="closed"), office(), "en", claim)
    assert english.splitlines() == [
        "<b>Missed call</b>", "<b>Number withheld</b>", "Outside working hours", "Number called: +7 495 123-45-67",
        "Time: Nov 22, 2026, 11:28:50\u202fPM", "Waited: 1:15", "Taken by Анна &amp; Ко at 11:32\u202fPM",
    ]  # fmt: skip


def test_the_mail_in_both_languages() -> None:
    call = ended(failed_groups=(SALES,), caller_name="Пётр\nBcc: x@example.org")
    russian, english = mail(call, office(), "ru"), mail(call, office(), "en")
    assert russian.subject == "Пропущенный вызов: +7 927 123-45-67 (Пётр Bcc: x@example.org)"
    assert "Группа: Продажи\nВремя: 22 нояб. 2026\u202fг., 23:28:50\nОжидание: 1:15\nКомпания: Ромашка\n" in russian.text
    assert english.subject.startswith("Missed call: +7 927")
    assert "Nobody answered." in english.text
    assert "<p" in english.html

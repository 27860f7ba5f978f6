# SPDX-License-Identifier: Apache-2.0
"""Translation, plural forms, and the writing of times, durations, sums and numbers; the tool that keeps the catalogues."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog

from engine.i18n import (
    catalogue,
    format_date,
    format_datetime,
    format_duration,
    format_money,
    format_phone,
    format_time,
    language_of,
    messages,
    ngettext,
    translate,
)

PO = """msgid ""
msgstr ""
"Content-Type: text/plain; charset=utf-8\\n"
"Plural-Forms: nplurals=3; plural=(n%10==1 && n%100!=11 ? 0 : n%10>=2 && n%10<=4 && (n%100<10 || n%100>=20) ? 1 : 2);\\n"

msgid "Call {number}"
msgstr "Позвонить {number}"

msgid "{n} call"
msgid_plural "{n} calls"
msgstr[0] "{n} звонок"
msgstr[1] "{n} звонка"
msgstr[2] "{n} звонков"

msgid "Broken {number}"
msgstr "Сломано {nummer}"
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Catalogues of our own: Russian as above, none for English."""
    place = tmp_path / "locales" / "ru" / "LC_MESSAGES"
    place.mkdir(parents=True)
    (place / "vats.po").write_text(PO, "utf-8")
    monkeypatch.setattr(catalogue, "FOLDER", tmp_path / "locales")
    monkeypatch.setattr(messages, "FOLDER", tmp_path / "locales")
    monkeypatch.setattr(messages, "ROOT", tmp_path)
    catalogue.load.cache_clear()
    yield tmp_path
    catalogue.load.cache_clear()


@pytest.mark.usefixtures("folder")
def test_translation() -> None:
    assert translate("ru", "Call {number}", number="+7") == "Позвонить +7"
    assert translate("ru-RU", "Call {number}") == "Позвонить {number}"
    assert translate("en", "Call {number}", number="+7") == "Call +7"
    assert translate("ru", "Unknown {x}", x=1) == "Unknown 1"
    assert translate("ru", "") == ""


@pytest.mark.usefixtures("folder")
def test_a_slip_in_a_translation_takes_no_page_down(caplog: pytest.LogCaptureFixture) -> None:
    assert translate("ru", "Broken {number}", number=1) == "Сломано {nummer}"
    assert "do not fit" in caplog.text


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(("n", "said"), [(1, "1 звонок"), (3, "3 звонка"), (5, "5 звонков"), (11, "11 звонков"), (21, "21 звонок")])
def test_plural_forms(n: int, said: str) -> None:
    assert ngettext("ru", "{n} call", "{n} calls", n) == said
    assert ngettext("en", "{n} call", "{n} calls", n) == (f"{n} call" if n == 1 else f"{n} calls")


def test_the_nearest_language() -> None:
    assert [language_of(wanted) for wanted in ("en", "en-GB", "EN_us", "ru", "de", "", None)] == ["en", "en", "en", "ru", "ru", "ru", "ru"]


def test_times_in_the_account_s_zone() -> None:
    moment = datetime(2026, 11, 22, 21, 30, tzinfo=UTC)
    assert format_datetime("ru", moment) == "23.11.2026, 00:30"
    assert format_time("ru", moment, "Asia/Yekaterinburg") == "02:30"
    assert format_date("ru", date(2026, 11, 23)).replace("\u202f", " ") == "23 нояб. 2026 г."
    assert format_date("en", date(2026, 11, 23)) == "Nov 23, 2026"


def test_durations_sums_and_numbers() -> None:
    assert [format_duration(s) for s in (0, 7.9, 754, -5)] == ["0:00", "0:07", "12:34", "0:00"]
    assert format_duration(timedelta(hours=1, minutes=2, seconds=3)) == "1:02:03"
    assert format_money("ru", Decimal("1234.5")).replace("\xa0", " ").replace("\u202f", " ") == "1 234,50 ₽"
    assert format_phone("+74951234567") == "+7 495 123-45-67"
    assert format_phone("+442079460000") == "+44 20 7946 0000"
    assert [format_phone(odd) for odd in ("201", "+", "+abc")] == ["201", "+", "+abc"]
    assert format_phone(None) == ""


def test_catalogues_follow_the_sources(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in messages.SOURCES:
        (folder / name / "templates").mkdir(parents=True)
    (folder / "engine" / "a.py").write_text(
        'N_("Call {number}")\nraise Refused("Refused")\nProblem("field", "Wrong {x}", x=1)\nngettext(lang, "{n} call", "{n} calls", 2)\n'
        'translate(lang, "Said")\nother("not a message")\n'
    )
    (folder / "web" / "templates" / "p.html").write_text('<b>{{ _("In a page") }}</b>')
    assert messages.main(["--check"]) == 1
    lacking = capsys.readouterr().out
    assert "ru: In a page" in lacking
    assert "ru: Call {number}" not in lacking
    assert messages.main([]) == 1
    english = messages._read("en")
    found = {message.id for message in english if message.id}
    assert found == {"Call {number}", "Refused", "Wrong {x}", "Said", "In a page", ("{n} call", "{n} calls")}
    russian = messages._read("ru")
    kept = russian.get("Call {number}")
    assert kept is not None
    assert kept.string == "Позвонить {number}"
    assert russian.get("Broken {number}") is None
    assert list(messages.missing("en", messages.extracted())) == []
    assert isinstance(messages.extracted(), Catalog)

# SPDX-License-Identifier: Apache-2.0
"""Letters as the account words them (DIR-3): places filled in subject and body, nothing of a caller's becomes markup or a header."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.outbox.letters import LetterKind, fill, unknown_places
from engine.sdk import Invalid, template_of
from plugins.fax.texts import LETTER as FAX
from plugins.notifications.texts import LETTER as MISSED
from plugins.notifications.wording import LONGEST_BODY, set_template, take_back
from plugins.voicemail.texts import LETTER as MESSAGE
from tests.bot.office import SYSTEM, Office, open_office
from tests.plugins.fax.test_fax_kept import receive
from tests.plugins.fax.test_fax_kept import set_up as set_up_fax
from tests.plugins.notifications.test_mail import mailing
from tests.plugins.voicemail.test_keeping import leave
from tests.plugins.voicemail.test_keeping import set_up as set_up_voicemail

pytestmark = [pytest.mark.kind("service"), pytest.mark.feature("DIR-3")]
KINDS = (MISSED, MESSAGE, FAX)


async def word(office: Office, kind: LetterKind, subject: str, html: str) -> None:
    async with office.ctx.edit(office.ours.id, SYSTEM) as edit:
        await set_template(edit, kind, subject, html)


async def test_the_three_letters_are_sent_as_they_are_worded(tmp_path: Path) -> None:
    async with mailing(tmp_path) as (office, letters):
        group = office.ours.groups["Продажи"]
        for kind in KINDS:
            places = "".join(f"<li>{name}={{{{ {name} }}}}</li>" for name in kind.variables)
            await word(office, kind, f"{kind.id} {{{{number}}}}", f"<style>li {{ color: red }}</style><ul>{places}</ul>")
        await office.alert("Продажи", emails=("a@example.org",))
        await office.end(office.call(failed_groups=(group,), caller_name="<b>&"))
        await office.deliver()
        await set_up_voicemail(office, group, emails=("a@example.org",))
        await leave(office, group)
        await office.deliver()
        await set_up_fax(office, group, emails=("a@example.org",))
        await receive(office, group)
    found = {str(letter["Subject"]): letter for _, letter in letters.taken}
    assert set(found) == {f"{kind.id} +7 927 123-45-67" for kind in KINDS}
    for kind in KINDS:
        letter = found[f"{kind.id} +7 927 123-45-67"]
        html, text = letter.get_body(("html",)), letter.get_body(("plain",))
        assert html is not None
        assert text is not None
        lines = text.get_content().split("\n")
        assert [line.partition("=")[0] for line in lines if line] == list(kind.variables)
        assert "color" not in text.get_content()
        assert "{{" not in html.get_content()
        filled = dict(line.partition("=")[::2] for line in lines if line)
        assert filled["at"]
        assert filled["caller"].startswith("+7 927 123-45-67 (")
        assert letter["Bcc"] is None
    missed = found["notifications.missed +7 927 123-45-67"].get_body(("html",))
    assert missed is not None
    assert "&lt;b&gt;&amp;" in missed.get_content()


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.id)
@pytest.mark.parametrize("language", ["ru", "en"])
async def test_the_starter_says_what_the_standard_letter_says(tmp_path: Path, kind: LetterKind, language: str) -> None:
    async with open_office(tmp_path / "state") as office:
        values = kind.example(office.ctx.snapshot(office.ours.id), language)
    assert set(values) == set(kind.variables)
    subject, html = kind.starter(language)
    assert unknown_places(subject + html, kind.variables) == []
    complete = {name: value or "…" for name, value in values.items()}
    standard, filled = kind.standard(complete, language), fill(subject, html, complete)
    assert (filled.subject, filled.html) == (standard.subject, standard.html)


async def test_what_is_wrong_is_refused_and_the_standard_comes_back(tmp_path: Path) -> None:
    async with open_office(tmp_path / "state") as office:
        long = "x" * (LONGEST_BODY + 1)
        for subject, html in (
            ("", "<p>x</p>"), ("x", " "), ("{{nobody}}", "x"), ("x", "{{ caller }} {{pages}}"), ("x" * 201, "x"), ("x", long),
        ):  # fmt: skip
            with pytest.raises(Invalid):
                await word(office, MISSED, subject, html)
        assert template_of(office.ctx.snapshot(office.ours.id), MISSED.id) is None
        await word(office, MISSED, "one\r\nBcc: x@y.ru", "<p>1</p>")
        await word(office, MISSED, "two", "<p>2</p>")
        template = template_of(office.ctx.snapshot(office.ours.id), MISSED.id)
        assert template is not None
        assert (template.subject, template.html) == ("two", "<p>2</p>")
        assert template_of(office.ctx.snapshot(office.ours.id), FAX.id) is None
        assert template_of(office.ctx.snapshot(office.theirs.id), MISSED.id) is None
        for _ in range(2):
            async with office.ctx.edit(office.ours.id, SYSTEM) as edit:
                await take_back(edit, MISSED)
        assert template_of(office.ctx.snapshot(office.ours.id), MISSED.id) is None


@given(st.text(max_size=60), st.text(max_size=300), st.dictionaries(st.sampled_from(["caller", "name", "at"]), st.text(max_size=40)))
def test_nothing_a_caller_is_called_becomes_markup_or_a_second_line(subject: str, html: str, values: dict[str, str]) -> None:
    letter = fill(f"{subject}{{{{caller}}}}", f"{html}<p title=\"{{{{name}}}}\">{{{{name}}}}</p>", values)
    assert "\n" not in letter.subject
    assert "\r" not in letter.subject
    name = values.get("name", "")
    body = letter.html[letter.html.rindex("<p title=") :]
    if "<" not in html and "{" not in html:
        assert body.count("<") == 2 + 2 * name.count("\n")
        assert body.count('"') == 2
    assert letter.text.endswith("\n")

# SPDX-License-Identifier: Apache-2.0
"""Rules of letter templates, inside an edit: what may stand in them, set and taken back to the standard."""

from __future__ import annotations

from collections.abc import Iterable

from engine.sdk import N_, Edit, ElementStore, Finding, Invalid, LetterKind, Problem, Snapshot, template_of, unknown_places
from plugins.notifications.models import TemplateRow
from plugins.notifications.part import NotificationsPart, Template

LONGEST_SUBJECT = 200
LONGEST_BODY = 50_000


def check(part: NotificationsPart, whole: Snapshot) -> Iterable[Finding]:
    kinds = [template.letter for template in part.templates]
    for template in part.templates:
        if kinds.count(template.letter) > 1:
            yield Finding("error", template.ref, N_("A kind of letter has one template at most."))


store: ElementStore[NotificationsPart] = ElementStore(NotificationsPart, {"templates": TemplateRow}, check)


def problems(kind: LetterKind, subject: str, html: str) -> list[Problem]:
    """What is wrong with the wording of a kind of letter."""
    found = []
    if not subject.strip():
        found.append(Problem("subject", N_("Enter a subject.")))
    if not html.strip():
        found.append(Problem("html", N_("Enter a text.")))
    for field, text, longest in (("subject", subject, LONGEST_SUBJECT), ("html", html, LONGEST_BODY)):
        if len(text) > longest:
            found.append(Problem(field, N_("At most {count} characters."), count=longest))
        found.extend(
            Problem(field, N_("There is no variable “{name}”."), name=name[:40]) for name in unknown_places(text, kind.variables)
        )
    return found


async def set_template(edit: Edit, kind: LetterKind, subject: str, html: str) -> None:
    """Raises Invalid."""
    found = problems(kind, subject, html)
    if found:
        raise Invalid(found)
    subject = " ".join(subject.split())
    before = template_of(edit.before, kind.id)
    if before is None:
        await store.insert(edit.account_id, Template(id=0, title=kind.id, letter=kind.id, subject=subject, html=html), edit.tx)
    else:
        changed = Template(id=before.id, title=before.title, letter=kind.id, subject=subject, html=html)
        await store.save(edit.account_id, changed, edit.tx)


async def take_back(edit: Edit, kind: LetterKind) -> None:
    """The standard wording again."""
    before = template_of(edit.before, kind.id)
    if before is not None:
        await store.remove(edit.account_id, before, edit.tx)

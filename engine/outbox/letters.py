# SPDX-License-Identifier: Apache-2.0
"""Letters to people and their templates (DIR-3): kinds that plugins write, the account's own wording of them, how places are filled."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Annotated, Final

from msgspec import Meta

from engine.i18n import N_, format_phone, translate
from engine.outbox.plain_text import plain_text
from engine.snapshot import Element, Snapshot

TITLE_LIMIT = 80
SUBJECT_LIMIT = 250
_PLACE: Final = re.compile(r"\{\{\s*([^{}]*?)\s*\}\}")


@dataclass(frozen=True, slots=True)
class Letter:
    subject: str
    text: str
    html: str

    @classmethod
    def of(cls, subject: str, lines: Sequence[str], end: str = "") -> Letter:
        """From plain lines, none of them longer than a line."""
        text = "\n".join([subject, "", *lines, *(["", end] if end else []), ""])
        rows = [f"<p style=\"margin:0.2em 0\">{escape(line)}</p>" for line in lines]
        last = [f"<p>{escape(end)}</p>"] if end else []
        return cls(subject, text, "\n".join(["<html><body>", f"<h3>{escape(subject)}</h3>", *rows, *last, "</body></html>"]))


class LetterTemplate(Element, frozen=True, kw_only=True):
    """How an account words a kind of letter: places such as {{caller}} are filled in subject and body.

    The plugin that keeps it says by a subclass which kind of element it is.
    """

    letter: Annotated[str, Meta(title="Letter")]
    """The id of its kind."""
    subject: Annotated[str, Meta(title="Subject")]
    html: Annotated[str, Meta(title="Body")]


@dataclass(frozen=True, slots=True)
class LetterKind:
    """A kind of letter whose wording an administrator may change."""

    id: str
    """“<plugin>.<thing>”."""
    title: str
    """Catalogue id."""
    variables: Mapping[str, str]
    """Names of its places, and what they mean (catalogue ids)."""
    standard: Callable[[Mapping[str, str], str], Letter]
    """The letter where no template is set, from the values of the places and the language; a line without its value is left out."""
    example: Callable[[Snapshot, str], Mapping[str, str]]
    """Values as a real letter has them, for the preview, in a language."""

    def letter(self, snapshot: Snapshot, values: Mapping[str, str], language: str) -> Letter:
        """As the account words it, else the standard."""
        template = template_of(snapshot, self.id)
        return self.standard(values, language) if template is None else fill(template.subject, template.html, values)

    def starter(self, language: str) -> tuple[str, str]:
        """Subject and body to begin a template with: the standard letter with every place in it."""
        letter = self.standard({name: f"{{{{{name}}}}}" for name in self.variables}, language)
        return letter.subject, letter.html


def template_of(snapshot: Snapshot, kind: str) -> LetterTemplate | None:
    return next((e for e in snapshot.elements() if isinstance(e, LetterTemplate) and e.letter == kind), None)


def fill(subject: str, html: str, values: Mapping[str, str]) -> Letter:
    """What is filled into the body is text, never markup; a subject is one line, whatever callers are called."""
    title = one_line(_PLACE.sub(lambda place: values.get(place[1], ""), subject), SUBJECT_LIMIT)
    body = _PLACE.sub(lambda place: escape(values.get(place[1], "")).replace("\n", "<br>"), html)
    return Letter(title, plain_text(body), body)


def unknown_places(text: str, known: Iterable[str]) -> list[str]:
    """Names of places that will never be filled."""
    names = set(known)
    return [name for name in dict.fromkeys(place[1] for place in _PLACE.finditer(text)) if name not in names]


def one_line(text: str, limit: int = TITLE_LIMIT) -> str:
    """One short line: names come from outside and could carry line breaks into a mail's head."""
    flat = re.sub(r"[\s\x00-\x1f\x7f]+", " ", text).strip()
    return flat if len(flat) <= limit else flat[: limit - 1] + "…"


def caller_words(language: str, number: str | None, name: str) -> str:
    """“+7 927 123-45-67 (Ivanov)”."""
    words = format_phone(number) or translate(language, N_("Number withheld"))
    flat = one_line(name)
    return f"{words} ({flat})" if flat else words

# SPDX-License-Identifier: Apache-2.0
"""The catalogues locales/<language>/LC_MESSAGES/vats.po, compiled in memory when first asked."""

from __future__ import annotations

import gettext
import io
import logging
from functools import cache
from pathlib import Path
from typing import Literal, TypeAlias

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

log = logging.getLogger(__name__)

Language: TypeAlias = Literal["ru", "en"]
LANGUAGES: tuple[Language, ...] = ("ru", "en")
FOLDER = Path(__file__).resolve().parents[2] / "locales"


def N_(message: str) -> str:  # noqa: N802 — gettext's customary marker
    """Mark a message for the catalogues without translating it; it is translated where it is shown."""
    return message


@cache
def load(language: Language) -> gettext.NullTranslations:
    """The catalogue of a language; without a file every message stays English."""
    path = FOLDER / language / "LC_MESSAGES" / "vats.po"
    if not path.exists():
        log.warning("no catalogue %s: messages stay English", path)
        return gettext.NullTranslations()
    with path.open("rb") as file:
        catalogue = read_po(file, locale=language)
    compiled = io.BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)


def language_of(wanted: str | None) -> Language:
    """The nearest language we speak: "en-GB" → "en"; anything unknown → Russian."""
    head = (wanted or "").replace("_", "-").partition("-")[0].lower()
    return next((language for language in LANGUAGES if language == head), "ru")


class Word(str):
    """A catalogue id that fills a place of another message: translated along with it."""

    __slots__ = ()


def translate(language: str, message: str, /, **params: object) -> str:
    """The message in that language, with its {named} places filled."""
    if not message:
        return ""  # gettext would answer with the catalogue's header
    told = {name: translate(language, value) if isinstance(value, Word) else value for name, value in params.items()}
    return _fill(load(language_of(language)).gettext(message), message, told)


def ngettext(language: str, singular: str, plural: str, n: int, /, **params: object) -> str:
    """The form of the message that goes with the number `n`, which is also the place {n}."""
    return _fill(load(language_of(language)).ngettext(singular, plural, n), plural, {"n": n, **params})


def _fill(text: str, message: str, params: dict[str, object]) -> str:
    if not params:
        return text
    try:
        return text.format(**params)
    except (KeyError, IndexError, ValueError):
        # a caller's or translator's slip must not take the page or the card down; the tests of the catalogues look for it
        log.error("the places of %r and its values %s do not fit", message, sorted(params))
        return text

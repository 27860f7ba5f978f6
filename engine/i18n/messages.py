# SPDX-License-Identifier: Apache-2.0
"""`python -m engine.i18n.messages`: bring the catalogues up to the messages in sources and templates (make messages).

Existing translations stay; messages that are gone are dropped; in English a new message is its own translation.
With `--check` nothing is written, and the exit code says whether something is missing.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

from engine.i18n.catalogue import FOLDER, LANGUAGES

ROOT = FOLDER.parent
SOURCES = ("engine", "web", "bot", "plugins")
METHODS = [("settings.py", "ignore"), ("**.py", "python"), ("**/templates/**.html", "jinja2"), ("**/templates/**.txt", "jinja2")]
KEYWORDS: dict[str, tuple[int, ...] | None] = {
    "_": None,
    "N_": None,
    "gettext": None,
    "translate": (2,),
    "ngettext": (2, 3),
    "n_": (1, 2),
    "t": None,
    **dict.fromkeys(("Refused", "NotFound", "Forbidden"), None),
    "Problem": (2,),
    "Meta": None,  # titles of fields
}


def extracted() -> Catalog:
    """Every message of the sources, with its places."""
    found = Catalog(project="VATS", charset="utf-8")
    for folder in SOURCES:
        for name, line, message, comments, context in extract_from_dir(
            ROOT / folder, METHODS, options_map={}, keywords=KEYWORDS, comment_tags=["Translators:"]
        ):
            if message and all([message] if isinstance(message, str) else message):
                found.add(message, None, [(f"{folder}/{name}", line)], auto_comments=comments, context=context)
    return found


def missing(language: str, template: Catalog) -> Iterator[str]:
    """Messages that a language's catalogue lacks, leaves empty or marks as uncertain."""
    catalogue = _read(language)
    for message in template:
        if not message.id:
            continue
        known = catalogue.get(message.id)
        texts = [] if known is None else [known.string] if isinstance(known.string, str) else list(known.string or ())
        if known is None or known.fuzzy or not texts or not all(texts):
            yield message.id if isinstance(message.id, str) else message.id[0]


def update(language: str, template: Catalog) -> None:
    """Write the language's catalogue anew: old translations kept, new messages added."""
    catalogue = _read(language)
    catalogue.update(template, no_fuzzy_matching=True)
    catalogue.obsolete.clear()
    if language == "en":
        for message in catalogue:
            if message.id:
                message.string = message.id
    path = _path(language)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        write_po(file, catalogue, width=120, sort_output=True, include_lineno=False, ignore_obsolete=True)


def _path(language: str) -> Path:
    return FOLDER / language / "LC_MESSAGES" / "vats.po"


def _read(language: str) -> Catalog:
    if not _path(language).exists():
        return Catalog(locale=language, project="VATS", charset="utf-8")
    with _path(language).open("rb") as file:
        return read_po(file, locale=language)


def main(arguments: list[str]) -> int:
    template = extracted()
    if "--check" not in arguments:
        for language in LANGUAGES:
            update(language, template)
    lacking = {language: list(missing(language, template)) for language in LANGUAGES}
    for language, messages in lacking.items():
        for message in messages:
            sys.stdout.write(f"{language}: {message}\n")
    return 1 if any(lacking.values()) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

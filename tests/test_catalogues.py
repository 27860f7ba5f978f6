# SPDX-License-Identifier: Apache-2.0
"""Both languages are complete: every message of the sources is in the catalogues, translated, with the same places."""

from __future__ import annotations

import re
from functools import cache
from string import Formatter

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.pofile import read_po

from engine.i18n import LANGUAGES
from engine.i18n.catalogue import FOLDER
from engine.i18n.messages import extracted, missing

CYRILLIC = re.compile("[а-яё]", re.IGNORECASE)


@cache
def catalogue(language: str) -> Catalog:
    with (FOLDER / language / "LC_MESSAGES" / "vats.po").open("rb") as file:
        return read_po(file, locale=language)


def messages(language: str) -> list[Message]:
    return [message for message in catalogue(language) if message.id]


def forms(texts: object) -> list[str]:
    return [texts] if isinstance(texts, str) else list(texts) if isinstance(texts, (list, tuple)) else []


def places(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}


@pytest.mark.feature("BOT-6")
@pytest.mark.parametrize("language", LANGUAGES)
def test_nothing_is_missing(language: str) -> None:
    assert list(missing(language, extracted())) == [], "make messages, then translate"


@pytest.mark.parametrize("language", LANGUAGES)
def test_nothing_is_left_over(language: str) -> None:
    used = {forms(message.id)[0] for message in extracted() if message.id}
    assert [message.id for message in messages(language) if forms(message.id)[0] not in used] == [], "make messages"


@pytest.mark.parametrize("language", LANGUAGES)
def test_translations_keep_the_places(language: str) -> None:
    wrong = []
    for message in messages(language):
        singular, *plural = forms(message.id)
        wanted = places(plural[0] if plural else singular)
        for text in forms(message.string):
            # a form for one may write the number out
            if text and places(text) not in (wanted, wanted - {"n"} if plural else wanted):
                wrong.append(text)
    assert not wrong


def test_russian_is_russian_and_english_english() -> None:
    assert [text for message in messages("en") for text in forms(message.string) if CYRILLIC.search(text)] == []
    # one word or none may be a name (SIP, PIN, Telegram); more words are a sentence
    translations = [text for message in messages("ru") for text in forms(message.string)]
    assert [text for text in translations if len(re.findall(r"[a-z]{3,}", text)) > 3 and not CYRILLIC.search(text)] == []


def test_messages_in_sources_are_english() -> None:
    assert [message.id for message in extracted() if message.id and CYRILLIC.search(" ".join(forms(message.id)))] == []

# SPDX-License-Identifier: Apache-2.0
"""Telegram's text rules for the fake Bot API: HTML to entities, lengths in UTF-16 units, keyboards checked as the server does."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

TAGS = {
    "b": "bold", "strong": "bold", "i": "italic", "em": "italic", "u": "underline", "ins": "underline", "s": "strikethrough",
    "strike": "strikethrough", "del": "strikethrough", "code": "code", "pre": "pre", "blockquote": "blockquote", "a": "text_link",
}  # fmt: skip
ENTITIES = {"lt", "gt", "amp", "quot"}


class MarkupError(Exception):
    """What the server says after "Bad Request: "."""


def length(text: str) -> int:
    """As Telegram counts: UTF-16 code units."""
    return len(text.encode("utf-16-le")) // 2


class _Html(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=False)
        self.text = ""
        self.entities: list[dict[str, Any]] = []
        self._open: list[tuple[str, int, dict[str, Any]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in TAGS:
            raise MarkupError(f"can't parse entities: Unsupported start tag \"{tag}\" at byte offset {len(self.text.encode())}")
        href = dict(attrs).get("href")
        self._open.append((tag, length(self.text), {"url": href} if tag == "a" and href else {}))

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open[-1][0] != tag:
            raise MarkupError(f"can't parse entities: Unexpected end tag at byte offset {len(self.text.encode())}")
        _, start, extra = self._open.pop()
        if size := length(self.text) - start:
            self.entities.append({"type": TAGS[tag], "offset": start, "length": size, **extra})

    def handle_data(self, data: str) -> None:
        if "<" in data:
            raise MarkupError("can't parse entities: Unclosed start tag")
        self.text += data

    def handle_entityref(self, name: str) -> None:
        self.text += {"lt": "<", "gt": ">", "amp": "&", "quot": '"'}[name] if name in ENTITIES else f"&{name};"

    def handle_charref(self, name: str) -> None:
        self.text += chr(int(name[1:], 16) if name[:1] in "xX" else int(name))

    def close(self) -> None:
        super().close()
        if self._open:
            raise MarkupError(f"can't parse entities: Can't find end tag corresponding to start tag \"{self._open[-1][0]}\"")


def parse(text: str, mode: str | None) -> tuple[str, list[dict[str, Any]]]:
    """Plain text and its entities. Raises MarkupError."""
    if not mode:
        return text.strip(), []
    if mode.lower() != "html":
        raise MarkupError(f"unsupported parse_mode {mode} in the fake")
    parser = _Html()
    parser.feed(text)
    parser.close()
    return parser.text.strip(), sorted(parser.entities, key=lambda e: (e["offset"], -e["length"]))


def keyboard(markup: Any) -> dict[str, Any] | None:
    """The reply_markup as it will be stored. Raises MarkupError for what Telegram refuses."""
    if not markup:
        return None
    if "inline_keyboard" not in markup:
        return dict(markup)
    rows = [row for row in markup["inline_keyboard"] if row]
    for button in (b for row in rows for b in row):
        if not button.get("text"):
            raise MarkupError("can't parse inline keyboard button: Text buttons are unallowed in the inline keyboard")
        data = button.get("callback_data")
        if data is not None and not 1 <= len(data.encode()) <= 64:
            raise MarkupError("BUTTON_DATA_INVALID")
        if data is None and not any(k in button for k in ("url", "web_app", "switch_inline_query", "copy_text", "login_url")):
            raise MarkupError("can't parse inline keyboard button: Text buttons are unallowed in the inline keyboard")
    if sum(len(row) for row in rows) > 100:
        raise MarkupError("reply markup is too long")
    return {"inline_keyboard": rows} if rows else None

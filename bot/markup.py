# SPDX-License-Identifier: Apache-2.0
"""Buttons as Telegram takes them; used wherever a message is sent."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from aiogram.types import InlineKeyboardButton, InlineKeyboardMarkup

from bot.keys import DATA_LIMIT, Button
from engine.sdk import PluginError


def keyboard(rows: Iterable[Sequence[Button]]) -> InlineKeyboardMarkup | None:
    """The rows as Telegram takes them; None when there is no button. Raises PluginError for data over 64 bytes."""
    made = [[_button(button) for button in row] for row in rows if row]
    return InlineKeyboardMarkup(inline_keyboard=made) if made else None


def _button(button: Button) -> InlineKeyboardButton:
    if button.url:
        return InlineKeyboardButton(text=button.text, url=button.url)
    if not 1 <= len(button.data.encode()) <= DATA_LIMIT:
        raise PluginError(f"The data of button {button.text!r} must have 1 to {DATA_LIMIT} bytes: {button.data!r}.")
    return InlineKeyboardButton(text=button.text, callback_data=button.data)

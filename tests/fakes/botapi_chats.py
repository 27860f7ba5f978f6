# SPDX-License-Identifier: Apache-2.0
"""Who and what a fake Bot API knows: people who write and press, chats, stored messages and files, scripts of failures."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from tests.fakes.botapi_markup import length

if TYPE_CHECKING:
    from tests.fakes.botapi import FakeBotApi


class ApiError(Exception):
    """An answer that is not ok."""

    def __init__(self, status: int, description: str, **parameters: int) -> None:
        super().__init__(description)
        self.status, self.description, self.parameters = status, description, parameters


@dataclass
class Failure:
    """One step of a script of failures; `lasting` runs by the clock from its first use, `times` counts requests.

    `lost`: the server does the work, then the connection breaks before the answer. `html`: a proxy's page instead of JSON.
    """

    status: int
    description: str = ""
    retry_after: int | None = None
    times: int = 1
    lasting: timedelta | None = None
    method: str | None = None
    lost: bool = False
    html: bool = False
    since: datetime | None = None

    def error(self) -> ApiError:
        if self.status == 429:
            seconds = self.retry_after or 1
            return ApiError(429, f"Too Many Requests: retry after {seconds}", retry_after=seconds)
        known = {400: "Bad Request", 401: "Unauthorized", 403: "Forbidden: bot was blocked by the user", 409: "Conflict"}
        return ApiError(self.status, self.description or known.get(self.status, "Internal Server Error"))


@dataclass(frozen=True)
class ApiCall:
    """One request as it came: when, what, and the HTTP status it got."""

    at: datetime
    method: str
    params: dict[str, Any]
    status: int


@dataclass
class StoredFile:
    id: str
    name: str
    path: str
    data: bytes
    mime: str


@dataclass
class StoredMessage:
    """A message as the server keeps it; `versions` are its earlier forms, oldest first."""

    data: dict[str, Any]
    from_bot: bool
    versions: list[dict[str, Any]] = field(default_factory=list)

    @property
    def id(self) -> int:
        return int(self.data["message_id"])

    @property
    def chat_id(self) -> int:
        return int(self.data["chat"]["id"])

    @property
    def text(self) -> str:
        return str(self.data.get("text", self.data.get("caption", "")))

    @property
    def buttons(self) -> dict[str, dict[str, Any]]:
        """Inline buttons by their text."""
        rows = self.data.get("reply_markup", {}).get("inline_keyboard", [])
        return {b["text"]: b for row in rows for b in row}


@dataclass
class Chat:
    api: FakeBotApi
    id: int
    type: str
    title: str
    language: str | None = None
    username: str | None = None
    started: bool = False
    blocked: bool = False
    voice_forbidden: bool = False
    """The user accepts no voice messages (a setting of Telegram Premium)."""
    migrated_to: int | None = None
    _seen: int = 0

    def describe(self) -> dict[str, Any]:
        if self.type == "private":
            return {"id": self.id, "type": "private", "first_name": self.title}
        return {"id": self.id, "type": self.type, "title": self.title}

    @property
    def messages(self) -> list[StoredMessage]:
        """Messages of the bot in this chat, oldest first."""
        return [m for (chat, _), m in sorted(self.api.messages.items()) if chat == self.id and m.from_bot]

    async def read(self, within: float = 5) -> StoredMessage:
        """The next message of the bot that was not read yet; waits for it."""

        def unread() -> StoredMessage | None:
            return next((m for m in self.messages if m.id > self._seen), None)

        found = await self.api.wait(unread, within)
        self._seen = found.id
        return found


@dataclass
class Press:
    """A pressed button; `answer` is what answerCallbackQuery said, once it came."""

    api: FakeBotApi
    id: str
    answer: dict[str, Any] | None = None

    async def answered(self, within: float = 5) -> str:
        """The text of the pop-up or "" when the bot only stopped the button's spinner."""
        answer = await self.api.wait(lambda: self.answer, within)
        return str(answer.get("text", ""))


@dataclass
class Person(Chat):
    """A Telegram user with his private chat."""

    def who(self) -> dict[str, Any]:
        card = {"id": self.id, "is_bot": False, "first_name": self.title, "language_code": self.language, "username": self.username}
        return {k: v for k, v in card.items() if v is not None}

    async def send(self, text: str, chat: Chat | None = None) -> StoredMessage:
        """Write to the bot in private, or into a group (where a bot sees commands only)."""
        where = chat or self
        where.started = True
        data: dict[str, Any] = {"from": self.who(), "text": text}
        if text.startswith("/"):
            data["entities"] = [{"type": "bot_command", "offset": 0, "length": length(text.split()[0])}]
        message = self.api.store(where, data, from_bot=False)
        if where.type == "private" or text.startswith("/"):
            self.api.push({"message": message.data})
        else:
            await self.api.changed()
        return message

    async def press(self, button: str, chat: Chat | None = None, message: StoredMessage | None = None) -> Press:
        """Press the button with this text under `message`, else under the newest message of the chat that has one."""
        where = chat or self
        candidates = [message] if message else [m for m in reversed(where.messages) if button in m.buttons]
        if not candidates or button not in candidates[0].buttons:
            raise AssertionError(f"no button {button!r} in {where.title}: {[list(m.buttons) for m in where.messages]}")
        return await self.press_data(candidates[0].buttons[button]["callback_data"], candidates[0])

    async def press_data(self, data: str, message: StoredMessage) -> Press:
        """Press with data of one's own, as a forged client would."""
        press = Press(self.api, str(next(self.api.numbers)))
        self.api.presses[press.id] = press
        query = {"id": press.id, "from": self.who(), "message": message.data, "chat_instance": f"i{message.chat_id}", "data": data}
        self.api.push({"callback_query": query})
        return press

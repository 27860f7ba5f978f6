# SPDX-License-Identifier: Apache-2.0
"""What a handler holds: who asked what, where, and how to answer; made by the host for every command and pressed button."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

from bot.keys import Rows
from bot.links import Place
from bot.member import Member
from engine.sdk import N_, Context, Refused, Role, translate

NOT_LINKED: Final = N_("This chat is not linked yet. Take a code in the cabinet and send: /link CODE")


class Line(Protocol):
    """The way back to whoever asked: `bot.line`."""

    @property
    def pressed(self) -> bool:
        """Whether a button was pressed, rather than a command sent."""

    async def reply(self, html: str, rows: Rows) -> None: ...
    async def edit(self, html: str, rows: Rows) -> None: ...
    async def pop_up(self, text: str, *, alert: bool) -> None: ...
    async def voice(self, sound: bytes, name: str, caption: str, seconds: int) -> None: ...


@dataclass(slots=True)
class Asked:
    """`argument`: the words after a command, or a button's data after its prefix."""

    ctx: Context
    line: Line
    place: Place
    who: Member | None
    language: str
    command: str = ""
    argument: str = ""

    @property
    def pressed(self) -> bool:
        """Whether a button was pressed, rather than a command sent."""
        return self.line.pressed

    @property
    def member(self) -> Member:
        """Raises Refused when the chat is linked to nobody."""
        if self.who is None:
            raise Refused(NOT_LINKED)
        return self.who

    @property
    def employee(self) -> Member:
        """The person as an employee; Refused in a group for somebody who has not linked his own account."""
        if not self.member.personal:
            raise Refused(N_("First link your own Telegram account: open the bot in private and send it your code."))
        return self.member

    def require(self, role: Role) -> None:
        """Raises Refused without a link, Forbidden without the right."""
        if role != "anyone":
            self.member.require(role)

    def t(self, message: str, /, **params: object) -> str:
        return translate(self.language, message, **params)

    async def reply(self, html: str, rows: Rows = ()) -> None:
        await self.line.reply(html, rows)

    async def edit(self, html: str, rows: Rows = ()) -> None:
        """Change the message under the pressed button; the same content again is no error."""
        await self.line.edit(html, rows)

    async def pop_up(self, text: str, *, alert: bool = False) -> None:
        """Answer the pressed button by a short note on the screen; a command gets it as a message."""
        await self.line.pop_up(text, alert=alert)

    async def voice(self, sound: bytes, name: str, caption: str, seconds: int) -> None:
        """Send OGG/Opus as a playable voice message; as a file to somebody who takes no voice messages."""
        await self.line.voice(sound, name, caption, seconds)

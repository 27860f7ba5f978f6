# SPDX-License-Identifier: Apache-2.0
"""What plugins use to show themselves in Telegram: `plugins/<id>/bot.py` imports from here and from `engine.sdk` only.

A handler is `async def handler(asked: Asked) -> None`, listed in a BotCommand with the least right it needs. A BotCommand without a
name serves buttons only. A button's data is "<prefix>:<argument>" with the prefix among the command's `callbacks`; `asked.argument` holds
what follows. What a handler refuses (any Refused) is told to the person in his language by the host.
"""

from bot.asked import Asked
from bot.courier import ChatMovedError, Courier
from bot.keys import Button, Rows
from bot.links import Place, member_of
from bot.member import Member
from bot.text import fit

__all__ = ["Asked", "Button", "ChatMovedError", "Courier", "Member", "Place", "Rows", "fit", "member_of"]

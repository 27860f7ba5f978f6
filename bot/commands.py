# SPDX-License-Identifier: Apache-2.0
"""The host's own commands: linking, unlinking, language, help (BOT-1, BOT-6)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from bot import links
from bot.asked import Asked
from bot.keys import Button
from bot.member import RANKS
from bot.text import fit
from engine.sdk import LANGUAGES, N_, BotCommand, Refused

_NAMES = {"ru": "Русский", "en": "English"}


class HostCommands:
    """`table` is what the dispatcher serves: these and the plugins' commands, which /help lists."""

    def __init__(self, plugins: Iterable[BotCommand]) -> None:
        self.wrong = links.WrongCodes()
        self.table: Sequence[BotCommand] = (
            BotCommand("start", "", self.start, "anyone"),
            *plugins,
            BotCommand("link", N_("Link this chat to your cabinet user"), self.link, "anyone"),
            BotCommand("unlink", N_("Unlink this chat"), self.unlink, "user"),
            BotCommand("language", N_("Choose the language"), self.language, "user", callbacks=("language:",)),
            BotCommand("help", N_("What I can do"), self.help, "anyone"),
        )

    async def start(self, asked: Asked) -> None:
        """/start CODE comes from the cabinet's deep link."""
        if asked.argument:
            await self.link(asked)
        elif asked.who:
            await self.help(asked)
        else:
            await asked.reply(escape(asked.t(N_("Good day! I am the bot of your PBX.\nTake a code in the cabinet and send: /link CODE"))))

    async def link(self, asked: Asked) -> None:
        if not asked.argument:
            raise Refused(N_("Send the code from the cabinet like this: /link CODE"))
        member = await links.link(asked.ctx, asked.place, asked.argument, self.wrong)
        asked.who, asked.language = member, member.language
        title = asked.ctx.snapshot(member.account_id).account.title
        text = N_("Linked: {user}, {company}. /help lists what I can do.") if asked.place.private else N_(
            "This group is linked: {user}, {company}. /help lists what I can do."
        )  # fmt: skip
        await asked.reply(escape(asked.t(text, user=member.title, company=title)))

    async def unlink(self, asked: Asked) -> None:
        await links.unlink(asked.place, asked.member)
        await asked.reply(escape(asked.t(N_("This chat is unlinked."))))

    async def language(self, asked: Asked) -> None:
        if not asked.pressed and not asked.argument:
            choice = [Button(_NAMES[code], f"language:{code}") for code in LANGUAGES]
            await asked.reply(escape(asked.t(N_("Choose the language"))), [choice])
            return
        await links.set_language(asked.place, asked.member, asked.argument)
        asked.language = asked.argument
        text = escape(asked.t(N_("I speak English now.")))
        await (asked.edit(text) if asked.pressed else asked.reply(text))

    async def help(self, asked: Asked) -> None:
        role = asked.who.role if asked.who else "anyone"
        allowed = [c for c in self.table if c.name and c.title and RANKS[c.role] <= RANKS[role]]
        lines = [f"/{c.name} — {escape(asked.t(c.title))}" for c in allowed]
        if asked.who is None:
            lines.insert(0, escape(asked.t(N_("This chat is not linked yet."))))
        await asked.reply(fit(lines))

    def menu(self) -> list[BotCommand]:
        """What Telegram shows in the bot's menu."""
        return [c for c in self.table if c.name and c.title]

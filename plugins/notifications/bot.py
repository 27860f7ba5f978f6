# SPDX-License-Identifier: Apache-2.0
"""Missed calls in Telegram: the list, and the buttons under cards (BOT-2)."""

from __future__ import annotations

from html import escape

from bot.sdk import Asked, Button, fit
from engine.sdk import N_, BotCommand, format_datetime, format_duration, format_phone
from plugins.notifications import service, texts
from plugins.notifications.service import Presser
from plugins.notifications.telegram import BACK, TAKE
from plugins.stats.api import Viewer
from plugins.stats.api import missed as missed_calls

SHOWN = 10


async def missed(asked: Asked) -> None:
    """The newest missed calls, each with a button to call back."""
    member = asked.member
    calls = await missed_calls(Viewer(member.account_id, member.user_id, member.may("manager")), SHOWN)
    title = asked.t(N_("Missed calls"))
    lines, rows = [f"<b>{escape(title)}</b>"], []
    for number, call in enumerate(calls, 1):
        who = format_phone(call.caller_number) or asked.t(N_("Number withheld"))
        at = format_datetime(asked.language, call.started_at, member.timezone)
        claim = await service.claim_of(member.account_id, call.call_id)
        taken = asked.t(N_("Taken by {user}"), user=claim.user_title) if claim else ""
        why = asked.t(texts.WHY.get(call.missed_why, texts.WHY[""]))
        lines.append(escape(f"{number}. {who} · {at} · {format_duration(call.wait_seconds)} · {why}" + (f" · {taken}" if taken else "")))
        if call.caller_number:
            rows.append([Button(asked.t(N_("Call back {number}"), number=f"{number}. {who}"), BACK + call.call_id)])
    await asked.reply(fit(lines) if calls else escape(asked.t(N_("No missed calls."))), rows)


async def back(asked: Asked) -> None:
    number = await service.call_back(asked.ctx, _presser(asked), asked.argument)
    await asked.pop_up(asked.t(N_("Your phone will ring now, then {number} is called."), number=format_phone(number)))


async def take(asked: Asked) -> None:
    await service.take(asked.ctx, _presser(asked), asked.argument)
    await asked.pop_up(asked.t(N_("This call is yours.")))


def _presser(asked: Asked) -> Presser:
    who = asked.employee
    return Presser(who.account_id, who.user_id, who.title, asked.place.chat, who.may("manager"))


COMMANDS = (
    BotCommand("missed", N_("Missed calls"), missed, "user"),
    BotCommand("", "", back, "user", callbacks=(BACK,)),
    BotCommand("", "", take, "user", callbacks=(TAKE,)),
)

# SPDX-License-Identifier: Apache-2.0
"""Calls in Telegram: those in progress, the last ones, and a recording as playable sound (BOT-3, BOT-4)."""

from __future__ import annotations

from html import escape
from pathlib import Path
from tempfile import TemporaryDirectory

from bot.sdk import Asked, Button, fit
from engine.sdk import (
    N_,
    BotCommand,
    NotFound,
    clock,
    format_datetime,
    format_duration,
    format_phone,
    models,
    people,
    to_voice_message,
)
from plugins.stats import service
from plugins.stats.service import Viewer

SHOWN = 10
ARROWS = {"in": "←", "out": "→", "internal": "↔"}
RECORDING = "recording:"


def _viewer(asked: Asked) -> Viewer:
    return Viewer(asked.member.account_id, asked.member.user_id, asked.member.may("manager"))


async def current(asked: Asked) -> None:
    """Calls in progress, oldest first."""
    calls = await people.current_calls(asked.member.account_id, asked.member.user_id, asked.member.may("manager"))
    now = clock.now()
    title = asked.t(N_("Current calls"))
    lines = [f"<b>{escape(title)}: {len(calls)}</b>"]
    for call in calls[: 3 * SHOWN]:
        ends = f"{_who(asked, call.caller)} {ARROWS.get(call.direction, '·')} {format_phone(call.dialled)}"
        talk = asked.t(N_("talking {time}"), time=format_duration(now - call.talk_started_at)) if call.talk_started_at else ""
        waits = asked.t(N_("waiting {time}"), time=format_duration(now - call.started_at))
        lines.append(escape(" · ".join([ends, *([call.place] if call.place else []), talk or waits])))
    await asked.reply(fit(lines) if calls else escape(asked.t(N_("Nobody is calling at the moment."))))


async def last(asked: Asked) -> None:
    """The last calls; those with a recording have a button."""
    calls = await service.last(_viewer(asked), SHOWN)
    title = asked.t(N_("Last calls"))
    lines, listen = [f"<b>{escape(title)}</b>"], []
    for number, call in enumerate(calls, 1):
        lines.append(escape(f"{number}. {_line(asked, call)}"))
        if list(call.recordings):
            listen.append(Button(f"▶ {number}", f"{RECORDING}{call.id}"))
    rows = [listen[i : i + 5] for i in range(0, len(listen), 5)]
    await asked.reply(fit(lines) if calls else escape(asked.t(N_("No calls yet."))), rows)


async def recording(asked: Asked) -> None:
    """Send the conversation as a voice message."""
    if not asked.argument.isdecimal():
        raise NotFound
    call = await service.record(_viewer(asked), int(asked.argument))
    source = service.recording_file(call, asked.ctx.settings.media_root)
    await asked.pop_up(asked.t(N_("One moment, here comes the recording.")))
    with TemporaryDirectory(prefix="vats-voice-") as folder:
        target = Path(folder) / "recording.ogg"
        await to_voice_message(source, target)
        sound = target.read_bytes()
    await asked.voice(sound, f"call-{call.id}", escape(_line(asked, call)), round(next(iter(call.recordings)).seconds))


def _line(asked: Asked, call: models.CallRecord) -> str:
    """Who → whom, when, how long, or that nobody talked."""
    at = format_datetime(asked.language, call.started_at, asked.member.timezone)
    result = format_duration(call.talk_seconds) if call.talked else asked.t(N_("call missed")) if call.missed else asked.t(N_("no talk"))
    whom = format_phone(call.dialled) + (f" ({call.user_title})" if call.user_title and call.direction == "in" else "")
    return f"{at} · {_who(asked, call.caller_number)} {ARROWS.get(call.direction, '·')} {whom} · {result}"


def _who(asked: Asked, number: str | None) -> str:
    return format_phone(number) or asked.t(N_("Number withheld"))


COMMANDS = (
    BotCommand("calls", N_("Current calls"), current, "user"),
    BotCommand("last", N_("Last calls"), last, "user"),
    BotCommand("", "", recording, "user", callbacks=(RECORDING,)),
)

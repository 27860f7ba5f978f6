# SPDX-License-Identifier: Apache-2.0
"""`vats rehearse`: what would happen to a call, step by step, without making it."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from engine import clock
from engine.calls.causes import NORMAL_CLEARING
from engine.cli.which import account_of, account_option, installed
from engine.errors import Problem, Refused
from engine.i18n import LANGUAGES, N_, format_datetime, translate
from engine.numbering import pretty
from engine.rehearsal import Question, Rehearsed, Script, as_installed, read_answers, read_caller, read_keys, read_moment, rehearse_call
from engine.runtime import Runtime
from engine.runtime.context import RuntimeContext
from engine.snapshot import Snapshot
from engine.telling import Line, Words, cause_words, rehearsed, with_plugins

T = TypeVar("T")
LONGEST_TALK = 24 * 3600.0


def add_commands(commands: Any) -> None:
    words = commands.add_parser("rehearse", help="what would happen to a call: its steps in words, nothing is dialled")
    words.add_argument("--to", required=True, help="a number of the PBX, or what an employee dials")
    words.add_argument("--from", dest="caller", default="", help="outside number, internal number or SIP login (default: withheld)")
    words.add_argument("--at", default="", help='date and time in the PBX\'s zone, "2026-01-03 19:30" (default: now)')
    words.add_argument("--keys", default="", help='keys as soon as they count, "2 201"; at a fixed second, "2@7.5"')
    words.add_argument(
        "--answer", action="append", default=[], metavar="WHO=WHAT",
        help="what people do: 201=busy,202=no,203=answer:5,all=absent (answer, busy, no, reject, absent, inuse)",
    )  # fmt: skip
    words.add_argument("--leaves", type=float, metavar="SECONDS", help="the caller hangs up then")
    words.add_argument("--talks", type=float, default=30.0, metavar="SECONDS", help="how long a talk lasts (default: 30)")
    words.add_argument("--seed", type=int, default=1, help="chance of random distributions (default: 1)")
    common(words)
    words.set_defaults(run=_rehearse)


def common(words: Any) -> None:
    account_option(words)
    words.add_argument("--language", choices=LANGUAGES, default=terminal_language(), help="of the answer (default: by LANG)")
    words.add_argument("--json", action="store_true", help="for machines")




def terminal_language() -> str:
    """Of the terminal; whatever is not Russian is answered in English, as the rest of the command line."""
    wish = next((os.environ[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if os.environ.get(name)), "")
    return "ru" if wish.lower().startswith("ru") else "en"


def chosen(ctx: RuntimeContext, number: str) -> Snapshot:
    """The account meant by --account. Raises NotFound when none or several could be."""
    return ctx.snapshot(account_of(ctx, number))


def told(options: argparse.Namespace, work: Callable[[RuntimeContext], Awaitable[T]]) -> T | None:
    """Do this with the plugins started; a refusal is told in the language asked for, and None comes back."""

    async def opened() -> T:
        async with Runtime(installed(options), ()).tooling() as ctx:
            return await work(ctx)

    try:
        return asyncio.run(opened())
    except Refused as refused:
        message = translate(options.language, refused.message, **refused.params)
        if options.json:
            print(json.dumps({"refused": message, "field": getattr(refused, "field", None)}, ensure_ascii=False))
        else:
            field = OPTIONS.get(refused.field, "") if isinstance(refused, Problem) else ""
            print(f"{field}: {message}" if field else message, file=sys.stderr)
        return None


OPTIONS = {
    "to": "--to", "caller": "--from", "at": "--at", "keys": "--keys", "answers": "--answer", "leaves": "--leaves", "talks": "--talks",
    "calls": "--calls", "since": "--since",
}  # fmt: skip


def _rehearse(options: argparse.Namespace) -> int:
    async def work(ctx: RuntimeContext) -> list[str]:
        snapshot = chosen(ctx, options.account)
        at = read_moment(options.at, ZoneInfo(snapshot.account.timezone)) if options.at else clock.now()
        question = read_question(snapshot, options)
        question = replace(question, script=as_installed(question.script, ctx.settings, ctx.gates.refusal))
        found = rehearse_call(snapshot, ctx.registry.actions(), question, at, seed=options.seed)
        words: Words = partial(translate, options.language)
        lines = rehearsed(words, found.rehearsal, snapshot, ctx.registry.actions(), with_plugins(ctx.registry.sentences()))
        if options.json:
            return [json.dumps(as_data(found, lines, at.isoformat()), ensure_ascii=False, indent=2)]
        moment = format_datetime(options.language, at, snapshot.account.timezone, "medium")
        title = words(
            N_("{caller} calls {number}, {moment}"),
            caller=pretty(found.arrival.caller.number or "") or words(N_("a withheld number")),
            number=pretty(found.arrival.caller.dialled), moment=moment,
        )  # fmt: skip
        return [title, *(f"{line.clock:>7}  {line.text}" for line in lines), *_last(words, found)]

    lines = told(options, work)
    for line in lines or ():
        print(line)
    return 1 if lines is None else 0


def read_question(snapshot: Snapshot, options: argparse.Namespace) -> Question:
    """Raises Problem with the name of a field."""
    typed, keys = read_keys(options.keys)
    for name, seconds in (("leaves", options.leaves), ("talks", options.talks)):
        if seconds is not None and not 0 <= seconds <= LONGEST_TALK:
            raise Problem(name, N_("“{text}” is no number of seconds."), text=seconds)
    script = Script(typed=typed, keys=keys, caller_leaves=options.leaves, talk_seconds=options.talks)
    for text in options.answer:
        script = read_answers(snapshot, text, script)
    return Question(options.to, read_caller(options.caller), script)


def _last(words: Words, found: Rehearsed) -> list[str]:
    """What the caller's phone is told, when it is told anything but the ordinary end."""
    cause = found.rehearsal.cause
    return [] if cause == NORMAL_CLEARING else [f"{'':7}  " + words(N_("Ended: {cause}"), cause=cause_words(words, cause))]


def as_data(found: Rehearsed, lines: list[Line], at: str) -> dict[str, Any]:
    """For machines; the steps are those of a call's record, each with its sentence."""
    caller, done = found.arrival.caller, found.rehearsal
    steps = [
        {
            "at": seconds, "what": step.what, "facts": dict(step.facts), "target": str(step.target) if step.target else None,
            "text": line.text,
        }
        for (seconds, step), line in zip(done.steps, lines, strict=False)
    ]  # fmt: skip
    return {
        "at": at, "caller": caller.number, "dialled": caller.dialled, "direction": found.arrival.direction, "steps": steps,
        "end": done.end, "cause": done.cause, "seconds": done.seconds, "missed": done.missed_why or None,
        "unused_keys": done.unused_keys or None,
    }  # fmt: skip

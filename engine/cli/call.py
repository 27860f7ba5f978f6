# SPDX-License-Identifier: Apache-2.0
"""`vats demo-call`: the built-in phones call the demonstration's number; the trace is printed while it happens."""

from __future__ import annotations

import argparse
import asyncio
import json
import socket
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final

import msgspec

from engine.cli.demo import CARD, Card, demo_settings
from engine.cli.demo_call import Answerer, DemoCallResult, run
from engine.cli.phone import Line
from engine.cli.rehearse import terminal_language
from engine.cli.serve import DEMO_STATE
from engine.errors import VatsError
from engine.i18n import LANGUAGES, translate
from engine.runtime import Runtime
from engine.settings import Settings
from engine.telling import Words, names_of, timeline, with_plugins

CALLER_TONE_HZ, ANSWER_TONE_HZ = 440, 1100
CALLER: Final = "203"
"""The demonstration's phone that calls."""
CDR_WITHIN_SECONDS = 20.0


Tell = Callable[[Mapping[str, Any]], list[str]]
"""A step of a trace as lines of words."""


class DemoAway(VatsError):  # noqa: N818 — told to the person at the keyboard
    """No demonstration is running."""


def add_commands(commands: Any) -> None:
    call = commands.add_parser("demo-call", help="call the demonstration's number with a built-in phone")
    call.add_argument("--state", default=DEMO_STATE, help="folder of the demonstration")
    call.add_argument("--keys", default="1", help="keys to press in the menu")
    call.add_argument("--language", choices=LANGUAGES, default=terminal_language(), help="of what the PBX does (default: by LANG)")
    call.add_argument("--wav", default="demo-call.wav", help="where to keep what the caller heard")
    call.set_defaults(run=_call)


def _call(options: argparse.Namespace) -> int:
    settings = demo_settings(options)
    state = settings.state
    try:
        card = msgspec.json.decode((state / CARD).read_bytes(), type=Card)
    except (OSError, msgspec.DecodeError) as error:
        raise DemoAway(f"No demonstration has been started in {state}: run `make demo` (vats demo) first ({error}).") from error
    return asyncio.run(_work(card, options, settings))


async def speech(settings: Settings, domain: str, language: str) -> Tell:
    """The steps of an account's calls in words, as the page of a call has them."""
    async with Runtime(settings, ()).tooling() as ctx:
        account = ctx.revisions.account_for_domain(domain)
        if account is None:
            raise DemoAway(f"The demonstration in {settings.state} has no customer {domain}.")
        registry = ctx.registry
        words: Words = partial(translate, language)
        names = names_of(words, ctx.snapshot(account), registry.actions())
        sentences = with_plugins(registry.sentences())
    return lambda step: [f"{line.at_ms / 1000:6.2f} s  · {line.text}" for line in timeline(words, [step], names, sentences)]


async def _work(card: Card, options: argparse.Namespace, settings: Settings) -> int:
    state = settings.state
    tell = await speech(settings, card.domain, options.language)
    trace = Trace(state / "spool", CALLER, card.number, tell)
    watching = asyncio.create_task(trace.print_live())
    passwords = {login: password for login, password, _ in card.phones}
    server = f"{_reachable(card)}:{card.sip_port}"
    try:
        result = await run(
            server, CALLER, passwords[CALLER], card.domain, card.number, [(1.5, key) for key in options.keys], CALLER_TONE_HZ,
            Path(options.wav), lambda event: print(event, flush=True),
            answerer=Answerer(Line(server, "201", passwords["201"], card.domain), ANSWER_TONE_HZ),
        )  # fmt: skip
        record = await _record(state, trace)
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
    trace.print_new()
    return _report(result, trace, record, options.wav)


def _reachable(card: Card) -> str:
    """The address the switch answers at from here: loopback when it listens everywhere."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.settimeout(1)
        try:
            probe.connect(("127.0.0.1", card.sip_port))
        except OSError:
            return card.server
    return "127.0.0.1"


def _report(result: DemoCallResult, trace: Trace, record: dict[str, Any] | None, wav: str) -> int:
    seen = {
        "the PBX answered": result.answered,
        "a phone was joined (bridge)": "talk" in trace.seen,
        f"the caller heard {ANSWER_TONE_HZ} Hz for {result.caller_heard_seconds:.1f} s": result.caller_heard_seconds >= 0.5,
        f"the callee heard {CALLER_TONE_HZ} Hz for {result.callee_heard_seconds:.1f} s": result.callee_heard_seconds >= 0.5,
        f"the call is written down (CDR{', without a talk' if record and not record['talked'] else ''})": bool(record and record["talked"]),
    }
    for what, fine in seen.items():
        print(f"{'ok   ' if fine else 'WRONG'} {what}")
    print(f"what the caller heard: {wav}")
    return 0 if all(seen.values()) else 1


async def _record(state: Path, trace: Trace) -> dict[str, Any] | None:
    """The CDR of our call, as soon as it is there; None as well when the engine has not heard of the call."""
    for _ in range(int(CDR_WITHIN_SECONDS / 0.25)):
        if trace.call and (found := await asyncio.to_thread(_written, state / "vats.sqlite3", trace.call)) is not None:
            return found
        await asyncio.sleep(0.25)
    return None


def _written(database: Path, call_id: str) -> dict[str, Any] | None:
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=5) as connection:
        connection.row_factory = sqlite3.Row
        row = connection.execute("SELECT talked, talk_seconds, cause FROM call_record WHERE call_id = ?", (call_id,)).fetchone()
    return dict(row) if row else None


class Trace:
    """The steps of one call as the engine's journal gets them, printed in words: of the first one that begins from now on, made by
    `caller` to the number `dialled`. Others go on beside it, in a demonstration too."""

    def __init__(self, folder: Path, caller: str, dialled: str, tell: Tell) -> None:
        self._folder, self._caller, self._dialled = folder, caller, dialled
        self._tell = tell
        self._offsets = {path: path.stat().st_size for path in folder.glob("*.jsonl")}
        self.call = ""
        """Its id; "" until it has begun."""
        self.seen: set[str] = set()

    async def print_live(self) -> None:
        while True:
            self.print_new()
            await asyncio.sleep(0.2)

    def print_new(self) -> None:
        for step in self._new():
            self.seen.add(step["what"])
            for line in self._tell(step):
                print(line, flush=True)

    def _new(self) -> Iterator[dict[str, Any]]:
        for path in sorted(self._folder.glob("*.jsonl")):
            with path.open("rb") as file:
                file.seek(self._offsets.get(path, 0))
                for line in file:
                    if not line.endswith(b"\n"):
                        break
                    self._offsets[path] = self._offsets.get(path, 0) + len(line)
                    entry = json.loads(line)
                    if not self.call and entry["t"] == "open" and self._is_ours(entry["state"].get("caller", {})):
                        self.call = entry["call"]
                    elif entry["t"] == "step" and entry["call"] == self.call:
                        yield entry["step"]

    def _is_ours(self, caller: Mapping[str, Any]) -> bool:
        return caller.get("number") == self._caller and caller.get("dialled") == self._dialled

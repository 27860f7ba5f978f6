# SPDX-License-Identifier: Apache-2.0
"""`vats check`: what is wrong with an account's settings, and how its last calls would have gone with older ones."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final
from zoneinfo import ZoneInfo

from engine import clock
from engine.cli.rehearse import chosen, common, told
from engine.errors import NotFound, Problem
from engine.i18n import N_, format_datetime, translate
from engine.numbering import pretty
from engine.rehearsal import MOST_CALLS, Checked, Replay, check_settings, last_calls, precheck
from engine.routing.action import RoutingAction
from engine.runtime.context import RuntimeContext
from engine.snapshot import Snapshot
from engine.telling import Words, hours_words, names_of, way_words


def add_commands(commands: Any) -> None:
    words = commands.add_parser("check", help="what is wrong with an account's settings: loops, dead ends, hours in which nobody rings")
    words.add_argument("--since", type=int, metavar="REVISION", help="also: which of the last calls go elsewhere now than with this one")
    words.add_argument("--calls", type=int, default=MOST_CALLS, help=f"how many of the last calls (default: {MOST_CALLS})")
    common(words)
    words.set_defaults(run=_check)


@dataclass(frozen=True, slots=True)
class _Found:
    snapshot: Snapshot
    actions: Mapping[str, RoutingAction]
    checked: Checked
    before: Snapshot | None
    replay: Replay | None


def _check(options: argparse.Namespace) -> int:
    """The exit code is 1 when an error is found; warnings are told."""

    async def work(ctx: RuntimeContext) -> _Found:
        if not 1 <= options.calls <= MOST_CALLS:
            raise Problem("calls", N_("From 1 to {count}."), count=MOST_CALLS)
        snapshot = chosen(ctx, options.account)
        actions = ctx.registry.actions()
        checked = check_settings(snapshot, actions, ctx.registry.parts(), clock.now())
        if options.since is None:
            return _Found(snapshot, actions, checked, None, None)
        try:
            before = await ctx.snapshot_at(snapshot.account.id, options.since)
        except NotFound:
            raise Problem("since", N_("There is no revision {number}."), number=options.since) from None
        calls = await last_calls(snapshot.account.id, options.calls)
        return _Found(snapshot, actions, checked, before, precheck(before, snapshot, actions, calls))

    found = told(options, work)
    if found is None:
        return 1
    words: Words = partial(translate, options.language)
    if options.json:
        print(json.dumps(as_data(words, options.language, found), ensure_ascii=False, indent=2))
    else:
        for line in lines(words, options.language, found):
            print(line)
    return 1 if any(f.severity == "error" for f in found.checked.findings) else 0


def lines(words: Words, language: str, found: _Found) -> list[str]:
    checked, zone = found.checked, ZoneInfo(found.snapshot.account.timezone)
    told_ = [f"{words(SEVERITIES[f.severity])}: {words(f.message, **f.params)}" for f in checked.findings]
    told_ += [f"{words(SEVERITIES['warning'])}: {hours_words(language, hours, zone)}" for hours in checked.unserved]
    if not told_:
        told_.append(words(FINE if found.snapshot.core.dids else NO_NUMBERS))
    if found.replay is None or found.before is None:
        return told_
    replay, before = found.replay, found.before
    names_then, names_now = (names_of(words, whole, found.actions) for whole in (before, found.snapshot))
    told_.append(
        words(
            N_("Of the last {calls} calls {elsewhere} go elsewhere now than with revision {revision}."),
            calls=replay.calls, elsewhere=replay.elsewhere, revision=before.revision,
        )
    )  # fmt: skip
    for example in replay.examples:
        call = example.call
        moment = format_datetime(language, call.at, found.snapshot.account.timezone)
        caller = pretty(call.caller or "") or words(N_("a withheld number"))
        told_.append(f"{moment}  {caller} → {pretty(call.dialled)}")
        told_.append(f"  {words(BEFORE)}: {way_words(words, before, example.before, names_then)}")
        told_.append(f"  {words(NOW)}: {way_words(words, found.snapshot, example.after, names_now)}")
    return told_


FINE: Final = N_("Nothing is wrong with the settings.")
NO_NUMBERS: Final = N_("There is nothing to check yet: the PBX has no numbers")
SEVERITIES: Final = {"error": N_("Error"), "warning": N_("Warning"), "hint": N_("Hint")}
BEFORE: Final = N_("Before")
NOW: Final = N_("Now")


def as_data(words: Words, language: str, found: _Found) -> dict[str, Any]:
    """For machines: findings with the elements they are about, hours by number, and the replay."""
    zone = ZoneInfo(found.snapshot.account.timezone)
    data: dict[str, Any] = {
        "account": found.snapshot.account.number,
        "revision": found.snapshot.revision,
        "findings": [
            {"severity": f.severity, "where": str(f.where) if f.where else None, "text": words(f.message, **f.params)}
            for f in found.checked.findings
        ],
        "unserved": [
            {
                "number": u.did.number, "always": u.always, "text": hours_words(language, u, zone),
                "hours": [[start.astimezone(zone).isoformat(), end.astimezone(zone).isoformat()] for start, end in u.hours],
            }
            for u in found.checked.unserved
        ],
    }  # fmt: skip
    if found.replay is not None and found.before is not None:
        names_then, names_now = (names_of(words, whole, found.actions) for whole in (found.before, found.snapshot))
        data["replay"] = {
            "since": found.before.revision, "calls": found.replay.calls, "elsewhere": found.replay.elsewhere,
            "examples": [
                {
                    "call": e.call.id, "at": e.call.at.isoformat(), "caller": e.call.caller, "number": e.call.dialled,
                    "before": way_words(words, found.before, e.before, names_then),
                    "now": way_words(words, found.snapshot, e.after, names_now),
                }
                for e in found.replay.examples
            ],
        }  # fmt: skip
    return data

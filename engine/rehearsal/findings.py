# SPDX-License-Identifier: Apache-2.0
"""What is wrong with a configuration that nobody has to call to notice: loops, places no call gets to, hours in which nobody rings.

Calls are rehearsed with a caller who is unknown, silent or keeps pressing one key, while no phone is registered: whoever is passed
over for that alone would have been rung.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Set
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from engine.calls.call import Caller, Step
from engine.facts.distribution import Served
from engine.i18n import N_
from engine.rehearsal.phoneless import led_to_nobody, silent_numbers
from engine.rehearsal.reach import reached
from engine.rehearsal.script import Budget, Script, Typed
from engine.rehearsal.service import Rehearsal, at_once, rehearsing
from engine.rehearsal.week import Span, State, week
from engine.revisions.core_store import CoreStore
from engine.revisions.saving import Store, findings
from engine.routing.action import Entry, RoutingAction
from engine.snapshot import Branch, Did, Finding, Ref, Snapshot

STRANGER: Final = "+79990000000"
KEYS: Final = "1234567890*#"
MOST_STATES: Final = 24
"""Different hours of the week that are looked at, the longest ones first."""
_BUDGET: Final = Budget(awaits=3_000, steps=20_000)
_PRESSES: Final = 60
"""More than the router's limit of steps."""

LOOP: Final = N_(
    "Calls go round without end: {way}. The caller hears it again and again until he is hung up on. "
    "Choose another no-answer or timeout action in one of them."
)
KEY_LOOP: Final = N_("A caller who keeps pressing {key} goes round without end: {way}. Let this key lead elsewhere in one of the menus.")
HANGS: Final = N_("A call in “{title}” would hang for ever: nothing ends its waiting. Tell the operator: a plugin is at fault.")
UNREACHABLE: Final = N_(
    "No call gets to “{title}”: no rule, key, group or internal number leads there. "
    "Choose it in a rule or for a key, give it an extension, or delete it."
)
NOBODY: Final = N_("Calls to {number} reach nobody at any hour. Look at its rules and at where they lead.")


@dataclass(frozen=True, slots=True)
class Unserved:
    """The hours of the coming week in which calls to a number ring nobody and serve no purpose. `always`: all of them."""

    did: Did
    hours: tuple[tuple[datetime, datetime], ...]
    always: bool


@dataclass(frozen=True, slots=True)
class Checked:
    findings: tuple[Finding, ...]
    unserved: tuple[Unserved, ...]


def check_settings(
    snapshot: Snapshot, actions: Mapping[str, RoutingAction], stores: Mapping[str, Store], at: datetime
) -> Checked:
    """Everything the checks of core and plugins say, and what rehearsals find from `at` on; at once, where nobody else waits."""
    return at_once(checking(snapshot, actions, stores, at))


async def new_findings(
    before: Snapshot, after: Snapshot, actions: Mapping[str, RoutingAction], stores: Mapping[str, Store]
) -> list[Finding]:
    """What is wrong after a change and was not before, as far as no call need be tried for it; work for `beside`."""
    known = {_said(finding) for finding in await _untried(before, actions, stores)}
    return [finding for finding in await _untried(after, actions, stores) if _said(finding) not in known]


async def new_warnings(
    before: Snapshot, after: Snapshot, actions: Mapping[str, RoutingAction], stores: Mapping[str, Store]
) -> list[Finding]:
    """The warnings among them, but for places that no call gets to: a new one has no way to it yet."""
    known = {_said(finding) for finding in await _warned(before, actions, stores)}
    return [f for f in await _warned(after, actions, stores) if f.severity == "warning" and _said(f) not in known]


async def _warned(snapshot: Snapshot, actions: Mapping[str, RoutingAction], stores: Mapping[str, Store]) -> list[Finding]:
    found = [finding async for finding in _slowly(snapshot, stores)]
    await asyncio.sleep(0)
    return [*found, *led_to_nobody(snapshot, actions, reached(snapshot, actions))]


async def _slowly(snapshot: Snapshot, stores: Mapping[str, Store]) -> AsyncIterator[Finding]:
    for finding in findings(snapshot, CoreStore(), stores):
        yield finding
        await asyncio.sleep(0)


async def _untried(snapshot: Snapshot, actions: Mapping[str, RoutingAction], stores: Mapping[str, Store]) -> list[Finding]:
    found = [finding async for finding in _slowly(snapshot, stores)]
    await asyncio.sleep(0)
    reach = reached(snapshot, actions)
    found += unreachable(snapshot, reach)
    await asyncio.sleep(0)
    return [*found, *led_to_nobody(snapshot, actions, reach)]


def _said(finding: Finding) -> tuple[object, ...]:
    return finding.where, finding.message, tuple(sorted(finding.params.items()))


async def checking(
    snapshot: Snapshot,
    actions: Mapping[str, RoutingAction],
    stores: Mapping[str, Store],
    at: datetime,
    progress: Callable[[int, int], object] = lambda done, of: None,
) -> Checked:
    """The same as work for `beside`. `progress`: how many of the different hours of the week have been looked at."""
    found = list(findings(snapshot, CoreStore(), stores))
    await asyncio.sleep(0)
    reach = reached(snapshot, actions)
    found += unreachable(snapshot, reach)
    await asyncio.sleep(0)
    found += (led := led_to_nobody(snapshot, actions, reach))
    found += silent_numbers(snapshot, {finding.where for finding in led})
    await asyncio.sleep(0)
    spans = await week(snapshot, at, STRANGER)
    lengths: dict[State, float] = {}
    for span in spans:
        lengths[span.state] = lengths.get(span.state, 0.0) + (span.end - span.start).total_seconds()
    states = sorted(lengths, key=lambda state: -lengths[state])[:MOST_STATES]
    silent: dict[Ref, set[State]] = {did.ref: set() for did in snapshot.core.dids}
    told: dict[tuple[str, tuple[Ref, ...]], Finding] = {}
    for n, state in enumerate(states, 1):
        moment = next(span.start for span in spans if span.state == state)
        hour = _Hour(snapshot, actions, moment)
        for did in snapshot.core.dids:
            if not await hour.reaches_somebody(did.ref):
                silent[did.ref].add(state)
        for branch in [e for e in snapshot.elements() if isinstance(e, Branch)]:
            await hour.look(branch.ref)
        for key, finding in hour.found.items():
            told.setdefault(key, finding)
        progress(n, len(states))
    alone = {ring for message, ring in told if message == LOOP}
    told = {key: finding for key, finding in told.items() if not (key[0] == KEY_LOOP and key[1] in alone)}
    unserved = tuple(_unserved(did, spans, silent[did.ref]) for did in snapshot.core.dids if silent[did.ref])
    return Checked((*found, *told.values()), unserved)


@dataclass(frozen=True, slots=True)
class _Look:
    """What calls that enter an element may come to, by silence or one key."""

    rings: bool
    leads: frozenset[Ref]


@dataclass(slots=True)
class _Hour:
    """One hour of the week; looks are remembered."""

    snapshot: Snapshot
    actions: Mapping[str, RoutingAction]
    moment: datetime
    found: dict[tuple[str, tuple[Ref, ...]], Finding] = field(default_factory=dict)
    _looks: dict[Ref, _Look] = field(default_factory=dict)
    _absent: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        self._absent = frozenset(c.label for _, c in self.snapshot.contacts.values())

    async def reaches_somebody(self, start: Ref) -> bool:
        """Whether any way from here, by silence or keys, rings anybody or serves a purpose."""
        seen, todo = {start}, [start]
        while todo:
            look = await self.look(todo.pop())
            if look.rings:
                return True
            fresh = look.leads - seen
            seen |= fresh
            todo.extend(fresh)
        return False

    async def look(self, start: Ref) -> _Look:
        known = self._looks.get(start)
        if known is None:
            silence = await self._try(start, "")
            runs = [silence]
            if silence.listened:
                runs += [await self._try(start, key) for key in KEYS]
            leads = {step.target for run in runs for _, step in run.steps if step.what == "enters" and step.target is not None}
            known = self._looks[start] = _Look(any(map(_rings, runs)), frozenset(leads))
        return known

    async def _try(self, start: Ref, key: str) -> Rehearsal:
        script = Script(absent=self._absent, typed=(Typed(key, 0.1),) * _PRESSES if key else (), budget=_BUDGET)
        caller = Caller(STRANGER, trunk=None, dialled="")
        run = await rehearsing(self.snapshot, self.actions, Entry(start, "rule"), caller, script, self.moment)
        if run.end == "goes_round":
            self._goes_round(run, key)
        elif run.end == "waits":
            where = run.trail[-1].target
            self.found[HANGS, (where,)] = Finding("warning", where, HANGS, {"title": title_of(self.snapshot, where)})
        return run

    def _goes_round(self, run: Rehearsal, key: str) -> None:
        ring = circle(step for _, step in run.steps)
        if not ring or (key and len(ring) == 1):
            return  # a wish: «Повтор», or a key that plays the menu again
        way = " → ".join(title_of(self.snapshot, ref) for ref in (*ring, ring[0]))
        message, params = (KEY_LOOP, {"key": key, "way": way}) if key else (LOOP, {"way": way})
        self.found.setdefault((message, ring), Finding("warning", ring[0], message, params))


def circle(steps: Iterable[Step]) -> tuple[Ref, ...]:
    """The elements that a call which went round entered again and again, the least first; empty when it was told to repeat itself."""
    entered = [s for s in steps if s.what == "enters" and s.target is not None and s.facts.get("by") != "nested"]
    last = entered[-1].target if entered else None
    before = next((n for n in range(len(entered) - 2, -1, -1) if entered[n].target == last), None)
    if before is None:
        return ()
    ring = entered[before + 1 :]
    if all(s.facts.get("by") == "repeat" for s in ring):
        return ()
    refs = [s.target for s in ring if s.target is not None]
    least = refs.index(min(refs))
    return tuple(refs[least:] + refs[:least])


def _rings(run: Rehearsal) -> bool:
    """Somebody would have been rung, or the call reaches a purpose: a message is taken, an announcement played to its end."""
    for _, step in run.steps:
        if step.what in ("rings", "talk", "record") or (step.what == "skipped" and step.facts.get("why") == "not_registered"):
            return True
    return any(isinstance(fact, Served) and fact.how != "hangup_by_rule" for fact in run.facts)


def _unserved(did: Did, spans: Iterable[Span], silent: set[State]) -> Unserved:
    hours: list[tuple[datetime, datetime]] = []
    everything = list(spans)
    for span in everything:
        if span.state not in silent:
            continue
        if hours and hours[-1][1] == span.start:
            hours[-1] = (hours[-1][0], span.end)
        else:
            hours.append((span.start, span.end))
    begin, end = everything[0].start, everything[-1].end
    if len(hours) > 1 and hours[0][0] == begin and hours[-1][1] == end:  # the week goes round
        hours = [*hours[1:-1], (hours[-1][0], hours[0][1])]
    return Unserved(did, tuple(hours), always=hours == [(begin, end)])


def title_of(snapshot: Snapshot, ref: Ref) -> str:
    element = snapshot.element(ref)
    return (element.number if isinstance(element, Did) else element.title) if element is not None else str(ref)


def unreachable(snapshot: Snapshot, reach: Set[Ref]) -> list[Finding]:
    """Groups and menus to which no rule, key, no-answer action, place in the tree or internal number leads."""
    lost = (e for e in snapshot.elements() if isinstance(e, Branch) and e.parent is not None and e.ref not in reach)
    return [Finding("warning", e.ref, UNREACHABLE, {"title": e.title}) for e in lost]

# SPDX-License-Identifier: Apache-2.0
"""The same worlds as the product knows them, and its rehearsals told in the reference's words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, timedelta

from engine.calls.call import Caller
from engine.plugin import loader
from engine.plugin.testing import office
from engine.rehearsal import Rehearsal, Script, rehearse
from engine.routing.action import Done, Entry, Hangup, Missed
from engine.routing.basic import BASIC_ACTIONS, HANGUP, NOTHING, REPEAT
from engine.snapshot import Contact, Did, Ref, Snapshot
from engine.snapshot import User as Employee
from plugins.groups.api import Membership
from plugins.groups.part import Group, GroupsPart
from plugins.ivr.part import IvrPart, Menu, MenuKey
from plugins.numbers.part import ListEntry, NumberList, NumbersPart, Rule
from plugins.schedules.part import DayGroup, HourRange, Schedule, SchedulesPart
from plugins.voicefiles.part import VoiceFile, VoicefilesPart
from tests.reference.oracle import NOON, End, Event
from tests.reference.world import Hours, Scenario, Target, User, World

AT = NOON.replace(tzinfo=UTC) - timedelta(hours=3)  # Moscow
BASIC = {"hangup": HANGUP, "nothing": NOTHING, "repeat": REPEAT}
DOES = {"answer": "answer", "busy": "USER_BUSY", "refuses": "CALL_REJECTED", "rings on": "NO_ANSWER"}
STOPS = {"USER_BUSY": "busy", "CALL_REJECTED": "refuses", "NO_ANSWER": "no answer"}
SKIPS = {"not_registered": "absent", "lines_busy": "busy"}
ELEMENTS = (Group.kind, Menu.kind, Employee.kind)
HEARD = ("enters", "closed", "play", "rings", "skipped", "no", "cancelled", "answered")


@dataclass
class Keys:
    """Which key in the product each name has."""

    groups: dict[str, int]
    menus: dict[str, int]
    users: dict[str, int]
    hours: dict[str, int]
    lists: dict[str, int]
    sounds: dict[str, int]

    def target(self, target: Target | None) -> Ref | None:
        if target is None:
            return None
        if target.kind in BASIC:
            return BASIC[target.kind]
        kinds = {"group": (Group.kind, self.groups), "menu": (Menu.kind, self.menus), "user": (Employee.kind, self.users)}
        kind, ids = kinds[target.kind]
        return Ref(kind, ids[target.name])

    def schedule(self, name: str | None) -> Ref | None:
        return Ref(Schedule.kind, self.hours[name]) if name else None

    def sound(self, name: str | None) -> Ref | None:
        return Ref(VoiceFile.kind, self.sounds[name]) if name else None


def numbered(world: World) -> Keys:
    def count(names: Sequence[str]) -> dict[str, int]:
        return {name: n for n, name in enumerate(names, 1)}

    return Keys(
        count([g.name for g in world.groups]), count([m.name for m in world.menus]), {u.name: int(u.name) for u in world.users},
        count([h.name for h in world.hours]), count([x.name for x in world.lists]), count(sorted(world.sounds)),
    )  # fmt: skip


def schedule(hours: Hours, number: int) -> Schedule:
    days = [
        DayGroup(f"{hours.name} {n}", weekdays, tuple(HourRange(*r) for r in ranges)) for n, (weekdays, ranges) in enumerate(hours.days)
    ]
    return Schedule(id=number, title=hours.name, days=tuple(days))


def membership(world: World, keys: Keys, place: str, members: Sequence[tuple[str, int]]) -> tuple[Membership, ...]:
    def order(user: User) -> int:
        return user.groups.index(place) if place in user.groups else 0

    return tuple(Membership(keys.users[name], priority, order(world.user(name))) for name, priority in members)


def groups(world: World, keys: Keys) -> list[Group]:
    return [
        Group(
            id=keys.groups[g.name], title=g.name, parent=Ref(Group.kind, keys.groups[g.parent]) if g.parent else None, priority=g.priority,
            active=g.active, extension=g.extension, schedule=keys.schedule(g.hours), greeting=keys.sound(g.greeting), method=g.method,
            music=keys.sound(g.music), attempts=g.attempts, pause_seconds=g.pause, phrase=keys.sound(g.phrase),
            no_answer=keys.target(g.no_answer), members=membership(world, keys, g.name, g.members),
        )
        for g in world.groups
    ]  # fmt: skip


def menus(world: World, keys: Keys) -> list[Menu]:
    return [
        Menu(
            id=keys.menus[m.name], title=m.name, parent=Ref(Group.kind, keys.groups[m.parent]), priority=m.priority, active=m.active,
            schedule=keys.schedule(m.hours), greeting=keys.sound(m.greeting), file=keys.sound(m.file), timeout_seconds=m.timeout,
            digit_gap_seconds=m.gap, members=membership(world, keys, m.name, m.members),
            keys=tuple(MenuKey(key, ref) for key, target in m.keys.items() if (ref := keys.target(target))),
        )
        for m in world.menus
    ]  # fmt: skip


def rules(world: World, keys: Keys, did: Ref) -> list[Rule]:
    return [
        Rule(
            id=n, title=f"Rule {n}", did=did, priority=r.priority, active=r.active, schedule=keys.schedule(r.hours),
            numbers=Ref(NumberList.kind, keys.lists[r.numbers]) if r.numbers else None, target=keys.target(r.target) or HANGUP,
        )
        for n, r in enumerate(world.rules, 1)
    ]  # fmt: skip


def lists(world: World, keys: Keys) -> list[NumberList]:
    return [
        NumberList(id=keys.lists[x.name], title=x.name, active=x.active, entries=tuple(ListEntry(n, "", active) for n, active in x.entries))
        for x in world.lists
    ]


def employee(user: User, keys: Keys) -> Employee:
    number = keys.users[user.name]
    contacts = tuple(
        Contact(
            id=number * 10 + n, kind=c.kind, address=c.label, priority=c.priority, active=c.active, lines=c.lines,
            timeout_seconds=c.timeout, schedule=keys.schedule(c.hours),
        )
        for n, c in enumerate(user.contacts)
    )  # fmt: skip
    return Employee(
        id=number, title=user.name, extension=user.name, active=user.active, schedule=keys.schedule(user.hours),
        no_ivr_transfer=user.barred, contacts=contacts,
    )  # fmt: skip


def snapshot(world: World) -> Snapshot:
    keys = numbered(world)
    files = tuple(VoiceFile(id=n, title=name, path=name) for name, n in keys.sounds.items())
    parts = {
        "schedules": SchedulesPart(schedules=tuple(schedule(h, keys.hours[h.name]) for h in world.hours)),
        "voicefiles": VoicefilesPart(files=files),
        "groups": GroupsPart(groups=tuple(groups(world, keys))),
        "ivr": IvrPart(menus=tuple(menus(world, keys))),
        "numbers": NumbersPart(rules=tuple(rules(world, keys, Ref(Did.kind, 1))), lists=tuple(lists(world, keys))),
    }
    return office([employee(u, keys) for u in world.users], parts)


ACTIONS = {a.kind: a for a in [*BASIC_ACTIONS, *(a for s in loader.find() for a in s.plugin.routing_actions())]}


def rehearsed(world: World, call: Scenario) -> Rehearsal:
    house = snapshot(world)
    script = Script(
        {label: [(seconds, DOES[what]) for seconds, what in does] for label, does in call.phones.items()},
        keys=call.keys, caller_leaves=call.leaves, sounds=world.sounds, absent=frozenset(call.absent), busy=call.busy,
    )  # fmt: skip
    if call.dialled is None:
        entry, caller = Entry(Ref(Did.kind, 1), "rule"), Caller(call.caller, "", True, None, 1, "+74951234567")
    else:
        owner = house.extension(call.dialled)
        assert owner is not None
        assert call.caller is not None
        entry, caller = Entry(owner, "extension"), Caller(call.caller, "", False, int(call.caller), None, call.dialled)
    return rehearse(house, ACTIONS, entry, caller, script, AT, seed=world.seed)


def events(rehearsal: Rehearsal) -> list[Event]:
    """The steps that the reference foretells, in its words."""
    found: list[Event] = []
    for at, step in rehearsal.steps:
        facts = step.facts
        if step.what not in HEARD:
            continue
        if step.what in ("enters", "closed"):
            if step.target is not None and step.target.kind in ELEMENTS:
                found.append(Event(at, step.what, str(facts["title"])))
        elif step.what == "play":
            found.append(Event(at, "plays", str(facts["sound"])))
        elif step.what == "skipped" and facts["why"] in SKIPS:
            found.append(Event(at, "skipped", str(facts["who"]), SKIPS[str(facts["why"])]))
        elif step.what == "rings":
            found.append(Event(at, "rings", str(facts["who"])))
        elif step.what == "answered":
            found.append(Event(at, "answers", str(facts["who"])))
        elif step.what == "no":
            cause = str(facts["cause"])
            found.append(Event(at, "stops", str(facts["who"]), STOPS.get(cause, cause)))
        elif step.what == "cancelled":
            found.append(Event(at, "stops", str(facts["who"]), "cancelled"))
    return found


def end(rehearsal: Rehearsal) -> End | str:
    whats = [step.what for _, step in rehearsal.steps]
    if "answered" in whats:
        return "talked"
    if "hop_limit" in whats:
        return "too far"
    if rehearsal.dead_end:
        return "waits for ever"
    if rehearsal.outcome is None:
        return "left"
    return {Hangup: "hangup", Missed: "failed", Done: "done"}[type(rehearsal.outcome)]  # type: ignore[index]

# SPDX-License-Identifier: Apache-2.0
"""Small PBXes and calls to them, made by chance from a seed and told in plain words; the product does not come into it."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

Kind: TypeAlias = Literal["group", "user", "menu", "hangup", "nothing", "repeat"]
Method: TypeAlias = Literal["SEQUENTIAL", "BY_USER", "ALL_AT_ONCE", "RANDOM", "NONE"]
METHODS: tuple[Method, ...] = ("SEQUENTIAL", "BY_USER", "ALL_AT_ONCE", "RANDOM", "NONE")
KEYS = "1234567890*#"
REGULAR, STRANGER = "+79271234567", "+79161112233"


@dataclass(frozen=True)
class Target:
    """Where an action leads: a kind and, where it needs one, a name."""

    kind: Kind
    name: str = ""


@dataclass
class Hours:
    """Ranges of minutes after midnight by weekdays (0 = Monday), each [from, to); to ≤ from runs over midnight."""

    name: str
    days: list[tuple[tuple[int, ...], list[tuple[int, int]]]]


@dataclass
class Contact:
    label: str
    kind: Literal["sip", "phone"] = "sip"
    priority: int = 1
    active: bool = True
    lines: int = 1
    timeout: int = 20
    hours: str | None = None


@dataclass
class User:
    name: str
    """His title and his extension at once."""
    contacts: list[Contact] = field(default_factory=list)
    active: bool = True
    hours: str | None = None
    barred: bool = False
    """«Запретить перевод из IVR»."""
    groups: list[str] = field(default_factory=list)
    """In the order of adding (R15)."""


@dataclass
class Group:
    name: str
    parent: str | None
    extension: str | None = None
    priority: int = 1
    active: bool = True
    hours: str | None = None
    greeting: str | None = None
    method: Method = "SEQUENTIAL"
    attempts: int = 1
    pause: int = 0
    phrase: str | None = None
    music: str | None = None
    no_answer: Target | None = None
    members: list[tuple[str, int]] = field(default_factory=list)
    """(user, priority)."""


@dataclass
class Menu:
    name: str
    parent: str
    priority: int = 1
    active: bool = True
    hours: str | None = None
    greeting: str | None = None
    file: str | None = None
    timeout: int = 5
    gap: int = 2
    keys: dict[str, Target] = field(default_factory=dict)
    members: list[tuple[str, int]] = field(default_factory=list)


@dataclass
class NumberList:
    name: str
    active: bool
    entries: list[tuple[str, bool]]


@dataclass
class Rule:
    """Rules stand in the order of their making."""

    priority: int
    target: Target
    active: bool = True
    numbers: str | None = None
    hours: str | None = None


@dataclass
class World:
    """Groups stand in tree order, the PBX itself first; menus stand after the groups of the same parent."""

    seed: int
    groups: list[Group] = field(default_factory=list)
    menus: list[Menu] = field(default_factory=list)
    users: list[User] = field(default_factory=list)
    hours: list[Hours] = field(default_factory=list)
    lists: list[NumberList] = field(default_factory=list)
    rules: list[Rule] = field(default_factory=list)
    sounds: dict[str, float] = field(default_factory=dict)
    """Seconds by name."""

    def user(self, name: str) -> User:
        return next(u for u in self.users if u.name == name)


@dataclass
class Scenario:
    """One call: who calls what, what everybody does. Times of keys and of leaving are seconds of the call, of phones since they ring."""

    dialled: str | None
    """An extension dialled by a colleague; None = the outside number."""
    caller: str | None
    """An outside number in E.164, None = withheld; of an inside call the user's name."""
    phones: dict[str, list[tuple[float, str]]] = field(default_factory=dict)
    """What a contact does the first time it is rung, the second, …; later and when not named it rings on."""
    absent: set[str] = field(default_factory=set)
    busy: dict[str, int] = field(default_factory=dict)
    """Lines in use by other calls."""
    keys: list[tuple[float, str]] = field(default_factory=list)
    leaves: float | None = None


@dataclass(frozen=True)
class Scale:
    """How long things last; `real` for calls that are really made."""

    real: bool = False

    def ring(self, chance: random.Random) -> int:
        return chance.choice((1, 2, 2, 3)) if self.real else chance.choice((5, 10, 20, 20, 30, 45))

    def pause(self, chance: random.Random) -> int:
        return chance.choice((0, 1, 2)) if self.real else chance.choice((0, 1, 7, 30))

    def sound(self, chance: random.Random) -> float:
        return chance.choice((0.6, 1.0, 1.4)) if self.real else round(chance.uniform(0.5, 9.0), 3)

    def timeout(self, chance: random.Random) -> int:
        return chance.choice((1, 2)) if self.real else chance.choice((0, 1, 3, 5, 8))

    def gap(self, chance: random.Random) -> int:
        return 1 if self.real else chance.choice((1, 2, 3))

    def does(self, chance: random.Random) -> tuple[float, str]:
        """What a phone does when it rings: after how long, and what."""
        what = chance.choice(("answer", "answer", "busy", "refuses", "rings on"))
        if what == "rings on":
            return 3600.0, what
        return round(chance.uniform(0.3, 1.6) if self.real else chance.uniform(0.2, 25.0), 3), what


IN_THOUGHT, REAL = Scale(), Scale(real=True)


def make(seed: int, scale: Scale = IN_THOUGHT) -> tuple[World, Scenario]:
    """The world of this seed and a call to it."""
    chance = random.Random(f"{seed} {scale.real}")
    world = World(seed, hours=_hours(chance, scale))
    world.sounds = {f"s{n}.wav": scale.sound(chance) for n in range(6)}
    _users(world, chance, scale)
    _tree(world, chance, scale)
    _members(world, chance)
    _actions(world, chance)
    _rules(world, chance)
    return world, _call(world, chance, scale)


def _maybe(chance: random.Random, share: float) -> bool:
    return chance.random() < share


def _hours(chance: random.Random, scale: Scale) -> list[Hours]:
    """The call comes on a Wednesday at 12:00; some hours change their mind one or two minutes later. Real calls come at any time."""
    week = (0, 1, 2, 3, 4)
    if scale.real:
        return [Hours("always", [(tuple(range(7)), [(0, 1440)])]), Hours("shut", [(tuple(range(7)), [])])]
    return [
        Hours("always", [(tuple(range(7)), [(0, 1440)])]),
        Hours("office", [(week, [(540, 780), (840, 1080)]), ((5,), [(600, 900)])]),
        Hours("night", [((1,), [(1200, 360)]), ((2,), [(1200, 360)])]),
        Hours("long night", [((1,), [(1300, 1200)])]),  # from Tuesday 21:40 to Wednesday 20:00
        Hours("weekend", [((5, 6), [(0, 1440)])]),
        Hours("shut", [(week, [])]),
        Hours("ends soon", [((2,), [(600, 720 + chance.choice((0, 1, 2)))])]),
        Hours("begins soon", [((2,), [(720 + chance.choice((0, 1)), 1080)])]),
    ]


def _some_hours(world: World, chance: random.Random, share: float = 0.25) -> str | None:
    return chance.choice(world.hours).name if _maybe(chance, share) else None


def _sound(world: World, chance: random.Random, share: float) -> str | None:
    return chance.choice(sorted(world.sounds)) if _maybe(chance, share) else None


def _users(world: World, chance: random.Random, scale: Scale) -> None:
    for n in range(chance.randint(2, 6)):
        name = f"{chance.choice((20, 21, 30))}{n + 1}"
        user = User(name, active=not _maybe(chance, 0.1), hours=_some_hours(world, chance, 0.15), barred=_maybe(chance, 0.15))
        for c in range(chance.choice((0, 1, 1, 1, 2, 2))):
            kind: Literal["sip", "phone"] = "phone" if _maybe(chance, 0.25) and not scale.real else "sip"
            label = f"+7926000{n:02}{c:02}" if kind == "phone" else f"{name}{'ab'[c]}"
            user.contacts.append(
                Contact(
                    label, kind, chance.randint(1, 2), not _maybe(chance, 0.1), chance.choice((1, 1, 2)), scale.ring(chance),
                    _some_hours(world, chance, 0.15),
                )
            )  # fmt: skip
        world.users.append(user)


def _tree(world: World, chance: random.Random, scale: Scale) -> None:
    world.groups.append(Group("PBX", None, extension="100"))
    for n in range(chance.randint(1, 5)):
        above = [g for g in world.groups if _depth(world, g) < 3]
        parent = chance.choice(above)
        world.groups.append(
            Group(
                f"G{n + 1}", parent.name, extension=f"3{n}0" if _maybe(chance, 0.6) else None, priority=chance.randint(1, 3),
                active=not _maybe(chance, 0.12), hours=_some_hours(world, chance),
            )
        )  # fmt: skip
    for group in world.groups:
        group.greeting = _sound(world, chance, 0.4)
        group.method = chance.choices(METHODS, (6, 3, 3, 3, 1))[0]
        group.attempts = chance.choice((1, 1, 1, 2, 2, 3))
        group.pause = scale.pause(chance)
        group.phrase = _sound(world, chance, 0.5)
        group.music = _sound(world, chance, 0.2)
    for n in range(chance.randint(0, 3)):
        world.menus.append(
            Menu(
                f"M{n + 1}", chance.choice(world.groups).name, chance.randint(1, 3), not _maybe(chance, 0.12), _some_hours(world, chance),
                _sound(world, chance, 0.5), _sound(world, chance, 0.9), scale.timeout(chance), scale.gap(chance),
            )
        )  # fmt: skip


def _depth(world: World, group: Group) -> int:
    """0 for the PBX itself."""
    return 0 if group.parent is None else 1 + _depth(world, next(g for g in world.groups if g.name == group.parent))


def _members(world: World, chance: random.Random) -> None:
    for user in world.users:
        joined = chance.sample(world.groups, min(chance.choice((0, 1, 1, 2)), len(world.groups)))
        user.groups = [g.name for g in joined]
        for group in joined:
            group.members.append((user.name, chance.randint(1, 3)))
    for menu in world.menus:
        if _maybe(chance, 0.45):
            menu.members = [(u.name, chance.randint(1, 2)) for u in chance.sample(world.users, chance.randint(1, 2))]


def _somewhere(world: World, chance: random.Random) -> Target:
    """An element."""
    kind = chance.choice(("group", "user", "menu"))
    if kind == "menu" and world.menus:
        return Target("menu", chance.choice(world.menus).name)
    if kind == "user":
        return Target("user", chance.choice(world.users).name)
    return Target("group", chance.choice(world.groups).name)


def _actions(world: World, chance: random.Random) -> None:
    for group in world.groups:
        action = chance.choices(("none", "nothing", "hangup", "repeat", "somewhere"), (4, 1, 1, 1, 5))[0]
        group.no_answer = {
            "none": None, "nothing": Target("nothing"), "hangup": Target("hangup"), "repeat": Target("repeat"),
        }.get(action, _somewhere(world, chance))  # fmt: skip
    for menu in world.menus:
        for key in [*chance.sample(KEYS, chance.randint(0, 5)), *(k for k in "TD" if _maybe(chance, 0.5))]:
            basic = chance.choice((Target("hangup"), Target("repeat"), Target("nothing")))
            menu.keys[key] = basic if _maybe(chance, 0.4) else _somewhere(world, chance)


def _rules(world: World, chance: random.Random) -> None:
    world.lists = [
        NumberList("regulars", True, [(REGULAR, True), ("+74990000001", True)]),
        NumberList("sleeping", True, [(REGULAR, False)]),
        NumberList("off", False, [(REGULAR, True)]),
    ]
    for _ in range(chance.choice((0, 1, 2, 3))):
        target = Target("hangup") if _maybe(chance, 0.05) else _somewhere(world, chance)
        numbers = chance.choice(world.lists).name if _maybe(chance, 0.4) else None
        world.rules.append(Rule(chance.randint(1, 3), target, not _maybe(chance, 0.1), numbers, _some_hours(world, chance)))


def _call(world: World, chance: random.Random, scale: Scale) -> Scenario:
    inside = not scale.real and _maybe(chance, 0.15)
    call = Scenario(None, chance.choice((REGULAR, STRANGER) if scale.real else (REGULAR, STRANGER, None)))
    if inside:
        caller = chance.choice(world.users)
        dialable = [u.name for u in world.users if u is not caller] + [g.extension for g in world.groups if g.extension]
        call.caller, call.dialled = caller.name, chance.choice(dialable)
    for user in world.users:
        for contact in user.contacts:
            call.phones[contact.label] = [scale.does(chance) for _ in range(chance.randint(1, 3))]
            if contact.kind == "sip" and _maybe(chance, 0.15):
                call.absent.add(contact.label)
            if not scale.real and _maybe(chance, 0.15):
                call.busy[contact.label] = chance.randint(1, 2)
    call.keys = _keys(world, chance, scale)
    latest = 12.0 if scale.real else chance.choice((40.0, 150.0, 600.0))
    if scale.real or _maybe(chance, 0.6):
        call.leaves = round(chance.uniform(latest / 2 if scale.real else 0.5, latest), 3)
    return call


def _keys(world: World, chance: random.Random, scale: Scale) -> list[tuple[float, str]]:
    """Single keys, extensions digit by digit, and digits that are neither."""
    pressed: list[tuple[float, str]] = []
    at = chance.uniform(0.3, 3.0) if scale.real else chance.uniform(0.1, 12.0)
    for _ in range(chance.choice((0, 1, 2, 3))):
        extensions = [u.name for u in world.users] + [g.extension for g in world.groups if g.extension]
        what = chance.choice((chance.choice(KEYS), chance.choice(KEYS), chance.choice(extensions), f"{chance.choice(extensions)[:2]}9"))
        for digit in what:
            pressed.append((round(at, 3), digit))
            at += chance.uniform(0.15, 0.5) if scale.real else chance.uniform(0.1, 1.6)
        if _maybe(chance, 0.2):
            pressed.append((round(at, 3), "#"))
        at += chance.uniform(1.5, 3.0) if scale.real else chance.uniform(1.0, 15.0)
    return pressed

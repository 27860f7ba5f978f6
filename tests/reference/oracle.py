# SPDX-License-Identifier: Apache-2.0
"""What a call must do, worked out from the manual (2.1, 2.2) and the call rules (R1…): a list of events in order of time.

It shares no code with the product. Nothing runs side by side here: a distribution is worked out as a whole from the moment it
begins, then cut where somebody answers, the caller presses a key that counts, or leaves.

Events are (seconds, what, who or which, why):
    enters   an element is entered                      closed   it takes no calls
    plays    a sound, or two in a row                   rings    a contact begins to ring
    skipped  a contact can't ring: why                  stops    a contact rings no more: why
    answers  a contact has answered
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal, NamedTuple, TypeAlias

from tests.reference.world import Contact, Group, Hours, Menu, Scenario, Target, User, World

NOON = datetime(2026, 1, 14, 12, 0)  # noqa: DTZ001  # local time of the PBX, a Wednesday
HOPS, ENTRIES = 50, 2000
"""On the call's way, and with everything it came back from."""
End: TypeAlias = Literal["talked", "left", "hangup", "failed", "too far"]
Why: TypeAlias = Literal["rule", "action", "key", "extension", "nested", "repeat"]


class Event(NamedTuple):
    at: float
    what: str
    who: str
    why: str = ""


@dataclass(frozen=True)
class Told:
    """What must happen."""

    events: tuple[Event, ...]
    end: End
    hops: int


Drawn: TypeAlias = Callable[[Sequence[Event], Sequence[User]], Sequence[User]]
"""In which order users were drawn by «Случайный» after these events: any is right (R10), so the reference asks."""


def foretell(world: World, call: Scenario, drawn: Drawn) -> Told:
    return _Foretold(world, call, drawn).told()


def is_open(hours: Hours, moment: datetime) -> bool:
    """R6: [from, to) of the day a range starts on; a weekday in no group, or in one without ranges, is closed."""
    for days_ago in (0, 1):
        day = moment - timedelta(days=days_ago)
        midnight = day.replace(hour=0, minute=0, second=0, microsecond=0)
        for weekdays, ranges in hours.days:
            if day.weekday() not in weekdays:
                continue
            for start, end in ranges:
                last = end if end > start else end + 1440
                if midnight + timedelta(minutes=start) <= moment < midnight + timedelta(minutes=last):
                    return True
    return False


@dataclass
class Distribution:
    """Worked out from the moment it begins as if nothing disturbs it. `over`: when everybody is exhausted, infinite if someone answers."""

    events: list[Event] = field(default_factory=list)
    answer: tuple[float, str] | None = None
    over: float = 0.0


class Goes(NamedTuple):
    """The call goes on at another place and does not come back (R2)."""

    target: Target
    why: Why


FAILED, TALKED, HUNG_UP = "failed", "talked", "hangup"
Result: TypeAlias = str | Goes


class Left(Exception):  # noqa: N818  # no error: callers leave
    pass


class TooFar(Exception):  # noqa: N818  # nor this
    pass


class _Foretold:
    def __init__(self, world: World, call: Scenario, drawn: Drawn) -> None:
        self.world, self.call, self.drawn = world, call, drawn
        self.now = 0.0
        self.events: list[Event] = []
        self.rung: Counter[str] = Counter()
        self.hops, self.entered, self.too_far = 0, 0, False
        self.leaves = math.inf if call.leaves is None else call.leaves

    def told(self) -> Told:
        end: End
        try:
            end = self.whole_way()
        except Left:
            end = "left"
        except TooFar:
            end = "too far"
        if self.too_far and end != "talked":
            end = "too far"
        return Told(tuple(self.events), end, self.hops)

    # -- the way through the elements ------------------------------------------------------------------------------------------------

    def whole_way(self) -> End:
        if self.call.dialled is not None:
            goes = Goes(self.owner_of(self.call.dialled), "extension")
        else:
            self.hop()  # the number itself
            goes = Goes(self.by_rules(), "rule")
        while True:
            result = self.enter(goes.target, goes.why, again=False)
            if isinstance(result, Goes):
                goes = result
            elif result == TALKED:
                return "talked"
            elif result == HUNG_UP:
                return "hangup"
            else:
                return "failed"  # at top level: hang up (R2)

    def hop(self) -> None:
        """R11: an element entered, a menu's file once more; what is nested and comes back was no step on the way."""
        if self.is_far():
            raise TooFar

    def is_far(self) -> bool:
        """The same for a menu, which then has failed."""
        self.hops, self.entered = self.hops + 1, self.entered + 1
        far = self.hops > HOPS or self.entered > ENTRIES
        self.too_far |= far
        return far

    def by_rules(self) -> Target:
        """R5: by priority, equal ones by age; no list = anybody, no schedule = always; none fits = the root group."""
        for _, _, rule in sorted((rule.priority, age, rule) for age, rule in enumerate(self.world.rules) if rule.active):
            if rule.numbers is not None:
                numbers = next(x for x in self.world.lists if x.name == rule.numbers)
                if not numbers.active or self.call.caller not in [number for number, active in numbers.entries if active]:
                    continue
            if self.within(rule.hours):
                return rule.target
        return Target("group", self.world.groups[0].name)

    def enter(self, target: Target, why: Why, *, again: bool) -> Result:
        """`again`: inside an element that is gone through once more, without greetings (R3)."""
        self.hop()
        if target.kind == "hangup":
            return HUNG_UP
        if target.kind == "group":
            return self.group(next(g for g in self.world.groups if g.name == target.name), why, again)
        if target.kind == "menu":
            return self.menu(next(m for m in self.world.menus if m.name == target.name), why, again)
        if target.kind == "user":
            return self.user_alone(self.world.user(target.name), why)
        raise AssertionError(target)

    def owner_of(self, extension: str) -> Target:
        if any(u.name == extension for u in self.world.users):
            return Target("user", extension)
        return Target("group", next(g.name for g in self.world.groups if g.extension == extension))

    def within(self, hours: str | None) -> bool:
        """R6: no schedule = open."""
        chosen = next((h for h in self.world.hours if h.name == hours), None)
        return chosen is None or is_open(chosen, NOON + timedelta(seconds=self.now))

    def takes_calls(self, element: Group | Menu | User) -> bool:
        if isinstance(element, Group) and element.parent is None:
            return True  # the PBX itself (PBX-1)
        if element.active and self.within(element.hours):
            return True
        self.note("closed", element.name)
        return False

    # -- groups --------------------------------------------------------------------------------------------------------------------------

    def group(self, group: Group, why: Why, again: bool) -> Result:
        self.note("enters", group.name)
        if not self.takes_calls(group):
            return FAILED if why == "nested" else self.no_answer(group)  # GRP-4; R2
        if group.greeting and not again and why not in ("extension", "repeat"):  # R7, ACT-5
            self.play(group.greeting)
        if group.method != "NONE":
            for attempt in range(1, group.attempts + 1):
                further = again or attempt > 1 or why == "repeat"
                result = self.one_pass(group, further)
                if result != FAILED:
                    return result
                if attempt < group.attempts:
                    if group.phrase:
                        self.play(group.phrase)
                    self.wait(group.pause)
        return self.no_answer(group)

    def one_pass(self, group: Group, again: bool) -> Result:
        """R3: what is nested by priority under every method, then the users."""
        nested: list[Group | Menu] = [g for g in self.world.groups if g.parent == group.name]
        nested += [m for m in self.world.menus if m.parent == group.name]
        for element in sorted(nested, key=lambda e: e.priority):
            kind: Literal["group", "menu"] = "group" if isinstance(element, Group) else "menu"
            hops = self.hops
            result = self.enter(Target(kind, element.name), "nested", again=again)
            if result != FAILED:
                return result
            self.hops = hops
        return self.ring(self.distribution(group.method, group.members))

    def no_answer(self, group: Group) -> Result:
        """R2, GRP-8."""
        action = group.no_answer
        if action is None or action.kind == "nothing":
            return FAILED
        if action.kind == "repeat":
            return Goes(Target("group", group.name), "repeat")
        return Goes(action, "action")

    def user_alone(self, user: User, why: Why) -> Result:
        """R8: reached directly (rule, key, dialled) his first group's action follows; inside calls have none.

        Whoever is himself a no-answer action is the last.
        """
        self.note("enters", user.name)
        if self.takes_calls(user) and self.ring(self.distribution("SEQUENTIAL", [(user.name, 1)])) == TALKED:
            return TALKED
        if self.call.dialled is not None or why == "action":
            return FAILED
        first = user.groups[0] if user.groups else self.world.groups[0].name
        group = next(g for g in self.world.groups if g.name == first)
        return FAILED if group.no_answer == Target("user", user.name) else self.no_answer(group)  # he has just not answered

    # -- who rings when ------------------------------------------------------------------------------------------------------------------

    def distribution(self, method: str, members: Sequence[tuple[str, int]]) -> Distribution:
        """GRP-3, R9, R10: users in turns; those of one turn walk their contacts each on his own.

        Who takes part is decided when it begins, whether a contact is rung when its turn comes.
        """
        users = [(u, p) for name, p in members if (u := self.world.user(name)).active and self.within(u.hours)]
        turns: list[list[User]]
        if method == "SEQUENTIAL":
            turns = [[u for u, p in users if p == priority] for priority in sorted({p for _, p in users})]
        elif method == "RANDOM":
            turns = [[u] for u in self.drawn(self.events, [u for u, _ in users])]
        else:
            turns = [[u for u, _ in users]]
        whole = Distribution(over=self.now)
        for turn in turns:
            begins = whole.over
            for user in turn:
                levels = [[c for c in user.contacts if c.priority == p] for p in sorted({c.priority for c in user.contacts})]
                if method == "ALL_AT_ONCE":
                    levels = [user.contacts]
                self.walk(whole, user, levels, begins)
            if whole.answer:
                break
        whole.events.sort(key=lambda e: e.at)
        return whole

    def walk(self, whole: Distribution, user: User, levels: Sequence[Sequence[Contact]], begins: float) -> None:
        """One user's contacts level by level: the next level when every contact of this one has refused or rung its time."""
        at = begins
        for level in levels:
            further = at
            for contact in level:
                if not contact.active or not self.within_at(contact.hours, at) or user.name == self.call.caller:
                    continue
                if contact.label in self.call.absent:
                    whole.events.append(Event(at, "skipped", contact.label, "absent"))
                    continue
                if self.call.busy.get(contact.label, 0) >= contact.lines:
                    whole.events.append(Event(at, "skipped", contact.label, "busy"))
                    continue
                whole.events.append(Event(at, "rings", contact.label))
                seconds, does = self.does(contact)
                if does == "answer":
                    whole.answer = min(whole.answer or (math.inf, ""), (at + seconds, contact.label))
                    further = math.inf
                else:
                    whole.events.append(Event(at + seconds, "stops", contact.label, does))
                    further = max(further, at + seconds)
            if math.isinf(further):
                whole.over = max(whole.over, further)
                return
            at = further
        whole.over = max(whole.over, at)

    def does(self, contact: Contact) -> tuple[float, str]:
        """What it does this time, within its time."""
        mind = self.call.phones.get(contact.label, [])
        seconds, does = mind[self.rung[contact.label]] if self.rung[contact.label] < len(mind) else (math.inf, "rings on")
        if does == "rings on" or seconds >= contact.timeout:
            return contact.timeout, "no answer"
        return seconds, does

    def within_at(self, hours: str | None, at: float) -> bool:
        now, self.now = self.now, at
        try:
            return self.within(hours)
        finally:
            self.now = now

    def end_of(self, whole: Distribution) -> float:
        return min(whole.over, whole.answer[0] if whole.answer else math.inf)

    def ring(self, whole: Distribution) -> Result:
        """Let it ring to its end."""
        ends = self.end_of(whole)
        if self.leaves < ends:
            self.cut(whole, self.leaves)
            raise Left
        self.cut(whole, ends)
        return TALKED if whole.answer and whole.answer[0] == ends else FAILED

    def cut(self, whole: Distribution, at: float) -> None:
        """What has happened by then; whoever rings is stopped."""
        ringing: list[str] = []
        answered = whole.answer if whole.answer and whole.answer[0] == at else None
        for event in whole.events:
            if event.at >= at and at != whole.over:
                break
            self.events.append(event)
            if event.what == "rings":
                self.rung[event.who] += 1
                ringing.append(event.who)
            elif event.what == "stops":
                ringing.remove(event.who)
        if answered:
            self.events.append(Event(at, "answers", answered[1]))
            ringing.remove(answered[1])
        self.events += [Event(at, "stops", label, "cancelled") for label in ringing]
        self.now = at

    # -- menus -----------------------------------------------------------------------------------------------------------------------------

    def menu(self, menu: Menu, why: Why, again: bool) -> Result:
        self.note("enters", menu.name)
        if not self.takes_calls(menu):
            return FAILED
        timeouts = 0
        greeting = menu.greeting if not again else None
        while True:
            sounds = [s for s in (greeting, menu.file) if s]
            greeting = None
            chosen = self.one_round(menu, sounds)
            if chosen in (FAILED, TALKED):
                return chosen
            if chosen == "timeout":
                action = menu.keys.get("T")
                if action is None:  # R4
                    timeouts += 1
                    if timeouts == 3:
                        return FAILED
                    if self.is_far():
                        return FAILED
                    continue
                if action.kind == "nothing":
                    return FAILED
            else:
                assert isinstance(chosen, Goes)
                if chosen.why == "extension":
                    return chosen
                action = chosen.target
            if action.kind != "repeat":
                return Goes(action, "key")
            if self.is_far():
                return FAILED

    def one_round(self, menu: Menu, sounds: Sequence[str]) -> Result:
        """The file and what follows it: “timeout”, a choice, or how the distribution to the users inside has ended (IVR-5)."""
        if sounds:
            self.note("plays", " + ".join(sounds))
        quiet_since = self.now + sum(self.world.sounds[s] for s in sounds)
        keys = [key for key in self.call.keys if key[0] > self.now]  # what was pressed earlier is forgotten
        digits = ""
        ringing: Distribution | None = None
        while True:
            users = any(u.active and self.within_at(u.hours, quiet_since) for u, _ in self.inside(menu))
            idle = math.inf
            if not digits and ringing is None:
                idle = max(self.now, quiet_since + (0 if users else menu.timeout))
            gap = quiet_since + menu.gap if digits else math.inf
            rung = self.end_of(ringing) if ringing else math.inf
            pressed = keys[0][0] if keys else math.inf
            at = min(idle, gap, rung, pressed)
            if ringing and min(rung, self.leaves) <= at:
                return self.ring(ringing)
            self.wait_until(at)
            if at == idle and users:
                ringing = self.distribution("SEQUENTIAL", menu.members)
                continue
            if at == idle:
                return "timeout"
            if at == pressed:  # any digit stops the file (IVR-2)
                digit, quiet_since = keys.pop(0)[1], at
                ended = digit == "#" and digits != ""
                digits += "" if ended else digit
                waits_for = self.dialable() + ([] if digits in menu.keys else self.barred())
                if not ended and any(e.startswith(digits) and e != digits for e in waits_for):
                    continue  # the longest match wins (R22)
            choice = self.choice(menu, digits)
            digits = ""
            if choice is not None:
                if ringing:
                    self.cut(ringing, at)
                return choice

    def inside(self, menu: Menu) -> list[tuple[User, int]]:
        return [(self.world.user(name), priority) for name, priority in menu.members]

    def dialable(self) -> list[str]:
        """Extensions that a caller may dial in a menu (IVR-4, USR-2)."""
        return [u.name for u in self.world.users if not u.barred] + [g.extension for g in self.world.groups if g.extension]

    def barred(self) -> list[str]:
        """USR-2: dialled, they are ignored as if nothing was dialled; keys do not wait for them (R22)."""
        return [u.name for u in self.world.users if u.barred]

    def choice(self, menu: Menu, digits: str) -> Goes | None:
        """IVR-3, IVR-4, R22; None = ignored (R4, ACT-6)."""
        if digits in self.dialable():
            return Goes(self.owner_of(digits), "extension")
        if digits in self.barred():
            return None
        action = menu.keys.get(digits) or menu.keys.get("D")
        return Goes(action, "key") if action and action.kind != "nothing" else None

    # -- time ------------------------------------------------------------------------------------------------------------------------------

    def note(self, what: str, who: str, why: str = "") -> None:
        self.events.append(Event(self.now, what, who, why))

    def play(self, sound: str) -> None:
        self.note("plays", sound)
        self.wait(self.world.sounds[sound])

    def wait(self, seconds: float) -> None:
        self.wait_until(self.now + seconds)

    def wait_until(self, at: float) -> None:
        self.now = min(at, self.leaves)
        if self.leaves < at:
            raise Left

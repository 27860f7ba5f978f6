# SPDX-License-Identifier: Apache-2.0
"""One account's configuration at one revision: immutable, indexed, asked by calls from memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Final, TypeVar

import msgspec

from engine.snapshot.branch import Branch
from engine.snapshot.codes import CodesPart
from engine.snapshot.core import EXTENSION, Account, Contact, CorePart, Did, SipAccount, Trunk, User
from engine.snapshot.element import Attached, Condition, Element, Part, Ref, Sound, SoundElement, Target, Verdict
from engine.snapshot.pointers import PLACE, pointers

A = TypeVar("A", bound=Attached)
E = TypeVar("E", bound=Element)
P = TypeVar("P", bound=Part)


@dataclass(frozen=True)
class Snapshot:
    """`parts` maps a plugin's id to its Part; `core` is the engine's own."""

    revision: int
    core: CorePart
    parts: Mapping[str, Part]

    @property
    def account(self) -> Account:
        return self.core.account

    @cached_property
    def _elements(self) -> dict[Ref, Element]:
        found: dict[Ref, Element] = {}
        for part in (self.core, *self.parts.values()):
            for element in _walk(part):
                if isinstance(element, Element):
                    found[element.ref] = element
        return found

    def elements(self) -> Iterator[Element]:
        """Every element of the account, in the parts' order."""
        return iter(self._elements.values())

    def element(self, ref: Ref) -> Element | None:
        return self._elements.get(ref)

    @cached_property
    def _places(self) -> Mapping[str, str]:
        return {place: kind for part in self.parts.values() for place, kind in part.places.items()}

    def owner(self, ref: Ref) -> Ref:
        """The element at which a target is a place (a user for his voicemail, whoever has a number); any other reference as it is."""
        if ref.kind == EXTENSION:
            return self.extension(str(ref.id)) or ref
        kind = self._places.get(ref.kind)
        return Ref(kind, ref.id) if kind is not None else ref

    def get(self, ref: Ref | None, kind: type[E]) -> E | None:
        """The element if it exists and is of that type."""
        element = self._elements.get(ref) if ref else None
        return element if isinstance(element, kind) else None

    def named(self, kind: str, title: str) -> Ref | None:
        """The first element of this kind and title."""
        return next((e.ref for e in self._elements.values() if e.kind == kind and e.title == title), None)

    def part(self, plugin: str, kind: type[P]) -> P | None:
        part = self.parts.get(plugin)
        return part if isinstance(part, kind) else None

    def sound(self, ref: Ref | None) -> Sound | None:
        """The sound behind a reference; None when unset or gone."""
        element = self.get(ref, SoundElement)
        return element.sound if element else None

    @cached_property
    def sound_seconds(self) -> Mapping[str, float]:
        """The lengths of the account's sounds by path, where they are known."""
        return {e.path: e.seconds for e in self._elements.values() if isinstance(e, SoundElement) and e.seconds > 0}

    def verdict(self, ref: Ref | None, moment: datetime, caller: str | None) -> Verdict:
        """What the condition says now; no condition, or one whose plugin is away, holds (R6: none = open)."""
        condition = self.get(ref, Condition)
        return condition.verdict(moment, caller, self) if condition else Verdict(True)

    @cached_property
    def _attached(self) -> Mapping[tuple[Ref | None, str], Attached]:
        return {(e.parent, e.kind): e for e in self._elements.values() if isinstance(e, Attached)}

    def attached(self, owner: Ref, kind: type[A]) -> A | None:
        """What a plugin keeps of this element; None where nothing is set, or when the plugin is away."""
        found = self._attached.get((owner, kind.kind))
        return found if isinstance(found, kind) else None

    @cached_property
    def _stand_ins(self) -> Mapping[Ref | None, Target]:
        found = ((e.parent, e.stands_in()) for e in self._attached.values())
        return {owner: target for owner, target in found if target is not None}

    def stand_in(self, owner: Ref) -> Target | None:
        """Where a colleague's call to a user goes when he does not take it (R8): to what is attached to him and says so."""
        return self._stand_ins.get(owner)

    @cached_property
    def users(self) -> Mapping[int, User]:
        return {user.id: user for user in self.core.users}

    @cached_property
    def _by_extension(self) -> Mapping[str, Target]:
        return dict(self.core.extensions)

    def extension(self, number: str) -> Target | None:
        """Whose internal number this is."""
        return self._by_extension.get(number)

    @cached_property
    def dialable(self) -> frozenset[str]:
        """Internal numbers that outsiders may dial in a menu (USR-2: “Запретить перевод из IVR”)."""
        closed = {user.ref for user in self.core.users if user.no_ivr_transfer}
        return frozenset(number for number, target in self.core.extensions if target not in closed)

    @property
    def extensions(self) -> Mapping[str, Target]:
        return self._by_extension

    @cached_property
    def codes(self) -> CodesPart:
        """The feature codes (PBX-6); there are none when their plugin is away."""
        return next((part for part in self.parts.values() if isinstance(part, CodesPart)), CodesPart())

    @cached_property
    def _by_did(self) -> Mapping[str, Did]:
        return {did.number: did for did in self.core.dids}

    def did(self, number: str) -> Did | None:
        return self._by_did.get(number)

    @cached_property
    def trunks(self) -> Mapping[int, Trunk]:
        return {trunk.id: trunk for trunk in self.core.trunks}

    @cached_property
    def sip_accounts(self) -> Mapping[str, SipAccount]:
        return {account.login: account for account in self.core.sip_accounts}

    @cached_property
    def contacts(self) -> Mapping[int, tuple[User, Contact]]:
        return {contact.id: (user, contact) for user in self.core.users for contact in user.contacts}

    @cached_property
    def _with_account(self) -> frozenset[int]:
        return frozenset(account.contact for account in self.core.sip_accounts)

    def has_phone(self, contact: Contact) -> bool:
        """Whether a phone could ever be behind it: a SIP contact needs an account to register with."""
        return contact.kind != "sip" or contact.id in self._with_account

    def can_ring(self, user: User) -> bool:
        """Whether he could ever be rung: he is active and has an active contact with a phone."""
        return user.active and any(contact.active and self.has_phone(contact) for contact in user.contacts)

    @cached_property
    def _branches(self) -> Mapping[Ref | None, tuple[Branch, ...]]:
        found: dict[Ref | None, list[Branch]] = {}
        for element in self._elements.values():
            if isinstance(element, Branch):
                found.setdefault(element.parent, []).append(element)
        return {parent: tuple(sorted(children, key=lambda b: b.priority)) for parent, children in found.items()}

    def branches(self, parent: Ref | None) -> tuple[Branch, ...]:
        """Groups and menus directly below `parent` by priority, equal ones in tree order (R3); None: the roots."""
        return self._branches.get(parent, ())

    @property
    def root(self) -> Branch | None:
        """The PBX itself, the root group; None when the plugin that keeps it is away."""
        return next(iter(self.branches(None)), None)

    def ancestors(self, branch: Branch) -> Iterator[Branch]:
        """The branch, its parent, … up to the root."""
        seen: set[Ref] = set()
        at: Branch | None = branch
        while at is not None and at.ref not in seen:
            seen.add(at.ref)
            yield at
            at = self.get(at.parent, Branch)

    def groups_of(self, user: int) -> tuple[Branch, ...]:
        """The user's groups in the order of adding (R15)."""
        found = [(place, b) for children in self._branches.values() for b in children if (place := b.place_of(user)) is not None]
        return tuple(branch for _, branch in sorted(found, key=lambda pair: pair[0]))

    def first_group(self, user: int) -> Branch | None:
        """The group whose outgoing number, recording flag and no-answer action count for a user who came by none (R15)."""
        return next(iter(self.groups_of(user)), None)

    @cached_property
    def _uses(self) -> Mapping[Ref, tuple[Use, ...]]:
        found: dict[Ref, dict[Use, None]] = {}
        holders: tuple[Element | Account, ...] = (self.core.account, *self._elements.values())
        for holder in holders:
            for pointer in pointers(holder):
                target = self.owner(pointer.target)
                itself = isinstance(holder, Element) and holder.ref == target
                if pointer.field.name != PLACE and not itself:
                    found.setdefault(target, {})[Use(holder, pointer.field.title, pointer.goes)] = None
        return {target: tuple(uses) for target, uses in found.items()}

    def uses(self, target: Ref) -> Sequence[Use]:
        """Everything that points at `target` or a place at it, with the field that does: where-used. Its place in the tree is no use."""
        return self._uses.get(target, ())

    def referers(self, target: Ref) -> list[Element]:
        """Every element by which `target` can't be deleted: all of `uses` but what goes with it, and the account's own settings."""
        return list({u.holder.ref: u.holder for u in self.uses(target) if isinstance(u.holder, Element) and not u.goes}.values())


@dataclass(frozen=True, slots=True, eq=False)
class Use:
    """`holder` points at something by a field called `title` (a catalogue id); `goes` as in IdOf."""

    holder: Element | Account
    title: str
    goes: bool = False

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Use) and self.holder is other.holder and (self.title, self.goes) == (other.title, other.goes)

    def __hash__(self) -> int:
        return hash((id(self.holder), self.title, self.goes))


_PLAIN: Final = frozenset({str, int, bool, float, type(None)})
"""Holds nothing: not looked into, since a configuration is made of it."""


def _walk(value: object) -> Iterator[object]:
    """Every struct below `value`, depth first."""
    inside: Iterable[object] = ()
    if isinstance(value, msgspec.Struct):
        yield value
        inside = (getattr(value, name) for name in value.__struct_fields__)
    elif isinstance(value, tuple | list):
        inside = value
    elif isinstance(value, dict):
        inside = value.values()
    for item in inside:
        if type(item) not in _PLAIN:
            yield from _walk(item)


def references(element: Element) -> set[Ref]:
    """Every Ref inside an element but its place in the tree."""
    return {p.target for p in pointers(element) if p.field.by_id is None and p.field.name != PLACE}

# SPDX-License-Identifier: Apache-2.0
"""Who points at what: found by the annotations alone, and no plugin's annotation can be forgotten."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta

from engine.plugin.loader import find
from engine.plugin.registry import Registry
from engine.plugin.testing import office, sip_user
from engine.revisions.checks import generic, kinds_of
from engine.snapshot import Account, CorePart, Element, IdOf, Part, Ref, Snapshot, User
from engine.snapshot.pointers import pointers, renamed
from plugins.groups.api import Membership
from plugins.groups.part import Group, GroupsPart
from plugins.voicemail.part import Mailbox, VoicemailPart


def parts() -> list[type[Part]]:
    return [CorePart, *(store.part for store in Registry(find()).parts().values())]


def structs(kind: Any, seen: dict[Any, None]) -> dict[Any, None]:
    """Every struct below a part."""
    for inner in get_args(kind):
        structs(inner, seen)
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct) and kind not in seen:
        seen[kind] = None
        hints = get_type_hints(kind, include_extras=True)
        for name in kind.__struct_fields__:
            structs(hints[name], seen)
    return seen


def marks(hint: Any) -> Iterator[Any]:
    yield from getattr(hint, "__metadata__", ())
    for inner in get_args(hint):
        if not isinstance(inner, Meta | IdOf):
            yield from marks(inner)


def numbers(hint: Any) -> bool:
    """Whether the field holds whole numbers, alone or in tuples."""
    return hint is int or any(numbers(inner) for inner in get_args(hint) if get_origin(hint) is not ClassVar)


def complaints(kinds: list[type[Part]]) -> list[str]:
    """Fields that hold numbers and say neither what they count nor whose ids they are."""
    things = {kind.rpartition(".")[2] for part in kinds for kind in kinds_of(part)}
    wrong = []
    for part in kinds:
        for struct in structs(part, {}):
            hints = get_type_hints(struct, include_extras=True)
            for name in struct.__struct_fields__:
                if not numbers(hints[name]) or struct is Ref or (issubclass(struct, Part) and name == "version"):
                    continue
                if name == "id" and issubclass(struct, Element | Account):
                    continue
                said = list(marks(hints[name]))
                whose = any(isinstance(mark, IdOf) for mark in said)
                counts = any(isinstance(mark, Meta) and mark.title for mark in said)
                looks_like_an_id = name.rstrip("s") in things or name == "id" or name.endswith(("_id", "_ids"))
                if not whose and (looks_like_an_id or not counts):
                    wrong.append(f"{struct.__qualname__}.{name}")
    return wrong


def test_every_number_of_every_part_says_what_it_counts_or_whose_id_it_is() -> None:
    known = parts()
    assert len(known) > 7
    assert complaints(known) == []


class Forgotten(Element, frozen=True, kw_only=True):
    kind: ClassVar[str] = "duty.rota"
    user: Annotated[int, Meta(title="User")] = 0
    other_id: Annotated[int, Meta(title="Other")] = 0
    some: tuple[int, ...] = ()
    right: Annotated[int, IdOf("core.user")] = 0
    seconds: Annotated[int, Meta(title="Seconds")] = 0


class ForgottenPart(Part, frozen=True, kw_only=True):
    rotas: tuple[Forgotten, ...] = ()


def test_what_a_plugin_forgets_is_seen() -> None:
    assert complaints([CorePart, ForgottenPart]) == ["Forgotten.user", "Forgotten.other_id", "Forgotten.some"]


def test_every_kind_of_element_has_a_name_for_people() -> None:
    nameless = [s for part in parts() for s in structs(part, {}) if issubclass(s, Element) and s.kind and not s.noun]
    assert nameless == []


BORIS = sip_user(201)
ROOT = Group(id=1, title="PBX", members=(Membership(201),), no_answer=Ref("voicemail.user", 201), missed_chats=(-5,))
BOX = Mailbox(id=4, title="", parent=BORIS.ref)


def house(root: Group = ROOT) -> Snapshot:
    return office((BORIS,), {"groups": GroupsPart(groups=(root,)), "voicemail": VoicemailPart(mailboxes=(BOX,))})


def test_uses_name_the_field_and_count_places_at_an_element() -> None:
    uses = house().uses(BORIS.ref)
    assert [(use.holder.title, use.title, use.goes) for use in uses if isinstance(use.holder, Group)] == [
        ("PBX", "Users", True), ("PBX", "No-answer action", False),
    ]  # fmt: skip
    assert [e.title for e in house().referers(BORIS.ref)] == ["PBX"]
    only_member = msgspec.structs.replace(ROOT, no_answer=None)
    assert house(only_member).referers(BORIS.ref) == []  # a membership goes with him


def test_the_main_settings_are_a_user_of_their_music() -> None:
    held = office((BORIS,), {}, hold_music=Ref("voicefiles.file", 3))
    (use,) = held.uses(Ref("voicefiles.file", 3))
    assert (use.holder, use.title) == (held.account, "Music on hold")
    assert held.referers(Ref("voicefiles.file", 3)) == []


def test_a_phone_of_nobody_is_dangling() -> None:
    whole = house()
    lost = msgspec.structs.replace(whole.core.sip_accounts[0], user=999)
    broken = Snapshot(1, msgspec.structs.replace(whole.core, sip_accounts=(lost,)), whole.parts)
    assert [f.params["ref"] for f in generic(broken, frozenset({User.kind}))] == ["core.user:999"]


def test_renaming_reaches_every_pointer_and_leaves_out_what_is_unknown() -> None:
    def name(ref: Ref) -> Ref | None:
        return None if ref.kind == "telegram.chat" else Ref(ref.kind, ref.id + 1000)

    moved = renamed(ROOT, name)
    assert {p.target for p in pointers(moved)} == {Ref("voicemail.user", 1201), Ref("core.user", 1201)}
    assert (moved.missed_chats, moved.id) == ((), 1001)
    assert renamed(BORIS, name).contacts[0].id == BORIS.contacts[0].id + 1000

# SPDX-License-Identifier: Apache-2.0
"""Users who have no phone: what a rehearsal says when such a one is called by himself, and what the check of settings finds."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import msgspec
import pytest

from engine.i18n import translate
from engine.plugin.testing import sip_user
from engine.rehearsal import Question, Script, Typed, check_settings, new_findings, new_warnings, rehearse_call
from engine.sdk import HANGUP, REPEAT, Contact, Ref, Snapshot, User
from engine.telling import rehearsed
from plugins.groups.part import Group
from plugins.voicemail.part import Mailbox, VoicemailPart
from tests.rehearsal.town import ACTIONS, NOON, NUMBER, ROOT, STORES, group, menu, rule, town

G2, M1, BARE = Ref("groups.group", 2), Ref("ivr.menu", 1), Ref("core.user", 205)
NUMBER_205 = Ref("core.extension", 205)
EMPTY = User(id=205, title="User 205", extension="205")
OFF = msgspec.structs.replace(EMPTY, contacts=(Contact(id=2050, kind="sip", address="205", active=False),))
ORPHAN = sip_user(205)
"""His contact has no account to register with: `house` takes it away."""


def house(*branches: object, user: User = EMPTY, rules: tuple[object, ...] = (), **more: object) -> Snapshot:
    made = town(*branches, rules=rules, users=(sip_user(201), sip_user(202), user), **more)  # type: ignore[arg-type]  # of the town
    accounts = tuple(account for account in made.core.sip_accounts if account.login != "205")
    return replace(made, core=msgspec.structs.replace(made.core, sip_accounts=accounts))


WAYS = {
    "rule": (house(group(2, 201), rules=(rule(1, BARE),)), NUMBER, "+79990001122"),
    "key": (house(menu(1, {"1": BARE}), rules=(rule(1, M1),)), NUMBER, "+79990001122"),
    "no answer": (house(group(2, 201, no_answer=BARE), rules=(rule(1, G2),)), NUMBER, "+79990001122"),
    "internal number": (house(), "205", "201"),
    "the number as an action": (house(rules=(rule(1, NUMBER_205),)), NUMBER, "+79990001122"),
}
"""(the PBX, who is called, by whom)"""


def with_user(made: Snapshot, user: User) -> Snapshot:
    users = tuple(user if u.id == 205 else u for u in made.core.users)
    return replace(made, core=msgspec.structs.replace(made.core, users=users))


@pytest.mark.feature("ACT-2", "USR-3")
@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())
@pytest.mark.parametrize(
    ("user", "english", "russian"),
    [
        (EMPTY, "User 205 is not rung: no contacts", "Не вызывается User 205: нет контактов"),
        (OFF, "User 205 (205) is not rung: switched off", "Не вызывается User 205 (205): отключено"),
        (
            ORPHAN, "User 205 (205) is not rung: the contact has no SIP account, so no phone can register",
            "Не вызывается User 205 (205): у контакта нет SIP-аккаунта, телефон не сможет зарегистрироваться",
        ),
    ],
    ids=["no contact", "switched off", "no SIP account"],
)  # fmt: skip
def test_a_rehearsal_says_why_a_user_called_by_himself_does_not_ring(
    way: tuple[Snapshot, str, str], user: User, english: str, russian: str
) -> None:
    snapshot, to, caller = with_user(way[0], user), way[1], way[2]
    done = rehearse_call(snapshot, ACTIONS, Question(to, caller, Script(typed=(Typed("1"),))), NOON)
    for language, sentence in (("en", english), ("ru", russian)):
        told = [line.text for line in rehearsed(partial(translate, language), done.rehearsal, snapshot, ACTIONS)]
        assert told.count(sentence) == 1, told


PRETTY = "+7 495 123-45-67"
HINT = (
    "No phone rings when these internal numbers are dialled, since their users have none: User 205 (205). "
    "That is as it should be if they only use the cabinet; otherwise give them a phone or a voicemail."
)


def found(made: Snapshot) -> list[tuple[str, str]]:
    return [(f.severity, translate("en", f.message, **f.params)) for f in check_settings(made, ACTIONS, STORES, NOON).findings]


def led(title: str, why: str = "who has no contacts: no phone rings", way_out: str = "Add a contact to the user") -> tuple[str, str]:
    return "warning", f"“{title}” leads calls to “User 205”, {why}, and the call ends there. {way_out}, or choose another action."


def root(no_answer: Ref) -> Group:
    return msgspec.structs.replace(ROOT, no_answer=no_answer)


@pytest.mark.parametrize(
    ("made", "wanted"),
    [
        (house(rules=(rule(1, BARE),)), [led(PRETTY)]),
        (house(rules=(rule(1, NUMBER_205),)), [led(PRETTY)]),
        (house(menu(1, {"1": BARE, "2": REPEAT}), rules=(rule(1, M1),)), [led("Menu 1")]),
        (house(group(2, 201, no_answer=BARE), rules=(rule(1, G2),)), [led("Group 2")]),
        (house(group(2, 205, no_answer=BARE), rules=(rule(1, BARE),)), [led(PRETTY), led("Group 2")]),
        (house(group(2, 201, 205, no_answer=HANGUP), rules=(rule(1, BARE),)), [led(PRETTY)]),
        (house(user=OFF, rules=(rule(1, BARE),)), [led(PRETTY, "whose contacts are switched off: no phone rings", "Switch a contact on")]),
        (
            house(user=ORPHAN, rules=(rule(1, BARE),)),
            [led(PRETTY, "whose contact has no SIP account: no phone can register", "Set a SIP password for it")],
        ),
        (
            house(user=sip_user(205, active=False), rules=(rule(1, BARE),)),
            [led(PRETTY, "who is switched off: no phone rings", "Switch the user on")],
        ),
    ],
    ids=[
        "a rule", "his number in a rule", "a key", "a no-answer action", "his own group's action", "hanging up follows",
        "switched off", "no account", "the user is switched off",
    ],
)  # fmt: skip
def test_whatever_leads_calls_to_a_user_without_a_phone_is_found(made: Snapshot, wanted: list[tuple[str, str]]) -> None:
    assert sorted(one for one in found(made) if "leads calls" in one[1]) == sorted(wanted)
    assert HINT not in [text for _, text in found(made)]  # he is told of already


@pytest.mark.parametrize(
    "made",
    [
        house(group(2, 201), rules=(rule(1, BARE),), root=root(G2)),
        house(group(2, 201, 205, no_answer=Ref("core.user", 202)), rules=(rule(1, BARE), rule(2, G2))),
        house(rules=(rule(1, BARE),), root=root(REPEAT)),
        house(rules=(rule(1, BARE, active=False), rule(2, ROOT.ref))),
        house(rules=(rule(1, Ref("core.user", 201)), rule(2, BARE))),
        house(group(2, 201, 205), rules=(rule(1, G2),)),
    ],
    ids=["the PBX takes over", "his group takes over", "the PBX rings", "an inactive rule", "a rule never asked", "a member among others"],
)
def test_nothing_is_said_where_somebody_takes_over_or_no_call_comes(made: Snapshot) -> None:
    assert [text for _, text in found(made) if "leads calls" in text] == []


def test_whoever_only_uses_the_cabinet_is_a_hint() -> None:
    made = house(rules=(rule(1, Ref("core.user", 201)),))
    assert found(made) == [("hint", HINT)]
    assert found(with_user(made, msgspec.structs.replace(EMPTY, active=False))) == []
    assert found(with_user(made, sip_user(205, "206")))[1:] == [("hint", HINT)]  # no account yet
    mailbox = VoicemailPart(mailboxes=(Mailbox(id=1, title="", parent=BARE),))
    assert found(replace(made, parts={**made.parts, "voicemail": mailbox})) == []
    nobody_dials = msgspec.structs.replace(EMPTY, extension=None)
    without = replace(made, core=msgspec.structs.replace(made.core, extensions=tuple(e for e in made.core.extensions if e[1] != BARE)))
    assert found(with_user(without, nobody_dials)) == []


async def test_a_change_that_leads_calls_there_is_worth_a_warning_and_a_hint_is_not() -> None:
    before, after = house(rules=(rule(1, Ref("core.user", 201)),)), house(rules=(rule(1, BARE),))
    for new in (await new_warnings(before, after, ACTIONS, STORES), await new_findings(before, after, ACTIONS, STORES)):
        assert [(f.severity, translate("en", f.message, **f.params)) for f in new] == [led(PRETTY)]
    equipped = with_user(before, msgspec.structs.replace(EMPTY, contacts=(Contact(id=2050, kind="phone", address="+79030000002"),)))
    assert await new_findings(equipped, before, ACTIONS, STORES) == []

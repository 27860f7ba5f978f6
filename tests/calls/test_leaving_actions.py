# SPDX-License-Identifier: Apache-2.0
"""Of every action a caller takes his leave early, in what it plays, and while it rings or waits: nothing stays behind."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from engine.people import ContactWish
from engine.plugin import loader
from engine.routing.basic import BASIC_ACTIONS, HANGUP, NOTHING, REPEAT
from engine.snapshot import Ref
from plugins.callback.models import Task
from plugins.callback.part import CallBackSettings
from plugins.callback.service import save_settings
from plugins.callout.actions import CALL_OUT
from plugins.ivr.part import MenuKey
from plugins.voicefiles.part import PHRASE
from plugins.voicemail.models import MessageRow
from tests.calls.installation import REAL
from tests.calls.pbx import OUTSIDER, Pbx
from tests.calls.telephone import Provider
from tests.embedded.telephone import Talk
from tests.phones import sound

pytestmark = pytest.mark.asyncio(loop_scope="session")
numbers = (f"+749566630{n:02}" for n in itertools.count(1))
FILE, GREETING = 900, 600


@dataclass
class Scene:
    """Anna (201), whose phone rings on, in a group with a greeting; `file` is what menus and phrases play."""

    office: Pbx
    anna: int
    sales: Ref
    file: Ref


async def scene(office: Pbx) -> Scene:
    greeting = await office.file("greeting", sound.tone(office.folder / f"g{office.account}.wav", GREETING, 1.5))
    file = await office.file("file", sound.tone(office.folder / f"f{office.account}.wav", FILE, 3))
    anna = await office.user("201", ContactWish(kind="sip", address="201", timeout_seconds=30))
    return Scene(office, anna, await office.group("Sales", anna, greeting=greeting), file)


Wait = Callable[[Scene, Provider], Awaitable[None]]


def step(what: str, **facts: str) -> Wait:
    async def wait(scene: Scene, caller: Provider) -> None:
        await scene.office.step(what, within=20, **facts)

    return wait


def hears(hertz: float) -> Wait:
    async def wait(scene: Scene, caller: Provider) -> None:
        await caller.hears(hertz, seconds=0.2)

    return wait


def dials(digits: str, then: Wait) -> Wait:
    async def wait(scene: Scene, caller: Provider) -> None:
        await scene.office.step("play", within=20, sound="prompts/callout-number.wav")
        await caller.press(digits)
        await then(scene, caller)

    return wait


RINGS = step("phone_rings", who="201")
GIVEN_UP = step("key", digit="2")
ACCEPTED = {"menu": hears(FILE), "accepted": step("play", sound="prompts/callback-accepted.wav")}
TARGETS: dict[str, tuple[Callable[[Scene], Ref], dict[str, Wait]]] = {
    "groups.group": (lambda s: s.sales, {"greeting": hears(GREETING), "ringing": RINGS}),
    "core.user": (lambda s: Ref("core.user", s.anna), {"chosen": step("rings", who="201"), "ringing": RINGS}),
    "ivr.menu": (lambda s: Ref("ivr.menu", 0), {"file": hears(FILE), "ringing": RINGS}),
    "voicefiles.phrase": (lambda s: Ref(PHRASE, s.file.id), {"chosen": step("play"), "phrase": hears(FILE)}),
    "callback.user": (lambda s: Ref("callback.user", s.anna), ACCEPTED),
    "callback.group": (lambda s: Ref("callback.group", s.sales.id), ACCEPTED),
    "callout.callout": (lambda s: CALL_OUT, {"asked": step("play", sound="prompts/callout-number.wav"), "ringing": dials("201#", RINGS)}),
    "voicemail.user": (lambda s: Ref("voicemail.user", s.anna), {"greeting": step("play"), "speaking": step("message")}),
    "voicemail.group": (lambda s: Ref("voicemail.group", s.sales.id), {"greeting": step("play"), "speaking": step("message")}),
    "fax.user": (lambda s: Ref("fax.user", s.anna), {"receiving": step("fax")} if REAL else {}),
    "fax.group": (lambda s: Ref("fax.group", s.sales.id), {"receiving": step("fax")} if REAL else {}),
    "core.extension": (lambda s: Ref("core.extension", 201), {"chosen": step("rings", who="201"), "ringing": RINGS}),
    "core.hangup": (lambda s: HANGUP, {"chosen": GIVEN_UP, "menu": hears(FILE)}),
    "core.nothing": (lambda s: NOTHING, {"chosen": GIVEN_UP, "menu": hears(FILE)}),
    "core.repeat": (lambda s: REPEAT, {"chosen": GIVEN_UP, "again": hears(FILE)}),
}
"""By the action's kind: what it leads to, and the moments besides “early” at which the caller leaves."""
BY_KEY = ("core.hangup", "core.nothing", "core.repeat", "callback.user", "callback.group")
CASES = [(kind, moment) for kind, (_, moments) in TARGETS.items() for moment in ("early", *moments)]


async def lead(scene: Scene, kind: str, target: Ref) -> None:
    """The number leads there; what only a key offers stands on key 2 of a menu."""
    office, owner = scene.office, scene.sales if kind == "callback.group" else Ref("core.user", scene.anna)
    if kind == "ivr.menu":
        target = await office.menu("Menu", file=scene.file)
        await office.change(office.snapshot.element(target), members=office.snapshot.element(scene.sales).members)  # type: ignore[union-attr, arg-type]
    if kind in BY_KEY:
        target = await office.menu("Menu", file=scene.file, keys=(MenuKey("2", target),))
    if kind.startswith("callback."):
        async with office.edit() as edit:  # nobody is called back while the test is on
            await save_settings(edit, CallBackSettings(id=0, parent=owner, delay_seconds=60))
    if kind == "callout.callout":
        boris = ContactWish(kind="phone", address=OUTSIDER, by_number=True)
        await office.user("202", boris)
    await office.rule(target)


async def leaves(talk: Talk, caller: Provider) -> None:
    """By CANCEL or BYE, whichever fits; the PBX may have hung up at this very moment."""
    if talk.response is None:
        final = next((m for m in caller.seen if m.code >= 200 and m.cseq[1] == "INVITE"), None)
        if final is None:
            talk.cancel()
            final = await caller.final("INVITE")
        caller.send(caller.ack(talk.invite, final))
        if final.code != 200:
            return
        talk.response = final
    talk.request("BYE")
    await caller.final("BYE")


def files(office: Pbx) -> set[Path]:
    """What calls have left on the disk for this account."""
    return {path for kind in ("voicemail", "recordings", "fax") for path in (office.media / kind / str(office.account)).rglob("*.*")}


def tasks() -> set[str]:
    return {t.get_name() for t in asyncio.all_tasks() if t.get_name().startswith(("call ", "transfer of "))}


async def test_every_action_is_left() -> None:
    known = [*BASIC_ACTIONS, *(a for s in loader.find() for a in s.plugin.routing_actions())]
    assert {a.kind for a in known if a.places} == set(TARGETS)


@pytest.mark.feature(*(f"ACT-{n}" for n in (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)), "R1", "GRP-5", "VM-1")
@pytest.mark.parametrize(("kind", "moment"), CASES)
async def test_the_caller_leaves(shared: Pbx, kind: str, moment: str) -> None:
    office = shared
    there = await scene(office)
    target, moments = TARGETS[kind]
    await lead(there, kind, target(there))
    others = tasks()
    async with office.telephone("201") as phone, office.provider() as caller:
        phone.unattended = True
        talk = await caller.calls(office.did[1:])
        if moment != "early":
            if kind in BY_KEY:
                await talk.answered()
                await caller.hears(FILE, seconds=0.2)
                await caller.press("2")
            elif kind not in ("core.user", "core.extension"):
                await talk.answered()
            await moments[moment](there, caller)
        await leaves(talk, caller)
        await office.quiet()
        assert [len(phone.rung)] == [len(phone.stopped)]
    async with asyncio.timeout(10):
        while tasks() - others:
            await asyncio.sleep(0.05)
    found = await office.records(0)
    assert len(found) <= 1  # who leaves within milliseconds may never have been there
    for record in found:
        assert all(leg.ended_at is not None for leg in record.legs)
        assert not record.talked
    async with asyncio.timeout(10):
        while files(office):
            await asyncio.sleep(0.05)
    assert await MessageRow.of(office.account).count() == 0
    await Task.of(office.account).delete()

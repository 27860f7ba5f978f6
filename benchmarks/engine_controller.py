# SPDX-License-Identifier: Apache-2.0
"""The product's own call code as a controller for `benchmarks.esl_calls`: Node, LiveCall, front desk, rules, router, journal on disk.

`SoundController` plays one sound and hangs up, as the minimal controllers do; `MenuController` serves a menu whose key 1
hangs up (script `menu` of the feeder). Without database and hosts: those are in `benchmarks.engine_cost`.
"""

import asyncio
import shutil
import tempfile
from collections.abc import Iterable
from typing import Any, ClassVar, cast

from benchmarks.pbx_process import DID
from engine.calls.call import Call
from engine.calls.node import Node
from engine.db import Database
from engine.esl.switch import Switch
from engine.gates import Gates
from engine.routing.action import Choice, Done, Entry, Nesting, Outcome, Place, RoutingAction
from engine.routing.basic import BASIC_ACTIONS, HANGUP
from engine.routing.inbound import FrontDesk
from engine.routing.saying import said
from engine.runtime.journal import SpoolJournal
from engine.settings import Core, Settings
from engine.snapshot import Account, CorePart, Did, Ref, Snapshot, Sound, Trunk
from plugins.groups.part import Group, GroupsPart
from plugins.ivr.actions import ToMenu
from plugins.ivr.part import IvrPart, Menu, MenuKey
from plugins.numbers.actions import ByRules
from plugins.numbers.part import NumbersPart, Rule
from plugins.voicefiles.part import VoiceFile, VoicefilesPart

SOUND = Ref("bench.sound", 1)


class PlaysSound:
    """Answers, plays one sound to its end, hangs up."""

    kind: ClassVar[str] = SOUND.kind
    title: ClassVar[str] = "sound"
    places: ClassVar[frozenset[Place]] = frozenset()

    def choices(self, snapshot: Snapshot) -> Iterable[Choice]:
        return ()

    async def run(self, call: Call, entry: Entry, router: Nesting) -> Outcome:
        call.answer()
        await said(call, Sound("welcome.wav"))
        return Done()


ACTIONS: dict[str, RoutingAction] = {action.kind: action for action in (ByRules(), ToMenu(), PlaysSound(), *BASIC_ACTIONS)}


def account(target: Ref | None) -> Snapshot:
    """One number whose only rule leads to `target`, None: to a menu."""
    trunk = Trunk(id=1, title="Provider", registers=False, sources=("127.0.0.0/8",))
    did = Did(id=1, title="", number=DID, trunk=trunk.ref)
    file = VoiceFile(id=1, title="menu", path="voice/menu.wav")
    root = Group(id=1, title="PBX", no_answer=HANGUP)
    menu = Menu(id=1, title="Menu", parent=root.ref, file=file.ref, keys=(MenuKey("1", HANGUP),))
    rule = Rule(id=1, title="All", did=did.ref, target=target or menu.ref)
    core = CorePart(account=Account(id=1, number="1", title="", domain="t1.example"), trunks=(trunk,), dids=(did,))
    parts = {
        "numbers": NumbersPart(rules=(rule,)), "groups": GroupsPart(groups=(root,)), "ivr": IvrPart(menus=(menu,)),
        "voicefiles": VoicefilesPart(files=(file,)),
    }  # fmt: skip
    return Snapshot(1, core, parts)


class EngineController:
    target: ClassVar[Ref | None]

    def __init__(self, host: str, port: int, password: str) -> None:
        self.folder = tempfile.mkdtemp()
        snapshot = account(self.target)
        desk = FrontDesk(lambda: [snapshot], lambda account_id: snapshot, {"t1.example": 1}.get, lambda: ACTIONS)
        # its writer, which alone would use the database, is never run
        self.journal = SpoolJournal(cast(Database, None), Settings(core=Core(state=self.folder)), (), lambda topic, account_id: None)
        self.swept = asyncio.Event()

        def make_switch(node: Node) -> Switch:
            return Switch(host, port, password, on_event=node.on_event, on_refused=node.on_refused, call_of=node.call_of)

        options: dict[str, Any] = {"media_root_on_switch": "/media", "early_media": True, "unanswered_limit_seconds": 50.0}
        self.node = Node(make_switch, desk, self.journal, Gates(), account_of_domain=lambda domain: 1, **options)

    async def start(self) -> None:
        self.journal.open()
        self.node.switch.start()
        await self.node.switch.wait_connected(10)

    async def close(self) -> None:
        await self.node.close_down()
        self.journal.close()
        shutil.rmtree(self.folder)


class SoundController(EngineController):
    target = SOUND


class MenuController(EngineController):
    target = None

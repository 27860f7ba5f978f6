# SPDX-License-Identifier: Apache-2.0
"""The demo account's groups: sales rings everybody at once, support one after the other; the PBX falls back to sales."""

import msgspec

from engine.sdk import HANGUP, Edit, Membership
from plugins.groups.part import Group, GroupsPart
from plugins.groups.service import store

SALES, SUPPORT = "Отдел продаж", "Техническая поддержка"


async def fill(edit: Edit) -> None:
    now = await edit.preview()
    part = now.part("groups", GroupsPart)
    root = next(g for g in part.groups if g.parent is None) if part else None
    if root is None:
        return
    users = [u for u in now.users.values() if u.contacts]
    music = now.named("voicefiles.file", "Музыка")
    sales = Group(
        id=0, title=SALES, parent=root.ref, extension="301", method="ALL_AT_ONCE", music=music, recording=True, priority=2,
        greeting=now.named("voicefiles.file", "Отдел продаж"), members=tuple(Membership(u.id, 1) for u in users[:2]), no_answer=HANGUP,
        missed_emails=("sales@romashka.example",),
    )  # fmt: skip
    support = Group(
        id=0, title=SUPPORT, parent=root.ref, extension="302", method="SEQUENTIAL", recording=True, attempts=2, pause_seconds=3, priority=3,
        members=tuple(Membership(u.id, n) for n, u in enumerate(users[1:], 1)), no_answer=HANGUP,
        missed_emails=("support@romashka.example",),
    )  # fmt: skip
    await store.insert(edit.account_id, sales, edit.tx)
    await store.insert(edit.account_id, support, edit.tx)
    await store.save(edit.account_id, msgspec.structs.replace(root, missed_emails=("office@romashka.example",)), edit.tx)

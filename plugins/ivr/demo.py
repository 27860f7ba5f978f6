# SPDX-License-Identifier: Apache-2.0
"""The demo account's main menu: 1 sales, 2 support, * once more."""

from engine.sdk import REPEAT, Edit
from plugins.ivr.part import Menu, MenuKey
from plugins.ivr.service import store

TITLE = "Главное меню"


async def fill(edit: Edit) -> None:
    now = await edit.preview()
    root = now.root
    if root is None:
        return
    keys = [MenuKey("*", REPEAT)]
    for key, group in (("1", "Отдел продаж"), ("2", "Техническая поддержка"), ("T", "Отдел продаж")):
        target = now.named("groups.group", group)
        if target is not None:
            keys.append(MenuKey(key, target))
    menu = Menu(
        id=0, title=TITLE, parent=root.ref, greeting=now.named("voicefiles.file", "Приветствие"),
        file=now.named("voicefiles.file", "Главное меню"), keys=tuple(keys), timeout_seconds=5,
    )  # fmt: skip
    await store.insert(edit.account_id, menu, edit.tx)

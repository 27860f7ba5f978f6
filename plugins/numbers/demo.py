# SPDX-License-Identifier: Apache-2.0
"""The demo account's line and number: any address of this machine may call in as “the provider”."""

from engine.sdk import Did, DidRow, Edit, Ref, Trunk
from plugins.numbers.part import Rule
from plugins.numbers.service import save_trunk, store

NUMBER = "+74951234567"


async def fill(edit: Edit) -> None:
    trunk = Trunk(id=0, title="Оператор связи", registers=False, sources=("127.0.0.0/8",))
    line = await save_trunk(edit, trunk)
    row = await DidRow.create(
        account_id=edit.account_id, number=NUMBER, title="Главный номер", trunk_id=line.id, connected=1, using_db=edit.tx
    )
    did = Ref(Did.kind, row.id)
    after = await edit.preview()
    menu = next((e.ref for e in after.elements() if e.kind == "ivr.menu"), None)
    if menu is None or after.root is None:
        return
    hours = next((e.ref for e in after.elements() if e.kind == "schedules.schedule"), None)
    open_ = Rule(id=0, title="В рабочее время — меню", did=did, priority=1, schedule=hours, target=menu)
    await store.insert(edit.account_id, open_, edit.tx)
    always = Rule(id=0, title="В остальное время — тоже меню", did=did, priority=2, target=menu)
    await store.insert(edit.account_id, always, edit.tx)

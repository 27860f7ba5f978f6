# SPDX-License-Identifier: Apache-2.0
"""Creating, changing and deleting menus (IVR-1). Every function works inside an edit; nothing is saved when it raises."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Final

from engine.sdk import N_, NOTHING, Branch, Edit, ElementStore, Finding, Invalid, NotFound, Problem, Snapshot, as_findings
from plugins.ivr.models import MenuRow
from plugins.ivr.part import IvrPart, Menu

KEYS = tuple("0123456789*#TD")
TWICE: Final = N_("The key {key} is set twice.")


def check(part: IvrPart, whole: Snapshot) -> Iterable[Finding]:
    for menu in part.menus:
        yield from as_findings(menu.ref, problems(menu))
        if menu.parent is None or whole.get(menu.parent, Branch) is None:
            yield Finding("error", menu.ref, N_("The menu “{title}” has no place in the tree."), {"title": menu.title})
        if menu.file is None and menu.greeting is None:
            yield Finding("warning", menu.ref, N_("The menu “{title}” says nothing: choose its menu file."), {"title": menu.title})
            if menu.timeout_seconds == 0 and not menu.members:
                text = N_("Nobody can choose anything in the menu “{title}”: it has no file to listen to, and its timeout is 0.")
                yield Finding("warning", menu.ref, text, {"title": menu.title})
        if not menu.members and all(k.target == NOTHING for k in menu.keys):
            text = N_(
                "The menu “{title}” has neither keys nor users: its callers can only dial an internal number. "
                "Choose what its keys do."
            )
            yield Finding("warning", menu.ref, text, {"title": menu.title})


store: ElementStore[IvrPart] = ElementStore(IvrPart, {"menus": MenuRow}, check)


def problems(menu: Menu) -> list[Problem]:
    """What is wrong with the fields themselves."""
    found = []
    if not menu.title.strip():
        found.append(Problem("title", N_("Enter a name.")))
    if not 0 <= menu.timeout_seconds <= 120:
        found.append(Problem("timeout_seconds", N_("From 0 to 120 seconds.")))
    if not 1 <= menu.digit_gap_seconds <= 10:
        found.append(Problem("digit_gap_seconds", N_("From 1 to 10 seconds.")))
    if not 1 <= menu.priority <= 1000:
        found.append(Problem("priority", N_("From 1 to 1000.")))
    count = Counter(k.key for k in menu.keys)
    found.extend(Problem("keys", N_("“{key}” is not a key."), key=k) for k in count if k not in KEYS)
    found.extend(Problem("keys", TWICE, key=k) for k, n in count.items() if n > 1)
    return found


def _validate(edit: Edit, menu: Menu) -> None:
    found = problems(menu)
    if found:
        raise Invalid(found)
    if menu.parent is None or edit.before.get(menu.parent, Branch) is None:
        raise NotFound
    if any(m.user not in edit.before.users for m in menu.members):
        raise NotFound


async def create_menu(edit: Edit, menu: Menu) -> Menu:
    """Store a new menu below `menu.parent`. Raises Invalid, NotFound."""
    _validate(edit, menu)
    return await store.insert(edit.account_id, menu, edit.tx)


async def save_menu(edit: Edit, menu: Menu) -> None:
    """Overwrite a menu. Raises Invalid, NotFound."""
    _validate(edit, menu)
    await store.save(edit.account_id, menu, edit.tx)

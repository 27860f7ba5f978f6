# SPDX-License-Identifier: Apache-2.0
"""Mailboxes of users and groups, voicemail and fax alike: who may see what came for whom, and what may be set for their notices."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from tortoise.expressions import Q
from tortoise.queryset import QuerySet

from engine.db import MailRow
from engine.errors import Problem
from engine.people.addresses import address_problems
from engine.snapshot import Branch, Element, Noticed, Ref, Snapshot, User

R = TypeVar("R", bound=MailRow)


def visible_mail(rows: QuerySet[R], snapshot: Snapshot, user_id: int, everything: bool) -> QuerySet[R]:
    """Of what came for somebody, that which a person may see (R25).

    `everything`: managers and administrators. An employee: what came for himself and for the groups he is in.
    """
    if everything:
        return rows
    own = Q(owner_kind=User.kind, owner_id=user_id)
    for element in snapshot.elements():
        if isinstance(element, Branch) and element.place_of(user_id) is not None:
            own |= Q(owner_kind=element.kind, owner_id=element.id)
    return rows.filter(own)


def mailbox_title(snapshot: Snapshot, owner: Ref) -> str:
    """R25: the mailbox of the root group is called like the PBX; "" when the owner is gone."""
    element: Element | None = snapshot.element(owner)
    if element is None:
        return ""
    return snapshot.account.title if isinstance(element, Branch) and element.parent is None else element.title


def remove_file(media_root: Path, path: str) -> None:
    """The file of something that came and is deleted; nothing outside the media root."""
    root = media_root.resolve()
    full = (root / path).resolve()
    if full.is_relative_to(root):
        full.unlink(missing_ok=True)


def mailbox_problems(box: Noticed) -> list[Problem]:
    """What is wrong with the addresses of a mailbox."""
    return [*address_problems("emails", box.emails), *address_problems("hidden_emails", box.hidden_emails)]

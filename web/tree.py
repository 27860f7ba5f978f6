# SPDX-License-Identifier: Apache-2.0
"""The element tree of the cabinet (ACC-5): the PBX with its groups, menus, users; made from a snapshot for the side menu."""

from __future__ import annotations

from dataclasses import dataclass, field

from engine.sdk import Branch, Ref, User
from web.visit import Visit


@dataclass(slots=True)
class Node:
    """One line of the tree. `url` is "" when no page shows the element."""

    ref: Ref
    title: str
    icon: str
    url: str = ""
    extension: str = ""
    active: bool = True
    current: bool = False
    children: list[Node] = field(default_factory=list)

    @property
    def key(self) -> str:
        return str(self.ref)


def tree(visit: Visit) -> list[Node]:
    """The top of the tree. Order below an element: groups and menus by priority, then users by priority (GRP-4)."""
    snapshot = visit.saved  # also beside a form that is not saved
    placed: set[int] = set()

    def node(branch: Branch) -> Node:
        made = _node(visit, branch)
        made.children = [node(child) for child in snapshot.branches(branch.ref)]
        for member in sorted(branch.members, key=lambda m: m.priority):
            if member.user in snapshot.users:
                placed.add(member.user)
                made.children.append(_node(visit, snapshot.users[member.user]))
        return made

    roots = [node(branch) for branch in snapshot.branches(None)]
    loose = [_node(visit, user) for user in snapshot.core.users if user.id not in placed]
    return roots + loose


def _node(visit: Visit, element: Branch | User) -> Node:
    url = visit.url_of(element.ref)
    return Node(
        ref=element.ref,
        title=element.title,
        icon="pbx" if element.parent is None and isinstance(element, Branch) else visit.host.icon(element.kind),
        url=url,
        extension=element.extension or "",
        active=element.active,
        current=bool(url) and visit.request.path == url,
    )

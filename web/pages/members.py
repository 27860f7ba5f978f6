# SPDX-License-Identifier: Apache-2.0
"""Users in groups and menus (USR-1), whatever plugin keeps the branch: create in it, add, order, take out, drag to another."""

from __future__ import annotations

from typing import Annotated

import msgspec
from aiohttp import web as http
from msgspec import Meta

from engine.sdk import Branch, NotFound, Page, Ref, Refused, User, format_phone, people
from web.confirm import Nothing, confirm
from web.forms import Form
from web.picker import elements
from web.visit import Visit


class MemberForm(msgspec.Struct, frozen=True):
    user: Ref
    priority: Annotated[int, Meta(ge=1, le=99)] = 1


def branch_of(visit: Visit, text: str) -> Branch:
    """The group or menu a form or an address names; NotFound when there is none."""
    try:
        found = visit.snapshot.get(Ref.parse(text), Branch)
    except ValueError:
        found = None
    if found is None:
        raise NotFound()
    return found


def member_values(visit: Visit, branch: Branch) -> dict[str, object]:
    """What the template shell/members.html needs."""
    inside = {m.user: m.priority for m in branch.members}
    rows = sorted(((visit.snapshot.users[u], p) for u, p in inside.items() if u in visit.snapshot.users), key=lambda r: (r[1], r[0].title))
    others = elements(visit, User, without=[Ref(User.kind, u) for u in inside])
    return {"members": rows, "others": others, "next_priority": min(max(inside.values(), default=0) + 1, 99)}


async def add_member(visit: Visit) -> http.Response:
    """Put a user into the branch, or change his priority there."""
    branch = branch_of(visit, visit.request.match_info["branch"])
    form = Form(visit, MemberForm)
    with form.saving():
        wish = form.read()
        if wish.user.kind != User.kind:
            raise NotFound()
        async with visit.edit() as edit:
            await people.set_membership(edit, branch.ref, wish.user.id, wish.priority)
        return visit.go(visit.url_of(branch.ref) + "#members", message=visit.t("Saved."))
    labels = {"user": visit.t("User"), "priority": visit.t("Priority")}
    told = [f"{labels[field]}: {problem}" for field, problem in form.problems.items()] or form.general
    return visit.go(visit.url_of(branch.ref) + "#members", message=" ".join(told), tone="bad")


async def remove_member(visit: Visit) -> http.Response:
    """2.1.3.2: a user in several groups leaves this one; out of his last group he is deleted wholly, and the page says so."""
    branch = branch_of(visit, visit.request.match_info["branch"])
    user = visit.element(User)
    if all(m.user != user.id for m in branch.members):
        raise NotFound()
    last = len(people.branches_of(visit.snapshot, user.id)) == 1
    back = visit.url_of(branch.ref)
    form = Form(visit, Nothing)
    if visit.is_post:
        with form.saving():
            if last and user.id == visit.user.id:
                raise Refused("You can’t delete yourself.")
            async with visit.edit() as edit:
                deleted = await people.leave_branch(edit, branch.ref, user.id)
            message = "The user “{title}” is deleted." if deleted else "The user “{title}” is no longer in this group."
            return visit.go(back, message=visit.t(message, title=user.title))
    names = {"title": user.title, "group": branch.title}
    if not last:
        return confirm(visit, visit.t("Take “{title}” out of “{group}”?", **names), back=back, form=form, button=visit.t("Take out"))
    return confirm(
        visit, visit.t("Delete the user “{title}”?", title=user.title), back=back, form=form, of=user.ref,
        text=visit.t("“{group}” is his only group, so he is deleted wholly. His past calls and recordings stay.", **names),
        goes=[visit.t("Contact {address}", address=format_phone(c.address)) for c in user.contacts],
    )  # fmt: skip


class MoveForm(msgspec.Struct, frozen=True):
    user: int
    to: Ref
    source: Ref | None = None


async def move(visit: Visit) -> http.Response:
    """A user dragged in the tree (2.1.3.3)."""
    form = Form(visit, MoveForm)
    wish = form.read()
    target = branch_of(visit, str(wish.to))
    with form.saving():
        async with visit.edit() as edit:
            await people.move_user(edit, wish.user, wish.source, target.ref)
        return visit.go(visit.url_of(target.ref), message=visit.t("The user is moved to “{title}”.", title=target.title))
    return visit.go(visit.url_of(target.ref), message=" ".join(form.general), tone="bad")


PAGES = (
    Page("POST", "/branches/{branch}/members", add_member, "admin", name="members.add"),
    Page("GET", "/branches/{branch}/members/{id}/remove", remove_member, "admin", name="members.remove"),
    Page("POST", "/branches/{branch}/members/{id}/remove", remove_member, "admin"),
    Page("POST", "/members/move", move, "admin", name="members.move"),
)

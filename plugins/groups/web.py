# SPDX-License-Identifier: Apache-2.0
"""Pages of groups (GRP): one group with its settings, users and nested elements; create; delete with all that goes with it."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from engine.sdk import N_, Branch, Condition, Did, Method, Page, Ref, SoundElement, people
from plugins.groups import service
from plugins.groups.part import METHODS, Group
from web.sdk import Form, Nothing, Option, OptionGroup, Visit, chat_choices, check_choice, confirm, elements, http, member_values, targets


class GroupForm(msgspec.Struct, frozen=True, kw_only=True):
    title: Annotated[str, Meta(min_length=1, max_length=200)]
    parent: Ref | None = None
    priority: int = 1
    extension: str | None = None
    active: bool = True
    schedule: Ref | None = None
    outbound: Ref | None = None
    recording: bool = False
    greeting: Ref | None = None
    method: Method = "SEQUENTIAL"
    music: Ref | None = None
    attempts: int = 1
    pause_seconds: int = 5
    phrase: Ref | None = None
    missed_emails: tuple[str, ...] = ()
    missed_chats: tuple[int, ...] = ()
    no_answer: Ref | None = None
    forbidden_prefixes: tuple[str, ...] = ()


async def group(visit: Visit) -> http.Response:
    element = visit.element(Group)
    form = Form(visit, GroupForm, element)
    places = [] if element.parent is None else _parents(visit, element)
    answers = targets(visit, "no_answer")
    if visit.is_post:
        with form.saving():
            changed = _changed(element, form.read(), visit.snapshot.account.title)
            if element.parent is not None:
                check_choice("parent", changed.parent, places)
            check_choice("no_answer", changed.no_answer, answers)
            async with visit.edit() as edit:
                await service.save_group(edit, changed)
            return visit.go(visit.url(Group.kind, id=element.id), message=visit.t("Saved."))
    return visit.render(
        "groups/group.html",
        status=form.status,
        element=element,
        form=form,
        parents=places,
        answers=answers,
        children=visit.snapshot.branches(element.ref),
        chats=await chat_choices(visit, element.missed_chats),
        ancestors=list(reversed(list(visit.snapshot.ancestors(element))))[:-1],
        **member_values(visit, element),
        **_choices(visit),
    )


def _changed(element: Group, wish: GroupForm, pbx: str) -> Group:
    """The root is called like the PBX and keeps what it can't have: no parent, no schedule, no outbound number, always active (PBX-1)."""
    values = {name: getattr(wish, name) for name in wish.__struct_fields__}
    if element.parent is None:
        values |= {"title": pbx, "parent": None, "schedule": None, "outbound": None, "active": True, "priority": element.priority}
    return msgspec.structs.replace(element, **values)


def _choices(visit: Visit) -> dict[str, Any]:
    return {
        "sounds": elements(visit, SoundElement),
        "schedules": elements(visit, Condition),
        "numbers": elements(visit, Did),
        "methods": [(value, visit.t(title)) for value, title in METHODS.items()],
    }


def _parents(visit: Visit, element: Group | None) -> list[OptionGroup]:
    """Groups a group may stand in: every one but itself and those below it."""
    options = []
    for one in visit.snapshot.elements():
        if isinstance(one, Group) and (element is None or all(a.ref != element.ref for a in visit.snapshot.ancestors(one))):
            options.append(Option(str(one.ref), one.title))
    return [OptionGroup("", options)]


async def new_group(visit: Visit) -> http.Response:
    parent = visit.element(Group)
    start = {"priority": max((b.priority for b in visit.snapshot.branches(parent.ref)), default=0) + 1}
    form = Form(visit, GroupForm, start)
    if visit.is_post:
        with form.saving():
            wish = form.read()
            values = {name: getattr(wish, name) for name in wish.__struct_fields__}
            async with visit.edit() as edit:
                made = await service.create_group(edit, Group(id=0, **{**values, "parent": parent.ref, "active": True}))
            message = N_("The group is created.") if made.method == "NONE" else N_("The group is created. Now add users to it.")
            return visit.go(visit.url(Group.kind, id=made.id), message=visit.t(message))
    return visit.render("groups/new.html", status=form.status, form=form, parent=parent, **_choices(visit))


async def delete_group(visit: Visit) -> http.Response:
    element = visit.element(Group)
    form = Form(visit, Nothing)
    back = visit.url(Group.kind, id=element.id)
    if visit.is_post:
        with form.saving():
            async with visit.edit() as edit:
                await people.delete_branch(edit, element.ref)
            return visit.go(
                visit.url_of(element.parent) or visit.url("home"), message=visit.t("“{title}” is deleted.", title=element.title)
            )
    doomed = people.doomed_with(visit.snapshot, element)
    return confirm(
        visit,
        visit.t("Delete the group “{title}”?", title=element.title),
        back=back,
        form=form,
        of=element.ref,
        goes=going(visit, element, doomed),
    )


def going(visit: Visit, element: Branch, doomed: people.Doomed) -> list[str]:
    """GRP-1: what a confirmation lists."""
    lines = [visit.t("Nested: “{title}”", title=b.title) for b in doomed.branches if b.ref != element.ref]
    lines += [visit.t("User “{title}”, who is in no other group", title=u.title) for u in doomed.users]
    return lines


PAGES = (
    Page("GET", "/groups/{id}", group, "admin", name=Group.kind, icon="group"),
    Page("POST", "/groups/{id}", group, "admin"),
    Page("GET", "/groups/{id}/new", new_group, "admin", name="groups.new"),
    Page("POST", "/groups/{id}/new", new_group, "admin"),
    Page("GET", "/groups/{id}/delete", delete_group, "admin", name="groups.delete"),
    Page("POST", "/groups/{id}/delete", delete_group, "admin"),
)

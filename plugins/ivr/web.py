# SPDX-License-Identifier: Apache-2.0
"""Pages of IVR menus (IVR): one menu with its keys, files and users; create; delete."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from engine.sdk import Branch, Condition, NotFound, Page, Problem, Ref, SoundElement, people
from plugins.ivr import service
from plugins.ivr.part import Menu, MenuKey
from web.sdk import Form, Nothing, Option, OptionGroup, Visit, check_choice, confirm, elements, http, member_values, targets


class MenuForm(msgspec.Struct, frozen=True, kw_only=True):
    title: Annotated[str, Meta(min_length=1, max_length=200)]
    parent: Ref | None = None
    priority: int = 1
    extension: str | None = None
    active: bool = True
    schedule: Ref | None = None
    greeting: Ref | None = None
    file: Ref | None = None
    timeout_seconds: int = 5
    digit_gap_seconds: int = 2
    recording: bool = False


async def menu(visit: Visit) -> http.Response:
    element = visit.element(Menu)
    form = Form(visit, MenuForm, element)
    actions, places = targets(visit, "key"), _parents(visit)
    chosen = {k.key: str(k.target) for k in element.keys}
    if visit.is_post:
        chosen = {key: visit.text(f"key_{key}") for key in service.KEYS}
        with form.saving():
            wish = form.read()
            if twice := [key for key in chosen if len(visit.posted.getall(f"key_{key}", ())) > 1]:
                raise Problem("keys", service.TWICE, key=twice[0])
            check_choice("parent", wish.parent, places)
            values = {name: getattr(wish, name) for name in wish.__struct_fields__}
            async with visit.edit() as edit:
                await service.save_menu(edit, msgspec.structs.replace(element, **values, keys=_keys(chosen, actions)))
            return visit.go(visit.url(Menu.kind, id=element.id), message=visit.t("Saved."))
    return visit.render(
        "ivr/menu.html", status=form.status, element=element, form=form, actions=actions, chosen=chosen, keys=service.KEYS, parents=places,
        children=visit.snapshot.branches(element.ref), ancestors=list(reversed(list(visit.snapshot.ancestors(element))))[:-1],
        **member_values(visit, element), **_choices(visit),
    )  # fmt: skip


def _keys(chosen: dict[str, str], actions: list[OptionGroup]) -> tuple[MenuKey, ...]:
    keys = []
    for key, text in chosen.items():
        if not text:
            continue
        try:
            target = Ref.parse(text)
        except ValueError as error:
            raise Problem("keys", "Choose one of the list.") from error
        check_choice("keys", target, actions)
        keys.append(MenuKey(key, target))
    return tuple(keys)


def _choices(visit: Visit) -> dict[str, Any]:
    return {"sounds": elements(visit, SoundElement), "schedules": elements(visit, Condition)}


def _parents(visit: Visit) -> list[OptionGroup]:
    """A menu stands in the root or in a group (IVR-1)."""
    found = [e for e in visit.snapshot.elements() if isinstance(e, Branch) and e.kind != Menu.kind]
    return [OptionGroup("", [Option(str(e.ref), e.title) for e in found])]


async def new_menu(visit: Visit) -> http.Response:
    """`?into=` names the group; the root when absent."""
    places = _parents(visit)
    into = visit.query.get("into")
    if into and all(into != option.value for group in places for option in group.options):
        raise NotFound()  # the page with this link is old: the group is gone
    form = Form(visit, MenuForm, {"parent": into or (visit.snapshot.root.ref if visit.snapshot.root else None)})
    if visit.is_post:
        with form.saving():
            wish = form.read()
            if wish.parent is None:
                raise Problem("parent", "This field is required.")
            check_choice("parent", wish.parent, places)
            values = {name: getattr(wish, name) for name in wish.__struct_fields__}
            async with visit.edit() as edit:
                made = await service.create_menu(edit, Menu(id=0, **{**values, "active": True}))
            return visit.go(visit.url(Menu.kind, id=made.id), message=visit.t("The menu is created. Now say what its keys do."))
    return visit.render("ivr/new.html", status=form.status, form=form, parents=places, **_choices(visit))


async def delete_menu(visit: Visit) -> http.Response:
    element = visit.element(Menu)
    form = Form(visit, Nothing)
    if visit.is_post:
        with form.saving():
            async with visit.edit() as edit:
                await people.delete_branch(edit, element.ref)
            return visit.go(
                visit.url_of(element.parent) or visit.url("home"), message=visit.t("“{title}” is deleted.", title=element.title)
            )
    doomed = people.doomed_with(visit.snapshot, element)
    goes = [visit.t("Nested: “{title}”", title=b.title) for b in doomed.branches if b.ref != element.ref]
    goes += [visit.t("User “{title}”, who is in no other group", title=u.title) for u in doomed.users]
    question = visit.t("Delete the IVR menu “{title}”?", title=element.title)
    return confirm(visit, question, back=visit.url(Menu.kind, id=element.id), form=form, of=element.ref, goes=goes)


PAGES = (
    Page("GET", "/menus/new", new_menu, "admin", name="ivr.new"),
    Page("POST", "/menus/new", new_menu, "admin"),
    Page("GET", "/menus/{id}", menu, "admin", name=Menu.kind, icon="menu"),
    Page("POST", "/menus/{id}", menu, "admin"),
    Page("GET", "/menus/{id}/delete", delete_menu, "admin", name="ivr.delete"),
    Page("POST", "/menus/{id}/delete", delete_menu, "admin"),
)

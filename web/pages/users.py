# SPDX-License-Identifier: Apache-2.0
"""Users for the administrator: list, one user with contacts, phones and cabinet login (USR)."""

from __future__ import annotations

from typing import Any

import msgspec
from aiohttp import web as http

from engine.sdk import (
    N_,
    Branch,
    Condition,
    Contact,
    Did,
    NotFound,
    Page,
    Ref,
    Refused,
    Snapshot,
    User,
    addresses,
    format_phone,
    models,
    people,
)
from web.confirm import Nothing, confirm
from web.forms import Form
from web.pages.members import branch_of
from web.picker import elements
from web.visit import Visit


async def users(visit: Visit) -> http.Response:
    wanted = visit.query.get("q", "").strip().casefold()
    found = [u for u in visit.snapshot.core.users if wanted in _words(u)]
    return visit.render(
        "shell/users.html",
        users=sorted(found, key=lambda u: u.title.casefold()),
        q=visit.query.get("q", ""),
        groups=groups_of(visit.snapshot),
        present=visit.ctx.presence(visit.account_id),
    )


def _words(user: User) -> str:
    return " ".join((user.title, user.extension or "", *(c.address for c in user.contacts))).casefold()


def groups_of(snapshot: Snapshot) -> dict[int, list[Branch]]:
    """The groups and menus each user stands in."""
    found: dict[int, list[Branch]] = {}
    for element in snapshot.elements():
        if not isinstance(element, Branch):
            continue
        for member in element.members:
            found.setdefault(member.user, []).append(element)
    return found


async def new_user(visit: Visit) -> http.Response:
    """A user in the group or menu that `?into=` names, else in the root group."""
    branch = branch_of(visit, visit.query["into"]) if visit.query.get("into") else visit.snapshot.root
    form = Form(visit, people.UserWish, {"language": visit.snapshot.account.language})
    if visit.is_post:
        with form.saving():
            wish = form.read()
            async with visit.edit() as edit:
                user_id = await people.create_user(edit, wish)
                if branch is not None:
                    last = max((m.priority for m in branch.members), default=0)
                    await people.set_membership(edit, branch.ref, user_id, min(last + 1, 99))
            return visit.go(visit.url(User.kind, id=user_id), message=visit.t("The user is created. Now add a phone."))
    back = (visit.url_of(branch.ref) if branch and visit.query.get("into") else "") or visit.url("users")
    return visit.render(
        "shell/user_new.html", status=form.status, form=form, back=back, into=branch.title if branch else "", **_choices(visit)
    )


def _choices(visit: Visit) -> dict[str, Any]:
    return {"numbers": elements(visit, Did), "schedules": elements(visit, Condition)}


async def user(visit: Visit) -> http.Response:
    """One user. The page holds several forms; each posts to here with its own name."""
    element = visit.element(User)
    row = await models.User.of(visit.account_id).fetch(element.id)
    forms: dict[str, Form[Any]] = {
        "main": Form(visit, people.UserWish, element, "main"),
        "login": Form(visit, people.LoginWish, {"login": row.login, "role": row.role}, "login"),
        "contact": Form(
            visit, people.ContactWish, {"priority": len(element.contacts) + 1, "address": _free_login(visit, element)}, "contact"
        ),
    }
    if visit.is_post and visit.text("form") in forms:
        answer = await _save(visit, element, forms)
        if answer is not None:
            return answer
    return visit.render(
        "shell/user.html", status=next((f.status for f in forms.values() if not f.ok), 200), element=element, row=row, forms=forms,
        present=visit.ctx.presence(visit.account_id), groups=people.branches_of(visit.snapshot, element.id),
        first_group=first.ref if (first := visit.snapshot.first_group(element.id)) else None, **_choices(visit),
    )  # fmt: skip


async def _save(visit: Visit, element: User, forms: dict[str, Form[Any]]) -> http.Response | None:
    form = forms[visit.text("form")]
    back = visit.url(User.kind, id=element.id)
    with form.saving():
        wish = form.read()
        login = await people.ready_login(wish) if isinstance(wish, people.LoginWish) else None
        async with visit.edit() as edit:
            if isinstance(wish, people.UserWish):
                await people.edit_user(edit, element.id, wish)
                secret = None
            elif login is not None:
                secret = await people.set_login(edit, element.id, login)
            else:
                _, secret = await people.add_contact(edit, element.id, wish)
        reveal: dict[str, str] = {}
        if secret and isinstance(wish, people.LoginWish):
            reveal = {visit.t("Cabinet"): visit.ctx.settings.public_url, visit.t("Login"): wish.login or "", visit.t("Password"): secret}
        elif secret:
            reveal = _phone_data(visit, wish.address, secret)
        return visit.go(back, message=visit.t("Saved."), reveal=reveal)
    return None


def _phone_data(visit: Visit, login: str, password: str) -> dict[str, str]:
    """What is typed into a softphone."""
    account, settings = visit.snapshot.account, visit.ctx.settings
    domain = addresses.phone_domain(settings, account.number, account.domain)
    told = {N_("SIP server"): addresses.phone_server(settings), N_("SIP domain"): domain, N_("Login"): login, N_("Password"): password}
    return {visit.t(name): value for name, value in told.items() if value}


def _free_login(visit: Visit, element: User) -> str:
    """A proposal for the next SIP login: the extension, then the extension with a letter."""
    if not element.extension:
        return ""
    taken = {login.casefold() for login in visit.snapshot.sip_accounts}
    return next((n for n in (element.extension, *(element.extension + c for c in "abcdefgh")) if n not in taken), "")


def _contact(visit: Visit) -> tuple[User, Contact]:
    found = visit.snapshot.contacts.get(visit.id())
    if found is None:
        raise NotFound()
    return found


async def contact(visit: Visit) -> http.Response:
    owner, element = _contact(visit)
    form = Form(visit, people.ContactWish, element)
    if visit.is_post:
        with form.saving():
            wish = form.read()
            async with visit.edit() as edit:
                await people.edit_contact(edit, element.id, wish)
            return visit.go(visit.url(User.kind, id=owner.id), message=visit.t("Saved."))
    return visit.render(
        "shell/contact.html", status=form.status, form=form, contact=element, owner=owner, schedules=elements(visit, Condition)
    )


async def delete_contact(visit: Visit) -> http.Response:
    owner, element = _contact(visit)
    back = visit.url(User.kind, id=owner.id)
    form = Form(visit, Nothing)
    if visit.is_post:
        with form.saving():
            async with visit.edit() as edit:
                await people.delete_contact(edit, element.id)
            return visit.go(back, message=visit.t("The contact is deleted."))
    goes = (
        [visit.t("SIP account {login}: the phone that uses it will no longer register", login=element.address)]
        if element.kind == "sip"
        else []
    )
    return confirm(
        visit,
        visit.t("Delete the contact {address} of “{title}”?", address=format_phone(element.address), title=owner.title),
        back=back,
        form=form,
        goes=goes,
    )


async def new_secret(visit: Visit) -> http.Response:
    owner, element = _contact(visit)
    if element.kind != "sip":
        raise NotFound()
    async with visit.edit() as edit:
        password = await people.set_sip_password(edit, element.id)
    return visit.go(
        visit.url(User.kind, id=owner.id), message=visit.t("The old password no longer works."), tone="warn",
        reveal=_phone_data(visit, element.address, password),
    )  # fmt: skip


class FirstGroup(msgspec.Struct, frozen=True):
    group: Ref


async def first_group(visit: Visit) -> http.Response:
    """R15: of several groups the one that counts where one must."""
    element = visit.element(User)
    form = Form(visit, FirstGroup)
    wish = form.read()
    async with visit.edit() as edit:
        await people.set_first_group(edit, element.id, wish.group)
    return visit.go(visit.url(User.kind, id=element.id) + "#groups", message=visit.t("Saved."))


async def delete_user(visit: Visit) -> http.Response:
    element = visit.element(User)
    form = Form(visit, Nothing)
    if visit.is_post:
        with form.saving():
            if element.id == visit.user.id:
                raise Refused(N_("You can’t delete yourself."))
            async with visit.edit() as edit:
                await people.delete_user(edit, element.id)
            return visit.go(visit.url("users"), message=visit.t("The user “{title}” is deleted.", title=element.title))
    goes = [visit.t("Contact {address}", address=format_phone(c.address)) for c in element.contacts]
    goes += [visit.t("Membership in “{title}”", title=g.title) for g in people.branches_of(visit.snapshot, element.id)]
    return confirm(
        visit,
        visit.t("Delete the user “{title}”?", title=element.title),
        back=visit.url(User.kind, id=element.id),
        form=form,
        goes=goes,
        of=element.ref,
        text=visit.t("His past calls and recordings stay in the statistics."),
    )


PAGES = (
    Page("GET", "/users", users, "admin", name="users"),
    Page("GET", "/users/new", new_user, "admin", name="users.new"),
    Page("POST", "/users/new", new_user, "admin"),
    Page("GET", r"/users/{id}", user, "admin", name=User.kind, icon="user"),
    Page("POST", r"/users/{id}", user, "admin"),
    Page("POST", "/users/{id}/first-group", first_group, "admin", name="users.first_group"),
    Page("GET", "/users/{id}/delete", delete_user, "admin", name="users.delete"),
    Page("POST", "/users/{id}/delete", delete_user, "admin"),
    Page("GET", "/contacts/{id}", contact, "admin", name="contact"),
    Page("POST", "/contacts/{id}", contact, "admin"),
    Page("GET", "/contacts/{id}/delete", delete_contact, "admin", name="contact.delete"),
    Page("POST", "/contacts/{id}/delete", delete_contact, "admin"),
    Page("POST", "/contacts/{id}/secret", new_secret, "admin", name="contact.secret"),
)

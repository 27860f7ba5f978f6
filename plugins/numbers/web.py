# SPDX-License-Identifier: Apache-2.0
"""Pages of outside numbers, their routing rules, and the operators' lines they come by (NUM-1, NUM-2)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from engine.sdk import N_, Condition, Did, Page, Ref, Snapshot, Trunk, addresses, format_phone, target_titles
from plugins.numbers import service
from plugins.numbers.actions import rules_of
from plugins.numbers.part import NumberList, NumbersPart, Rule
from web.sdk import Form, Nothing, Visit, check_choice, confirm, elements, http, targets

STATES: Final[Mapping[str, tuple[str, str]]] = {
    "REGED": ("good", N_("registered with the operator")),
    "TRYING": ("warn", N_("registering")),
    "REGISTER": ("warn", N_("registering")),
    "FAILED": ("bad", N_("not registered: no answer or a refusal, it is tried again")),
    "FAIL_WAIT": ("bad", N_("not registered: no answer or a refusal, it is tried again")),
    "TIMEOUT": ("bad", N_("not registered: the operator does not answer")),
    "EXPIRED": ("bad", N_("not registered: the registration has run out")),
    "UNREGED": ("bad", N_("not registered with the operator")),
    "UNREGISTER": ("bad", N_("not registered with the operator")),
}
"""The switch's words for a registration: (tone, in plain words)."""


class TrunkForm(msgspec.Struct, frozen=True, kw_only=True):
    title: str
    registers: Literal["yes", "no"] = "no"
    server: str = ""
    port: int = 5060
    transport: Literal["udp", "tcp"] = "udp"
    login: str = ""
    password: str = ""
    realm: str = ""
    sources: tuple[str, ...] = ()
    channels: int = 0
    active: bool = True
    passes_foreign: bool = False
    may_show: tuple[Ref, ...] = ()


class NumberForm(msgspec.Struct, frozen=True, kw_only=True):
    number: Annotated[str, Meta(min_length=1, max_length=32)]
    title: str = ""
    trunk: Ref


class RuleForm(msgspec.Struct, frozen=True, kw_only=True):
    title: str
    priority: int = 1
    numbers: Ref | None = None
    schedule: Ref | None = None
    target: Ref
    active: bool = True


def _rules(visit: Visit, did: int) -> list[Rule]:
    part = visit.snapshot.part("numbers", NumbersPart)
    return sorted((r for r in part.rules if r.did.id == did), key=lambda r: (r.priority, r.id)) if part else []


def _title(visit: Visit, ref: Ref | None) -> str:
    """How a target or condition is called in a list."""
    if ref is None:
        return ""
    element = visit.snapshot.element(ref)
    if element is not None:
        return element.title
    return target_titles(visit.t, visit.snapshot, visit.ctx.registry.actions()).get(str(ref), str(ref))


# numbers --------------------------------------------------------------------------------------------------------------


async def numbers(visit: Visit) -> http.Response:
    part = visit.snapshot.part("numbers", NumbersPart)
    first = {did.id: next(iter(rules_of(part, did.id)), None) if part else None for did in visit.snapshot.core.dids}
    goes = {did: _title(visit, rule.target) if rule else "" for did, rule in first.items()}
    return visit.render("numbers/numbers.html", dids=visit.snapshot.core.dids, trunks=visit.snapshot.trunks, goes=goes)


async def number(visit: Visit) -> http.Response:
    did = visit.element(Did)
    form = Form(visit, NumberForm, did)
    if visit.is_post:
        with form.saving():
            wish = form.read()
            async with visit.edit() as edit:
                await service.save_did(edit, msgspec.structs.replace(did, number=wish.number, title=wish.title, trunk=wish.trunk))
            return visit.go(visit.url(Did.kind, id=did.id), message=visit.t("Saved."))
    rules = [
        (rule, _title(visit, rule.numbers), _title(visit, rule.schedule), _title(visit, rule.target)) for rule in _rules(visit, did.id)
    ]
    return visit.render("numbers/number.html", status=form.status, form=form, did=did, rules=rules, trunks=elements(visit, Trunk))


async def new_number(visit: Visit) -> http.Response:
    form = Form(visit, NumberForm)
    lines = elements(visit, Trunk)
    if visit.is_post:
        with form.saving():
            wish = form.read()
            async with visit.edit() as edit:
                made = await service.save_did(edit, Did(id=0, number=wish.number, title=wish.title, trunk=wish.trunk))
            return visit.go(visit.url(Did.kind, id=made.id), message=visit.t("The number is connected. Now say where its calls go."))
    return visit.render("numbers/number_new.html", status=form.status, form=form, trunks=lines)


async def delete_number(visit: Visit) -> http.Response:
    did = visit.element(Did)
    form = Form(visit, Nothing)
    if visit.is_post:
        with form.saving():
            async with visit.edit() as edit:
                await service.delete_did(edit, did.id)
            return visit.go(visit.url("numbers.list"), message=visit.t("“{title}” is deleted.", title=did.title))
    goes = [visit.t("Rule “{title}”", title=r.title) for r in _rules(visit, did.id)]
    return confirm(
        visit, visit.t("Delete the number {number}?", number=did.number), back=visit.url(Did.kind, id=did.id), form=form, goes=goes
    )


# rules ----------------------------------------------------------------------------------------------------------------


def _rule_choices(visit: Visit) -> dict[str, Any]:
    return {
        "actions": targets(visit, "rule"),
        "lists": elements(visit, NumberList),
        "schedules": elements(visit, Condition, without=[e.ref for e in visit.snapshot.elements() if isinstance(e, NumberList)]),
    }


async def new_rule(visit: Visit) -> http.Response:
    did = visit.element(Did)
    priority = service.next_priority(_rules(visit, did.id))
    return await _rule(visit, did, Rule(id=0, title="", did=did.ref, priority=priority, target=Ref("", 0)))


async def rule(visit: Visit) -> http.Response:
    element = visit.element(Rule)
    return await _rule(visit, visit.snapshot.get(element.did, Did), element)


async def _rule(visit: Visit, did: Did | None, element: Rule) -> http.Response:
    form = Form(visit, RuleForm, element if element.id else {"title": visit.t("All calls"), "priority": element.priority})
    choices = _rule_choices(visit)
    back = visit.url_of(element.did)
    if visit.is_post:
        with form.saving():
            wish = form.read()
            check_choice("target", wish.target, choices["actions"])
            check_choice("numbers", wish.numbers, choices["lists"])
            check_choice("schedule", wish.schedule, choices["schedules"])
            values = {name: getattr(wish, name) for name in wish.__struct_fields__}
            async with visit.edit() as edit:
                await service.save_rule(edit, msgspec.structs.replace(element, **values))
            if edit.after is not None and (told := _order_told(visit, edit.after, element.did.id)):
                return visit.go(back, message=visit.t("Saved. {warning}", warning=told), tone="warn")
            return visit.go(back, message=visit.t("Saved."))
    return visit.render("numbers/rule.html", status=form.status, form=form, element=element, did=did, back=back, **choices)


def _order_told(visit: Visit, after: Snapshot, did: int) -> str:
    """What is wrong with the order of a number's rules."""
    part = after.part("numbers", NumbersPart)
    return " ".join(visit.t(f.message, **f.params) for f in service.order_findings(rules_of(part, did) if part else ()))


async def delete_rule(visit: Visit) -> http.Response:
    element = visit.element(Rule)
    form = Form(visit, Nothing)
    back = visit.url_of(element.did)
    if visit.is_post:
        with form.saving():
            async with visit.edit() as edit:
                await service.delete_rule(edit, element.id)
            return visit.go(back, message=visit.t("“{title}” is deleted.", title=element.title))
    return confirm(visit, visit.t("Delete the rule “{title}”?", title=element.title), back=back, form=form)


def _state(visit: Visit, line: Trunk, states: Mapping[int, str]) -> tuple[str, str]:
    """(tone, words) of a line that registers, ("", "") for one that needs not."""
    if not line.active:
        return "", visit.t("switched off")
    if not line.registers:
        return "", ""
    tone, words = STATES.get(states.get(line.id, ""), ("", N_("state unknown")))
    return tone, visit.t(words)


# operators' lines -----------------------------------------------------------------------------------------------------


async def trunks(visit: Visit) -> http.Response:
    numbers_of: dict[int, list[str]] = {}
    for did in visit.snapshot.core.dids:
        numbers_of.setdefault(did.trunk.id, []).append(did.number)
    known = visit.ctx.trunk_states(visit.account_id)
    states = {line.id: _state(visit, line, known) for line in visit.snapshot.core.trunks}
    return visit.render("numbers/trunks.html", trunks=visit.snapshot.core.trunks, numbers_of=numbers_of, states=states)


async def new_trunk(visit: Visit) -> http.Response:
    return await _trunk(visit, Trunk(id=0, title="", registers=False))


async def trunk(visit: Visit) -> http.Response:
    return await _trunk(visit, visit.element(Trunk))


async def _trunk(visit: Visit, element: Trunk) -> http.Response:
    start = {**{n: getattr(element, n) for n in element.__struct_fields__}, "registers": "yes" if element.registers else "no"}
    form = Form(visit, TrunkForm, start)
    if visit.is_post:
        with form.saving():
            wish = form.read()
            values = {name: getattr(wish, name) for name in wish.__struct_fields__ if name not in ("registers", "password")}
            changed = msgspec.structs.replace(element, **values, registers=wish.registers == "yes")
            async with visit.edit() as edit:
                made = await service.save_trunk(edit, changed, wish.password or None)
            if not changed.registers and service.open_to_all(changed.sources):
                warning = visit.t("Saved. Anybody in the internet can call in by this line: list your operator’s addresses only.")
                return visit.go(visit.url(Trunk.kind, id=made.id), message=warning, tone="bad")
            if element.id:
                return visit.go(visit.url(Trunk.kind, id=made.id), message=visit.t("Saved."))
            return visit.go(visit.url("numbers.trunks"), message=visit.t("The line is added. Now connect its numbers."))
    dids = [d for d in visit.snapshot.core.dids if d.trunk.id == element.id]
    others = [(str(d.ref), format_phone(d.number)) for d in visit.snapshot.core.dids if d.trunk.id != element.id]
    return visit.render(
        "numbers/trunk.html", status=form.status, form=form, element=element, dids=dids, others=others,
        our_address=addresses.trunk_address(visit.ctx.settings),
        state=_state(visit, element, visit.ctx.trunk_states(visit.account_id)) if element.id else ("", ""),
    )  # fmt: skip


async def delete_trunk(visit: Visit) -> http.Response:
    element = visit.element(Trunk)
    form = Form(visit, Nothing)
    if visit.is_post:
        with form.saving():
            async with visit.edit() as edit:
                await service.delete_trunk(edit, element.id)
            return visit.go(visit.url("numbers.trunks"), message=visit.t("“{title}” is deleted.", title=element.title))
    question = visit.t("Delete the line “{title}”?", title=element.title)
    return confirm(visit, question, back=visit.url(Trunk.kind, id=element.id), form=form, of=element.ref)


PAGES = (
    Page("GET", "/numbers", numbers, "admin", name="numbers.list", menu=N_("Numbers and routing"), menu_section="settings", icon="number"),
    Page("GET", "/numbers/new", new_number, "admin", name="numbers.new"),
    Page("POST", "/numbers/new", new_number, "admin"),
    Page("GET", "/numbers/{id}", number, "admin", name=Did.kind),
    Page("POST", "/numbers/{id}", number, "admin"),
    Page("GET", "/numbers/{id}/delete", delete_number, "admin", name="numbers.delete"),
    Page("POST", "/numbers/{id}/delete", delete_number, "admin"),
    Page("GET", "/numbers/{id}/rules/new", new_rule, "admin", name="numbers.rule.new"),
    Page("POST", "/numbers/{id}/rules/new", new_rule, "admin"),
    Page("GET", "/rules/{id}", rule, "admin", name=Rule.kind),
    Page("POST", "/rules/{id}", rule, "admin"),
    Page("GET", "/rules/{id}/delete", delete_rule, "admin", name="numbers.rule.delete"),
    Page("POST", "/rules/{id}/delete", delete_rule, "admin"),
    Page("GET", "/trunks", trunks, "admin", name="numbers.trunks", menu=N_("External lines"), menu_section="settings", icon="trunk"),
    Page("GET", "/trunks/new", new_trunk, "admin", name="numbers.trunk.new"),
    Page("POST", "/trunks/new", new_trunk, "admin"),
    Page("GET", "/trunks/{id}", trunk, "admin", name=Trunk.kind),
    Page("POST", "/trunks/{id}", trunk, "admin"),
    Page("GET", "/trunks/{id}/delete", delete_trunk, "admin", name="numbers.trunk.delete"),
    Page("POST", "/trunks/{id}/delete", delete_trunk, "admin"),
)

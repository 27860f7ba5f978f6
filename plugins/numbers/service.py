# SPDX-License-Identifier: Apache-2.0
"""Numbers, trunks and routing rules (NUM-1, NUM-2). Every function works inside an edit; nothing is saved when it raises."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Sequence
from ipaddress import ip_network
from typing import Final

import msgspec

from engine.sdk import (
    N_,
    Did,
    DidRow,
    Edit,
    ElementStore,
    Finding,
    InUse,
    Invalid,
    NotFound,
    Problem,
    Ref,
    Snapshot,
    Trunk,
    TrunkRow,
    as_findings,
    encrypt,
    to_e164,
)
from plugins.numbers.models import NumberListRow, RuleRow
from plugins.numbers.part import ListEntry, NumberList, NumbersPart, Rule

MOST_ENTRIES: Final = 10_000
"""Of one list; every process keeps it in memory."""
_WIDEST: Final = 12
"""Providers have networks of some thousand addresses; nobody has a million."""
_NUMBER_THEN_NAME: Final = re.compile(r"([+\d\s().\-]+)(.*)")


def check(part: NumbersPart, whole: Snapshot) -> Iterable[Finding]:
    for trunk in whole.core.trunks:
        yield from as_findings(trunk.ref, (p for p in trunk_problems(trunk, None) if p.field != "password"))
    for numbers in part.lists:
        yield from as_findings(numbers.ref, list_problems(numbers))
    for rule in part.rules:
        yield from as_findings(rule.ref, rule_problems(rule))
        if whole.get(rule.did, Did) is None:
            yield Finding("error", rule.ref, N_("The rule “{title}” belongs to a number that does not exist."), {"title": rule.title})
    for did in whole.core.dids:
        yield from order_findings(part.rules_by_did.get(did.id, ()))


NEVER_ASKED: Final = N_(
    "The rule “{title}” never applies: “{before}” is asked before it and takes every call. "
    "Give it a lower number as its priority, or delete it."
)
SAME_PRIORITY: Final = N_(
    "The rules “{before}” and “{title}” have the same priority: the older one is asked first. "
    "Give them different ones."
)


def order_findings(rules: Sequence[Rule]) -> Iterable[Finding]:
    """Of one number's active rules as they are asked: those that can't apply, and those whose order only their age decides."""
    first = next((rule for rule in rules if rule.takes_all), None)
    for before, rule in itertools.pairwise(rules):
        if first is not None and rules.index(rule) > rules.index(first):
            yield Finding("warning", rule.ref, NEVER_ASKED, {"title": rule.title, "before": first.title})
        elif before.priority == rule.priority:
            yield Finding("warning", rule.ref, SAME_PRIORITY, {"title": rule.title, "before": before.title})


def next_priority(rules: Sequence[Rule]) -> int:
    """For a new rule of a number: the last, but before the one that takes every call where the numbers between leave room."""
    last = max((rule.priority for rule in rules), default=0)
    everything = min((rule.priority for rule in rules if rule.takes_all), default=None)
    if everything is None:
        return last + 1
    before = max((rule.priority for rule in rules if rule.priority < everything), default=0)
    return before + 1 if before + 1 < everything else last + 1


store: ElementStore[NumbersPart] = ElementStore(NumbersPart, {"rules": RuleRow, "lists": NumberListRow}, check)


def trunk_problems(trunk: Trunk, password: str | None) -> list[Problem]:
    """What is wrong with the fields; `password` None = unchanged."""
    found = []
    if not trunk.title.strip():
        found.append(Problem("title", N_("Enter a name.")))
    if trunk.registers:
        if not trunk.server.strip():
            found.append(Problem("server", N_("Enter the provider's server.")))
        if not trunk.login.strip():
            found.append(Problem("login", N_("Enter the login.")))
        if password == "" or (password is None and not trunk.secret):
            found.append(Problem("password", N_("Enter the password.")))
    elif not trunk.sources:
        found.append(Problem("sources", N_("List the addresses the provider calls from.")))
    if any(c in trunk.server for c in " \t\r\n/<>;,\"'"):
        found.append(Problem("server", N_("A server is a name or an address.")))
    if not 1 <= trunk.port <= 65535:
        found.append(Problem("port", N_("A port is a number from 1 to 65535.")))
    if not 0 <= trunk.channels <= 10_000:
        found.append(Problem("channels", N_("From 0 (no limit) to 10000.")))
    for source in trunk.sources:
        try:
            ip_network(source, strict=False)
        except ValueError:
            found.append(Problem("sources", N_("“{address}” is not an address or a network."), address=source))
    return found


def open_to_all(sources: Sequence[str]) -> bool:
    """Whether they let a large part of the internet in: more than a provider can have."""
    return any(not (network := ip_network(source, strict=False)).is_private and network.prefixlen < _WIDEST for source in sources)


async def save_trunk(edit: Edit, trunk: Trunk, password: str | None = None) -> Ref:
    """Create (id 0) or change a trunk. Raises Invalid, NotFound."""
    found = trunk_problems(trunk, password)
    if any(edit.before.get(ref, Did) is None for ref in trunk.may_show):
        found.append(Problem("may_show", N_("Choose one of the list.")))
    if found:
        raise Invalid(found)
    values = {
        "title": trunk.title.strip(), "registers": trunk.registers, "server": trunk.server.strip(), "port": trunk.port,
        "transport": trunk.transport, "login": trunk.login.strip(), "realm": trunk.realm.strip(), "sources": list(trunk.sources),
        "channels": trunk.channels, "active": trunk.active, "passes_foreign": trunk.passes_foreign,
        "may_show": [str(ref) for ref in trunk.may_show],
    }  # fmt: skip
    if password:
        values["secret"] = encrypt(password)
    if trunk.id:
        row = await TrunkRow.of(edit.account_id, edit.tx).fetch(trunk.id)
        await row.update_from_dict(values).save(using_db=edit.tx)
    else:
        row = await TrunkRow.create(account_id=edit.account_id, using_db=edit.tx, **values)
    return Ref(Trunk.kind, row.id)


async def delete_trunk(edit: Edit, trunk_id: int) -> None:
    """Raises NotFound, InUse while a number comes by it."""
    row = await TrunkRow.of(edit.account_id, edit.tx).fetch(trunk_id)
    numbers = [d.number for d in edit.before.core.dids if d.trunk.id == trunk_id]
    if numbers:
        raise InUse(row.title, numbers)
    await row.delete(using_db=edit.tx)


async def save_did(edit: Edit, did: Did) -> Ref:
    """Create (id 0) or change a number; `did.number` as people write it. Raises Invalid, NotFound."""
    number = to_e164(did.number, edit.before.account.area_code)
    problems = []
    if number is None:
        problems.append(Problem("number", N_("“{number}” is not a phone number."), number=did.number))
    elif await DidRow.filter(number=number).using_db(edit.tx).exclude(id=did.id).exists():
        problems.append(Problem("number", N_("The number {number} is connected already."), number=number))
    if edit.before.get(did.trunk, Trunk) is None:
        problems.append(Problem("trunk", N_("Choose the line the number comes by.")))
    if problems:
        raise Invalid(problems)
    values = {"number": number, "title": did.title.strip() or number, "trunk_id": did.trunk.id}
    if did.id:
        row = await DidRow.of(edit.account_id, edit.tx).fetch(did.id)
        await row.update_from_dict(values).save(using_db=edit.tx)
    else:
        order = max((d.connected for d in edit.before.core.dids), default=0) + 1
        row = await DidRow.create(account_id=edit.account_id, connected=order, using_db=edit.tx, **values)
    return Ref(Did.kind, row.id)


async def delete_did(edit: Edit, did_id: int) -> None:
    """With its rules. Raises NotFound, InUse while something shows it."""
    row = await DidRow.of(edit.account_id, edit.tx).fetch(did_id)
    ref = Ref(Did.kind, did_id)
    places = [e.title for e in edit.before.referers(ref) if not isinstance(e, Rule)]
    if places:
        raise InUse(row.number, places)
    for element in edit.before.referers(ref):
        if isinstance(element, Rule):
            await store.remove(edit.account_id, element, edit.tx)
    await row.delete(using_db=edit.tx)


def rule_problems(rule: Rule) -> list[Problem]:
    problems = []
    if not rule.title.strip():
        problems.append(Problem("title", N_("Enter a name.")))
    if not 1 <= rule.priority <= 1000:
        problems.append(Problem("priority", N_("From 1 to 1000.")))
    return problems


async def save_rule(edit: Edit, rule: Rule) -> Rule:
    """Create (id 0) or change a routing rule. Raises Invalid, NotFound."""
    if edit.before.get(rule.did, Did) is None:
        raise NotFound
    if problems := rule_problems(rule):
        raise Invalid(problems)
    if rule.id:
        await store.save(edit.account_id, rule, edit.tx)
        return rule
    return await store.insert(edit.account_id, rule, edit.tx)


async def delete_rule(edit: Edit, rule_id: int) -> None:
    """Raises NotFound."""
    rule = edit.before.get(Ref(Rule.kind, rule_id), Rule)
    if rule is None:
        raise NotFound
    await store.remove(edit.account_id, rule, edit.tx)


def read_lines(text: str) -> list[ListEntry]:
    """What people paste: a caller per line, the number first, then maybe “;”, “,” or a tab, and the name. Numbers as they were typed."""
    entries = []
    for line in text.splitlines():
        number, separator, name = re.sub(r"[;,\t]", ";", line.strip(), count=1).partition(";")
        if not separator:
            found = _NUMBER_THEN_NAME.fullmatch(line.strip())
            number, name = (found[1], found[2]) if found else (line, "")
        if number.strip() or name.strip():
            entries.append(ListEntry(number.strip(), name.strip()))
    return entries


def normal(entries: Sequence[ListEntry], area_code: str) -> tuple[ListEntry, ...]:
    """Numbers in E.164, names trimmed. Raises Invalid with “entries.3” for what is no number or stands there twice."""
    found: list[ListEntry] = []
    problems: list[Problem] = []
    seen: set[str] = set()
    for at, entry in enumerate(entries):
        number = to_e164(entry.number, area_code)
        if number is None:
            problems.append(Problem(f"entries.{at}", N_("“{number}” is not a phone number."), number=entry.number))
        elif number in seen:
            problems.append(Problem(f"entries.{at}", N_("The number {number} is in the list already."), number=entry.number))
        else:
            seen.add(number)
            found.append(ListEntry(number, entry.name.strip()[:200], entry.active))
    if len(found) > MOST_ENTRIES:
        problems.append(Problem("entries", N_("A list takes {count} numbers at most."), count=MOST_ENTRIES))
    if problems:
        raise Invalid(problems)
    return tuple(found)


def list_problems(numbers: NumberList) -> list[Problem]:
    """Of a list as it is kept: `normal` has made its numbers international."""
    found = []
    if not numbers.title.strip():
        found.append(Problem("title", N_("Enter a name.")))
    if len(numbers.entries) > MOST_ENTRIES:
        found.append(Problem("entries", N_("A list takes {count} numbers at most."), count=MOST_ENTRIES))
    seen: set[str] = set()
    for entry in numbers.entries:
        if to_e164(entry.number) != entry.number or entry.number in seen:
            found.append(Problem("entries", N_("“{number}” is no phone number, or stands in the list twice."), number=entry.number[:40]))
            break
        seen.add(entry.number)
    return found


async def save_list(edit: Edit, numbers: NumberList) -> NumberList:
    """Create (id 0) or change a list of callers (DIR-1). Raises Invalid, NotFound."""
    if not numbers.title.strip():
        raise Invalid([Problem("title", N_("Enter a name."))])
    entries = normal(numbers.entries, edit.before.account.area_code)
    numbers = msgspec.structs.replace(numbers, title=numbers.title.strip(), entries=entries)
    if numbers.id:
        await store.save(edit.account_id, numbers, edit.tx)
        return numbers
    return await store.insert(edit.account_id, numbers, edit.tx)


async def delete_list(edit: Edit, list_id: int) -> None:
    """Raises NotFound, InUse while a rule asks it."""
    numbers = edit.before.get(Ref(NumberList.kind, list_id), NumberList)
    if numbers is None:
        raise NotFound
    places = [e.title for e in edit.before.referers(numbers.ref)]
    if places:
        raise InUse(numbers.title, places)
    await store.remove(edit.account_id, numbers, edit.tx)


async def forget_number(edit: Edit, number: str) -> None:
    """Out of every list of callers."""
    part = edit.before.part("numbers", NumbersPart)
    for one in part.lists if part else ():
        left = tuple(entry for entry in one.entries if entry.number != number)
        if left != one.entries:
            await store.save(edit.account_id, msgspec.structs.replace(one, entries=left), edit.tx)

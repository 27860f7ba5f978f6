# SPDX-License-Identifier: Apache-2.0
"""«Проверка сценария»: what would happen to a call, told like the path of one that has happened. Nothing is dialled."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Final, Literal

import msgspec
from aiohttp import web as http

from engine.sdk import (
    N_,
    NotAdmitted,
    Page,
    Question,
    Ref,
    Rehearsed,
    Script,
    User,
    as_installed,
    beside,
    calling,
    clock,
    pretty,
    react,
    read_answers,
    read_caller,
    read_keys,
    read_moment,
    rehearsed,
)
from web.forms import Form
from web.visit import Visit

MOST_SELECTS: Final = 100
"""Of more users nobody chooses one by one: their names are written."""
BEHAVIOURS: Final = (
    ("answer", N_("answers in 5 s")),
    ("answer:15", N_("answers in 15 s")),
    ("no", N_("does not answer")),
    ("busy", N_("busy")),
    ("reject", N_("rejects the call")),
    ("absent", N_("the phone is not registered")),
)


class RehearsalForm(msgspec.Struct, frozen=True):
    to: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    caller: Annotated[str, msgspec.Meta(max_length=64)] = ""
    at: Annotated[str, msgspec.Meta(max_length=40)] = ""
    keys: Annotated[str, msgspec.Meta(max_length=200)] = ""
    leaves: Annotated[int | None, msgspec.Meta(ge=0, le=86_400)] = None
    everybody: Literal["no", "answer", "answer:15", "busy", "reject", "absent"] = "no"
    as_now: bool = False
    answers: Annotated[str, msgspec.Meta(max_length=4_000)] = ""


async def rehearsal(visit: Visit) -> http.Response:
    snapshot = visit.snapshot
    now = clock.now().astimezone(visit.zone)
    first = snapshot.core.dids[0].number if snapshot.core.dids else ""
    form = Form(visit, RehearsalForm, {"to": pretty(first), "at": f"{now:%Y-%m-%dT%H:%M}", "everybody": "no"})
    found: Rehearsed | None = None
    refusal = ""
    if visit.is_post:
        with form.saving():
            wish = form.read()
            at = read_moment(wish.at, visit.zone) if wish.at else now
            question = Question(wish.to, read_caller(wish.caller), _script(visit, wish))
            try:
                found = await beside(calling(snapshot, visit.ctx.registry.actions(), question, at))
            except NotAdmitted as refused:
                refusal = visit.tell(refused)
    lines = rehearsed(visit.t, found.rehearsal, snapshot, visit.ctx.registry.actions(), visit.host.sentences) if found is not None else []
    people = _people(visit)
    return visit.render(
        "shell/rehearsal.html", status=form.status, form=form,
        people=people if len(people) <= MOST_SELECTS else [], many=len(people) > MOST_SELECTS,
        behaviours=[(value, visit.t(title)) for value, title in BEHAVIOURS], numbers=[pretty(d.number) for d in snapshot.core.dids],
        found=found, lines=lines, refusal=refusal,
    )  # fmt: skip


def _people(visit: Visit) -> list[User]:
    return sorted((u for u in visit.snapshot.core.users if u.contacts), key=lambda u: u.title.casefold())


def _script(visit: Visit, wish: RehearsalForm) -> Script:
    """Raises Problem with the name of a field."""
    snapshot, ctx = visit.snapshot, visit.ctx
    typed, keys = read_keys(wish.keys)
    script = Script(typed=typed, keys=keys, caller_leaves=wish.leaves)
    script = react(snapshot, as_installed(script, ctx.settings, ctx.gates.refusal), (), wish.everybody, everybody=True)
    if wish.as_now:
        present = ctx.presence(visit.account_id)
        away = {c.label for _, c in snapshot.contacts.values() if c.kind == "sip" and not present.get(Ref("core.contact", c.id))}
        script = replace(script, absent=frozenset(away) | _absent(script))
    for user in _people(visit)[:MOST_SELECTS]:
        what = visit.text(f"user-{user.id}")
        if what and what in dict(BEHAVIOURS):
            script = react(snapshot, script, tuple(c.label for c in user.contacts), what)
    return read_answers(snapshot, wish.answers, script)


def _absent(script: Script) -> frozenset[str]:
    return script.absent if isinstance(script.absent, frozenset) else frozenset()


PAGES = (
    Page("GET", "/rehearsal", rehearsal, "manager", name="rehearsal", menu=N_("Check of a scenario"), menu_section="service", icon="in"),
    Page("POST", "/rehearsal", rehearsal, "manager"),
)

# SPDX-License-Identifier: Apache-2.0
"""The page that asks before something is deleted: what goes with it, and what forbids it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec
from aiohttp import web as http

from engine.sdk import Account, Element, Ref
from web.forms import Form
from web.visit import Visit


@dataclass(frozen=True, slots=True)
class Place:
    title: str
    url: str


class Nothing(msgspec.Struct, frozen=True):
    """A form without fields of its own."""


def confirm(
    visit: Visit,
    question: str,
    *,
    back: str,
    form: Form[Nothing] | None = None,
    goes: Sequence[str] = (),
    of: Ref | None = None,
    besides: type[Element] | None = None,
    text: str = "",
    button: str = "",
    fields: Mapping[str, str] | None = None,
) -> http.Response:
    """Ask `question` (translated). `goes` = what is deleted with it; `of` = the element whose users in the
    configuration forbid it, but those of the kind `besides`."""
    form = form or Form(visit, Nothing)
    users = visit.snapshot.referers(of) if of else []
    places = [Place(e.title, visit.url_of(e.ref)) for e in users if besides is None or not isinstance(e, besides)]
    own = visit.snapshot.uses(of) if of else ()
    places += [Place(visit.t(use.title), visit.url("pbx")) for use in own if isinstance(use.holder, Account)]
    return visit.render(
        "confirm.html", status=form.status, question=question, back=back, form=form, goes=goes, places=places, text=text,
        button=button or visit.t("Delete"), fields=fields or {},
    )  # fmt: skip

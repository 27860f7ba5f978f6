# SPDX-License-Identifier: Apache-2.0
"""Posted text into structs; limits of attempts; the chart; addresses of pages: what needs no server."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal, cast

import msgspec
import pytest
from aiohttp import web as http
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta
from multidict import MultiDict, MultiDictProxy

from engine.errors import InUse, Invalid, NotFound, Problem, Refused
from engine.plugin.registry import Registry
from engine.sdk import Page, PluginError, Ref, clock
from web.chart import HEIGHT, bars
from web.forms import Form
from web.host import Host
from web.limits import Limiter, guess
from web.visit import Visit


class Order(msgspec.Struct, frozen=True, kw_only=True):
    title: Annotated[str, Meta(min_length=1, max_length=5)]
    count: Annotated[int, Meta(ge=1, le=10)] = 1
    price: Decimal | None = None
    share: float = 0.5
    kind: Literal["a", "b"] = "a"
    where: Ref | None = None
    target: Ref = Ref("x.y", 1)
    words: tuple[str, ...] = ()
    numbers: tuple[int, ...] = ()
    active: bool = True
    note: str | None = None


class Asked:
    """As much of a Visit as a form needs."""

    def __init__(self, *pairs: tuple[str, str], post: bool = True) -> None:
        self.posted = MultiDictProxy(MultiDict(pairs))
        self.is_post = post
        self.who = None
        self.clashed = None
        self.made_from = None

    def text(self, name: str) -> str:
        return str(self.posted.get(name, "")).strip()

    def t(self, message: str, **params: object) -> str:
        return message.format(**params)

    def tell(self, refused: Refused) -> str:
        return refused.message.format(**refused.params)


def form(*pairs: tuple[str, str], start: Any = None, post: bool = True) -> Form[Order]:
    return Form(cast(Visit, Asked(*pairs, post=post)), Order, start)


def test_every_type_is_read() -> None:
    texts = {"title": " ab ", "count": "7", "price": "1 234,50", "share": "0,25", "kind": "b", "where": "groups.group:4", "target": "a.b:2"}
    read = form(
        *texts.items(), ("words", "one; two\r\nthree,two"), ("numbers", "5"), ("numbers", "6"), ("active", "1"), ("note", "")
    ).read()
    assert read == Order(
        title="ab", count=7, price=Decimal("1234.50"), share=0.25, kind="b", where=Ref("groups.group", 4), target=Ref("a.b", 2),
        words=("one", "two", "three"), numbers=(5, 6), active=True, note=None,
    )  # fmt: skip


def test_what_a_form_does_not_offer_keeps_its_default_but_an_unticked_box_is_off() -> None:
    assert form(("title", "ab")).read() == Order(title="ab", active=False)


@pytest.mark.parametrize(
    ("field", "text", "words"),
    [
        ("title", "", "This field is required."),
        ("title", "abcdef", "At most 5 characters."),
        ("title", "a\x00b", "This text holds characters that can't be kept."),
        ("count", "0", "Not less than 1."),
        ("count", "11", "Not more than 10."),
        ("count", "1.5", "Enter a whole number."),
        ("count", "", "Enter a whole number."),
        ("count", "9" * 16, "Not more than 10."),
        ("count", "9" * 400, "Not more than 10."),
        ("count", "-" + "9" * 400, "Not less than 1."),
        ("count", "²", "Enter a whole number."),
        ("price", "many", "Enter a number."),
        ("price", "NaN", "Enter a number."),
        ("kind", "c", "Choose one of the list."),
        ("where", "nowhere", "Choose one of the list."),
        ("target", "", "This field is required."),
        ("numbers", "x", "Enter a whole number."),
    ],
)
def test_a_wrong_field_is_told_by_name(field: str, text: str, words: str) -> None:
    pairs = {"title": "ab", field: text}
    shown = form(*pairs.items())
    with shown.saving():
        shown.read()
    assert not shown.ok
    assert shown.status == 422
    assert shown.problem(field) == words
    assert shown.value(field) == text.strip()


def test_a_form_shows_what_is_kept_and_then_what_was_typed() -> None:
    kept = Order(title="kept", words=("a", "b"), active=False, where=Ref("g.g", 3))
    fresh = form(start=kept, post=False)
    assert [fresh.value(n) for n in ("title", "words", "active", "where", "note", "count")] == ["kept", "a\nb", False, "g.g:3", "", "1"]
    typed = form(("title", "new"), ("active", "1"), start=kept)
    assert [typed.value(n) for n in ("title", "active", "words")] == ["new", True, ""]


@pytest.mark.parametrize(
    ("refused", "field", "general"),
    [
        (Problem("title", "Taken."), "Taken.", ["Please correct the marked fields."]),
        (Problem("elsewhere", "Odd."), "", ["Odd."]),
        (
            Invalid([Problem("title.0", "Taken."), Problem("groups.group:4", "Broken.")]),
            "Taken.",
            ["Please correct the marked fields.", "Broken."],
        ),
        (InUse("Sales", ["Menu"]), "", ["“Sales” is used by: Menu."]),
        (Refused("No."), "", ["No."]),
    ],
)
def test_refusals_land_in_the_form(refused: Refused, field: str, general: list[str]) -> None:
    shown = form(("title", "ab"))
    with shown.saving():
        raise refused
    assert shown.problem("title") == field
    assert shown.general == general


def test_what_is_no_matter_of_the_form_goes_on() -> None:
    with pytest.raises(NotFound), form(("title", "ab")).saving():
        raise NotFound


@given(st.dictionaries(st.sampled_from(Order.__struct_fields__), st.text(max_size=30)))
def test_whatever_is_posted_it_is_read_or_refused(posted: dict[str, str]) -> None:
    shown = form(*posted.items())
    with shown.saving():
        assert isinstance(shown.read(), Order)


# limits, chart, addresses ---------------------------------------------------------------------------------------------


def test_attempts_are_limited_for_a_while() -> None:
    limiter = Limiter(2, timedelta(minutes=5))
    for _ in range(2):
        assert limiter.wait("a") is None
        limiter.spend("a")
    wait = limiter.wait("a")
    assert wait is not None
    assert timedelta() < wait <= timedelta(minutes=5)
    assert limiter.wait("b") is None
    with clock.shifted(timedelta(minutes=6)):
        assert limiter.wait("a") is None
    limiter.forget("a")
    assert limiter.wait("a") is None


def test_only_a_wrong_guess_is_counted() -> None:
    limiter = Limiter(2, timedelta(minutes=5))
    for _ in range(3):
        with guess((limiter, "a")):
            pass
        with pytest.raises(NotFound), guess((limiter, "a")):
            raise NotFound
    for _ in range(2):
        with pytest.raises(Problem), guess((limiter, "a")):
            raise Problem("password", "wrong")
    with pytest.raises(Refused), guess((limiter, "a")):
        pytest.fail("the right password waits too")


def test_a_flood_of_keys_does_not_fill_the_memory() -> None:
    limiter = Limiter(2, timedelta(minutes=5), most_keys=100)
    for n in range(1000):
        limiter.spend(f"k{n}")
    assert len(limiter._tries) <= 100


@pytest.mark.parametrize(
    ("most", "lines"),
    [(0, [0, 1]), (1, [0, 1]), (4, [0, 1, 2, 3, 4]), (7, [0, 2, 4, 6, 8]), (93, [0, 50, 100]), (1200, [0, 500, 1000, 1500])],
)
def test_a_chart_has_round_lines_and_bars_within_them(most: int, lines: list[int]) -> None:
    chart = bars([("0:00", most, 0), ("1:00", 0, most), ("2:00", most // 2, most - most // 2)])
    assert [value for _, value in chart.lines] == lines
    for bar in chart.bars:
        assert bar.talked_height + bar.missed_height <= chart.plot_height + 0.1
        assert 0 <= bar.missed_y <= HEIGHT
        assert bar.missed_y + bar.missed_height == pytest.approx(bar.talked_y)


async def nobody(visit: Visit) -> None: ...


def host_of(*pages: Page) -> Host:
    class Ctx:
        class settings:  # noqa: N801 — stands in for an attribute
            public_url = "http://localhost"

        registry = Registry([])

    host = Host(cast(Any, Ctx))
    host.mount(http.Application(), pages, "test")
    return host


def test_addresses_come_from_names() -> None:
    host = host_of(Page("GET", "/a/{id}", nobody, "user", name="a"), Page("POST", "/a/{id}", nobody, "user"))
    assert host.url("a", id=5, q="x y", empty="") == "/a/5?q=x+y"
    assert host.url("a", id="../b") == "/a/..%2Fb"
    with pytest.raises(PluginError):
        host.url("b")


@pytest.mark.parametrize("second", [Page("GET", "/a/{id}", nobody, "admin"), Page("GET", "/b", nobody, "user", name="a")])
def test_two_pages_in_one_place_stop_the_start(second: Page) -> None:
    with pytest.raises(PluginError):
        host_of(Page("GET", "/a/{id}", nobody, "user", name="a"), second)

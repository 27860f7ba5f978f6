# SPDX-License-Identifier: Apache-2.0
"""Who is registered, from the switch's events and from its table."""

from __future__ import annotations

from engine import clock
from engine.calls.phones import TABLE_LAGS, Phones, contact_uri
from engine.esl.event import Event

URI = "sip:201@192.0.2.7:5060;transport=udp"
ROW = {"reg_user": "201", "realm": "office.test", "url": f"sofia/internal/{URI}", "network_ip": "192.0.2.7", "network_port": "5060"}


def event(what: str, contact: str = URI) -> Event:
    return Event.of(
        {
            "Event-Name": "CUSTOM", "Event-Subclass": f"sofia::{what}", "from-user": "201", "from-host": "office.test",
            "contact": f'"Anna" <{contact}>', "network-ip": "192.0.2.7", "network-port": "5060", "user-agent": "Yealink T31",
        }
    )  # fmt: skip


def phones(told: list[tuple[str, bool]]) -> Phones:
    return Phones(lambda domain: 1, lambda account, login, registered: told.append((login, registered)))


def test_the_table_keeps_what_events_have_told() -> None:
    told: list[tuple[str, bool]] = []
    known = phones(told)
    known.on_event(event("register"))
    (before,) = known.registrations.of(1, "201")
    known.load([ROW])
    (after,) = known.registrations.of(1, "201")
    assert (after.user_agent, after.since) == ("Yealink T31", before.since)
    assert after.since is not None
    known.on_event(event("register"))  # a refresh: the same binding
    assert [phone.since for phone in known.registrations.of(1, "201")] == [before.since]
    known.load([ROW])
    known.on_event(event("unregister"))
    assert not known.registrations.of(1, "201")
    assert told == [("201", True), ("201", False)]


def test_what_no_event_has_told_is_told_by_the_table() -> None:
    told: list[tuple[str, bool]] = []
    known = phones(told)
    known.load([ROW])
    known.load([ROW])
    known.load([])
    assert told == [("201", True), ("201", False)]


def test_what_events_have_told_just_now_wins_over_an_older_table() -> None:
    """The question was on its way, or the switch's table lags behind."""
    told: list[tuple[str, bool]] = []
    known = phones(told)
    known.on_event(event("register"))
    known.load([])
    assert len(known.registrations.of(1, "201")) == 1
    known.on_event(event("unregister"))
    known.load([ROW])
    assert not known.registrations.of(1, "201")
    assert told == [("201", True), ("201", False)]
    with clock.shifted(TABLE_LAGS * 2):
        known.load([ROW])
    assert told[2:] == [("201", True)]


def test_a_contact_is_one_uri_however_it_is_shown() -> None:
    assert {contact_uri(text) for text in (URI, f"<{URI}>", f'"Anna" <{URI}>', f"sofia/internal/{URI}")} == {URI}

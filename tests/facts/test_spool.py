# SPDX-License-Identifier: Apache-2.0
"""The journal on disk: what a restarted engine finds, what is read behind, what survives damage, a full disk and a second engine."""

from __future__ import annotations

import errno
import logging
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import ClassVar

import pytest

from engine import clock
from engine.errors import SettingsError
from engine.facts import CallRecordData, Fact, LegData, TraceStep
from engine.facts import spool as spool_module
from engine.facts.record import Closed, Stated
from engine.facts.spool import Spool
from engine.snapshot import Ref

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


class Rang(Fact, frozen=True, kw_only=True):
    kind: ClassVar[str] = "test.rang"
    who: str


def rang(call: str, who: str = "Anna") -> Rang:
    return Rang(account=1, call=call, at=NOW, who=who)


def leg(uuid: str, **more: object) -> LegData:
    return LegData(uuid=uuid, reason="member", started_at=NOW, group=Ref("groups.group", 3), **more)  # type: ignore[arg-type]  # test shorthand


def record(call: str, account: int = 1, **more: object) -> CallRecordData:
    return CallRecordData(
        account=account, call_id=call, started_at=NOW, ended_at=NOW + timedelta(seconds=5), direction="in", **more,  # type: ignore[arg-type]
    )  # fmt: skip


def entries(spool: Spool) -> list[str]:
    found = []
    while (batch := spool.read(2)).end != spool.mark:
        found += [f"{type(entry).__name__} {entry.call}" for entry in batch.entries]
        spool.commit(batch.end)
    return found


def test_a_restarted_engine_finds_its_open_calls(tmp_path: Path) -> None:
    spool = Spool.open(tmp_path)
    spool.opened("a", 1, NOW, {"dialled": "+7", "at": "x"})
    spool.step("a", TraceStep(at=12, what="enters", facts={"title": "Sales"}, target="groups.group:3"))
    spool.leg("a", leg("a1"))
    spool.leg("a", leg("a1", answered_at=NOW))
    spool.noted("a", {"at": "groups.group:3"})
    spool.fact(rang("a"))
    spool.opened("b", 2, NOW, {})
    spool.ended(record("b"))
    spool.close()
    again = Spool.open(tmp_path)
    assert list(again.recovered) == ["a"]
    call = again.recovered["a"]
    assert (call.account, call.at, call.state) == (1, NOW, {"dialled": "+7", "at": "groups.group:3"})
    assert call.steps == [TraceStep(at=12, what="enters", facts={"title": "Sales"}, target="groups.group:3")]
    assert call.legs == {"a1": leg("a1", answered_at=NOW)}
    assert call.facts == [rang("a")]
    again.fact(rang("a", "Boris"))
    again.ended(record("a"), [rang("a", "Clara")])
    assert again.recovered == {}
    assert entries(again) == ["Stated a", "Closed b", "Stated a", "Closed a"]
    again.close()
    third = Spool.open(tmp_path)
    assert third.recovered == {}
    assert entries(third) == []
    third.close()


def test_facts_are_numbered_once_and_for_all(tmp_path: Path) -> None:
    spool = Spool.open(tmp_path)
    spool.opened("a", 1, NOW, {})
    spool.fact(rang("a"))
    spool.close()
    again = Spool.open(tmp_path)
    again.fact(rang("a"))
    again.ended(record("a"), [rang("a")])
    again.fact(rang("a"))  # after the end
    again.fact(rang("a"))
    lines = [fact for e in again.read().entries for fact in (e.facts if isinstance(e, Closed) else [e])]
    numbers = [line.seq for line in lines if isinstance(line, Stated)]
    assert numbers[:3] == [1, 2, 3]
    assert len(set(numbers)) == 5
    assert min(numbers[3:]) > 10**15
    again.close()


def test_half_a_line_is_passed_over(tmp_path: Path) -> None:
    spool = Spool.open(tmp_path)
    spool.opened("a", 1, NOW, {})
    spool.ended(record("a"))
    spool.opened("b", 1, NOW, {})
    spool.close()
    path = tmp_path / "calls-00000001.jsonl"
    whole = path.read_bytes()
    for cut in range(len(whole)):
        path.write_bytes(whole[:cut])
        again = Spool.open(tmp_path)
        again.opened("c", 1, NOW, {})
        again.ended(record("c"))
        assert entries(again)[-1] == "Closed c"
        again.close()
        for segment in tmp_path.glob("calls-*"):
            segment.unlink()
        (tmp_path / "mark").unlink()


def test_a_damaged_line_costs_only_itself(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    spool = Spool.open(tmp_path)
    spool.ended(record("a"))
    spool.close()
    with (tmp_path / "calls-00000001.jsonl").open("ab") as file:
        file.write(b'{"t":"end","call":\xff\n')
    again = Spool.open(tmp_path)
    again.ended(record("b"))
    with caplog.at_level(logging.ERROR):
        assert entries(again) == ["Closed a", "Closed b"]
    assert "damaged line in spool segment 1" in caplog.text
    again.close()


def test_segments_go_when_nobody_needs_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool_module, "SEGMENT_BYTES", 300)
    spool = Spool.open(tmp_path)
    spool.opened("long", 1, NOW, {})
    for n in range(20):
        spool.ended(record(str(n)))
    assert len(entries(spool)) == 20
    assert (tmp_path / "calls-00000001.jsonl").exists()
    assert len(list(tmp_path.glob("calls-*"))) > 5
    spool.ended(record("long"))
    assert entries(spool) == ["Closed long"]
    assert len(list(tmp_path.glob("calls-*"))) == 1
    spool.close()


def test_a_full_disk_ends_no_call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    spool = Spool.open(tmp_path)
    spool.ended(record("a"))
    write, full = os.write, True

    def sometimes(descriptor: int, data: bytes) -> int:
        if full:
            raise OSError(28, "No space left on device")
        return write(descriptor, data[:7])  # and then only piece by piece

    monkeypatch.setattr(spool_module.os, "write", sometimes)
    with caplog.at_level(logging.ERROR):
        spool.ended(record("b"))
        spool.ended(record("c"))
    assert "2 lines wait" in caplog.text or "1 lines wait" in caplog.text
    assert entries(spool) == ["Closed a"]
    full = False
    spool.ended(record("d"))
    assert entries(spool) == ["Closed b", "Closed c", "Closed d"]
    spool.close()


def test_a_line_cut_by_a_full_disk_at_the_end_of_a_segment_stays_in_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spool = Spool.open(tmp_path)
    spool.opened("a", 1, NOW, {})
    spool.opened("b", 1, NOW, {})
    size = next(tmp_path.glob("calls-*.jsonl")).stat().st_size
    monkeypatch.setattr("engine.facts.spool.SEGMENT_BYTES", size + 10)
    written = os.write
    room = [100, 0]

    def full(descriptor: int, data: bytes) -> int:
        left = room.pop(0) if room else len(data)
        if not left:
            raise OSError(errno.ENOSPC, "No space left on device")
        return written(descriptor, data[:left])

    monkeypatch.setattr(os, "write", full)
    spool.ended(record("a"))
    spool.ended(record("b"))
    monkeypatch.setattr(os, "write", written)
    assert entries(spool) == ["Closed a", "Closed b"]
    spool.close()


def test_the_last_sign_of_life(tmp_path: Path) -> None:
    first = Spool.open(tmp_path)
    assert first.last_alive is None
    moment = datetime.now(UTC) + timedelta(minutes=5)
    with clock.frozen(moment):
        first.beat()
    first.close()
    second = Spool.open(tmp_path)
    assert second.last_alive is not None
    assert abs(second.last_alive - moment) < timedelta(seconds=1)
    second.close()


def test_a_second_engine_is_refused(tmp_path: Path) -> None:
    spool = Spool.open(tmp_path)
    with pytest.raises(SettingsError, match="Another engine"):
        Spool.open(tmp_path)
    spool.close()
    Spool.open(tmp_path).close()


def test_nothing_new_means_nothing_to_do(tmp_path: Path) -> None:
    spool = Spool.open(tmp_path)
    assert entries(spool) == []
    spool.step("x", TraceStep(at=0, what="enters"))
    batch = spool.read()
    assert batch.entries == ()
    assert batch.end > spool.mark
    spool.skip(batch.end)
    assert not spool.behind
    spool.close()

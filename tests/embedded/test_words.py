# SPDX-License-Identifier: Apache-2.0
"""The small languages: braces, expansion, truth, causes, times of the scheduler, dialplan routes, configuration."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.embedded import causes, text
from engine.embedded.config import ConfigError, load
from engine.embedded.dialplan import inline
from engine.embedded.scheduler import seconds_until


@pytest.mark.parametrize(
    ("dial_string", "variables", "rest"),
    [
        ("{a=1,b=2}user/1", {"a": "1", "b": "2"}, "user/1"),
        ("{a='x, y',b='it is'}user/1", {"a": "x, y", "b": "it is"}, "user/1"),
        (r"{a=x\,y}z", {"a": "x,y"}, "z"),
        (r"{a=x\sy,b='1=2'}z", {"a": "x y", "b": "1=2"}, "z"),
        (r"{a=O\\\'Brien,b=C:\\\\x}z", {"a": "O'Brien", "b": "C:\\x"}, "z"),
        ("{a=it's,b=2}z", {"a": "it's", "b": "2"}, "z"),
        ("{a=1,b}z", {"a": "1"}, "z"),
        ("{a=1}{b=2}z", {"a": "1", "b": "2"}, "z"),
        ("{^^:a=1,2:b=3}z", {"a": "1,2", "b": "3"}, "z"),
        ("{a=${b}}z", {"a": "${b}"}, "z"),
        ("{a=1", {}, "{a=1"),
        ("z", {}, "z"),
        ("{}z", {}, "z"),
    ],
)
def test_braces(dial_string: str, variables: dict[str, str], rest: str) -> None:
    assert text.braces(dial_string, "{") == (variables, rest)


def test_expansion() -> None:
    values = {"a": "1", "name": "Ромашка", "x1": "found"}
    assert text.expand("${a}-${name:0:3}-${name:-2}-${none}-$a-\\${a}", values.get) == "1-Ром-ка--$a-${a}"
    assert text.expand("${x${a}}", values.get) == "found"
    assert text.expand("${unclosed", values.get) == "${unclosed"
    assert text.expand("$${a}", values.get) == "1"
    assert text.expand(r"\$ \q $x \"", values.get) == r"\$ \q $x \""
    assert text.expand(r"a\\sb \$ \'c", values.get) == r"a\sb $ c"


@given(st.text(alphabet="ab {}[]'\\$,;:=|1", max_size=40))
def test_no_text_raises(anything: str) -> None:
    text.braces(anything, "{")
    text.braces(anything, "[")
    text.expand(anything, {"a": "${b}"}.get)
    text.true(anything)
    text.number(anything)
    inline(anything)


def test_truth_and_numbers() -> None:
    assert [text.true(word) for word in ("true", "YES", "1", "-1", "on", "0", "false", "", None, "x")] == [True] * 5 + [False] * 5
    assert [text.number(word) for word in ("12", " 7s", "-3", "x", "")] == [12, 7, -3, 0, 0]


def test_causes() -> None:
    assert [causes.sip_status(name) for name in ("USER_BUSY", "NO_ANSWER", "CALL_REJECTED", "NORMAL_CLEARING", "LOSE_RACE")] == [
        486, 480, 603, 480, 480,
    ]  # fmt: skip
    assert [causes.of_sip(code) for code in (486, 480, 404, 503, 408, 699)] == [
        "USER_BUSY", "NO_USER_RESPONSE", "UNALLOCATED_NUMBER", "NORMAL_TEMPORARY_FAILURE", "RECOVERY_ON_TIMER_EXPIRE", "NORMAL_UNSPECIFIED",
    ]  # fmt: skip
    assert (causes.parse("user_busy"), causes.parse("17"), causes.parse("nonsense"), causes.parse("")) == (
        "USER_BUSY", "USER_BUSY", "NORMAL_CLEARING", "NORMAL_CLEARING",
    )  # fmt: skip
    assert (causes.q850("USER_BUSY"), causes.q850("LOSE_RACE"), causes.of_number(17)) == (17, 16, "USER_BUSY")


def test_times_of_tasks() -> None:
    assert seconds_until("+10") == seconds_until("10") == 10
    assert 8 < seconds_until(f"@{int(time.time()) + 10}") <= 10
    assert 8 < seconds_until(str(int(time.time()) + 10)) <= 10
    assert seconds_until("nonsense") == seconds_until("+-5") == 0


def test_inline_dialplan() -> None:
    assert inline("set:a=b,park") == [("set", "a=b"), ("park", "")]
    assert inline("playback:'a,b',hangup") == [("playback", "a,b"), ("hangup", "")]
    assert inline("m:^:set:a,b^park") == [("set", "a,b"), ("park", "")]


@pytest.mark.parametrize(
    ("body", "names"),
    [
        ("{", "configuration"),
        ("{}", "event_socket"),
        ('{"event_socket":{"password":"x"},"nonsense":1}', "nonsense"),
        ('{"event_socket":{"password":"x","acl":["nonsense"]}}', "acl"),
        ('{"event_socket":{"password":"x"},"internal":{"host":"nonsense"}}', "internal.host"),
        ('{"event_socket":{"password":"x"},"rtp_first_port":5,"rtp_last_port":6}', "rtp_last_port"),
        ('{"event_socket":{"password":"x"},"trunk":{"port":70000}}', "port"),
    ],
)
def test_configuration_errors_name_the_setting(tmp_path: Path, body: str, names: str) -> None:
    path = tmp_path / "switch.json"
    path.write_text(body)
    with pytest.raises(ConfigError, match=names):
        load(path)


def test_configuration(tmp_path: Path) -> None:
    path = tmp_path / "switch.json"
    path.write_text('{"event_socket":{"password":"x","port":0},"sounds_dir":"/s","local_streams":{"jazz":"/j"}}')
    config = load(path)
    assert config.streams == {"jazz": "/j", "moh": "/s/moh"}
    with pytest.raises(ConfigError, match="can't be read"):
        load(tmp_path / "none.json")

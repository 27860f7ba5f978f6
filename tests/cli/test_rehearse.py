# SPDX-License-Identifier: Apache-2.0
"""`vats rehearse` and `vats check` on the demonstration's customer, as an operator uses them."""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path

import pytest

from engine.cli.demo import make_account
from engine.runtime import Runtime
from engine.settings import Core, Settings
from tests.cli.test_commands import ROMASHKA, Shell, fresh, migrated_state, shell  # noqa: F401 — fixtures

CALL = ("rehearse", "--to", "84951234567", "--from", "79271234567", "--at", "2026-01-03 19:30", "--language", "ru")


@pytest.fixture(scope="session")
def furnished_state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    state = tmp_path_factory.mktemp("rehearsed") / "state"

    async def make() -> None:
        runtime = Runtime(Settings(core=Core(state=str(state))), ())
        async with runtime.tooling():
            await make_account(runtime)

    asyncio.run(make())
    return state


@pytest.fixture
def demo(fresh: Shell, furnished_state: Path) -> Shell:  # noqa: F811
    shutil.copytree(furnished_state, fresh.state)
    return fresh


def test_a_call_is_told_step_by_step(demo: Shell) -> None:
    done = demo.vats(*CALL, "--keys", "2", "--answer", "202=busy,203=no")
    assert (done.returncode, done.stderr) == (0, "")
    title, *lines = done.stdout.splitlines()
    assert title.startswith("+7 927 123-45-67 звонит на +7 495 123-45-67, 3 янв. 2026")
    told = "\n".join(lines)
    wanted = (
        " 0:00.0  Правило «В рабочее время — меню» не подходит: Новогодние каникулы",
        " 0:00.0  Сработало правило маршрутизации: В остальное время — тоже меню",
        " 0:00.0  Проигрывается «Приветствие», «Главное меню»",
        " 0:01.0  Звонящий нажал 2",
        " 0:03.0  Вызывается Борис Петров (202), до 20 с",
        " 0:03.2  Борис Петров (202): вызов не принят, занято",
        " 0:23.2  Вера Сидорова (203): вызов не принят, нет ответа",
        " 0:46.4  АТС завершает вызов",
    )
    places = [told.index(line) for line in wanted]
    assert places == sorted(places)


@pytest.mark.parametrize(("language", "word"), [("ru_RU.UTF-8", "АТС завершает вызов"), ("C.UTF-8", "The PBX ends the call")])
def test_the_language_is_that_of_the_terminal(demo: Shell, monkeypatch: pytest.MonkeyPatch, language: str, word: str) -> None:
    for name in ("LC_ALL", "LC_MESSAGES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LANG", language)
    assert word in demo.vats("rehearse", "--to", "84951234567", "--keys", "2").stdout


def test_machines_get_json(demo: Shell) -> None:
    done = json.loads(demo.vats(*CALL, "--keys", "1", "--answer", "201=answer:4", "--json").stdout)
    assert (done["caller"], done["dialled"], done["direction"], done["end"]) == ("+79271234567", "+74951234567", "in", "talked")
    assert done["at"] == "2026-01-03T19:30:00+03:00"
    answered = [step for step in done["steps"] if step["what"] == "answered"]
    assert [(step["facts"]["who"], step["text"]) for step in answered] == [("201", "Ответ: Анна Иванова (201)")]
    refused = json.loads(demo.vats("rehearse", "--to", "84950000000", "--json", "--language", "en").stdout)
    assert refused == {"refused": "+7 495 000-00-00 is none of this PBX’s numbers: such a call is refused.", "field": None}


def test_employees_call_as_well(demo: Shell) -> None:
    done = demo.vats("rehearse", "--to", "302", "--from", "201", "--language", "en", "--leaves", "10")
    assert done.stdout.splitlines()[-1].endswith("The caller hung up")
    assert "Rings Борис Петров (202), up to 20 s" in done.stdout


@pytest.mark.parametrize(
    ("words", "option"),
    [
        (("--to", "abc"), "--to: "),
        (("--to", "84951234567", "--from", "999"), "--from: "),
        (("--to", "84951234567", "--at", "yesterday"), "--at: "),
        (("--to", "84951234567", "--keys", "9x"), "--keys: "),
        (("--to", "84951234567", "--answer", "201"), "--answer: "),
        (("--to", "84951234567", "--answer", "999=no"), "--answer: "),
        (("--to", "84951234567", "--leaves", "-1"), "--leaves: "),
        (("--to", "84951234567", "--talks", "nan"), "--talks: "),
    ],
)
def test_wrong_words_are_refused_by_name(demo: Shell, words: tuple[str, ...], option: str) -> None:
    assert demo.refused("rehearse", *words, "--language", "en").startswith(option)


def test_the_account_must_be_clear(demo: Shell) -> None:
    assert demo.vats(*ROMASHKA).returncode == 0
    assert "--account" in demo.refused("rehearse", "--to", "84951234567", "--language", "en")
    assert demo.vats("rehearse", "--to", "84951234567", "--account", "1000").returncode == 0
    assert "none of this PBX" in demo.refused("rehearse", "--to", "84951234567", "--account", "1001", "--language", "en")
    assert "There is no account 7." in demo.refused("rehearse", "--to", "84951234567", "--account", "7", "--language", "en")


def test_nothing_is_changed_by_a_rehearsal(demo: Shell) -> None:
    tables = ("call_record", "revision", "fact", "call_order")
    before = [demo.rows(f"SELECT count(*) FROM {table}") for table in tables]
    demo.vats(*CALL, "--keys", "1", "--answer", "all=answer")
    assert [demo.rows(f"SELECT count(*) FROM {table}") for table in tables] == before


def test_a_sound_configuration_is_checked(demo: Shell) -> None:
    done = demo.vats("check", "--language", "ru")
    assert (done.returncode, done.stdout) == (0, "Настройки в порядке.\n")


def test_the_last_calls_are_compared_with_an_older_revision(demo: Shell) -> None:
    """Before the number was connected its calls were refused."""
    done = json.loads(demo.vats("check", "--since", "3", "--json", "--language", "en").stdout)
    calls = demo.rows("SELECT count(*) FROM call_record WHERE direction = 'in'")[0][0]
    assert (done["replay"]["calls"], done["replay"]["elsewhere"], done["replay"]["since"]) == (calls, calls, 3)
    assert len(done["replay"]["examples"]) == 20
    assert done["replay"]["examples"][0]["before"] == "+7 495 123-45-67 is none of this PBX’s numbers: such a call is refused."
    told = demo.vats("check", "--since", "3", "--calls", "5", "--language", "en").stdout.splitlines()
    assert told[1] == "Of the last 5 calls 5 go elsewhere now than with revision 3."
    assert len(told) == 2 + 5 * 3


def test_a_new_account_is_sound(shell: Shell) -> None:  # noqa: F811
    assert shell.vats(*ROMASHKA).returncode == 0
    assert shell.vats("check", "--language", "en").stdout == "There is nothing to check yet: the PBX has no numbers\n"


@pytest.mark.parametrize(("words", "said"), [(("--since", "99"), "--since: There is no revision 99."), (("--calls", "0"), "--calls: ")])
def test_wrong_words_of_the_check(demo: Shell, words: tuple[str, ...], said: str) -> None:
    assert demo.refused("check", *words, "--language", "en").startswith(said)

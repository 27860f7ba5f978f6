# SPDX-License-Identifier: Apache-2.0
"""The command line as an operator uses it, each test with a state folder of its own."""

from __future__ import annotations

import argparse
import errno
import json
import os
import re
import shutil
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pytest
from argon2 import PasswordHasher

from engine import log
from engine.cli import main
from engine.facts.spool import Spool
from engine.people import passwords
from engine.plugin import loader
from engine.plugin.contract import PluginState
from engine.plugin.registry import Registry
from engine.sdk import Command, Context, Plugin, PluginError, PluginMeta, RoutingAction
from engine.settings import Core, Settings
from plugins.groups.actions import ToGroup
from tests.databases import may_write


@dataclass
class Said:
    returncode: int
    stdout: str
    stderr: str


class Shell:
    """Runs `vats …` in an empty folder of its own, within this process."""

    def __init__(self, folder: Path, capture: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self.state = folder / "state"
        self._capture = capture

    def vats(self, *words: str) -> Said:
        self._capture.readouterr()
        try:
            code = main(words)
        except SystemExit as leaving:
            code = int(str(leaving.code))
        said = self._capture.readouterr()
        return Said(code, said.out, said.err)

    def refused(self, *words: str) -> str:
        """The one sentence on stderr of a command that ends with exit code 1."""
        done = self.vats(*words)
        assert (done.returncode, done.stdout) == (1, ""), done
        (line,) = done.stderr.splitlines()
        return line

    def rows(self, query: str) -> list[tuple[object, ...]]:
        with sqlite3.connect(self.state / "vats.sqlite3") as connection:
            return connection.execute(query).fetchall()


@pytest.fixture
def fresh(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Shell:
    """Nothing is there yet; of the settings only the state folder is set."""
    for name in [n for n in os.environ if n.startswith("VATS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("VATS_CORE__STATE", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(log, "setup", lambda *arguments: None)  # the log of the tests stays theirs
    monkeypatch.setattr(passwords, "_HASHER", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    return Shell(tmp_path, capsys)


@pytest.fixture(scope="session")
def migrated_state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    state = tmp_path_factory.mktemp("cli") / "state"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VATS_CORE__STATE", str(state))
        patch.setattr(log, "setup", lambda *arguments: None)
        assert main(["migrate"]) == 0
    return state


@pytest.fixture
def shell(fresh: Shell, migrated_state: Path) -> Shell:
    """An empty installation."""
    shutil.copytree(migrated_state, fresh.state)
    return fresh


ROMASHKA = ("account", "create", "1001", "Ромашка", "--domain", "romashka.example")


@pytest.mark.parametrize(
    ("wish", "field"),
    [
        (("abc def", "X", "--domain", "x.example"), "number"),
        (("1001", " ", "--domain", "x.example"), "title"),
        (("1001", "X", "--domain", "not a domain!"), "domain"),
        (("1001", "X", "--domain", "x.example", "--area-code", "x"), "area_code"),
    ],
)
def test_an_account_is_not_named_just_anyhow(shell: Shell, wish: tuple[str, ...], field: str) -> None:
    """Number and domain can't be changed afterwards."""
    done = shell.vats("account", "create", *wish)
    assert done.returncode
    assert f"{field}: " in done.stderr
    assert not shell.rows("SELECT number FROM account")


@pytest.mark.feature("ACC-4")
def test_an_account_is_created_with_an_owner_who_can_log_in(shell: Shell) -> None:
    done = shell.vats(*ROMASHKA, "--owner", "boss", "--timezone", "Asia/Omsk", "--area-code", "3812")
    assert done.returncode == 0, done.stderr
    ready, hint = done.stdout.splitlines()
    said = re.fullmatch(r"Account 1001 is ready\. Cabinet login: boss, password: (\S{10,})", ready)
    assert said
    assert "romashka.example" in hint
    assert 'core.default_account = "1001"' in hint
    assert shell.rows("SELECT number, title, domain, timezone, area_code FROM account") == [
        ("1001", "Ромашка", "romashka.example", "Asia/Omsk", "3812")
    ]
    assert shell.rows("SELECT login, role, is_owner FROM \"user\"") == [("boss", "admin", 1)]
    assert said[1] not in str(shell.rows("SELECT * FROM \"user\""))
    assert shell.rows("SELECT count(*) FROM groups_group") == [(1,)], "the account has its root group"


@pytest.mark.feature("USR-1")
def test_a_second_account_of_the_same_number_or_domain_is_refused(shell: Shell) -> None:
    assert shell.vats(*ROMASHKA).returncode == 0
    assert "number" in shell.refused("account", "create", "1001", "Василёк", "--domain", "vasilek.example", "--owner", "second")
    assert "domain" in shell.refused("account", "create", "1002", "Василёк", "--domain", "romashka.example", "--owner", "second")
    assert shell.rows("SELECT number FROM account") == [("1001",)]


def test_an_account_whose_owners_login_is_taken_leaves_nothing_behind(shell: Shell) -> None:
    assert shell.vats(*ROMASHKA).returncode == 0
    other = ("account", "create", "1002", "Василёк", "--domain", "vasilek.example")
    assert shell.refused(*other, "--owner", "ADMIN") == "This login is taken."
    assert shell.refused(*other, "--owner", "x").startswith("At least three")
    assert shell.rows("SELECT number FROM account") == [("1001",)]


def test_a_second_account_has_an_owner_of_its_own(shell: Shell) -> None:
    assert "login: admin," in shell.vats(*ROMASHKA).stdout
    assert "login: admin-1002," in shell.vats("account", "create", "1002", "Василёк", "--domain", "vasilek.example").stdout
    head, *rows = (line.split() for line in shell.vats("account", "list").stdout.splitlines())
    assert head[:2] == ["number", "name"]
    assert rows == [["1001", "Ромашка", "romashka.example", "1"], ["1002", "Василёк", "vasilek.example", "1"]]


def test_nobody_waits_for_the_hash_of_a_password(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    hashed = []

    async def slow(work: Callable[[str], str], password: str) -> str:
        may_write(Settings(core=Core(state=str(shell.state))))
        hashed.append(password)
        return work(password)

    monkeypatch.setattr(passwords, "heavily", slow)
    for words in (ROMASHKA, ("user", "create", "Anna", "--login", "anna"), ("user", "password", "anna")):
        assert shell.vats(*words).returncode == 0
    assert len(hashed) == 3


@pytest.mark.feature("ACC-1")
def test_a_forgotten_password_is_replaced(shell: Shell) -> None:
    assert shell.vats(*ROMASHKA).returncode == 0
    shell.vats("user", "create", "Анна", "--extension", "201", "--login", "anna", "--role", "manager")
    before = shell.rows("SELECT password_hash FROM \"user\" WHERE login = 'anna'")
    said = re.fullmatch(r"Cabinet: login anna, password (\S{10,})\n", shell.vats("user", "password", "anna").stdout)
    assert said
    ((after,),) = shell.rows("SELECT password_hash FROM \"user\" WHERE login = 'anna'")
    assert [(after,)] != before
    assert PasswordHasher().verify(str(after), said[1])
    assert shell.rows("SELECT role FROM \"user\" WHERE login = 'anna'") == [("manager",)]
    listed = [line.split() for line in shell.vats("user", "list").stdout.splitlines()]
    assert listed[1:] == [["Администратор", "admin", "admin"], ["Анна", "201", "201", "anna", "manager"]]
    assert "vats user list" in shell.refused("user", "password", "nobody")


@pytest.mark.feature("USR-1", "R27")
def test_a_user_is_created_with_phone_and_login(shell: Shell) -> None:
    assert shell.vats(*ROMASHKA).returncode == 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VATS_SWITCH__PUBLIC_HOST", "pbx.example")
        patch.setenv("VATS_SWITCH__SIP_PORT", "5070")
        done = shell.vats("user", "create", "Анна", "--extension", "201", "--login", "anna", "--role", "manager")
    assert done.returncode == 0, done.stderr
    phone, cabinet = done.stdout.splitlines()
    assert re.fullmatch(r"Phone: server pbx\.example:5070, domain romashka\.example, login 201, password \S{10,}", phone)
    assert re.fullmatch(r"Cabinet: login anna, password \S{10,}", cabinet)
    assert shell.rows("SELECT title, login, role FROM \"user\" WHERE login = 'anna'") == [("Анна", "anna", "manager")]
    secret = phone.rpartition(" ")[2]
    assert secret not in str(shell.rows("SELECT * FROM sip_account")), "SIP passwords are kept encrypted"
    assert "201" in shell.refused("user", "create", "Борис", "--extension", "201")
    assert shell.rows("SELECT count(*) FROM \"user\"") == [(2,)], "the refused one is not there by half"


def test_a_user_of_an_unknown_account_is_refused(shell: Shell) -> None:
    assert "no account 9999" in shell.refused("user", "create", "Анна", "--account", "9999")


def test_migrate_tells_what_it_did_and_does_nothing_the_second_time(fresh: Shell) -> None:
    first = fresh.vats("migrate")
    assert first.returncode == 0, first.stderr
    lines = first.stdout.splitlines()
    assert "applied core.0001_initial" in lines
    assert "applied schedules.0001_initial" in lines
    again = fresh.vats("migrate")
    assert (again.returncode, again.stdout) == (0, "")


PORTS = ("SWITCH__SIP_PORT", "SWITCH__TRUNK_PORT", "SWITCH__ESL_PORT", "DIRECTORY__PORT", "WEB__PORT")


def any_ports(patch: pytest.MonkeyPatch) -> None:
    """Whatever this machine runs has no say in what the doctor finds."""
    for name in PORTS:
        patch.setenv(f"VATS_{name}", "0")


@pytest.mark.parametrize("name", PORTS)
def test_doctor_names_the_setting_of_a_taken_port(fresh: Shell, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    any_ports(monkeypatch)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        monkeypatch.setenv(f"VATS_{name}", str(taken.getsockname()[1]))
        monkeypatch.setenv("VATS_SWITCH__SIP_HOST", "127.0.0.1")
        done = fresh.vats("doctor")
    (wrong,) = [line for line in done.stdout.splitlines() if line.startswith("WRONG")]
    assert "already in use" in wrong
    assert f"({name.lower().replace('__', '.')})" in wrong


def test_doctor_finds_a_fresh_installation_sound(fresh: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    any_ports(monkeypatch)
    done = fresh.vats("doctor")
    assert done.returncode == 0, done.stdout + done.stderr
    assert all(line.startswith("ok ") for line in done.stdout.splitlines())
    for word in ("state folder", "database sqlite", "plugins", "built-in switch", "media folder", "Telegram bot: switched off"):
        assert word in done.stdout


def test_doctor_names_what_is_wrong(fresh: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    any_ports(monkeypatch)
    for name, value in {
        "CORE__SECRET": "x", "DATABASE__URL": "postgres://vats@127.0.0.1:1/none", "SWITCH__KIND": "freeswitch",
        "SWITCH__ESL_PASSWORD": "secret-1", "SWITCH__ESL_PORT": "1", "DIRECTORY__SECRET": "secret-2",
    }.items():  # fmt: skip
        monkeypatch.setenv(f"VATS_{name}", value)
    done = fresh.vats("doctor")
    assert done.returncode == 1
    wrong = [line for line in done.stdout.splitlines() if line.startswith("WRONG")]
    assert len(wrong) == 3, done.stdout
    assert "core.secret" in wrong[0]
    assert "database postgres" in wrong[1]
    assert "FreeSWITCH at 127.0.0.1:1" in wrong[2]
    assert "secret-1" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("file", "env", "names"),
    [
        ("[core]\nlog_level = 'LOUD'\n", {}, "core.log_level"),
        ("[switch]\nsip_port = 70000\n", {}, "switch.sip_port"),
        ("[switch]\nsip_prt = 5060\n", {}, "sip_prt"),
        ("[swich]\nsip_port = 5060\n", {}, "swich"),
        ("[core\n", {}, "TOML"),
        (None, {"VATS_SWITCH__SIP_PORT": "many"}, "switch.sip_port"),
        (None, {"VATS_DATABASE__URL": "mysql://x"}, "database.url"),
        (None, {"VATS_SWITCH__KIND": "freeswitch"}, "switch.esl_password"),
        (None, {"VATS_SWITCH__ADVERTISED_HOST": "example.com"}, "switch.advertised_host"),
        (None, {"VATS_CONFIG": "absent.toml"}, "absent.toml"),
        (None, {"VATS_CORE__SECRET": "short"}, "core.secret"),
    ],
)
def test_a_wrong_setting_is_told_in_one_sentence(
    fresh: Shell, monkeypatch: pytest.MonkeyPatch, file: str | None, env: dict[str, str], names: str
) -> None:
    if file is not None:
        Path("vats.toml").write_text(file, "utf-8")
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    said = fresh.refused("migrate")
    assert names in said
    assert said.endswith((".", ").")), said


@pytest.mark.parametrize(
    ("roles", "names"),
    [
        ("engine,jobs", "switch, web, bot"),
        ("switch,engine", "web, bot, jobs"),
        ("web,cooking", "cooking"),
        ("", "nothing"),
        (",", "nothing"),
    ],
)
def test_roles_that_can_not_be(fresh: Shell, roles: str, names: str) -> None:
    """Unknown ones; and SQLite serves one process with all of them."""
    assert names in fresh.refused("run", "--roles", roles)


def test_a_config_file_is_taken_by_its_name(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VATS_CORE__STATE")
    Path("mine.toml").write_text(f"[core]\nstate = '{shell.state}'\n", "utf-8")
    assert shell.vats("--config", "mine.toml", *ROMASHKA).returncode == 0
    assert shell.rows("SELECT number FROM account") == [("1001",)]
    assert not Path("var").exists()


def test_the_installed_command_ends_with_one_sentence_and_no_traceback(fresh: Shell) -> None:
    """In a process of its own, as a shell sees it."""
    command = [sys.executable, "-m", "engine.cli", "run", "--roles", "web"]
    done = subprocess.run(command, cwd=fresh.folder, capture_output=True, text=True, timeout=100, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("SQLite serves one process with all roles; switch, engine, bot, jobs would be missing.")
    assert done.stderr.count("\n") == 1


def test_words_that_are_no_command(fresh: Shell) -> None:
    for words in ((), ("dance",), ("account",), ("user", "create"), ("user", "create", "x", "--role", "king")):
        done = fresh.vats(*words)
        assert done.returncode == 2
        assert done.stderr.startswith("usage: vats")


def test_an_outside_number_is_erased_everywhere(shell: Shell) -> None:
    assert shell.vats(*ROMASHKA).returncode == 0
    callers = [["+79271234567", "Марина", True], ["+79160000000", "Пётр", True]]
    entries = json.dumps({"title": "Клиенты", "active": True, "entries": callers})
    with sqlite3.connect(shell.state / "vats.sqlite3") as connection:
        connection.execute("INSERT INTO numbers_list (account_id, data) VALUES (1, ?)", (entries,))
        connection.execute(
            "INSERT INTO call_record (account_id, call_id, started_at, ended_at, direction, caller_number, caller_name, dialled, "
            "user_title, cause, talk_seconds, wait_seconds, missed, missed_why, talked, trace, revision) "
            "VALUES (1, 'a', '2026-01-14 09:00:00+00:00', '2026-01-14 09:01:00+00:00', 'in', '+79271234567', 'Марина', '', "
            "'', '', 0, 0, 0, '', 1, '[]', 1)"
        )
        connection.execute("INSERT INTO recording (account_id, call_id, path, seconds) VALUES (1, 1, 'rec/a.wav', 1)")
    sound, mail = shell.state / "media" / "rec" / "a.wav", shell.state / "mail" / "1" / "1.eml"
    letters = (mail, "Subject: x\n\nMissed: +7 927 123-45-67\n"), (mail.with_name("2.eml"), "Subject: y\n\n+79160000000\n")
    for file, text in ((sound, "RIFF"), *letters):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    done = shell.vats("erase", "8 927 123-45-67")
    assert (done.returncode, done.stdout) == (0, "Calls made anonymous: 1; recordings deleted: 1.\n"), done.stderr
    assert not sound.exists()
    assert [f.name for f in mail.parent.iterdir()] == ["2.eml"]
    assert shell.rows("SELECT caller_number, caller_name FROM call_record") == [(None, "")]
    everything = "\n".join(sqlite3.connect(shell.state / "vats.sqlite3").iterdump())
    assert "+79160000000" in everything
    assert not re.search(r"9271234567|Марина", everything)
    assert "no account" in shell.refused("erase", "8 927 123-45-67", "--account", "9999")


class Greeter(Plugin):
    meta = PluginMeta("greeter", "Greeter")
    started = False

    async def start(self, ctx: Context) -> None:
        self.started = True

    def commands(self) -> Sequence[Command]:
        return (Command("greet", "greet an account", self.greet, lambda words: words.add_argument("account")),)

    async def greet(self, ctx: Context, options: argparse.Namespace) -> int:
        assert self.started
        print(f"Hello, {ctx.snapshot(ctx.accounts()[0]).account.title} ({options.account})!")
        return 3


def found_beside(monkeypatch: pytest.MonkeyPatch, *plugins: Plugin) -> None:
    find = loader.find
    monkeypatch.setattr(loader, "find", lambda **options: [*find(**options), *(PluginState(plugin) for plugin in plugins)])


def test_a_plugin_brings_a_command(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    found_beside(monkeypatch, Greeter())
    assert shell.vats(*ROMASHKA).returncode == 0
    done = shell.vats("greet", "1001")
    assert (done.returncode, done.stdout) == (3, "Hello, Ромашка (1001)!\n"), done.stderr
    assert "greet an account" in shell.vats("--help").stdout


def test_our_own_commands_do_not_need_plugins_and_no_plugin_takes_their_names(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    class Thief(Greeter):
        meta = PluginMeta("thief", "Thief")

        def commands(self) -> Sequence[Command]:
            return (Command("doctor", "not ours", self.greet),)

    found_beside(monkeypatch, Thief())
    assert "not ours" not in shell.vats("doctor", "--help").stdout
    assert "thief" in shell.refused("greet")


def test_a_command_of_a_plugin_that_does_not_start_says_why(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    class Lazy(Greeter):
        async def start(self, ctx: Context) -> None:
            raise RuntimeError("no coffee")

    found_beside(monkeypatch, Lazy())
    assert shell.vats(*ROMASHKA).returncode == 0
    assert "no coffee" in shell.refused("greet", "1001")
    assert "greeter" in shell.refused("erase", "8 927 123-45-67")


def test_a_command_beside_a_running_demonstration_says_which_one_it_is_about(fresh: Shell) -> None:
    assert "demonstration" not in fresh.vats("account", "list").stderr
    spool = Spool.open(fresh.folder / "var" / "demo" / "spool")
    try:
        said = fresh.vats("account", "list")
    finally:
        spool.close()
    assert f"{fresh.state}; the demonstration that runs: VATS_CORE__STATE=var/demo" in said.stderr


def test_where_there_is_no_pbx_it_is_said_in_one_line_and_none_is_made(fresh: Shell) -> None:
    """None of the commands that only ask or change leaves a database behind."""
    said = f"There is no PBX in {fresh.state} yet; `vats account create` makes the first one."
    for words in (
        ("account", "list"), ("account", "export"), ("user", "list"), ("user", "create", "Anna"), ("erase", "84951234567"), ("check",),
        ("rehearse", "--to", "201"),
    ):  # fmt: skip
        assert fresh.refused(*words) == said
    assert not fresh.state.exists()
    assert fresh.vats("migrate").returncode == 0
    assert fresh.refused("account", "list") == said
    assert fresh.refused("user", "list") == said


def test_every_command_takes_the_account_in_the_same_way(shell: Shell) -> None:
    """Left out, it is the only one, or that of the settings."""
    assert shell.vats(*ROMASHKA).returncode == 0
    assert shell.vats("user", "create", "Анна", "--extension", "201").returncode == 0
    assert "Анна" in shell.vats("user", "list").stdout
    assert shell.vats("account", "create", "1002", "Василёк", "--domain", "vasilek.example").returncode == 0
    for words in (
        ("user", "list"), ("user", "create", "Борис"), ("account", "export"), ("erase", "8 927 123-45-67"), ("check",),
        ("rehearse", "--to", "201"),
    ):  # fmt: skip
        assert "--account NUMBER" in shell.vats(*words).stderr
        assert "There is no account 9" in shell.vats(*words, "--account", "9").stderr
    assert "Анна" in shell.vats("user", "list", "--account", "1001").stdout
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VATS_CORE__DEFAULT_ACCOUNT", "1001")
        assert "Анна" in shell.vats("user", "list").stdout


def test_doctor_beside_a_demonstration(fresh: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without another PBX it is asked about the demonstration; beside one it names who has the ports."""
    any_ports(monkeypatch)
    spool = Spool.open(fresh.folder / "var" / "demo" / "spool")
    try:
        said = fresh.vats("doctor")
        assert said.returncode == 0, said.stdout
        assert f"there is no PBX in {fresh.state} yet, so this is about the demonstration" in said.stdout
        assert f"state folder {fresh.folder / 'var' / 'demo'}" in said.stdout
        assert not fresh.state.exists()
        assert fresh.vats("migrate").returncode == 0
        assert fresh.vats("doctor").returncode == 0
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            monkeypatch.setenv("VATS_WEB__PORT", str(taken.getsockname()[1]))
            said = fresh.vats("doctor")
    finally:
        spool.close()
    assert said.returncode == 1
    assert "The demonstration runs here and has ports of its own" in said.stdout


async def test_two_plugins_with_one_action_stop_the_start() -> None:
    class Copies(Plugin):
        meta = PluginMeta("copies", "Copies")

        def routing_actions(self) -> tuple[RoutingAction, ...]:
            return (ToGroup(),)

    class Again(Copies):
        meta = PluginMeta("again", "Again")

    registry = Registry([PluginState(Copies()), PluginState(Again())])
    with pytest.raises(PluginError, match=r"Two routing actions are called groups\.group"):
        await registry.start(cast(Context, None), {})


def test_an_extension_that_hides_an_emergency_service_is_told(shell: Shell) -> None:
    shell.vats(*ROMASHKA)
    assert "hide the emergency services" in shell.vats("user", "create", "Анна", "--extension", "103").stdout
    assert "hide" not in shell.vats("user", "create", "Борис", "--extension", "203").stdout


def test_a_state_folder_that_is_not_ours(fresh: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*words: object, **options: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(fresh.state))

    monkeypatch.setattr(Path, "mkdir", forbidden)
    doctor = fresh.vats("doctor")
    assert (doctor.returncode, doctor.stdout) == (1, f"WRONG state folder {fresh.state}: Permission denied\n")
    assert fresh.refused("migrate") == f"{fresh.state}: Permission denied"


def test_the_state_is_for_its_owner_and_his_group_alone(fresh: Shell) -> None:
    assert fresh.vats("migrate").returncode == 0
    modes = {path.name: path.stat().st_mode & 0o777 for path in (fresh.state, *fresh.state.glob("vats.sqlite3*"))}
    assert modes.pop(fresh.state.name) == 0o750
    assert set(modes.values()) == {0o600}


def succeed(shell: Shell, *words: str) -> str:
    done = shell.vats(*words)
    assert done.returncode == 0, done
    return done.stdout


def test_an_accounts_configuration_out_and_in(shell: Shell, tmp_path: Path) -> None:
    succeed(shell, "account", "create", "1", "Ромашка", "--domain", "one.example")
    succeed(shell, "user", "create", "Анна", "--extension", "201")
    first = tmp_path / "first.json"
    succeed(shell, "account", "export", str(first), "--with-secrets")
    assert first.stat().st_mode & 0o777 == 0o600
    assert succeed(shell, "account", "export", "--account", "1").encode() != first.read_bytes()
    succeed(shell, "account", "create", "2", "Василёк", "--domain", "two.example")
    said = succeed(shell, "account", "import", str(first), "--account", "2")
    assert "Account 2 has 2 users and 0 numbers now" in said
    assert succeed(shell, "account", "export", "--account", "2", "--with-secrets").encode() == first.read_bytes()
    again = shell.vats("account", "import", str(first), "--account", "2")
    assert again.returncode != 0
    assert "has settings already" in again.stderr
    first.write_text("nonsense")
    assert "no configuration file" in shell.vats("account", "import", str(first), "--account", "2").stderr
    assert "can’t be read" in shell.vats("account", "import", str(tmp_path / "nothing.json"), "--account", "2").stderr
    assert "There is no account 9" in shell.vats("account", "export", "--account", "9").stderr


def test_a_reader_who_leaves_early_is_no_failure(tmp_path: Path) -> None:
    """`vats … | head`: the status of other programs, and no traceback."""
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as gone:
        done = subprocess.run(
            [sys.executable, "-m", "engine.cli", "doctor"], stdout=gone, stderr=subprocess.PIPE, cwd=Path(__file__).parents[2], timeout=60,
            env={**os.environ, "VATS_CORE__STATE": str(tmp_path / "state")}, check=False,
        )  # fmt: skip
    assert done.returncode == 141
    assert "Traceback" not in done.stderr.decode()
    assert "BrokenPipe" not in done.stderr.decode()

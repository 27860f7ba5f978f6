# SPDX-License-Identifier: Apache-2.0
"""`vats demo`: a working virtual PBX for one try-out, with customer «Ромашка»; `vats demo-call`: a built-in phone calls its number."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import socket
from pathlib import Path
from typing import Any

import msgspec

from engine import log, settings
from engine.addresses import public_host
from engine.cli.accounts import ACTOR, open_account
from engine.cli.serve import DEMO_STATE
from engine.db.models import User as UserRow
from engine.i18n import N_, Language, language_of, translate
from engine.people import (
    ContactWish,
    LoginWish,
    UserWish,
    add_contact,
    create_user,
    random_password,
    ready_login,
    set_login,
    set_sip_password,
)
from engine.runtime import Runtime, ports
from engine.settings import ALL_ROLES, Settings

ACCOUNT, TITLE, DOMAIN = "1000", "Ромашка", "romashka.demo"
NUMBER = "84951234567"
PEOPLE = (("Анна Иванова", "201"), ("Борис Петров", "202"), ("Вера Сидорова", "203"))
CARD, PLACES = "demo.json", "ports.json"


def add_commands(commands: Any) -> None:
    demo = commands.add_parser("demo", help="run a demonstration PBX on the built-in switch")
    demo.add_argument("--state", default=DEMO_STATE, help="folder of the demonstration")
    demo.add_argument("--keep-switch", action="store_true", help="let the switch and its calls live when the demonstration ends")
    demo.set_defaults(run=_demo)


class Card(msgspec.Struct):
    """What a visitor needs to know; kept in the state folder for `vats demo-call`."""

    cabinet: str
    login: str
    password: str
    server: str
    sip_port: int
    domain: str
    phones: list[tuple[str, str, str]]
    number: str
    trunk_port: int


class Place(msgspec.Struct, frozen=True):
    """A port that was wished for and the one that was found: the next start takes it again, since phones know it."""

    wished: int
    found: int


def demo_settings(options: argparse.Namespace) -> Settings:
    """The settings of the demonstration: everything in one folder, the ports of the last time, free ones where they are taken."""
    found = settings.load(Path(options.config) if options.config else None)
    core = msgspec.structs.replace(found.core, state=options.state, default_account=ACCOUNT)
    places = _places(Path(options.state))

    def port(name: str, host: str, wished: int, kind: socket.SocketKind) -> int:
        place = places.get(name)
        wanted = place.found if place is not None and place.wished == wished else wished
        return 0 if ports.trouble(ports.Place(name, host, wanted, (kind,))) else wanted  # taken: any free one

    web = msgspec.structs.replace(found.web, port=port("web", found.web.host, found.web.port, socket.SOCK_STREAM))
    switch = msgspec.structs.replace(
        found.switch,
        kind="embedded",
        esl_port=0,
        sip_port=port("sip", found.switch.sip_host, found.switch.sip_port, socket.SOCK_DGRAM),
        trunk_port=port("trunk", found.switch.sip_host, found.switch.trunk_port, socket.SOCK_DGRAM),
    )
    directory = msgspec.structs.replace(found.directory, port=port("directory", found.directory.host, 0, socket.SOCK_STREAM))
    return msgspec.structs.replace(found, core=core, web=web, switch=switch, directory=directory)


def _places(state: Path) -> dict[str, Place]:
    try:
        return msgspec.json.decode((state / PLACES).read_bytes(), type=dict[str, Place])
    except (FileNotFoundError, msgspec.DecodeError):
        return {}


def _remember(running: Runtime, wished: Settings) -> None:
    """Keep the ports that were found beside those that were wished for."""
    ready = running.switch.ready if running.switch else None
    if ready is None or running.engine is None:
        return
    places = {
        "web": Place(wished.web.port, running.web_port),
        "sip": Place(wished.switch.sip_port, ready.internal_port),
        "trunk": Place(wished.switch.trunk_port, ready.trunk_port),
        "directory": Place(0, running.engine.listener.port),
    }
    (running.settings.state / PLACES).write_bytes(msgspec.json.encode(places))


async def make_account(runtime: Runtime) -> Card:
    """The customer with three employees, groups, menu, number; passwords are random and told once."""
    ctx = runtime.ctx
    account, _, password = await open_account(runtime, ACCOUNT, TITLE, DOMAIN, "romashka", area_code="495")
    phones = []
    async with ctx.edit(account, ACTOR) as edit:
        for title, extension in PEOPLE:
            user = await create_user(edit, UserWish(title=title, extension=extension))
            _, secret = await add_contact(edit, user, ContactWish(kind="sip", address=extension))
            phones.append((extension, secret or "", title))
    async with ctx.edit(account, ACTOR) as edit:
        for state in ctx.registry.states:
            if not state.error:
                await state.plugin.demo(edit)
    return Card("", "romashka", password, "", 0, DOMAIN, phones, NUMBER, 0)


async def prepared(runtime: Runtime) -> Card:
    """The demo account, made on the first start; its card is kept for later ones."""
    path = runtime.settings.state / CARD
    known = runtime.ctx.revisions.account_for_number(ACCOUNT)
    if known is not None and path.exists():
        return msgspec.json.decode(path.read_bytes(), type=Card)
    card = await (make_account(runtime) if known is None else _new_passwords(runtime, known))
    _keep(card, path)
    return card


async def _new_passwords(runtime: Runtime, account: int) -> Card:
    """The account is there, its card is lost: everybody gets a new password."""
    owner = await UserRow.of(account).filter(is_owner=True).first()
    password = random_password()
    login = await ready_login(LoginWish(login=owner.login if owner else None, role="admin", password=password))
    async with runtime.ctx.edit(account, ACTOR) as edit:
        if owner is not None:
            await set_login(edit, owner.id, login)
        phones = []
        for sip in edit.before.core.sip_accounts:
            phones.append((sip.login, await set_sip_password(edit, sip.contact), edit.before.users[sip.user].title))
    return Card("", owner.login or "" if owner else "", password, "", 0, DOMAIN, phones, NUMBER, 0)


def _keep(card: Card, path: Path) -> None:
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(json.dumps(msgspec.to_builtins(card), ensure_ascii=False, indent=1).encode())


def box(card: Card, language: Language) -> str:
    """The short box at the end of the start."""

    def words(message: str, **facts: object) -> str:
        return translate(language, message, **facts)

    access = N_("login {login}   password {password}")
    lines = [
        words(N_("Cabinet:    {address}   "), address=card.cabinet) + words(access, login=card.login, password=card.password),
        words(N_("SIP server: {server} (UDP, TCP)"), server=f"{card.server}:{card.sip_port}"),
        *(f"   {title:<16} " + words(access, login=login, password=password) for login, password, title in card.phones),
        words(N_("Dial {number} (the company), or an extension: 201, 202, 203, groups 301, 302"), number=card.number),
        words(N_("A call without a phone: {command}     Stop: Ctrl+C"), command=".venv/bin/vats demo-call"),
    ]
    width = max(len(line) for line in lines)
    edge = "─" * (width + 2)
    return "\n".join([f"┌{edge}┐", *(f"│ {line:<{width}} │" for line in lines), f"└{edge}┘"])


def _demo(options: argparse.Namespace) -> int:
    found = demo_settings(options)
    wished = settings.load(Path(options.config) if options.config else None)
    log.setup("WARNING" if found.core.log_level == "INFO" else found.core.log_level, found.core.log_format)

    async def work() -> None:
        first = Runtime(found, ())
        try:
            await first.open()
            card = await prepared(first)
        finally:
            await first.close()
        runtime = Runtime(found, ALL_ROLES)

        def started(running: Runtime) -> None:
            ready = running.switch.ready if running.switch else None
            card.cabinet = f"http://{found.web.host}:{running.web_port}/"
            card.server = public_host(found)
            card.sip_port = ready.internal_port if ready else 0
            card.trunk_port = ready.trunk_port if ready else 0
            _keep(card, running.settings.state / CARD)
            _remember(running, wished)
            print(box(card, language_of(os.environ.get("LC_ALL") or os.environ.get("LANG"))), flush=True)

        await runtime.run_until_stopped(stop_switch=not options.keep_switch, started=started)

    asyncio.run(work())
    return 0

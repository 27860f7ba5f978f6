# SPDX-License-Identifier: Apache-2.0
"""Passwords between our own processes, random per installation, kept in the state folder."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

import msgspec

from engine.settings import Settings


def completed(settings: Settings) -> Settings:
    """The settings with the event socket's and the directory's passwords filled in when the embedded switch is ours."""
    if settings.switch.kind != "embedded":
        return settings
    switch = settings.switch
    directory = settings.directory
    if not switch.esl_password:
        switch = msgspec.structs.replace(switch, esl_password=kept(settings.state / "esl.password"))
    if not directory.secret:
        directory = msgspec.structs.replace(directory, secret=kept(settings.state / "directory.password"))
    return msgspec.structs.replace(settings, switch=switch, directory=directory)


def kept(path: Path) -> str:
    """The password in the file; made on the first call, readable by us alone."""
    if path.exists():
        return path.read_text("ascii").strip()
    path.parent.mkdir(parents=True, exist_ok=True)
    password = secrets.token_urlsafe(24)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
        file.write(password)
    return password

# SPDX-License-Identifier: Apache-2.0
"""Passwords between our own processes, random per installation, kept in the state folder."""

from __future__ import annotations

import secrets

import msgspec

from engine.db.secrets import kept
from engine.settings import Settings


def completed(settings: Settings) -> Settings:
    """The settings with the event socket's and the directory's passwords filled in when the embedded switch is ours."""
    if settings.switch.kind != "embedded":
        return settings
    switch = settings.switch
    directory = settings.directory
    if not switch.esl_password:
        switch = msgspec.structs.replace(switch, esl_password=kept(settings.state / "esl.password", _password))
    if not directory.secret:
        directory = msgspec.structs.replace(directory, secret=kept(settings.state / "directory.password", _password))
    return msgspec.structs.replace(settings, switch=switch, directory=directory)


def _password() -> str:
    return secrets.token_urlsafe(24)

# SPDX-License-Identifier: Apache-2.0
"""The installation's own key: it encrypts passwords that must be readable again (SIP accounts, trunks) and signs names."""

from __future__ import annotations

import hmac
import os
from collections.abc import Callable
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken

from engine.errors import SettingsError
from engine.settings import Settings

_fernet: Fernet | None = None
_key = b""


def setup(settings: Settings) -> None:
    """Take the key from `core.secret`, or from `secret.key` in the state folder, made on first start (mode 600).

    Raises SettingsError when the key is unusable.
    """
    global _fernet, _key
    key = settings.core.secret or kept(settings.state / "secret.key", lambda: Fernet.generate_key().decode())
    try:
        _fernet = Fernet(key)
    except ValueError as error:
        raise SettingsError("Settings: core.secret must be 32 random bytes in URL-safe base64 (44 characters).") from error
    _key = key.encode()


def encrypt(text: str) -> str:
    return _ready().encrypt(text.encode()).decode()


def decrypt(token: str) -> str:
    """The text behind `token`; SettingsError when it was encrypted with another key."""
    try:
        return _ready().decrypt(token.encode()).decode()
    except InvalidToken as error:
        raise SettingsError("A stored password was encrypted with another key: restore secret.key or core.secret.") from error


def mark(text: str) -> str:
    """Twelve hex digits that belong to `text` in this installation; who lacks the key can't guess them."""
    _ready()
    return hmac.new(_key, text.encode(), "sha256").hexdigest()[:12]


def _ready() -> Fernet:
    if _fernet is None:
        raise SettingsError("The secret key has not been set up yet.")
    return _fernet


def kept(path: Path, make: Callable[[], str]) -> str:
    """The secret in the file, readable by us alone; made on the first call, by whichever process comes first."""
    path.parent.mkdir(0o750, parents=True, exist_ok=True)  # the group: a FreeSWITCH may have its media below the state folder
    try:
        return path.read_text("ascii").strip()
    except FileNotFoundError:
        pass
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="ascii") as file:
        file.write(make())
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(fresh, path)  # atomic, and fails when another process was first: then its secret counts
    except FileExistsError:
        pass
    finally:
        fresh.unlink()
    return path.read_text("ascii").strip()

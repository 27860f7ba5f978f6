# SPDX-License-Identifier: Apache-2.0
"""The outbox's channel "email": SMTP, or .eml files in the state folder when no server is set, which the cabinet shows.

A payload is {"account", "to", "subject", "text", "html" (may be ""), "at" (ISO), "key"}; any plugin may owe one.
"""

from __future__ import annotations

import asyncio
import email
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from email import policy
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import aiosmtplib

from engine.sdk import NotFound, Settings, Undeliverable

TIMEOUT_SECONDS = 30


@dataclass(frozen=True, slots=True)
class KeptMail:
    """A mail that was written to a file; `name` asks for it again."""

    name: str
    to: str
    subject: str
    text: str
    at: str


class Mailer:
    def __init__(self, settings: Settings) -> None:
        self.settings = settings.mail
        self.folder = settings.state / "mail"

    async def send(self, payload: Mapping[str, Any]) -> None:
        """Deliver one mail. Raises Undeliverable when the server will never take it; anything else raised is worth another try."""
        try:
            message = compose(payload, self.settings.sender)
        except (ValueError, IndexError) as error:  # how the email package refuses an address
            raise Undeliverable(f"{payload['to']!r} is no e-mail address: {error}") from error
        if self.settings.host:
            await self._smtp(message)
        else:
            await asyncio.to_thread(self._keep, message, payload)

    async def _smtp(self, message: EmailMessage) -> None:
        s = self.settings
        try:
            await aiosmtplib.send(
                message, hostname=s.host, port=s.port, username=s.username or None, password=s.password or None,
                use_tls=s.security == "tls", start_tls=s.security == "starttls", timeout=TIMEOUT_SECONDS,
            )  # fmt: skip
        except aiosmtplib.SMTPAuthenticationError:
            raise  # our own settings: the operator can mend them while the mail waits
        except aiosmtplib.SMTPRecipientsRefused as error:
            first = error.recipients[0]
            if first.code >= 500:
                raise Undeliverable(f"{first.code} {first.message}") from error
            raise
        except aiosmtplib.SMTPResponseException as error:
            if 500 <= error.code < 600 and error.code not in (502, 503, 504, 530):  # those concern our way of asking, not this mail
                raise Undeliverable(f"{error.code} {error.message}") from error
            raise

    def _keep(self, message: EmailMessage, payload: Mapping[str, Any]) -> None:
        at = datetime.fromisoformat(payload["at"])
        target = self.folder / str(int(payload["account"])) / f"{at:%Y%m%d-%H%M%S}-{_digest(payload['key'])}.eml"
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_suffix(".part")
        partial.write_bytes(message.as_bytes(policy=policy.SMTP))
        partial.replace(target)  # a repeated delivery writes the same file again

    def kept(self, account_id: int, limit: int = 100) -> list[KeptMail]:
        """The account's mails in files, newest first."""
        files = sorted((self.folder / str(account_id)).glob("*.eml"), reverse=True)[:limit]
        return [_read(file) for file in files]

    def kept_file(self, account_id: int, name: str) -> Path:
        """The file of one of them. Raises NotFound, for another account's mail too."""
        found = next((f for f in (self.folder / str(account_id)).glob("*.eml") if f.name == name), None)
        if found is None:
            raise NotFound
        return found


def compose(payload: Mapping[str, Any], sender: str) -> EmailMessage:
    """The message; its id follows from the key, so that a mail server can see a repetition. Raises ValueError for a bad address."""
    message = EmailMessage(policy=policy.SMTP)
    message["From"] = sender
    message["To"] = payload["to"]
    if message["To"].defects or len(message["To"].addresses) != 1 or not message["To"].addresses[0].domain:
        raise ValueError("not one address")
    message["Subject"] = payload["subject"]
    message["Date"] = format_datetime(datetime.fromisoformat(payload["at"]))
    message["Message-ID"] = f"<{_digest(payload['key'], 40)}@{sender.rpartition('@')[2].strip('<> ') or 'localhost'}>"
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no vacation answers to it
    message.set_content(payload["text"])
    if payload.get("html"):
        message.add_alternative(payload["html"], subtype="html")
    return message


def _digest(key: str, digits: int = 12) -> str:
    return hashlib.sha256(key.encode()).hexdigest()[:digits]


def _read(file: Path) -> KeptMail:
    message = email.message_from_bytes(file.read_bytes(), policy=policy.SMTP)
    body = message.get_body(("plain",))
    return KeptMail(file.name, str(message["To"]), str(message["Subject"]), str(body.get_content()) if body else "", str(message["Date"]))

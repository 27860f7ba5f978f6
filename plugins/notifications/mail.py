# SPDX-License-Identifier: Apache-2.0
"""The outbox's channel "email": SMTP, or .eml files in the state folder when no server is set, which the cabinet shows.

A payload is {"account", "to", "subject", "text", "html" (may be ""), "at" (ISO), "key"}; any plugin may owe one. There may be "shown", the
addresses that the letter names in place of "to" (never a hidden recipient), and "attachments", [{"path" below the media root, "name"}].
"""

from __future__ import annotations

import asyncio
import email
import hashlib
import logging
import mimetypes
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email import policy
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import aiosmtplib

from engine.sdk import NotFound, Settings, Undeliverable, pretty

log = logging.getLogger(__name__)
TIMEOUT_SECONDS = 30


@dataclass(frozen=True, slots=True)
class KeptMail:
    """A mail that was written to a file at a moment; the file's `name` asks for it again."""

    file: Path
    at: datetime
    message: EmailMessage

    @property
    def name(self) -> str:
        return self.file.name

    @property
    def to(self) -> str:
        return str(self.message["To"] or "")

    @property
    def subject(self) -> str:
        return str(self.message["Subject"] or "")

    @property
    def text(self) -> str:
        body = self.message.get_body(("plain",))
        return str(body.get_content()) if body else ""


class Mailer:
    def __init__(self, settings: Settings) -> None:
        self.settings = settings.mail
        self.media_root = settings.media_root
        self.folder = settings.state / "mail"

    async def send(self, payload: Mapping[str, Any]) -> None:
        """Deliver one mail. Raises Undeliverable when the server will never take it; anything else raised is worth another try."""
        try:
            message = compose(payload, self.settings.sender)
            await asyncio.to_thread(attach, message, payload.get("attachments") or (), self.media_root)
        except (ValueError, IndexError) as error:  # how the email package refuses an address
            raise Undeliverable(f"{payload['to']!r} is no e-mail address: {error}") from error
        if self.settings.host:
            await self._smtp(message, str(payload["to"]))
        else:
            await asyncio.to_thread(self._keep, message, payload)

    async def _smtp(self, message: EmailMessage, to: str) -> None:
        s = self.settings
        try:
            await aiosmtplib.send(
                message, recipients=[to], hostname=s.host, port=s.port, username=s.username or None, password=s.password or None,
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

    def kept(self, account_id: int, limit: int = 200) -> list[KeptMail]:
        """The account's mails in files, newest first."""
        return [_read(file) for file in sorted(self._files(account_id), reverse=True)[:limit]]

    def kept_mail(self, account_id: int, name: str) -> KeptMail:
        """One of them. Raises NotFound, for another account's mail too."""
        found = next((f for f in self._files(account_id) if f.name == name), None)
        if found is None:
            raise NotFound
        return _read(found)

    def erase(self, account_id: int, number: str) -> None:
        """Delete the account's mails in files that speak of a number."""
        for file in self._files(account_id):
            mail = _read(file)
            if any(spelling in f"{mail.subject}\n{mail.text}" for spelling in (number, pretty(number))):
                file.unlink()

    def _files(self, account_id: int) -> list[Path]:
        return list((self.folder / str(account_id)).glob("*.eml"))


def compose(payload: Mapping[str, Any], sender: str) -> EmailMessage:
    """The message; its id follows from the key, so that a mail server can see a repetition. Raises ValueError for a bad address."""
    message = EmailMessage(policy=policy.SMTP)
    message["From"] = sender
    message["To"] = payload["to"]
    if message["To"].defects or len(message["To"].addresses) != 1 or not message["To"].addresses[0].domain:
        raise ValueError("not one address")
    if "shown" in payload:
        del message["To"]
        message["To"] = ", ".join(payload["shown"]) or "undisclosed-recipients:;"
    message["Subject"] = payload["subject"]
    message["Date"] = format_datetime(datetime.fromisoformat(payload["at"]))
    message["Message-ID"] = f"<{_digest(payload['key'], 40)}@{sender.rpartition('@')[2].strip('<> ') or 'localhost'}>"
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no vacation answers to it
    message.set_content(payload["text"])
    if payload.get("html"):
        message.add_alternative(payload["html"], subtype="html")
    return message


def attach(message: EmailMessage, attachments: Iterable[Mapping[str, str]], media_root: Path) -> None:
    """Files of the media root; one that is gone meanwhile is left out, for the letter says what there is to say."""
    for item in attachments:
        path = (media_root / item["path"]).resolve()
        if not path.is_relative_to(media_root.resolve()) or not path.is_file():
            log.warning("%s is not there and can't be attached", item["path"])
            continue
        kind, subtype = (mimetypes.guess_type(path.name)[0] or "application/octet-stream").split("/")
        message.add_attachment(path.read_bytes(), maintype=kind, subtype=subtype, filename=item["name"])


def _digest(key: str, digits: int = 12) -> str:
    return hashlib.sha256(key.encode()).hexdigest()[:digits]


def _read(file: Path) -> KeptMail:
    message = email.message_from_bytes(file.read_bytes(), policy=policy.default)
    assert isinstance(message, EmailMessage)
    return KeptMail(file, datetime.fromtimestamp(file.stat().st_mtime, UTC), message)

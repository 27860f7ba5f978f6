# SPDX-License-Identifier: Apache-2.0
"""The outbox's channel "telegram": missed-call cards and plain messages.

Payloads: {"account", "chat", "card": call id} posts the call's card, {"account", "chat", "refresh": call id} brings a posted card up to
date, {"account", "chat", "html"} is a message of any plugin, with "voice" (a sound below the media root) and "seconds" a voice message,
with "document" (a file below the media root) and "name" a file.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from bot.sdk import Button, ChatMovedError, Courier
from engine.sdk import N_, CallEnded, Context, Refused, Undeliverable, models, to_voice_message, translate
from plugins.notifications import service, texts
from plugins.notifications.models import Card, Claim

log = logging.getLogger(__name__)

BACK: Final = "missed-back:"
TAKE: Final = "missed-take:"


class Telegram:
    """`close` it with the plugin."""

    def __init__(self, ctx: Context) -> None:
        self.ctx = ctx
        self._courier = Courier(ctx.settings)

    async def send(self, payload: Mapping[str, Any]) -> None:
        """Deliver one row; the outbox marks it done when this returns, so after Telegram has said ok."""
        try:
            await self._send(payload)
        except ChatMovedError as moved:
            await models.TelegramLink.filter(chat_id=payload["chat"]).update(chat_id=moved.chat)
            await Card.of(payload["account"]).filter(chat_id=payload["chat"]).update(chat_id=moved.chat)
            await self._send({**payload, "chat": moved.chat})

    async def _send(self, payload: Mapping[str, Any]) -> None:
        account, chat = int(payload["account"]), int(payload["chat"])
        if "card" in payload:
            await self._post(account, chat, str(payload["card"]))
        elif "refresh" in payload:
            await self._refresh(account, chat, str(payload["refresh"]))
        elif "voice" in payload:
            await self._voice(chat, payload)
        elif "document" in payload:
            await self._document(chat, payload)
        else:
            await self._courier.post(chat, str(payload["html"]))

    def _file(self, path: str) -> Path | None:
        """A file of the media root; None when it is deleted since: what was said of it is news all the same."""
        root = self.ctx.settings.media_root.resolve()
        source = (root / path).resolve()
        return source if source.is_relative_to(root) and source.is_file() else None

    async def _document(self, chat: int, payload: Mapping[str, Any]) -> None:
        source = self._file(str(payload["document"]))
        if source is None:
            await self._courier.post(chat, str(payload["html"]))
            return
        content = await asyncio.to_thread(source.read_bytes)
        await self._courier.document(chat, content, str(payload.get("name") or source.name), str(payload["html"]))

    async def _voice(self, chat: int, payload: Mapping[str, Any]) -> None:
        source = self._file(str(payload["voice"]))
        if source is None:
            await self._courier.post(chat, str(payload["html"]))
            return
        with TemporaryDirectory(prefix="vats-voice-") as folder:
            target = Path(folder) / "voice.ogg"
            try:
                await to_voice_message(source, target)
            except Refused as error:
                raise Undeliverable(f"{payload['voice']} is damaged: {error}") from error
            sound = target.read_bytes()
        await self._courier.voice(chat, sound, source.stem, str(payload["html"]), int(payload.get("seconds") or 0))

    async def _post(self, account: int, chat: int, call_id: str) -> None:
        if await Card.of(account).filter(call_id=call_id, chat_id=chat).exists():
            return  # sent by an attempt that ended before the outbox heard of it
        ended = await service.ended_call(account, call_id)
        if ended is None:
            raise Undeliverable("the call was erased")
        shown = await service.claim_of(account, call_id)
        html, rows = await self._card(account, chat, ended, shown)
        message_id = await self._courier.post(chat, html, rows)
        async with self.ctx.transaction() as tx:
            await Card.create(account_id=account, call_id=call_id, chat_id=chat, message_id=message_id, using_db=tx)
            claim = await service.claim_of(account, call_id, tx)
            if claim is not None and shown is None:  # taken in another chat while this one was being sent
                await service.refresh_cards(self.ctx, claim, tx)

    async def _refresh(self, account: int, chat: int, call_id: str) -> None:
        posted = await Card.of(account).filter(call_id=call_id, chat_id=chat).first()
        ended = await service.ended_call(account, call_id)
        if posted is None or ended is None:
            return
        html, rows = await self._card(account, chat, ended, await service.claim_of(account, call_id))
        await self._courier.change(chat, posted.message_id, html, rows)

    async def _card(self, account: int, chat: int, ended: CallEnded, claim: Claim | None) -> tuple[str, list[list[Button]]]:
        snapshot = self.ctx.snapshot(account)
        link = await models.TelegramLink.of(account).filter(chat_id=chat).order_by("-id").first()
        language = link.language if link else snapshot.account.language
        return texts.card(ended, snapshot, language, claim), [buttons(ended.call, bool(ended.caller_number), claim is None, language)]

    async def close(self) -> None:
        await self._courier.close()


def buttons(call_id: str, callable_: bool, free: bool, language: str) -> list[Button]:
    """«Перезвонить» as long as there is a number, «Взял» as long as nobody has."""
    back = [Button(translate(language, N_("Call back")), BACK + call_id)] if callable_ else []
    return back + ([Button(translate(language, N_("I take it")), TAKE + call_id)] if free else [])

# SPDX-License-Identifier: Apache-2.0
"""A Telegram Bot API server for tests: real HTTP, real long poll, stored messages and files, Telegram's own refusals.

    async with FakeBotApi() as api:
        anna = api.user("Anna", language="ru")
        await anna.send("/start")                       # the bot polls api.url with api.token and answers
        card = await anna.read()                        # the next message of the bot in her private chat
        await anna.press("Call back")
        api.fail_next(Failure(429, retry_after=3), Failure(500, lasting=timedelta(minutes=1)), method="sendMessage")
"""

from __future__ import annotations

import asyncio
import itertools
import json
import mimetypes
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any, Self, TypeVar

from aiohttp import web as http

from engine import clock
from tests.fakes.botapi_chats import ApiCall, ApiError, Chat, Failure, Person, Press, StoredFile, StoredMessage
from tests.fakes.botapi_markup import MarkupError, keyboard, length, parse

T = TypeVar("T")
TEXT_LIMIT, CAPTION_LIMIT = 4096, 1024
UPLOAD_LIMIT, DOWNLOAD_LIMIT = 50 << 20, 20 << 20
JSON_FIELDS = {"reply_markup", "entities", "caption_entities", "media", "allowed_updates", "commands", "scope", "reply_parameters",
               "link_preview_options"}  # fmt: skip


class FakeBotApi:
    """One bot's server. `now` is the clock of scripts and of `calls`."""

    def __init__(self, token: str = "4242:fake-token", now: Callable[[], datetime] = clock.now) -> None:
        self.token, self.now = token, now
        self.numbers = itertools.count(1000)
        self.url = ""
        self.calls: list[ApiCall] = []
        self.messages: dict[tuple[int, int], StoredMessage] = {}
        self.files: dict[str, StoredFile] = {}
        self.chats: dict[int, Chat] = {}
        self.presses: dict[str, Press] = {}
        self.commands: dict[str, list[dict[str, str]]] = {}
        self.webhook = ""
        self._updates: list[dict[str, Any]] = []
        self._failures: list[Failure] = []
        self._poll: asyncio.Future[None] | None = None
        self._change = asyncio.Condition()
        self._runner: http.AppRunner | None = None

    async def __aenter__(self) -> Self:
        app = http.Application(client_max_size=UPLOAD_LIMIT + (1 << 20))
        app.router.add_route("*", "/bot{token}/{method}", self._serve)
        app.router.add_get("/file/bot{token}/{path:.+}", self._download)
        self._runner = http.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = http.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._poll and not self._poll.done():
            self._poll.set_result(None)
        if self._runner:
            await self._runner.cleanup()

    # what a test does ----------------------------------------------------------------------------------------------------

    def user(self, name: str, language: str | None = "ru", *, id: int = 0, started: bool = False, username: str | None = None) -> Person:
        person = Person(self, id or next(self.numbers), "private", name, language, username, started)
        self.chats[person.id] = person
        return person

    def group(self, title: str, *, id: int = 0) -> Chat:
        """A supergroup the bot is a member of."""
        chat = Chat(self, id or -1_000_000_000_000 - next(self.numbers), "supergroup", title, started=True)
        self.chats[chat.id] = chat
        return chat

    def fail_next(self, *failures: Failure, method: str | None = None) -> None:
        """Answer the next requests (of `method`, else of any but getUpdates) by this script, in order."""
        self._failures.extend(replace(f, method=f.method or method) for f in failures)

    async def wait(self, look: Callable[[], T | None], within: float = 30) -> T:
        """The first true value of `look`, asked after every change; raises TimeoutError with what came so far."""
        try:
            async with asyncio.timeout(within), self._change:
                while not (found := look()):
                    await self._change.wait()
                return found
        except TimeoutError:
            said = [(m.chat_id, m.text) for m in self.messages.values()]
            tail = [(c.method, c.status) for c in self.calls[-8:]]
            raise TimeoutError(f"nothing of that kind within {within} s; messages: {said}; last calls: {tail}") from None

    def made(self, method: str, status: int | None = None) -> list[ApiCall]:
        return [c for c in self.calls if c.method == method.lower() and status in (None, c.status)]

    def store(self, chat: Chat, data: dict[str, Any], *, from_bot: bool) -> StoredMessage:
        number = next(self.numbers)
        stamp = int(self.now().timestamp())
        message = StoredMessage({"message_id": number, "date": stamp, "chat": chat.describe(), **data}, from_bot)
        self.messages[chat.id, number] = message
        return message

    def push(self, update: dict[str, Any]) -> None:
        """Put an update into the queue and wake the long poll."""
        self._updates.append({"update_id": next(self.numbers), **update})
        if self._poll and not self._poll.done():
            self._poll.set_result(None)
        self._poll = None

    async def changed(self) -> None:
        async with self._change:
            self._change.notify_all()

    @property
    def polling(self) -> bool:
        """Whether somebody hangs in getUpdates."""
        return bool(self._poll and not self._poll.done())

    # HTTP ----------------------------------------------------------------------------------------------------------------

    async def _serve(self, request: http.Request) -> http.Response:
        method = request.match_info["method"].lower()
        params: dict[str, Any] = {}
        lost = False
        try:
            params = await self._params(request)
            if request.match_info["token"] != self.token:
                raise ApiError(401, "Unauthorized")
            if failure := self._failure(method):
                if failure.html:
                    self.calls.append(ApiCall(self.now(), method, params, failure.status))
                    return http.Response(status=failure.status, text="<html><h1>Bad Gateway</h1></html>", content_type="text/html")
                if not failure.lost:
                    raise failure.error()
                lost = True
            handler = getattr(self, f"_do_{method}", None)
            if handler is None:
                raise ApiError(404, "Not Found")
            result = handler(params)
            answer, status = {"ok": True, "result": await result if asyncio.iscoroutine(result) else result}, 200
        except MarkupError as error:
            answer, status = {"ok": False, "error_code": 400, "description": f"Bad Request: {error}"}, 400
        except ApiError as error:
            status = error.status
            answer = {"ok": False, "error_code": status, "description": error.description}
            if error.parameters:
                answer["parameters"] = error.parameters
        self.calls.append(ApiCall(self.now(), method, {k: v for k, v in params.items() if not isinstance(v, http.FileField)}, status))
        await self.changed()
        if lost and request.transport:
            request.transport.close()
        return http.json_response(answer, status=status)

    async def _params(self, request: http.Request) -> dict[str, Any]:
        params: dict[str, Any] = dict(request.query)
        if request.content_type == "application/json":
            body = await request.json()
            return {**params, **body}
        for name, value in (await request.post()).items():
            params[name] = json.loads(value) if isinstance(value, str) and name in JSON_FIELDS else value
        return params

    def _failure(self, method: str) -> Failure | None:
        for failure in list(self._failures):
            if (failure.method or "").lower() != method and (failure.method or method == "getupdates"):
                continue
            if failure.lasting is not None:
                failure.since = failure.since or self.now()
                if self.now() < failure.since + failure.lasting:
                    return failure
                self._failures.remove(failure)
                continue
            failure.times -= 1
            if failure.times <= 0:
                self._failures.remove(failure)
            return failure
        return None

    async def _download(self, request: http.Request) -> http.Response:
        found = next((f for f in self.files.values() if f.path == request.match_info["path"]), None)
        if request.match_info["token"] != self.token or found is None:
            raise http.HTTPNotFound
        return http.Response(body=found.data, content_type="application/octet-stream")

    # methods -------------------------------------------------------------------------------------------------------------

    def _me(self) -> dict[str, Any]:
        return {"id": int(self.token.split(":")[0]), "is_bot": True, "first_name": "VATS", "username": "vats_test_bot"}

    def _do_getme(self, _: dict[str, Any]) -> dict[str, Any]:
        return {**self._me(), "can_join_groups": True, "can_read_all_group_messages": False, "supports_inline_queries": False}

    async def _do_getupdates(self, params: dict[str, Any]) -> list[dict[str, Any]]:
        if self.webhook:
            raise ApiError(409, "Conflict: can't use getUpdates method while webhook is active")
        if self._poll and not self._poll.done():
            self._poll.set_exception(
                ApiError(409, "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running")
            )
        offset, limit = int(params.get("offset") or 0), int(params.get("limit") or 100)
        self._updates = [u for u in self._updates if u["update_id"] >= offset]
        if not self._updates and (timeout := float(params.get("timeout") or 0)):
            self._poll = mine = asyncio.get_running_loop().create_future()
            await self.changed()
            await asyncio.wait([mine], timeout=timeout)
            if mine.done():
                mine.result()
            elif self._poll is mine:
                self._poll = None
        return self._updates[:limit]

    def _do_setwebhook(self, params: dict[str, Any]) -> bool:
        self.webhook = str(params.get("url", ""))
        return True

    def _do_deletewebhook(self, params: dict[str, Any]) -> bool:
        self.webhook = ""
        if str(params.get("drop_pending_updates", "")).lower() in ("true", "1"):
            self._updates.clear()
        return True

    def _do_getwebhookinfo(self, _: dict[str, Any]) -> dict[str, Any]:
        return {"url": self.webhook, "has_custom_certificate": False, "pending_update_count": len(self._updates)}

    def _do_setmycommands(self, params: dict[str, Any]) -> bool:
        for command in params["commands"]:
            if not (1 <= len(command["command"]) <= 32 and 1 <= len(command["description"]) <= 256):
                raise ApiError(400, "Bad Request: BOT_COMMAND_INVALID")
        self.commands[str(params.get("language_code") or "")] = params["commands"]
        return True

    def _do_getmycommands(self, params: dict[str, Any]) -> list[dict[str, str]]:
        return self.commands.get(str(params.get("language_code") or ""), [])

    def _do_getchat(self, params: dict[str, Any]) -> dict[str, Any]:
        chat = self._chat(params)
        return {**chat.describe(), "accent_color_id": 0, "max_reaction_count": 11,
                "accepted_gift_types": {"unlimited_gifts": True, "limited_gifts": True, "unique_gifts": True, "premium_subscription": True,
                                        "gifts_from_channels": True}}  # fmt: skip

    def _do_leavechat(self, params: dict[str, Any]) -> bool:
        self._chat(params).blocked = True
        return True

    def _do_sendchataction(self, params: dict[str, Any]) -> bool:
        return bool(self._chat(params))

    def _do_sendmessage(self, params: dict[str, Any]) -> dict[str, Any]:
        return self._say(params, self._text(params))

    def _do_senddocument(self, params: dict[str, Any]) -> dict[str, Any]:
        return self._say(params, self._media(params, "document"))

    def _do_sendphoto(self, params: dict[str, Any]) -> dict[str, Any]:
        return self._say(params, self._media(params, "photo"))

    def _do_sendaudio(self, params: dict[str, Any]) -> dict[str, Any]:
        return self._say(params, self._media(params, "audio"))

    def _do_sendvoice(self, params: dict[str, Any]) -> dict[str, Any]:
        if self._chat(params).voice_forbidden:
            raise ApiError(400, "Bad Request: VOICE_MESSAGES_FORBIDDEN")
        return self._say(params, self._media(params, "voice"))

    def _do_sendmediagroup(self, params: dict[str, Any]) -> list[dict[str, Any]]:
        if not 2 <= len(params["media"]) <= 10:
            raise ApiError(400, "Bad Request: wrong number of media: expected between 2 and 10")
        album = {"media_group_id": str(next(self.numbers))}
        items = [{**params, **item, item["type"]: item["media"]} for item in params["media"]]
        return [self._say(params, self._media(item, item["type"]) | album) for item in items]

    def _do_editmessagetext(self, params: dict[str, Any]) -> dict[str, Any]:
        return self._edit(params, self._text(params))

    def _do_editmessagecaption(self, params: dict[str, Any]) -> dict[str, Any]:
        return self._edit(params, self._caption(params))

    def _do_editmessagereplymarkup(self, params: dict[str, Any]) -> dict[str, Any]:
        return self._edit(params, {})

    def _do_deletemessage(self, params: dict[str, Any]) -> bool:
        message = self._message(params, "message to delete not found")
        del self.messages[message.chat_id, message.id]
        return True

    def _do_answercallbackquery(self, params: dict[str, Any]) -> bool:
        press = self.presses.get(str(params.get("callback_query_id")))
        if press is None or press.answer is not None:
            raise ApiError(400, "Bad Request: query is too old and response timeout expired or query ID is invalid")
        if length(str(params.get("text", ""))) > 200:
            raise ApiError(400, "Bad Request: MESSAGE_TOO_LONG")
        press.answer = params
        return True

    def _do_getfile(self, params: dict[str, Any]) -> dict[str, Any]:
        found = self.files.get(str(params.get("file_id")))
        if found is None:
            raise ApiError(400, "Bad Request: invalid file_id")
        if len(found.data) > DOWNLOAD_LIMIT:
            raise ApiError(400, "Bad Request: file is too big")
        return {"file_id": found.id, "file_unique_id": f"u{found.id}", "file_size": len(found.data), "file_path": found.path}

    # their parts ---------------------------------------------------------------------------------------------------------

    def _chat(self, params: dict[str, Any]) -> Chat:
        try:
            chat = self.chats[int(params.get("chat_id", ""))]
        except (KeyError, ValueError):
            raise ApiError(400, "Bad Request: chat not found") from None
        if chat.migrated_to:
            raise ApiError(400, "Bad Request: group chat was upgraded to a supergroup chat", migrate_to_chat_id=chat.migrated_to)
        if chat.blocked:
            private = chat.type == "private"
            raise ApiError(403, f"Forbidden: bot was {'blocked by the user' if private else f'kicked from the {chat.type} chat'}")
        if not chat.started:
            raise ApiError(403, "Forbidden: bot can't initiate conversation with a user")
        return chat

    def _message(self, params: dict[str, Any], missing: str) -> StoredMessage:
        message = self.messages.get((self._chat(params).id, int(params.get("message_id") or 0)))
        if message is None:
            raise ApiError(400, f"Bad Request: {missing}")
        if not message.from_bot:
            raise ApiError(400, "Bad Request: message can't be edited")
        return message

    def _text(self, params: dict[str, Any]) -> dict[str, Any]:
        text, entities = parse(str(params.get("text", "")), params.get("parse_mode"))
        if not text:
            raise ApiError(400, "Bad Request: message text is empty")
        if length(text) > TEXT_LIMIT:
            raise ApiError(400, "Bad Request: message is too long")
        return {"text": text, **({"entities": entities} if entities else {})}

    def _caption(self, params: dict[str, Any]) -> dict[str, Any]:
        text, entities = parse(str(params.get("caption", "")), params.get("parse_mode"))
        if length(text) > CAPTION_LIMIT:
            raise ApiError(400, "Bad Request: message caption is too long")
        return {k: v for k, v in {"caption": text, "caption_entities": entities}.items() if v}

    def _media(self, params: dict[str, Any], kind: str) -> dict[str, Any]:
        value = params.get(kind)
        if isinstance(value, str) and value.startswith("attach://"):
            value = params.get(value.removeprefix("attach://"))
        if isinstance(value, http.FileField):
            data = value.file.read()
            if len(data) > UPLOAD_LIMIT:
                raise ApiError(413, "Request Entity Too Large")
            if not data:
                raise ApiError(400, "Bad Request: file must be non-empty")
            number = next(self.numbers)
            mime = mimetypes.guess_type(value.filename)[0] or "application/octet-stream"
            stored = StoredFile(f"file-{number}", value.filename, f"{kind}/file_{number}", data, mime)
            self.files[stored.id] = stored
        elif value in self.files:
            stored = self.files[value]
        else:
            raise ApiError(400, "Bad Request: wrong file identifier/HTTP URL specified")
        # a voice message must be OGG/Opus, music MP3 or M4A; Telegram shows anything else as a plain file
        music = stored.mime in ("audio/mpeg", "audio/mp4")
        if (kind == "voice" and b"OpusHead" not in stored.data[:256]) or (kind == "audio" and not music):
            kind = "document"
        item: dict[str, Any] = {"file_id": stored.id, "file_unique_id": f"u{stored.id}", "file_size": len(stored.data)}
        if kind == "photo":
            return {"photo": [{**item, "width": 1, "height": 1}], **self._caption(params)}
        if kind in ("audio", "voice"):
            item["duration"] = int(params.get("duration") or 0)
        item |= {"mime_type": stored.mime} | ({"file_name": stored.name} if kind != "voice" else {})
        return {kind: item, **self._caption(params)}

    def _say(self, params: dict[str, Any], body: dict[str, Any]) -> dict[str, Any]:
        chat = self._chat(params)
        if markup := keyboard(params.get("reply_markup")):
            body = {**body, "reply_markup": markup}
        return self.store(chat, {"from": self._me(), **body}, from_bot=True).data

    def _edit(self, params: dict[str, Any], body: dict[str, Any]) -> dict[str, Any]:
        message = self._message(params, "message to edit not found")
        markup = keyboard(params.get("reply_markup"))
        kept = {k: v for k, v in message.data.items() if k not in ("reply_markup", "edit_date")}
        for name in body:
            kept.pop("entities" if name == "text" else "caption_entities" if name == "caption" else name, None)
        fresh = {**kept, **body, **({"reply_markup": markup} if markup else {})}
        if fresh == {k: v for k, v in message.data.items() if k != "edit_date"}:
            raise ApiError(
                400,
                "Bad Request: message is not modified: specified new message content and reply markup are exactly the same as "
                "a current content and reply markup of the message",
            )
        message.versions.append(message.data)
        message.data = {**fresh, "edit_date": int(self.now().timestamp())}
        return message.data

# SPDX-License-Identifier: Apache-2.0
"""The small HTTP listener that the switch's mod_xml_curl asks for SIP accounts and trunks; started by the runtime."""

from __future__ import annotations

import base64
import binascii
import hmac
import logging
from collections.abc import Awaitable, Callable, Sequence

from aiohttp import web as http

from engine.directory.answers import Answers
from engine.directory.documents import NOT_FOUND
from engine.directory.guard import Guard
from engine.directory.networks import contains, parse
from engine.directory.source import Directory
from engine.errors import SettingsError

log = logging.getLogger(__name__)

Handler = Callable[[http.Request], Awaitable[http.StreamResponse]]

USERNAME = "vats"
"""The name the switch presents beside the secret."""

# a digest request of a phone is some 1.1 kB, but it carries every X- header the phone cared to send
_LARGEST_BODY = 256 * 1024


def directory_url(host: str, port: int) -> str:
    """Where the switch asks, without the last word of the path."""
    return f"http://[{host}]:{port}/fs" if ":" in host else f"http://{host}:{port}/fs"


class DirectoryListener:
    """POST /fs/directory and /fs/configuration, for holders of the secret at allowed addresses."""

    def __init__(
        self,
        directory: Directory,
        *,
        host: str,
        port: int,
        secret: str,
        allowed: Sequence[str],
        guard: Guard | None = None,
        cache_milliseconds: int = 0,
    ) -> None:
        """`allowed` are networks; port 0 takes any free port, told by `port` after `start`. Raises SettingsError."""
        if not secret:
            raise SettingsError("Settings: directory.secret must not be empty: the directory hands out SIP password hashes.")
        self.guard = guard or Guard()
        self.host = host
        self.port = port
        self._answers = Answers(directory, self.guard, cache_milliseconds)
        self._secret = secret.encode()
        self._allowed = parse(tuple(allowed))
        self._runner: http.AppRunner | None = None

    @property
    def url(self) -> str:
        """Where the switch should ask, without the last word of the path."""
        return directory_url(self.host, self.port)

    async def start(self) -> None:
        """Listen. Raises OSError when the port is taken."""
        app = http.Application(client_max_size=_LARGEST_BODY, middlewares=[self._edge])
        app.router.add_post("/fs/directory", self._handler(self._answers.directory))
        app.router.add_post("/fs/configuration", self._handler(self._answers.configuration))
        runner = http.AppRunner(app, access_log=None)
        await runner.setup()
        site = http.TCPSite(runner, self.host, self.port)
        try:
            await site.start()
        except OSError:
            await runner.cleanup()
            raise
        self._runner = runner
        self.port = int(runner.addresses[0][1])
        log.info("directory for the switch at %s", self.url)

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def _handler(self, answer: Callable[[bytes], str]) -> Handler:
        async def handle(request: http.Request) -> http.StreamResponse:
            try:
                body = await request.read()
            except http.HTTPRequestEntityTooLarge:
                log.warning("a request of more than %d bytes from %s is answered with not found", _LARGEST_BODY, request.remote)
                return _xml(NOT_FOUND)
            return _xml(answer(body))

        return handle

    @http.middleware
    async def _edge(self, request: http.Request, handler: Handler) -> http.StreamResponse:
        if not contains(self._allowed, request.remote or ""):
            log.warning("%s asked the directory, but stands in no network of directory.allowed", request.remote)
            return http.Response(status=403)
        if not self._knows_secret(request.headers.get("Authorization", "")):
            log.warning("%s asked the directory without the right directory.secret", request.remote)
            return http.Response(status=401, headers={"WWW-Authenticate": 'Basic realm="vats"'})
        try:
            return await handler(request)
        except http.HTTPException:
            raise
        except Exception:  # the HTTP edge: one broken entry must not look like a broken directory
            log.exception("the directory failed at %s; answered with not found", request.path)
            return _xml(NOT_FOUND)

    def _knows_secret(self, header: str) -> bool:
        scheme, _, encoded = header.partition(" ")
        if scheme.lower() != "basic":
            return False
        try:
            name, _, secret = base64.b64decode(encoded.strip(), validate=True).partition(b":")
        except (binascii.Error, ValueError):
            return False
        return hmac.compare_digest(name, USERNAME.encode()) & hmac.compare_digest(secret, self._secret)


def _xml(text: str) -> http.Response:
    return http.Response(text=text, content_type="text/xml")

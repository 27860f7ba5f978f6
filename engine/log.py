# SPDX-License-Identifier: Apache-2.0
"""Log lines for people or machines, each with the call it belongs to; set up once per process by the runtime."""

from __future__ import annotations

import json
import logging
import sys
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Literal, TextIO

call_id: ContextVar[str] = ContextVar("call_id", default="-")
"""The call whose work the current task does; set by the call code, read by every log line."""

LogFormat = Literal["human", "json"]


class _CallFilter(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        if not hasattr(record, "call"):
            record.call = call_id.get()
        return True


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "call": getattr(record, "call", "-"),
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


class _Human(logging.Formatter):
    default_msec_format = "%s.%03d"

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(name)s [%(call)s] %(message)s")


def setup(level: str = "INFO", form: LogFormat = "human", stream: TextIO | None = None) -> None:
    """Send every logger of this process to `stream` (standard error by default) in one format."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.addFilter(_CallFilter())
    handler.setFormatter(_Json() if form == "json" else _Human())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for noisy in ("tortoise", "aiosqlite", "apscheduler", "aiogram.event", "aiohttp.access", "asyncio"):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, root.level))

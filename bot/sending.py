# SPDX-License-Identifier: Apache-2.0
"""Telegram's refusals in the outbox's words, for plugins' deliveries: wait as long as asked, or give up what can never work."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from aiogram.exceptions import (
    TelegramBadRequest,
    TelegramEntityTooLarge,
    TelegramForbiddenError,
    TelegramMigrateToChat,
    TelegramNotFound,
    TelegramRetryAfter,
)

from engine.sdk import RetryLater, Undeliverable


@contextmanager
def told_to_outbox() -> Iterator[None]:
    """Around the requests of one delivery. A server error or a broken connection passes through and is retried with backoff."""
    try:
        yield
    except TelegramRetryAfter as error:
        raise RetryLater(error.retry_after) from error
    except TelegramMigrateToChat:
        raise  # the sender knows what to do with the new number
    except (TelegramForbiddenError, TelegramBadRequest, TelegramNotFound, TelegramEntityTooLarge) as error:
        raise Undeliverable(error.message) from error

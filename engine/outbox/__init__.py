# SPDX-License-Identifier: Apache-2.0
"""Deliveries to the outside world: e-mail, Telegram, SMS, webhooks; durable, in order, with visible dead letters."""

from engine.outbox.outbox import Outbox, RetryLater, Undeliverable, Undelivered

__all__ = ["Outbox", "RetryLater", "Undeliverable", "Undelivered"]

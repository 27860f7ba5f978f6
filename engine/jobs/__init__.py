# SPDX-License-Identifier: Apache-2.0
"""Work that is no call: the doorbell, orders for calls, periodic jobs. Started by the runtime."""

from engine.jobs.doorbell import Doorbell, Subscription
from engine.jobs.orders import OrderBook
from engine.jobs.ticker import Ticker

__all__ = ["Doorbell", "OrderBook", "Subscription", "Ticker"]

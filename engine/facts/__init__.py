# SPDX-License-Identifier: Apache-2.0
"""Durable public facts about calls: what webhooks, bot and statistics read."""

from engine.facts.ended import CallEnded, MissedWhy
from engine.facts.fact import Fact, decode, encode

__all__ = ["CallEnded", "Fact", "MissedWhy", "decode", "encode"]

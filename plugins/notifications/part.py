# SPDX-License-Identifier: Apache-2.0
"""Templates of letters in the snapshot (DIR-3): one at most for each kind of letter."""

from __future__ import annotations

from engine.sdk import LetterTemplate, Part


class NotificationsPart(Part, frozen=True, kw_only=True):
    templates: tuple[LetterTemplate, ...] = ()

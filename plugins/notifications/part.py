# SPDX-License-Identifier: Apache-2.0
"""Templates of letters in the snapshot (DIR-3): one at most for each kind of letter."""

from __future__ import annotations

from typing import ClassVar

from engine.sdk import N_, LetterTemplate, Part


class Template(LetterTemplate, frozen=True, kw_only=True):
    kind: ClassVar[str] = "notifications.template"
    noun: ClassVar[str] = N_("Letter")


class NotificationsPart(Part, frozen=True, kw_only=True):
    templates: tuple[Template, ...] = ()

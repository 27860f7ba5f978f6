# SPDX-License-Identifier: Apache-2.0
"""The facts that a fax has come in, or nothing of it."""

from __future__ import annotations

from typing import ClassVar

from engine.sdk import Fact, Ref


class FaxReceived(Fact, frozen=True, kw_only=True):
    """`at`: when it began. The TIFF lies at `path` below the media root."""

    kind: ClassVar[str] = "fax.received"
    owner: Ref
    """A user or a group."""
    caller_number: str | None = None
    caller_name: str = ""
    dialled: str = ""
    path: str
    pages: int
    complete: bool = True
    """False: it broke off; what had come is kept."""
    sender: str = ""
    """How the sending machine calls itself."""
    trouble: str = ""
    """Why it broke off, in the switch's words; may be empty."""


class FaxDropped(Fact, frozen=True, kw_only=True):
    """No whole page has come: what the switch has written to `path` is not wanted."""

    kind: ClassVar[str] = "fax.dropped"
    path: str

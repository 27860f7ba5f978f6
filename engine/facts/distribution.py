# SPDX-License-Identifier: Apache-2.0
"""Facts about how a call fared in the groups it passed; the end of the call is judged by them (R1)."""

from __future__ import annotations

from typing import ClassVar, Literal

from engine.facts.fact import Fact
from engine.snapshot.element import Ref


class DistributionFailed(Fact, frozen=True, kw_only=True):
    """Nobody of `group` took the call."""

    kind: ClassVar[str] = "core.distribution_failed"
    group: Ref
    why: Literal["no_answer", "busy", "left", "closed", "inactive", "empty"]


class Served(Fact, frozen=True, kw_only=True):
    """The call reached its purpose without a talk (fax, finished announcement, CallOut); such a call is not missed (R1)."""

    kind: ClassVar[str] = "core.served"
    how: Literal["fax", "announcement", "callout", "hangup_by_rule"]

# SPDX-License-Identifier: Apache-2.0
"""Calls without a switch: for “what would happen”, for plugin authors' tests, for checks before a save."""

from engine.errors import WaitsForEver
from engine.rehearsal.rehearsed import RehearsedCall
from engine.rehearsal.script import Script
from engine.rehearsal.service import Rehearsal, rehearse, rehearse_order

__all__ = ["Rehearsal", "RehearsedCall", "Script", "WaitsForEver", "rehearse", "rehearse_order"]

# SPDX-License-Identifier: Apache-2.0
"""What the one who uses codes hears."""

from __future__ import annotations

from typing import Final

from engine.snapshot import Sound

REFUSED: Final = Sound("tone:%(300,150,425);loops=3")
"""The code can't be obeyed; the talk goes on."""
RINGING: Final = Sound("tone:%(1000,4000,425);loops=-1")
"""Until somebody answers: Russian ringback (GOST 28384)."""

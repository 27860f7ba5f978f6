# SPDX-License-Identifier: Apache-2.0
"""A bar chart as numbers for an inline SVG (no style attributes, so the strict CSP holds); used by the home page."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

WIDTH: Final = 720
HEIGHT: Final = 196
_LEFT, _RIGHT, _TOP, _BOTTOM = 32, 4, 12, 28


@dataclass(frozen=True, slots=True)
class Bar:
    """One column: talked below, missed on top; `x`, `y`, `width`, `height` in SVG units."""

    label: str
    talked: int
    missed: int
    x: float
    width: float
    talked_y: float
    talked_height: float
    missed_y: float
    missed_height: float
    show_label: bool


@dataclass(frozen=True, slots=True)
class Chart:
    bars: Sequence[Bar]
    lines: Sequence[tuple[float, int]]
    """Horizontal grid: (y, value)."""
    width: int = WIDTH
    height: int = HEIGHT
    left: int = _LEFT
    top: int = _TOP
    bottom: int = HEIGHT - _BOTTOM

    @property
    def plot_height(self) -> int:
        return self.bottom - self.top


def bars(columns: Sequence[tuple[str, int, int]], label_every: int = 1) -> Chart:
    """Columns of (label, talked, missed) scaled to a round maximum."""
    most = max((talked + missed for _, talked, missed in columns), default=0)
    step = _step(most)
    top = max(step * math.ceil(most / step), step)
    plot = HEIGHT - _BOTTOM - _TOP
    slot = (WIDTH - _LEFT - _RIGHT) / max(len(columns), 1)
    width = min(slot * 0.7, 28.0)

    def units(value: int) -> float:
        return round(plot * value / top, 2)

    made = []
    for index, (label, talked, missed) in enumerate(columns):
        x = _LEFT + slot * index + (slot - width) / 2
        talked_y = HEIGHT - _BOTTOM - units(talked)
        made.append(
            Bar(
                label,
                talked,
                missed,
                round(x, 2),
                round(width, 2),
                talked_y,
                units(talked),
                talked_y - units(missed),
                units(missed),
                index % label_every == 0,
            )
        )
    values = range(0, top + 1, step)
    return Chart(made, [(HEIGHT - _BOTTOM - units(value), value) for value in values])


def _step(most: int) -> int:
    """A round distance between grid lines, at most five of them."""
    size = 1
    while True:
        for factor in (1, 2, 5):
            if most <= 4 * factor * size:
                return factor * size
        size *= 10

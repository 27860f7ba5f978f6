# SPDX-License-Identifier: Apache-2.0
"""Pages as fax machines make and take them: drawn, read back, compared dot by dot."""

from __future__ import annotations

from pathlib import Path

import numpy
from PIL import Image, ImageDraw
from PIL.PdfParser import PdfParser

WIDTH, HEIGHT, DPI = 1728, 1100, (204, 196)
HEADER_ROWS = 60
"""The sending side may put a line of its own on top of each page."""


def draw(file: Path, pages: int, height: int = HEIGHT) -> Path:
    """A TIFF as fax machines make them; every page shows something else."""
    images = []
    for page in range(pages):
        image = Image.new("1", (WIDTH, height), 1)
        pen = ImageDraw.Draw(image)
        for row in range(100, height - 100, 90):
            pen.rectangle((100 + 37 * page, row, 200 + 37 * page + (row * 7 + 431 * page) % 1200, row + 30), fill=0)
        pen.ellipse((900, 100 + 120 * page, 1500, 700 + 120 * page), outline=0, width=9)
        images.append(image)
    images[0].save(file, save_all=True, append_images=images[1:], compression="group4", dpi=DPI)
    return file


def pages_of(file: Path) -> list[numpy.ndarray]:
    """The pages of a TIFF as arrays of rows."""
    with Image.open(file) as image:
        found = []
        for page in range(getattr(image, "n_frames", 1)):
            image.seek(page)
            found.append(numpy.asarray(image.convert("1")))
        return found


def pages_of_pdf(file: Path) -> int:
    with PdfParser(file) as document:
        return len(document.pages)


def same_page(sent: numpy.ndarray, received: numpy.ndarray) -> bool:
    """Whether every dot has come; the line on top pushes the page down by its height."""
    middle = sent[:-HEADER_ROWS]
    return any(numpy.array_equal(middle, received[down : down + len(middle)]) for down in range(HEADER_ROWS)) or any(
        numpy.array_equal(middle[HEADER_ROWS:], received[down + HEADER_ROWS : down + len(middle)]) for down in range(HEADER_ROWS)
    )

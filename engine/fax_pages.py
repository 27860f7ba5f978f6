# SPDX-License-Identifier: Apache-2.0
"""Received faxes (TIFF) as documents: all pages as a PDF, one page as a picture; made in a worker process."""

from __future__ import annotations

import io
import logging
import struct
from pathlib import Path
from typing import Any

from PIL import Image, ImageSequence

from engine.errors import Refused
from engine.heavy import heavily
from engine.i18n import N_

log = logging.getLogger(__name__)

MOST_PAGES = 500
MOST_PIXELS = 50_000_000
"""Of a page; an A4 in the finest resolution has 15 million. A sender could otherwise fill the memory with an endless white one."""
SCREEN_WIDTH = 1200
FAX_DPI = (204.0, 196.0)
"""Of a page that does not tell its own (T.4: 8 dots and 7.7 lines a millimetre)."""

_UNREADABLE = (
    OSError, EOFError, ValueError, SyntaxError, TypeError, LookupError, ArithmeticError, struct.error, Image.DecompressionBombError,
)  # fmt: skip
"""How Pillow refuses a file or one of its pages; damaged tags make it stumble in many ways."""


class _UnusualError(ValueError):
    """Not every page is of the same kind."""


async def to_pdf(tiff: Path, pdf: Path) -> int:
    """A fax as a PDF, page for page in its own resolution; how many pages it has. Raises Refused when there is none to be read."""
    pages = await heavily(_convert, str(tiff), str(pdf))
    if not pages:
        raise Refused(N_("This is not a fax, or it is damaged."))
    return pages


def _convert(tiff: str, pdf: str) -> int:
    """In a worker. A page that can't be read, as the last one of a fax that broke off, is left out."""
    target = Path(pdf)
    partial = target.with_name(target.name + ".part")
    partial.unlink(missing_ok=True)
    try:
        pages = _at_once(tiff, partial)
    except _UNREADABLE as error:
        log.info("%s is converted page by page: %s", tiff, error)
        partial.unlink(missing_ok=True)
        pages = _page_by_page(tiff, partial)
    if pages:
        partial.replace(target)
    return pages


def _at_once(tiff: str, pdf: Path) -> int:
    """The usual fax: all pages are of one resolution."""
    with Image.open(tiff, formats=("TIFF",)) as image:
        pages = [(page.mode, page.size, _dpi(page)) for page in ImageSequence.Iterator(image)]
        if len(pages) > MOST_PAGES or len({(mode, dpi) for mode, _, dpi in pages}) > 1 or any(_too_large(size) for _, size, _ in pages):
            raise _UnusualError("more, larger or different pages than a fax has")
        if pages[0][0] != "1":
            raise _UnusualError("not in black and white")
        image.seek(0)
        image.save(pdf, "PDF", save_all=True, **_options(pdf, pages[0][2]))
        return len(pages)


def _page_by_page(tiff: str, pdf: Path) -> int:
    """Each page adds to the file; the PDF grows a little with each."""
    kept = 0
    try:
        with Image.open(tiff, formats=("TIFF",)) as image:
            for number, page in enumerate(ImageSequence.Iterator(image), 1):
                if number > MOST_PAGES or _too_large(page.size):
                    log.warning("%s has more or larger pages than a fax can have: the PDF ends before page %d", tiff, number)
                    break
                page.convert("1").save(pdf, "PDF", append=kept > 0, **_options(pdf, _dpi(page)))
                kept += 1
    except _UNREADABLE as error:
        log.warning("%s can't be read beyond page %d: %s", tiff, kept, error)
    return kept


def _options(pdf: Path, dpi: tuple[float, float]) -> dict[str, Any]:
    return {"title": pdf.name.removesuffix(".pdf.part"), "dpi": dpi}


def _dpi(page: Image.Image) -> tuple[float, float]:
    across, down = page.info.get("dpi") or FAX_DPI
    return float(across) or FAX_DPI[0], float(down) or FAX_DPI[1]


def _too_large(size: tuple[int, int]) -> bool:
    return size[0] * size[1] > MOST_PIXELS


async def page_image(tiff: Path, number: int) -> bytes:
    """A page of a fax, from 1, as a PNG for the screen: grey, `SCREEN_WIDTH` wide, in its true proportions. Raises Refused."""
    image = await heavily(_draw, str(tiff), number)
    if image is None:
        raise Refused(N_("This is not a fax, or it is damaged."))
    return image


def _draw(tiff: str, number: int) -> bytes | None:
    """In a worker."""
    try:
        with Image.open(tiff, formats=("TIFF",)) as image:
            image.seek(number - 1)
            if _too_large(image.size):
                return None
            across, down = _dpi(image)
            height = max(1, round(SCREEN_WIDTH * image.height / image.width * across / down))
            target = io.BytesIO()
            image.convert("L").resize((SCREEN_WIDTH, height), Image.Resampling.BOX).quantize(16).save(target, "PNG")
            return target.getvalue()
    except _UNREADABLE as error:
        log.info("page %d of %s can't be drawn: %s", number, tiff, error)
        return None

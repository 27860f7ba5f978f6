# SPDX-License-Identifier: Apache-2.0
"""Faxes as PDF and as pictures: every page, in its own resolution; what is damaged, endless or no fax at all."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from PIL.PdfParser import PdfParser

from engine import fax_pages
from engine.errors import Refused
from engine.fax_pages import page_image, to_pdf
from tests.phones.paper import draw, pages_of_pdf

pytestmark = pytest.mark.feature("VM-2")


def boxes(pdf: Path) -> list[tuple[int, int]]:
    """Width and height of each page in points."""
    with PdfParser(pdf) as document:
        found = [document.read_indirect(page)[b"MediaBox"] for page in document.pages]
        return [(round(box[2]), round(box[3])) for box in found]


@pytest.mark.parametrize("pages", [1, 2, 30])
async def test_page_for_page(tmp_path: Path, pages: int) -> None:
    tiff, pdf = draw(tmp_path / "a.tif", pages), tmp_path / "a.pdf"
    assert await to_pdf(tiff, pdf) == pages
    assert pages_of_pdf(pdf) == pages
    assert boxes(pdf) == [(610, 404)] * pages  # 1,728 dots at 204, 1,100 lines at 196 an inch
    assert b"CCITTFaxDecode" in pdf.read_bytes()
    assert list(tmp_path.glob("*.part")) == []


async def test_pages_of_different_resolution_keep_their_proportions(tmp_path: Path) -> None:
    tiff = tmp_path / "a.tif"
    pages = [Image.new("1", (1728, lines), 1) for lines in (1078, 539)]
    for page, down in zip(pages, (196, 98), strict=True):
        page.encoderinfo = {"dpi": (204, down)}
    with tiff.open("w+b") as file:
        from PIL.TiffImagePlugin import AppendingTiffWriter

        with AppendingTiffWriter(file, True) as writer:
            for page, down in zip(pages, (196, 98), strict=True):
                page.save(writer, "TIFF", compression="group4", dpi=(204, down))
                writer.newFrame()
    assert await to_pdf(tiff, tmp_path / "a.pdf") == 2
    assert boxes(tmp_path / "a.pdf") == [(610, 396), (610, 396)]
    for number in (1, 2):
        with Image.open(io.BytesIO(await page_image(tiff, number))) as image:
            assert image.size == (1200, 779)


async def test_a_last_page_that_broke_off_is_left_out(tmp_path: Path) -> None:
    tiff = draw(tmp_path / "a.tif", 3)
    with Image.open(tiff) as image:
        image.seek(2)
        (offset,), (length,) = image.tag_v2[273][:1], image.tag_v2[279][:1]  # strip offsets and lengths
    content = bytearray(tiff.read_bytes())
    content[offset : offset + length] = b"\xff" * length
    tiff.write_bytes(content)
    assert await to_pdf(tiff, tmp_path / "a.pdf") in (2, 3)
    assert pages_of_pdf(tmp_path / "a.pdf") >= 2


async def test_an_endless_page_does_not_fill_the_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fax_pages, "MOST_PIXELS", 1728 * 1000)
    tiff = draw(tmp_path / "a.tif", 1)
    with pytest.raises(Refused):
        await to_pdf(tiff, tmp_path / "a.pdf")
    with pytest.raises(Refused):
        await page_image(tiff, 1)
    monkeypatch.setattr(fax_pages, "MOST_PIXELS", 50_000_000)
    monkeypatch.setattr(fax_pages, "MOST_PAGES", 2)
    assert await to_pdf(draw(tmp_path / "b.tif", 4), tmp_path / "b.pdf") == 2


@pytest.mark.parametrize("number", [0, -1, 3, 10**6])
async def test_a_page_that_is_not_there(tmp_path: Path, number: int) -> None:
    with pytest.raises(Refused):
        await page_image(draw(tmp_path / "a.tif", 2), number)


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cut=st.integers(0, 6000), flips=st.lists(st.tuples(st.integers(0, 6000), st.integers(0, 255)), max_size=6))
def test_damaged_files_are_refused_or_read(tmp_path: Path, cut: int, flips: list[tuple[int, int]]) -> None:
    """Whatever arrives, nothing but Refused comes out of it."""
    tiff = tmp_path / "a.tif"
    content = bytearray(draw(tmp_path / "whole.tif", 2, 300).read_bytes())
    for at, value in flips:
        if at < len(content):
            content[at] = value
    tiff.write_bytes(content[: len(content) - cut] if cut < len(content) else content)
    pages = fax_pages._convert(str(tiff), str(tmp_path / "a.pdf"))
    assert 0 <= pages <= fax_pages.MOST_PAGES
    fax_pages._draw(str(tiff), 1)

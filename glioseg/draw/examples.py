"""Slices of several patients side by side, each with a title that can be read at page width."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from glioseg.draw.figure import chinese_font
from glioseg.draw.outlines import Pixels
from glioseg.draw.pictures import write_png

LETTERS = 17
"""Height of the titles in pixels, for tiles of about 280."""
SMALLEST = 9
"""The same where names of patients are long."""


@dataclass(frozen=True)
class Tile:
    """One picture and what stands above it.

    Attributes:
        picture: uint8 ``(height, width, 3)``.
        title: made smaller where it is wider than the picture.
    """

    picture: Pixels
    title: str


def examples_sheet(lines: Sequence[tuple[str, Sequence[Tile]]], path: Path) -> Path:
    """Write one PNG with lines of tiles on white.

    Args:
        lines: a heading (none if empty) and the tiles below it, of one size everywhere.
        path: the file to write.
    """
    height, width = lines[0][1][0].picture.shape[:2]
    gap, title = 8, LETTERS + 9
    columns = max(len(tiles) for _, tiles in lines)
    heads = [title + 6 if heading else 0 for heading, _ in lines]
    image = Image.new(
        "RGB", (columns * (width + gap) - gap, sum(heads) + len(lines) * (title + height)), "white"
    )
    draw, font = ImageDraw.Draw(image), _font("", LETTERS)
    small = _fitting([tile.title for _, tiles in lines for tile in tiles], width - 2)
    top = 0
    for (heading, tiles), head in zip(lines, heads, strict=True):
        if heading:
            draw.text((2, top + 8), heading, fill=(0, 0, 0), font=font, stroke_width=0.4)
        for column, tile in enumerate(tiles):
            left = column * (width + gap)
            draw.text((left + 2, top + head + 3), tile.title, fill=(0, 0, 0), font=small)
            image.paste(Image.fromarray(tile.picture), (left, top + head + title))
        top += head + title + height
    return write_png(np.asarray(image), path, small=True)


def _fitting(titles: Sequence[str], width: int) -> ImageFont.FreeTypeFont:
    """The largest font in which all titles are at most so wide."""
    fonts = (_font("".join(titles), size) for size in range(LETTERS, SMALLEST, -1))
    return next(
        (font for font in fonts if all(font.getlength(title) <= width for title in titles)),
        _font("".join(titles), SMALLEST),
    )


def _font(text: str, size: int) -> ImageFont.FreeTypeFont:
    """A font that has the letters of a text, if there is one: names of patients may be Chinese."""
    family = None if text.isascii() else chinese_font()
    if family is not None:
        from matplotlib.font_manager import findfont

        return ImageFont.truetype(findfont(family), size)
    font = ImageFont.load_default(size)
    assert isinstance(font, ImageFont.FreeTypeFont)
    return font

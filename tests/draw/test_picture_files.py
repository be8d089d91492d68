"""Grey levels, numbers of slices and PNG files that are made without a library are those that one makes."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from glioseg.draw import grey, with_text
from glioseg.draw.png import png_of
from glioseg.scan import Scan


@pytest.mark.parametrize("kind", [np.uint8, np.int8, np.uint16, np.int16])
def test_black_and_white_of_whole_numbers_are_those_of_the_same_numbers_with_a_point(kind):
    limits = np.iinfo(kind)
    for number in range(20):
        rng = np.random.default_rng(number)
        high = int(rng.integers(3, limits.max))
        voxels = rng.integers(max(limits.min, -high), high, (3, 9, int(rng.integers(5, 40))))
        whole, broken = (grey(Scan.from_array(voxels.astype(each))) for each in (kind, np.float64))
        np.testing.assert_array_equal(whole, broken)


@pytest.mark.parametrize("small", [False, True])
def test_a_png_file_holds_the_very_indices_and_colours(small):
    rng = np.random.default_rng(1)
    palette = rng.integers(0, 256, (256, 3), np.uint8)
    for shape in ((1, 1), (1, 300), (37, 5), (64, 64)):
        index = rng.integers(0, 256, shape, np.uint8)
        index[: shape[0] // 2] //= 64
        with Image.open(io.BytesIO(png_of(index, palette.tobytes(), small))) as image:
            image.load()
            assert image.mode == "P"
            np.testing.assert_array_equal(np.asarray(image), index)
            np.testing.assert_array_equal(np.asarray(image.convert("RGB")), palette[index])


@pytest.mark.parametrize("shape", [(256, 200), (40, 30), (6, 4), (300, 220, 3)])
def test_a_number_is_drawn_as_the_library_draws_it(shape):
    picture = np.random.default_rng(2).integers(0, 256, shape, np.uint8)
    size = max(10, shape[0] // 22)
    image = Image.fromarray(picture)
    fill, stroke = ((200,) * 3, (0,) * 3) if picture.ndim == 3 else (200, 0)
    font, at = ImageFont.load_default(size), (size // 3, size // 4)
    ImageDraw.Draw(image).text(at, "107", fill=fill, font=font, stroke_width=1, stroke_fill=stroke)
    off = np.abs(np.asarray(image).astype(int) - with_text(picture, "107"))
    assert (np.asarray(image) != picture).any()
    assert off.max() <= 1, "rounding"

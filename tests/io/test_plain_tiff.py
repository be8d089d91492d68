"""A page that is written as plain TIFF is the same in every library that reads TIFF."""

from __future__ import annotations

import io

import numpy as np
import pytest
import tifffile
from PIL import Image

from glioseg.io.plain_tiff import plain_of, read_plain


@pytest.mark.parametrize("shape", [(1, 1), (3, 500), (256, 250)])
def test_a_page_is_read_back_by_every_library(shape):
    page = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    content = plain_of(page)
    with Image.open(io.BytesIO(content)) as image:
        assert image.mode == "L"
        np.testing.assert_array_equal(np.asarray(image), page)
    np.testing.assert_array_equal(tifffile.imread(io.BytesIO(content)), page)
    own = read_plain(content)
    assert own is not None
    np.testing.assert_array_equal(own[..., 0], page)

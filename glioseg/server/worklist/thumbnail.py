"""The small picture of a row: the slice with most lesion, and its outline."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from glioseg.draw import overlay
from glioseg.draw.views import scale_of
from glioseg.scan import Scan, Segmentation
from glioseg.server import display

SIZE = 128
"""Pixels of the longer side: twice what the page shows, for screens with fine pixels."""


def thumbnail(scan: Scan, mask: Segmentation) -> bytes:
    """A PNG of the slice with most lesion, the middle one where there is none."""
    counts = np.count_nonzero(mask.voxels, axis=(1, 2))
    position = int(counts.argmax()) if counts.any() else len(counts) // 2
    low, high = display.windows(scan)["flair"]
    values = np.nan_to_num(scan.channel("flair")[position].astype(np.float32), nan=low)
    grey = np.round(np.clip((values - low) / (high - low), 0, 1) * 255).astype(np.uint8)
    window = _head(grey)
    scale = scale_of(scan.grid, grey[window].shape, SIZE)
    picture = Image.fromarray(overlay(grey[window], mask.mask[position][window], scale=scale))
    file = io.BytesIO()
    picture.quantize(64, dither=Image.Dither.NONE).save(file, format="PNG", optimize=True)
    return file.getvalue()


def _head(grey: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> tuple[slice, slice]:
    """The rows and columns without the air around the head."""
    bright = grey > 40
    window = []
    for axis in (1, 0):
        where = np.flatnonzero(bright.mean(axis=axis) > 0.02)
        window.append(slice(int(where[0]), int(where[-1]) + 1) if len(where) else slice(None))
    return window[0], window[1]

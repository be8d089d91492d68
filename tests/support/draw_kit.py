"""Scans, masks and colours that tests of pictures are made from."""

from __future__ import annotations

import numpy as np

from glioseg.grid import Grid
from glioseg.scan import Scan

RED, GREEN, YELLOW = (255, 0, 0), (0, 255, 0), (255, 255, 0)


def head(slices=3, height=48, width=40, spacing=None, dtype=np.uint8, numbers=()):
    """A bright ellipse in noisy air, and the grid it sits on."""
    rows, columns = np.mgrid[:height, :width]
    inside = ((rows - height / 2) / (height * 0.4)) ** 2 + ((columns - width / 2) / (width * 0.4)) ** 2 < 1
    noise = np.random.default_rng(0).integers(0, 4, size=(slices, height, width, 3))
    voxels = noise + inside[None, ..., None] * (60 + rows[None, ..., None])
    return Scan(voxels.astype(dtype), Grid((slices, height, width), spacing, slice_numbers=numbers), "head")


def lesion(scan, top=20, left=12, size=8):
    voxels = np.zeros(scan.grid.shape, dtype=bool)
    voxels[1:, top : top + size, left : left + size] = True
    return scan.segmentation(voxels)


def where(picture, colour):
    return (np.asarray(picture) == colour).all(axis=-1)

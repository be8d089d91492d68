"""Made-up heads, and the preparations that the tests of :mod:`glioseg.prepare` try them with."""

from __future__ import annotations

import numpy as np

from glioseg.grid import Grid
from glioseg.prepare import Preparation
from glioseg.prepare.channel import Channel
from glioseg.scan import CHANNELS, Scan

HEAD = Preparation(name="head")
TISSUE = Preparation(name="tissue")
EVEN = Preparation(name="even_tissue")
PREPARATIONS = ("head", "tissue", "even_tissue", "reference")


def scan_of(voxels, channels=CHANNELS) -> Scan:
    return Scan(voxels, Grid(voxels.shape[:3]), "TCGA_XX_0001", channels)


def ellipse(shape, centre, radii):
    """Boolean ``(height, width)``, true inside an ellipse."""
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    return ((rows - centre[0]) / radii[0]) ** 2 + ((columns - centre[1]) / radii[1]) ** 2 <= 1


def head(slices=3, height=96, width=80, channels=3, dtype=np.float32, seed=0):
    """A textured head on black, ``(slices, height, width, channels)``, values 0 and 40 to 140."""
    inside = ellipse((height, width), (height / 2, width / 2), (height * 0.4, width * 0.4))
    texture = np.random.default_rng(seed).integers(40, 140, (slices, height, width, channels))
    return (texture * inside[..., None]).astype(dtype)


def stepped(values, *learners):
    """Slices ``(slices, size, size)`` after steps that were learned from them."""
    channel = Channel(lambda part: values[part].copy(), len(values))
    for learner in learners:
        channel.learn(learner)
    result = np.empty(values.shape, np.float32)
    channel.copy_to(result, 0)
    return result

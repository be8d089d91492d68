"""The shape of a head and where its brain lies, as far as doubts about a scan need it.

All of it comes from the prepared FLAIR in units of brain tissue (:mod:`glioseg.prepare.tissue`): 0 is tissue,
air is the least value. Nothing here is learned, so that it holds for scans with and without a skull.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from glioseg.scan import BoolArray

Array = npt.NDArray[np.float32]

HEAD = 0.3
"""Brightness above which a pixel is of the head, as a share of brain tissue's; air is 0."""
UPPER = 0.45
"""Share of the head's slices that lie below those looked at: skull base, orbits and sinuses are there."""
LEAST_AREA = 0.45
"""Share of the greatest slice's area below which a slice is too near the vertex."""
HEAD_SLICE = 0.2
"""Share of the greatest slice's area from which a slice shows a head at all."""
DEEP = 0.0875
"""How far below the outline of the head the deep brain begins, as a share of the square's side.

About 20 mm: beyond scalp and skull, or beyond most of the cortex where these were taken out.
"""
SHELLS = 7
"""Shells of two pixels below the outline in which scalp and bone are looked for."""
SCALP, BONE = 0.4, -0.55
"""Median of one of the outer three shells above which it is scalp, and lower quartile of one of the others
below which it is bone. The five skull-stripped scans at hand (three gliomas, two of multiple sclerosis)
reach 0.20 and -0.40; of 98 LGG scans, all with skull, 97 go beyond either."""


@dataclass(frozen=True, eq=False)
class Head:
    """What there is to see in the upper half of a head.

    Attributes:
        slices: positions of the slices that are looked at.
        outline: pixels within the head's outline, ``(len(slices), size, size)``.
        deep: those far below it, of the same shape.
        middle: sum of the first and the last column of the head: column ``c`` faces ``middle - c``.
        lean: skewness of the head's breadth from front to back. Heads are broadest behind their middle, so
            that it is below 0; above 0 in a head that is upside down.
        skull: whether there is bright scalp or dark bone below the outline.
        tails: how far the deep tissue reaches up and down, 95th and 5th percentile added: above 0 where
            few things are brighter than tissue and more so than others are darker.
    """

    slices: npt.NDArray[np.intp]
    outline: BoolArray
    deep: BoolArray
    middle: int
    lean: float
    skull: bool
    tails: float


def look_at_head(flair: npt.NDArray[Any]) -> Head | None:
    """Find the head.

    Args:
        flair: prepared FLAIR ``(slices, size, size)`` in units of brain tissue.

    Returns:
        ``None`` where there is nothing like a head.
    """
    from scipy import ndimage

    half = np.asarray(flair[:, ::2, ::2], np.float32)
    air = np.sinh(float(half.min()))
    bright = (half > np.arcsinh((1 - HEAD) * air)).astype(np.float32)
    # Noise in the air is no head, and a vessel is no hole.
    within = _enclosed(ndimage.uniform_filter(bright, (0, 3, 3)) > 0.7)
    area = np.count_nonzero(within, axis=(1, 2))
    shown = np.flatnonzero(area > HEAD_SLICE * area.max()) if area.any() else area[:0]
    if not len(shown):
        return None
    from_here = shown[0] + UPPER * (shown[-1] + 1 - shown[0])
    slices = np.flatnonzero((np.arange(len(flair)) >= from_here) & (area > LEAST_AREA * area.max()))
    outline, values = within[slices], half[slices]
    deep = _shrunk(outline, round(DEEP * half.shape[1]))
    tissue = values[deep]
    # Fluid is darker than any tissue, whatever the sequence.
    tissue = tissue[tissue > np.arcsinh(0.5 * air)]
    if not tissue.size:
        return None
    size = flair.shape[1]
    columns = np.flatnonzero(outline.any(axis=(0, 1)))
    return Head(
        slices,
        _doubled(outline, size),
        _doubled(deep, size),
        int(2 * (columns[0] + columns[-1])),
        _skewness(outline.sum(axis=(0, 2))),
        _has_skull(values, outline),
        float(np.percentile(tissue, (5, 95)).sum()),
    )


def _enclosed(head: BoolArray) -> BoolArray:
    """What has some of the head on all four sides of it in its slice."""
    left, above = (np.maximum.accumulate(head, axis=axis) for axis in (2, 1))
    right, below = (np.flip(np.maximum.accumulate(np.flip(head, axis), axis=axis), axis) for axis in (2, 1))
    enclosed: BoolArray = left & right & above & below
    return enclosed


def _shrunk(outline: BoolArray, pixels: int) -> BoolArray:
    """Without what lies within so many pixels of the border, along rows and along columns."""
    from scipy import ndimage

    kept = outline.view(np.uint8)
    for axis in (1, 2):
        kept = ndimage.minimum_filter1d(kept, 2 * pixels + 1, axis=axis, mode="constant")
    return kept.view(bool)


def _doubled(half: BoolArray, size: int) -> BoolArray:
    """On the full grid again."""
    full: BoolArray = half.repeat(2, axis=1).repeat(2, axis=2)[:, :size, :size]
    return full


def _skewness(breadth: npt.NDArray[np.integer[Any]]) -> float:
    """Skewness of a distribution over the rows."""
    rows = np.arange(len(breadth))
    weight = breadth / breadth.sum()
    far = rows - (weight * rows).sum()
    variance = float((weight * far**2).sum())
    return float((weight * far**3).sum()) / variance**1.5 if variance > 0 else 0.0


def _has_skull(values: Array, outline: BoolArray) -> bool:
    """Whether shells below the outline show scalp or bone."""
    outer = outline
    for pixels in range(1, SHELLS):
        inner = _shrunk(outline, pixels)
        shell = values[outer & ~inner]
        outer = inner
        if not shell.size:
            continue
        quartile, median = np.percentile(shell, (25, 50))
        if (pixels <= 3 and median > SCALP) or (pixels > 1 and quartile < BONE):
            return True
    return False

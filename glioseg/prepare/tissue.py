"""Intensities in units of brain tissue, so that a faint lesion looks alike whatever else is in the picture.

A z-score over the whole head depends on how bright scalp, fat and eyes are: over this collection's FLAIR the
width of brain tissue in it varies fivefold. Here the peak of brain tissue gives both centre and width.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from glioseg.prepare.channel import Channel, Step
from glioseg.prepare.frame import Array
from glioseg.scan import BoolArray

INNER = 0.34, 0.26
"""Half axes of the ellipse that is mostly brain, down and across, as shares of the square around the head."""
AIR = 0.12
"""Share of the 90th percentile within that ellipse up to which a value is air or bone, not tissue."""
MOST_VALUES = 200_000
"""Values that are sorted at most."""
NORMAL_HALF = 1.349
"""Standard deviations that hold the middle half of a normal distribution."""
LINEAR = 2.0
"""Deviations from the tissue up to which the scale is about linear; beyond it is logarithmic."""


def learn_tissue(channel: Channel) -> Step:
    """Learn to normalise a channel: 0 is brain tissue, 0.5 one deviation above.

    Centre and deviation come from the shortest interval that holds half of the values (the "shorth", Andrews
    et al. 1972): neither a lesion, nor fluid, nor scalp moves it much. What is far from tissue is compressed
    by the inverse hyperbolic sine instead of being cut off.

    Args:
        channel: values with 0 for air.
    """
    inner = channel.gathered(lambda values: values[:, ellipse(values.shape[1], INNER)])
    if not inner.any():
        inner = channel.gathered(lambda values: values)
    values = inner[inner > AIR * np.percentile(inner, 90)]
    del inner
    if values.size < 2:
        return blank
    centre, deviation = _shorth(values[:: -(-values.size // MOST_VALUES)])
    # A channel of one value has no width.
    width = np.float32(LINEAR * (deviation if deviation > 1e-6 * centre else centre))

    def normalise(values: Array, part: slice) -> None:
        values -= np.float32(centre)
        values /= width
        np.arcsinh(values, out=values)

    return normalise


def blank(values: Array, part: slice) -> None:
    """The step of a channel that shows nothing."""
    values[:] = 0


def _shorth(values: npt.NDArray[np.float32]) -> tuple[float, float]:
    """Median and deviation of the shortest half of some positive values."""
    ordered = np.sort(values)
    half = len(ordered) // 2
    widths = ordered[half:] - ordered[: len(ordered) - half]
    start = int(widths.argmin())
    return float(ordered[start + half // 2]), float(widths[start]) / NORMAL_HALF


def ellipse(size: int, halves: tuple[float, float]) -> BoolArray:
    """Pixels ``(size, size)`` within an ellipse in the middle.

    Args:
        size: pixels a side.
        halves: half axes down and across, as shares of the side.
    """
    places = np.arange(size) + 0.5 - size / 2
    down, across = (places / (share * size) for share in halves)
    within: BoolArray = (down[:, None] ** 2 + across**2) < 1
    return within

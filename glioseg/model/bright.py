"""Bright areas of the brain that a mask leaves out: what a network that knows only gliomas does not see.

A glioma is one bright area, on one side or across the middle. Multiple sclerosis and diseases of small
vessels are many, about alike left and right. A network that learned from gliomas alone marks none of them or
a few voxels, and is often sure of it; so the FLAIR beside the mask is looked at.

The limits were chosen on 49 of 98 LGG patients (every second one, sorted by name; masks of networks that had
never seen the patient) and one scan of multiple sclerosis (``ms_patient19``). ``scripts/try_doubts.py``
counts what they do to these, to the other 49 patients, and to five other scans. So few scans of other
diseases are no estimate of how many are found.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from glioseg.model.head import Head
from glioseg.scan import BoolArray

Array = npt.NDArray[np.float32]

BRIGHT = 0.5
"""What is bright is this far above brain tissue, and above the tissue around it: one deviation of tissue."""
AROUND = 25
"""Side of the square around a pixel whose tissue it is compared with: lesions of MS are smaller."""
TISSUE = -0.7
"""Value below which a pixel is fluid or air: beside a ventricle healthy tissue is no bright spot."""
BORDER = 11
"""Side of the square around each pixel of the mask, in its slice and the next, that belongs to the mask."""
OPPOSITE = 9
"""Side of the square at the mirrored place in which something bright makes a pixel symmetric."""
GLARE, FLUID = 0.02, 0.08
"""Shares of the deep pixels above 1.2, and below 0.4 of the brightness of tissue, of which no slice of a
brain reaches both: sinuses, orbits and the base of the skull do."""

MOST_SYMMETRIC = 0.04
"""Share of the deep brain that may be bright on both sides and not be marked on both.

Chosen on: LGG 0.033 at most, ``ms_patient19`` 0.073, and 0.061 if one side of it were marked. The others: LGG
0.028 at most, gliomas of high grade 0.022, ``ms_patient07`` 0.065."""
LATERAL = 0.12
"""Share of the head's breadth from its middle beyond which a lesion of one side hardly reaches the other."""
MOST_ON_BOTH_SIDES = 0.35
"""Share of the mask that may lie that far and have its mirrored place marked too.

Chosen on: LGG 0.19 at most, ``ms_patient19`` as drawn by hand 0.74. The others: LGG 0.15 at most, gliomas of
high grade 0.04."""
MOST_UNMARKED = 2.0
"""How many times as large as the mask the bright areas beside it may be.

Chosen on: LGG 1.03 at most, ``ms_patient19`` 60, for the network marks 0.4 ml of its 50. The others: LGG 1.28
at most, gliomas of high grade 0.08, ``ms_patient07`` 68."""
MOST_WITHOUT_MASK = 0.01
"""Share of the deep brain that may be bright where nothing is marked.

Chosen on LGG, of whose patients 38 in 100 have more beside their mask, and not on them alone: a patient with
a few small lesions of multiple sclerosis (``ms_raw_patient20``), the only one in whom nothing was found, has
0.025. Where nothing is marked a look too many costs less than one too few."""


class Bright(NamedTuple):
    """Bright areas of the deep brain, as shares of it.

    Attributes:
        unmarked: bright and not marked.
        symmetric: the part of it whose mirrored place is bright or marked too.
        to_mask: unmarked pixels for each marked one of the whole scan; infinite without a mask.
        on_both_sides: share of the mask that lies away from the middle and is marked on the other side too.
    """

    unmarked: float
    symmetric: float
    to_mask: float
    on_both_sides: float


def bright_areas(flair: npt.NDArray[Any], mask: BoolArray, head: Head) -> Bright | None:
    """Measure what is bright beside a mask.

    Args:
        flair: prepared FLAIR ``(slices, size, size)`` in units of brain tissue.
        mask: what was marked, on the same grid.
        head: from :func:`glioseg.model.head.look_at_head`.

    Returns:
        ``None`` where no slice shows deep brain.
    """
    values, marked = np.asarray(flair[head.slices], np.float32), mask[head.slices]
    looked_at = head.deep & ~_near(marked, (3, BORDER, BORDER))
    looked_at &= _of_the_brain(values, looked_at)[:, None, None]
    count = int(np.count_nonzero(looked_at))
    if not count:
        return None
    bright = looked_at & (values > BRIGHT) & (values - _around(values) > BRIGHT)
    both = bright & _mirrored(bright | marked, head.middle)
    unmarked, marks = int(np.count_nonzero(bright)), int(np.count_nonzero(mask))
    aside = mask[mask.any(axis=(1, 2))] & _aside(head, mask.shape[2])
    return Bright(
        unmarked / count,
        np.count_nonzero(both) / count,
        unmarked / marks if marks else float("inf"),
        np.count_nonzero(aside & _mirrored(aside, head.middle)) / max(marks, 1),
    )


def is_other_disease(found: Bright) -> bool:
    """Whether there is more that is bright than a glioma and its mask would leave."""
    if found.to_mask == float("inf"):
        return found.unmarked > MOST_WITHOUT_MASK
    return (
        found.symmetric > MOST_SYMMETRIC
        or found.on_both_sides > MOST_ON_BOTH_SIDES
        or found.to_mask > MOST_UNMARKED
    )


def _mirrored(there: BoolArray, middle: int) -> BoolArray:
    """Whether there is something near the mirrored place."""
    last = there.shape[2] - 1
    columns = middle - np.arange(last + 1)
    opposite = there[:, :, columns.clip(0, last)] & (columns >= 0) & (columns <= last)
    return _near(opposite, (1, OPPOSITE, OPPOSITE))


def _near(there: BoolArray, box: tuple[int, int, int]) -> BoolArray:
    """Whether there is something in the box around each pixel."""
    from scipy import ndimage

    return ndimage.maximum_filter(there.view(np.uint8), box).view(bool)


def _aside(head: Head, size: int) -> BoolArray:
    """Columns that are not near the middle of the head."""
    columns = np.flatnonzero(head.outline.any(axis=(0, 1)))
    aside: BoolArray = np.abs(np.arange(size) - head.middle / 2) > LATERAL * np.ptp(columns)
    return aside


def _around(values: Array) -> Array:
    """Mean of the tissue around each pixel in its slice; at half the resolution, for it is smooth."""
    from scipy import ndimage

    size = values.shape[1]
    half = values[:, ::2, ::2]
    tissue = (half > TISSUE).astype(np.float32)
    square = (0, AROUND // 2 + 1, AROUND // 2 + 1)
    # One very bright lesion must not hide what lies beside it.
    sums = ndimage.uniform_filter(np.clip(half, TISSUE, 1) * tissue, square)
    mean: Array = sums / np.maximum(ndimage.uniform_filter(tissue, square), np.float32(0.05))
    return mean.repeat(2, axis=1).repeat(2, axis=2)[:, :size, :size]


def _of_the_brain(values: Array, looked_at: BoolArray) -> npt.NDArray[np.bool_]:
    """Which slices are of the brain alone."""
    count = np.maximum(np.count_nonzero(looked_at, axis=(1, 2)), 1)
    glare = np.count_nonzero(looked_at & (values > 1.2), axis=(1, 2)) / count
    air = np.sinh(float(values.min()))
    fluid = np.count_nonzero(looked_at & (values < np.arcsinh(0.6 * air)), axis=(1, 2)) / count
    brain: npt.NDArray[np.bool_] = (glare <= GLARE) | (fluid <= FLUID)
    return brain

"""Two-dimensional features of the outline of a lesion in the slice where its area is largest."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from glioseg.measure.shape.lesion import Lesion, largest_component
from glioseg.measure.values import EMPTY, Floats, NotDefined, Number
from glioseg.scan import BoolArray

ANGLE_BINS = 10
"""Number of equal angle bins of the angular standard deviation."""
SMOOTHED_SHARE = 0.1
"""Share of the perimeter over which the margin fluctuation averages."""
SHORTEST_BOUNDARY = 20
"""Least number of boundary pixels: two a bin, and two in the moving average."""

# The eight neighbours of a pixel, clockwise from the one above.
_AROUND = ((-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1))


@dataclass(frozen=True, eq=False)
class Outline:
    """The outer boundary of the largest region in the slice of largest lesion area.

    Attributes:
        slice_position: position of that slice on the mask's grid.
        pixels: boundary pixels ``(n, 2)`` as (row, column) on the mask's grid, in the order of a clockwise
            walk; a pixel that is passed twice (on arms one pixel wide) stands there twice.
        centroid: mean (row, column) of the region's pixels.
        distances: distance of each boundary pixel from the centroid, divided by the mean of all.
        angles: direction of each boundary pixel from the centroid, in [-pi, pi), from the column axis.
    """

    slice_position: int
    pixels: npt.NDArray[np.int64]
    centroid: Floats
    distances: Floats
    angles: Floats


def outline(mask: BoolArray | Lesion) -> Outline | NotDefined:
    """Trace the outline that the angular standard deviation and the margin fluctuation are measured on.

    Args:
        mask: boolean ``(slices, height, width)``, or its largest component. Where its spacing is known,
            distances and angles are those in mm; where not, pixels are taken as squares.

    Returns:
        The outline of the largest face-connected region in the slice of largest area of the largest
        component; or not defined when the mask is empty, when the region is a line of pixels, or when its
        boundary has fewer than :data:`SHORTEST_BOUNDARY` pixels.
    """
    lesion = mask if isinstance(mask, Lesion) else largest_component(mask)
    if lesion is None:
        return EMPTY
    region = lesion.region
    if min(np.ptp(np.argwhere(region), axis=0)) == 0:
        return NotDefined("the largest slice of the lesion is one line of pixels")
    pixels = boundary(region)
    if len(pixels) < SHORTEST_BOUNDARY:
        return NotDefined(
            f"the boundary in the largest slice has {len(pixels)} pixels, fewer than {SHORTEST_BOUNDARY}"
        )
    scale = np.array(lesion.spacing[1:]) if lesion.spacing else np.ones(2)
    centroid = np.argwhere(region).mean(axis=0)
    from_centroid = (pixels - centroid) * scale
    distances = np.hypot(from_centroid[:, 0], from_centroid[:, 1])
    angles = np.arctan2(from_centroid[:, 0], from_centroid[:, 1])
    position, *corner = lesion.offset
    return Outline(
        slice_position=position + lesion.largest_slice,
        pixels=pixels + corner,
        centroid=centroid + corner,
        distances=distances / distances.mean(),
        angles=np.where(angles >= math.pi, -math.pi, angles),
    )


def angular_standard_deviation(mask: BoolArray | Lesion | Outline) -> Number:
    """Angular standard deviation (ASD): how unevenly far the boundary is from the centroid.

    The distances of the boundary pixels from the centroid are divided by their mean. Directions are cut into
    ten equal bins, the first from -pi; the value is the mean over the bins of the population
    standard deviation in the bin. A bin that no boundary pixel falls into (where the centroid lies outside
    the region) does not count.

    Args:
        mask: boolean ``(slices, height, width)``, its largest component, or its :func:`outline`.

    Returns:
        At least 0 (near 0 for a disc), without unit; or not defined, see :func:`outline`.

    Source:
        Mazurowski et al. 2017, doi 10.1007/s11060-017-2420-1; Buda et al. 2019,
        doi 10.1016/j.compbiomed.2019.05.002, section 2.
    """
    line = mask if isinstance(mask, Outline) else outline(mask)
    if isinstance(line, NotDefined):
        return line
    bins = np.floor((line.angles + math.pi) / (2 * math.pi) * ANGLE_BINS).astype(int) % ANGLE_BINS
    return float(np.mean([line.distances[bins == each].std() for each in np.unique(bins)]))


def margin_fluctuation(mask: BoolArray | Lesion | Outline) -> Number:
    """Margin fluctuation (MF): how much the boundary deviates from its own smooth course.

    The population standard deviation of (distance from the centroid divided by the mean distance)
    minus its circular moving average along the boundary. The average is centred and reaches over exactly
    10 % of the perimeter counted in boundary pixels; its two outermost pixels count in part.

    Args:
        mask: boolean ``(slices, height, width)``, its largest component, or its :func:`outline`.

    Returns:
        At least 0 (near 0 for a smooth margin), without unit; or not defined, see :func:`outline`.

    Source:
        Buda et al. 2019, doi 10.1016/j.compbiomed.2019.05.002, section 2.
    """
    from scipy.ndimage import convolve1d

    line = mask if isinstance(mask, Outline) else outline(mask)
    if isinstance(line, NotDefined):
        return line
    reach = (SMOOTHED_SHARE * len(line.distances) - 1) / 2
    ends = reach % 1
    window = np.concatenate(([ends], np.ones(2 * int(reach) + 1), [ends]))
    smooth = convolve1d(line.distances, window / window.sum(), mode="wrap")
    return float((line.distances - smooth).std())


def boundary(region: BoolArray) -> npt.NDArray[np.int64]:
    """Walk once around a region on its outermost pixels (Moore neighbours, clockwise).

    Args:
        region: boolean ``(height, width)``, one connected region. Holes are passed over.

    Returns:
        Pixels ``(n, 2)`` as (row, column); each is one of the eight neighbours of the one before.
    """
    inside = np.pad(region, 1)
    rows, columns = np.nonzero(inside)
    # The first pixel in reading order: nothing lies above it or to its left.
    pixel = int(rows[0]), int(columns[0])
    came_from = 6
    walked: list[tuple[int, int]] = []
    first_move = None
    while True:
        for turn in range(1, 9):
            heading = (came_from + turn) % 8
            beside = pixel[0] + _AROUND[heading][0], pixel[1] + _AROUND[heading][1]
            if inside[beside]:
                break
        else:
            return np.array([pixel]) - 1
        if (pixel, heading) == first_move:
            return np.array(walked) - 1
        first_move = first_move or (pixel, heading)
        walked.append(pixel)
        pixel, came_from = beside, (heading + 4) % 8

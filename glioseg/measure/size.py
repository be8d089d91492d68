"""How large lesions are: their diameters on a slice, and each lesion of a mask by itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from glioseg.components import Components
from glioseg.scan import BoolArray, Segmentation, bounding_box


def diameters(region: BoolArray, spacing: tuple[float, float] = (1.0, 1.0)) -> tuple[float, float]:
    """Longest diameter of a region, and its extent at right angles to it (as in the RANO criteria).

    The longest diameter joins two corners of pixels. The second is the extent of the region
    along the perpendicular direction, which is at least as long as any perpendicular chord within it.

    Args:
        region: boolean ``(height, width)``, at least one pixel.
        spacing: pixel size along (row, column).

    Returns:
        Both lengths in the unit of ``spacing``.

    Source:
        Wen et al. 2010, doi 10.1200/JCO.2009.26.3541 (bidirectional measurement).
    """
    # Of two rows, the corners that are farthest from each other are a left one and a right one.
    rows = np.flatnonzero(region.any(axis=1))
    left, right = region[rows].argmax(axis=1), region.shape[1] - region[rows, ::-1].argmax(axis=1)
    lefts, rights = (
        np.column_stack((np.concatenate((rows, rows + 1)), np.tile(side, 2))) * np.asarray(spacing)
        for side in (left, right)
    )
    between = np.hypot(*(lefts[:, None] - rights).transpose(2, 0, 1))
    one, other = np.unravel_index(int(between.argmax()), between.shape)
    longest = float(between[one, other])
    along = (lefts[one] - rights[other]) / longest
    across = np.concatenate((lefts, rights)) @ np.array([-along[1], along[0]])
    return longest, float(np.ptp(across))


def largest_diameter(mask: Segmentation) -> tuple[float, str]:
    """Greatest extent of one lesion on one slice, corner to corner, and its unit: ``mm`` or ``pixels``.

    Regions of a slice that do not touch by the edge of a pixel are measured each by itself.
    """
    longest, _, _ = _largest_region(mask.voxels, _in_plane(mask))
    return round(longest, 2), "mm" if mask.grid.spacing else "pixels"


@dataclass(frozen=True)
class MeasuredLesion:
    """One face-connected part of a mask.

    Attributes:
        voxels: how many.
        volume: in mm3; ``None`` where the spacing is unknown.
        diameters: the longest on any slice and the extent at right angles to it, see :func:`diameters`; in
            mm, or in pixels where the spacing is unknown.
        place: slice, row and column of a voxel in the middle of it, on the slice of the longest diameter.
    """

    voxels: int
    volume: float | None
    diameters: tuple[float, float]
    place: tuple[int, int, int]


def lesions(mask: Segmentation, most: int = 50) -> tuple[list[MeasuredLesion], int]:
    """The lesions of a mask, the largest first.

    Args:
        mask: labels above 0 are lesion.
        most: how many are measured.

    Returns:
        Those lesions, and how many there are in all.
    """
    from scipy import ndimage

    if not mask.voxels.any():
        return [], 0
    whole = bounding_box(mask.mask)
    labels, count = ndimage.label(mask.voxels[whole] > 0)
    sizes = np.bincount(labels.ravel(), minlength=count + 1)
    boxes = ndimage.find_objects(labels)
    found = []
    for label in sorted(range(1, count + 1), key=lambda each: -int(sizes[each]))[:most]:
        box = boxes[label - 1]
        region = labels[box] == label
        longest, across, position = _largest_region(region, _in_plane(mask))
        inside = np.pad(region[position], 1)
        deepest = np.unravel_index(int(ndimage.distance_transform_edt(inside).argmax()), inside.shape)
        corner = [outer.start + inner.start for outer, inner in zip(whole, box, strict=True)]
        place = (corner[0] + position, corner[1] + int(deepest[0]) - 1, corner[2] + int(deepest[1]) - 1)
        voxels, each = int(sizes[label]), mask.grid.voxel_volume
        volume = None if each is None else round(voxels * each, 1)
        found.append(MeasuredLesion(voxels, volume, (round(longest, 2), round(across, 2)), place))
    return found, count


def _in_plane(mask: Segmentation) -> tuple[float, float]:
    spacing = mask.grid.spacing
    return (spacing[1], spacing[2]) if spacing else (1.0, 1.0)


def _largest_region(voxels: npt.NDArray[Any], in_plane: tuple[float, float]) -> tuple[float, float, int]:
    """Diameters of the edge-connected region with the longest one, of all slices, and the slice it is on."""
    mask = np.asarray(voxels) > 0
    longest, across, found = 0.0, 0.0, 0
    if not mask.any():
        return longest, across, found
    whole = bounding_box(mask)
    regions = Components(mask[whole], each_slice=True)
    labels = regions.labels
    boxes = []
    for label, box in enumerate(regions.boxes, start=1):
        sides = [(side.stop - side.start) * size for side, size in zip(box[1:], in_plane, strict=True)]
        boxes.append((float(np.hypot(*sides)), label, box))
    # No region is longer than the diagonal of its box: once that is shorter, the others need no measuring.
    for diagonal, label, box in sorted(boxes, key=lambda each: -each[0]):
        if diagonal <= longest:
            break
        measured = diameters(labels[box][0] == label, in_plane)
        if measured[0] > longest:
            (longest, across), found = measured, whole[0].start + box[0].start
    return longest, across, found

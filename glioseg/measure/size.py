"""How large a lesion is: its diameters on a slice. Its volume is a property of the mask."""

from __future__ import annotations

import numpy as np

from glioseg.scan import BoolArray, Segmentation


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
    from scipy.spatial import ConvexHull
    from scipy.spatial.distance import pdist, squareform

    # In each row only the first and the last pixel can touch the convex hull.
    rows = np.flatnonzero(region.any(axis=1))
    first = region[rows].argmax(axis=1)
    last = region.shape[1] - region[rows, ::-1].argmax(axis=1)
    points = np.concatenate([np.column_stack((rows + down, x)) for x in (first, last) for down in (0, 1)])
    points = points * np.asarray(spacing)
    hull = points[ConvexHull(points).vertices]
    between = squareform(pdist(hull))
    one, other = np.unravel_index(int(between.argmax()), between.shape)
    longest = float(between[one, other])
    along = (hull[one] - hull[other]) / longest
    across = hull @ np.array([-along[1], along[0]])
    return longest, float(np.ptp(across))


def largest_diameter(mask: Segmentation) -> tuple[float, str]:
    """Greatest extent of one lesion on one slice, corner to corner, and its unit: ``mm`` or ``pixels``.

    Regions of a slice that do not touch by the edge of a pixel are measured each by itself.
    """
    from scipy import ndimage

    spacing = mask.grid.spacing
    in_plane = (spacing[1], spacing[2]) if spacing else (1.0, 1.0)
    boxes = []
    for voxels in mask.voxels:
        rows = np.flatnonzero(voxels.any(axis=1))
        if not rows.size:
            continue
        # Labelling is slow: of a large slice only the rows between which there is anything.
        labels, _ = ndimage.label(voxels[rows[0] : rows[-1] + 1] > 0)
        for label, box in enumerate(ndimage.find_objects(labels), start=1):
            sides = [(side.stop - side.start) * size for side, size in zip(box, in_plane, strict=True)]
            boxes.append((float(np.hypot(*sides)), labels[box], label))
    longest = 0.0
    # No region is longer than the diagonal of its box: once that is shorter, the others need no measuring.
    for diagonal, labels, label in sorted(boxes, key=lambda each: -each[0]):
        if diagonal <= longest:
            break
        longest = max(longest, diameters(labels == label, in_plane)[0])
    return round(longest, 2), "mm" if spacing else "pixels"

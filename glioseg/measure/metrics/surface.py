"""Metrics that measure how far apart two surfaces lie, as MONAI defines them.

Definitions of HD95 and of the surface Dice differ between packages. The one
used here is MONAI's (``compute_hausdorff_distance(percentile=95)`` and
``compute_surface_dice`` without subvoxels), with which the tests demand equality:

* the surface of a mask are its voxels that have a face neighbour outside the
  mask; beyond the border of the image counts as outside;
* a distance runs from each surface voxel's centre to the nearest centre of
  the other surface, Euclidean, in mm with a spacing and in voxels without;
* a volume of a single slice is measured in its plane.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from glioseg.measure.metrics.registry import EmptyCases, Spacing, declare
from glioseg.scan import BoolArray


def surface_distances(
    predicted: BoolArray, truth: BoolArray, spacing: Spacing | None
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Distance of every surface voxel to the other mask's surface.

    Args:
        predicted: boolean array of two or three axes with at least one voxel.
        truth: likewise, of the same shape.
        spacing: size of a voxel in mm along each axis, or ``None`` for distances in voxels.

    Returns:
        Distances from the prediction's surface to the truth's, and the other way round.
    """
    from scipy.spatial import KDTree

    if predicted.ndim == 3 and len(predicted) == 1:
        predicted, truth = predicted[0], truth[0]
        spacing = None if spacing is None else spacing[1:]
    sizes = np.ones(predicted.ndim) if spacing is None else np.asarray(spacing, dtype=np.float64)
    here, there = (np.argwhere(_surface(mask)) * sizes for mask in (predicted, truth))
    # A tree over the few surface voxels is exact and cheaper than a distance transform of the whole volume.
    forth = KDTree(there).query(here)[0]
    back = KDTree(here).query(there)[0]
    # 32 bits, so that a distance of 3 x 0.4 mm lies within a tolerance of 1.2 mm.
    return forth.astype(np.float32), back.astype(np.float32)


def _surface(mask: BoolArray) -> BoolArray:
    from scipy.ndimage import binary_erosion

    return mask & ~binary_erosion(mask)


@declare(
    "hd95",
    title="HD95",
    meaning="Distance from the other outline within which 95 % of each outline lies; infinite if missed.",
    unit="volume",
    low=0.0,
    high=float("inf"),
    higher_is_better=False,
    symmetric=True,
    empty=EmptyCases(both_empty="perfect", no_prediction="worst", no_truth="worst"),
    source="Huttenlocher et al. 1993, doi 10.1109/34.232073; 95th percentile as in MONAI: "
    "the larger of the two directed percentiles",
    is_length=True,
)
def hd95(predicted: BoolArray, truth: BoolArray, spacing: Spacing | None) -> float:
    """Larger of the two directed 95th percentiles (linear interpolation) of the surface distances."""
    return max(float(np.percentile(one, 95)) for one in surface_distances(predicted, truth, spacing))


@declare(
    "nsd",
    title="NSD (surface Dice)",
    meaning="Share of both outlines that lies within the tolerance of the other: 1 perfect, 0 all too far.",
    unit="volume",
    low=0.0,
    high=1.0,
    higher_is_better=True,
    symmetric=True,
    empty=EmptyCases(both_empty="perfect", no_prediction="worst", no_truth="worst"),
    source="Nikolov et al. 2021, doi 10.2196/26151; counted in surface voxels as in MONAI",
    tolerance=1.0,
)
def nsd(predicted: BoolArray, truth: BoolArray, spacing: Spacing | None, tolerance: float) -> float:
    """Share of the surface voxels of both masks whose distance is at most ``tolerance``."""
    distances = np.concatenate(surface_distances(predicted, truth, spacing))
    return float(np.mean(distances <= np.float32(tolerance)))

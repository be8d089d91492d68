"""The minimum-volume enclosing ellipsoid, and how much of it a lesion fills."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from glioseg.measure.shape.lesion import Lesion, largest_component
from glioseg.measure.values import EMPTY, FLAT, Floats, Number
from glioseg.scan import BoolArray

TOLERANCE = 1e-7
"""Khachiyan's stopping rule: the volume is at most ``(1 + TOLERANCE) ** ((d + 1) / 2)`` times the least."""

_STEPS_BETWEEN_NEWTON = 40
_MOST_STEPS = 200_000


@dataclass(frozen=True, eq=False)
class Ellipsoid:
    """The points ``x`` with ``(x - centre)^T shape^-1 (x - centre) <= 1``.

    Attributes:
        centre: ``(d,)``, in the unit of the points.
        shape: symmetric positive definite matrix ``(d, d)``.
    """

    centre: Floats
    shape: Floats

    @property
    def volume(self) -> float:
        """Volume (area in two dimensions) in the unit of the points to the power ``d``."""
        d = len(self.centre)
        unit_ball = math.pi ** (d / 2) / math.gamma(d / 2 + 1)
        return unit_ball * math.sqrt(np.linalg.det(self.shape))

    @property
    def semi_axes(self) -> tuple[Floats, Floats]:
        """Lengths ``(d,)``, ascending, and directions ``(d, d)``, one a column."""
        squared, directions = np.linalg.eigh(self.shape)
        return np.sqrt(squared), directions

    def distance(self, points: Floats) -> Floats:
        """For each of ``(n, d)`` points its distance from the centre, 1 on the boundary."""
        from_centre = points - self.centre
        squared: Floats = np.einsum("ij,ij->i", from_centre, np.linalg.solve(self.shape, from_centre.T).T)
        return np.sqrt(squared)


def minimum_volume_ellipsoid(points: npt.ArrayLike, tolerance: float = TOLERANCE) -> Ellipsoid:
    """The ellipsoid of least volume that holds all points.

    Khachiyan's barycentric coordinate ascent in the form with away steps, started from the extreme points of
    Kumar and Yildirim, with Newton steps on the points that carry weight in between. The result is
    scaled so that every point is inside, whatever the tolerance.

    Args:
        points: ``(n, d)``, not all in one hyperplane. Only their convex hull matters.
        tolerance: when to stop; the volume is then at most ``(1 + tolerance) ** ((d + 1) / 2)`` times
            the least.

    Raises:
        ValueError: the points span no volume.

    Source:
        Khachiyan 1996, doi 10.1287/moor.21.2.307; Kumar and Yildirim 2005, doi 10.1007/s10957-005-2653-6;
        Todd and Yildirim 2007, doi 10.1016/j.dam.2007.02.013.
    """
    given = np.asarray(points, dtype=np.float64)
    spread = np.atleast_2d(np.cov(given.T)) if len(given) > 1 else np.zeros((1, 1))
    if np.linalg.matrix_rank(spread) < given.shape[1]:
        raise ValueError("points in one hyperplane have no enclosing ellipsoid of positive volume")
    # Round first: the ellipsoid follows every affine map, and the arithmetic is best for round clouds.
    mean, root = given.mean(axis=0), np.linalg.cholesky(spread)
    rounded = np.linalg.solve(root, (given - mean).T).T
    weights = _weights(rounded, tolerance)
    centre = rounded.T @ weights
    from_centre = rounded - centre
    shape = given.shape[1] * (from_centre.T * weights) @ from_centre
    shape *= Ellipsoid(centre, shape).distance(rounded).max() ** 2
    return Ellipsoid(mean + root @ centre, root @ shape @ root.T)


def bounding_ellipsoid_volume_ratio(mask: BoolArray | Lesion) -> Number:
    """Bounding ellipsoid volume ratio (BEVR): how much of its enclosing ellipsoid a lesion fills.

    Volume of the largest component, counted in voxels, over the volume of the minimum-volume ellipsoid
    around the corners of these voxels. Near 1 for an ellipsoid, small for a lesion with arms or bends.
    Voxels are taken as unit cubes: an affine map multiplies both volumes alike, so the unknown spacing of
    the slices does not matter.

    Args:
        mask: boolean ``(slices, height, width)``, or its largest component.

    Returns:
        Ratio in (0, 1], or not defined when the mask is empty or the component lies in one plane.

    Source:
        Czarnek et al. 2017, doi 10.1007/s11060-016-2359-7; Buda et al. 2019,
        doi 10.1016/j.compbiomed.2019.05.002, section 2. The volume density with the minimum volume
        enclosing ellipsoid of IBSI (SWZ1) has the volume of the mesh instead of the voxels.
    """
    lesion = mask if isinstance(mask, Lesion) else largest_component(mask)
    if lesion is None:
        return EMPTY
    if lesion.flat:
        return FLAT
    return float(lesion.voxels.sum()) / minimum_volume_ellipsoid(corners(lesion.voxels)).volume


def corners(voxels: BoolArray) -> Floats:
    """Corner points that span the convex hull of voxels taken as unit cubes.

    Args:
        voxels: boolean ``(slices, height, width)``, at least one set.

    Returns:
        ``(n, 3)``; the voxel at position (z, y, x) reaches from (z, y, x) to (z + 1, y + 1, x + 1).
    """
    from scipy.spatial import ConvexHull

    # In each row of voxels only the first and the last can touch the hull.
    rows = voxels.any(axis=2)
    z, y = np.nonzero(rows)
    first = voxels.argmax(axis=2)[rows]
    last = voxels.shape[2] - voxels[:, :, ::-1].argmax(axis=2)[rows]
    candidates = np.concatenate(
        [np.column_stack((z + up, y + down, x)) for x in (first, last) for up in (0, 1) for down in (0, 1)]
    ).astype(np.float64)
    spanning: Floats = candidates[ConvexHull(candidates).vertices]
    return spanning


def _weights(points: Floats, tolerance: float) -> Floats:
    """Weights ``(n,)`` of the points in the optimal ellipsoid: the dual problem, on rounded points."""
    lifted = np.column_stack((points, np.ones(len(points))))
    size = lifted.shape[1]
    weights = np.zeros(len(points))
    start = _extreme_points(points)
    weights[start] = 1 / len(start)
    inverse, distances = _factor(lifted, weights)
    for step in range(1, _MOST_STEPS + 1):
        farthest = int(distances.argmax())
        excess = distances[farthest] / size - 1
        if excess <= tolerance:
            break
        nearest = int(np.where(weights > 0, distances, np.inf).argmin())
        moved = farthest if excess >= 1 - distances[nearest] / size else nearest
        distance = distances[moved]
        share = (distance / size - 1) / (distance - 1) if distance > 1 else -math.inf
        # A point inside loses weight (an away step), at most all that it has.
        all_of_it = -weights[moved] / (1 - weights[moved])
        emptied = share <= all_of_it
        share = max(share, all_of_it)
        weights *= 1 - share
        weights[moved] = 0.0 if emptied else weights[moved] + share
        if step % _STEPS_BETWEEN_NEWTON == 0:
            weights = _newton(lifted, weights)
            inverse, distances = _factor(lifted, weights)
            continue
        # The inverse of a matrix that changed by one point (Sherman and Morrison).
        column = inverse @ lifted[moved]
        factor = share / (1 - share + share * distances[moved])
        inverse = (inverse - np.outer(column, column * factor)) / (1 - share)
        distances = (distances - (lifted @ column) ** 2 * factor) / (1 - share)
    return weights


def _factor(lifted: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """Inverse of the weighted second moment, and each point's squared distance in it."""
    inverse = np.asarray(np.linalg.inv((lifted.T * weights) @ lifted), dtype=np.float64)
    return inverse, np.einsum("ij,ij->i", lifted @ inverse, lifted)


def _newton(lifted: Floats, weights: Floats, steps: int = 6) -> Floats:
    """Newton's method on the points that carry weight; the old weights where it does not help."""
    support = np.flatnonzero(weights > 1e-3 * weights.max())
    points, size = lifted[support], len(support)
    new = weights[support] / weights[support].sum()
    system = np.zeros((size + 1, size + 1))
    system[size, :size] = system[:size, size] = 1
    right = np.zeros(size + 1)
    for _ in range(steps):
        products = points @ np.linalg.solve((points.T * new) @ points, points.T)
        # The small diagonal keeps the system solvable when the optimal weights are not unique.
        system[:size, :size] = -(products**2) - 1e-10 * np.eye(size)
        right[:size] = -products.diagonal()
        change = np.linalg.solve(system, right)[:size]
        falling = change < 0
        length = min(1.0, 0.95 * float(np.min(-new[falling] / change[falling], initial=np.inf)))
        new = new + length * change
    result = np.zeros_like(weights)
    result[support] = new
    result /= result.sum()
    before, after = (np.linalg.slogdet((lifted.T * some) @ lifted)[1] for some in (weights, result))
    return result if after > before else weights


def _extreme_points(points: Floats) -> npt.NDArray[np.intp]:
    """At most ``2 d`` points that span a volume: the ends along directions orthogonal to those before."""
    d = points.shape[1]
    found: list[int] = []
    spanned = np.zeros((0, d))
    direction = np.eye(d)[0]
    for _ in range(d):
        along = points @ direction
        ends = int(along.argmax()), int(along.argmin())
        found += ends
        spanned = np.vstack((spanned, points[ends[0]] - points[ends[1]]))
        direction = np.linalg.svd(spanned)[2][-1]
    return np.unique(found)

"""Two masks of one patient at two times: how much the lesion changed, and how sure one can be of that.

A mask with the Dice similarity d to the truth has, at most, the factor (2 - d) / d between their volumes:
with V found and T true, d <= 2 min(V, T) / (V + T). The DSC that a model expects so bounds the true volume;
of a difference the bounds of both add up.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from glioseg.errors import Fault, InputError
from glioseg.grid import Grid
from glioseg.scan import BoolArray, Segmentation

Fate = Literal["new", "gone", "larger", "smaller", "alike"]

NEAR_MM = 3.0
"""Lesions of two times that come nearer than this are one: what headers place exactly still breathes."""

ALIKE = 0.1
"""Share by which a lesion has to change to be called larger or smaller."""


@dataclass(frozen=True)
class Bounded:
    """A volume or a difference in mm3 (in voxels where the spacing is unknown), and between which it may lie.

    ``low`` and ``high`` are ``None`` where nothing is known of the DSC.
    """

    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class LesionFate:
    """What became of a lesion.

    Attributes:
        fate: ``new``, ``gone``, ``larger``, ``smaller`` or ``alike``.
        before, after: its volume at both times, as in :class:`Bounded`; lesions that grew together count
            together.
        slice_before, slice_after: where it is largest, counted from 0; ``None`` where it is not there.
    """

    fate: Fate
    before: float
    after: float
    slice_before: int | None
    slice_after: int | None


@dataclass(frozen=True)
class FollowUp:
    """Two times.

    Attributes:
        unit: ``mm3`` or ``voxels``.
        before, after: volumes of all lesions.
        difference: after less before.
        share: difference over the volume before; ``None`` where there was nothing.
        certain: whether the bounds of the difference leave out 0; ``None`` where they are not known.
        placed: whether headers say how the two scans lie to each other; otherwise they have one grid.
        lesions: the fate of each, by volume.
        slices: of each slice after, the one before that lies nearest.
    """

    unit: Literal["mm3", "voxels"]
    before: Bounded
    after: Bounded
    difference: Bounded
    share: float | None
    certain: bool | None
    placed: bool
    lesions: tuple[LesionFate, ...]
    slices: tuple[int, ...]


def follow_up(
    before: Segmentation,
    after: Segmentation,
    expected_before: float | None = None,
    expected_after: float | None = None,
) -> FollowUp:
    """Compare the lesions of one patient at two times.

    Args:
        before, after: masks of any labels; on one grid, or on two that the headers place in one head.
        expected_before, expected_after: the DSC that the model expects of each; 1 for what a person checked.

    Raises:
        InputError: the grids are different and not both placed, or do not meet.
    """
    index = _index(before.grid, after.grid)
    known = before.grid.voxel_volume is not None and after.grid.voxel_volume is not None
    units = (before.grid.voxel_volume or 1.0, after.grid.voxel_volume or 1.0) if known else (1.0, 1.0)
    volumes = [
        bounded(float(np.count_nonzero(each.voxels)) * unit, expected)
        for each, unit, expected in zip(
            (before, after), units, (expected_before, expected_after), strict=True
        )
    ]
    difference = _difference(*volumes)
    certain = None
    if difference.low is not None and difference.high is not None:
        certain = difference.low > 0 or difference.high < 0
    return FollowUp(
        unit="mm3" if known else "voxels",
        before=volumes[0],
        after=volumes[1],
        difference=difference,
        share=difference.value / volumes[0].value if volumes[0].value else None,
        certain=certain,
        placed=before.grid.affine is not None and after.grid.affine is not None,
        lesions=_fates(before, after, units),
        slices=_slices(before.grid, after.grid, index),
    )


def bounded(volume: float, expected: float | None) -> Bounded:
    """A volume, with the bounds that an expected DSC in 0..1 puts on the true one.

    >>> bounded(10.0, 0.8)
    Bounded(value=10.0, low=6.666666666666667, high=15.0)
    """
    if expected is None or expected <= 0:
        return Bounded(volume)
    factor = (2 - expected) / expected
    return Bounded(volume, volume / factor, volume * factor)


def _difference(before: Bounded, after: Bounded) -> Bounded:
    value = after.value - before.value
    if before.low is None or before.high is None or after.low is None or after.high is None:
        return Bounded(value)
    return Bounded(value, after.low - before.high, after.high - before.low)


def _index(before: Grid, after: Grid) -> npt.NDArray[np.float64]:
    """From voxel indices after to those before.

    Raises:
        InputError: nothing tells.
    """
    if before.affine is not None and after.affine is not None:
        index: npt.NDArray[np.float64] = np.linalg.inv(before.affine) @ after.affine
        corners = np.array(np.meshgrid(*[(0, size - 1) for size in after.shape])).reshape(3, -1)
        there = index[:3, :3] @ corners + index[:3, 3:]
        ends = np.array(before.shape)[:, None] - 1
        if ((there.max(axis=1) < 0) | (there.min(axis=1) > ends[:, 0])).any():
            raise InputError(Fault("followup.apart", before=before.describe(), after=after.describe()))
        return index
    if before.shape == after.shape:
        return np.eye(4)
    raise InputError(Fault("followup.unplaced", before=before.describe(), after=after.describe()))


def _fates(before: Segmentation, after: Segmentation, units: tuple[float, float]) -> tuple[LesionFate, ...]:
    """What became of each lesion: those of both times that meet are one."""
    from scipy.ndimage import label

    own, count_own = label(before.mask)
    later, count_later = label(after.mask)
    pairs = _meeting(own, later, before.grid, after.grid)
    found = []
    for olds, news in _joined(pairs, count_own, count_later):
        one, other = np.isin(own, olds), np.isin(later, news)
        sizes = float(one.sum()) * units[0], float(other.sum()) * units[1]
        found.append(LesionFate(_fate(*sizes), *sizes, _largest(one), _largest(other)))
    return tuple(sorted(found, key=lambda each: -max(each.before, each.after)))


def _meeting(
    own: npt.NDArray[np.int32], later: npt.NDArray[np.int32], before: Grid, after: Grid
) -> set[tuple[int, int]]:
    """Which numbered lesions before come near which after, by where their voxels lie in the head."""
    from scipy.spatial import cKDTree

    placed = before.affine is not None and after.affine is not None
    places = [np.argwhere(each) for each in (own, later)]
    if not all(map(len, places)):
        return set()
    points = [_points(each, grid, placed) for each, grid in zip(places, (before, after), strict=True)]
    numbers = [each[tuple(place.T)] for each, place in zip((own, later), places, strict=True)]
    near = NEAR_MM if before.spacing else 1.5
    pairs: set[tuple[int, int]] = set()
    for here, there in ((0, 1), (1, 0)):
        away, nearest = cKDTree(points[there]).query(points[here], distance_upper_bound=near)
        met = np.isfinite(away)
        found = zip(numbers[here][met].tolist(), numbers[there][nearest[met]].tolist(), strict=True)
        pairs |= {(one, other) if here == 0 else (other, one) for one, other in found}
    return pairs


def _points(voxels: npt.NDArray[np.intp], grid: Grid, placed: bool) -> npt.NDArray[np.float64]:
    """Centres of voxels in mm; in voxels where the spacing is unknown."""
    if placed and grid.affine is not None:
        points: npt.NDArray[np.float64] = voxels @ grid.affine[:3, :3].T + grid.affine[:3, 3]
        return points
    return voxels * np.array(grid.spacing or (1.0, 1.0, 1.0))


def _joined(
    pairs: Iterable[tuple[int, int]], count_before: int, count_after: int
) -> list[tuple[list[int], list[int]]]:
    """Groups of lesions before and after that meet, directly or by way of others; those alone too."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    total = count_before + count_after
    if not total:
        return []
    kept = list(pairs)
    rows = [old - 1 for old, _ in kept]
    columns = [count_before + new - 1 for _, new in kept]
    graph = coo_matrix((np.ones(len(kept)), (rows, columns)), shape=(total, total))
    _, groups = connected_components(graph, directed=False)
    members: dict[int, tuple[list[int], list[int]]] = {}
    for node, group in enumerate(groups.tolist()):
        olds, news = members.setdefault(group, ([], []))
        if node < count_before:
            olds.append(node + 1)
        else:
            news.append(node + 1 - count_before)
    return list(members.values())


def _fate(before: float, after: float) -> Fate:
    if not before:
        return "new"
    if not after:
        return "gone"
    change = after / before - 1
    return "alike" if abs(change) <= ALIKE else "larger" if change > 0 else "smaller"


def _largest(mask: BoolArray) -> int | None:
    areas = mask.sum(axis=(1, 2))
    return int(areas.argmax()) if areas.any() else None


def _slices(before: Grid, after: Grid, index: npt.NDArray[np.float64]) -> tuple[int, ...]:
    """Of each slice after, the one before that lies nearest to its middle."""
    middle = np.array([[(size - 1) / 2] for size in after.shape]).repeat(after.shape[0], axis=1)
    middle[0] = np.arange(after.shape[0])
    places = index[0, :3] @ middle + index[0, 3]
    return tuple(np.clip(np.rint(places), 0, before.shape[0] - 1).astype(int).tolist())

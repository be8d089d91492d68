"""How the axes of a file are turned so that every scan is shown the same way up; nothing is interpolated."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations
from typing import Any

import numpy as np
import numpy.typing as npt

Affine = npt.NDArray[np.float64]

_SHOWN = ("S", "P", "L")
"""Slices run upwards (superior), rows backwards (posterior), columns to the left."""
_RIGHT, _ANTERIOR, _SUPERIOR = 0, 1, 2


@dataclass(frozen=True, eq=False)
class Turn:
    """How a grid stands in its file.

    Attributes:
        shape: the spatial sizes in the file's own order, 2 or 3 of them.
        orientation: as nibabel has it: ``(3, 2)``, for each axis of the file the axis as presented, and -1 if
            it runs against that.
    """

    shape: tuple[int, ...]
    orientation: npt.NDArray[np.float64]

    @property
    def _full(self) -> tuple[int, ...]:
        return (*self.shape, *[1] * (3 - len(self.shape)))

    @property
    def sizes(self) -> tuple[int, int, int]:
        """``(slices, height, width)`` as presented."""
        slices, rows, columns = (self._full[axis] for axis in np.argsort(self.orientation[:, 0]))
        return slices, rows, columns

    def presented(self, stored: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Voxels in the file's order ``(x, y, z[, channels])`` as ``(slices, height, width[, channels])``."""
        from nibabel.orientations import apply_orientation

        return np.ascontiguousarray(apply_orientation(stored, self.orientation))

    def stored(self, presented: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """The inverse of :meth:`presented`, in the shape of the file."""
        from nibabel.orientations import apply_orientation, ornt_transform

        straight = np.array([(0, 1), (1, 1), (2, 1)])
        array: npt.NDArray[Any] = apply_orientation(presented, ornt_transform(straight, self.orientation))
        return array.reshape(self.shape)

    def presented_affine(self, affine: Affine) -> Affine:
        """The affine of presented indices (slice, row, column), of that of the file's indices."""
        from nibabel.orientations import inv_ornt_aff

        product: Affine = affine @ inv_ornt_aff(self.orientation, self._full)
        return product


def orient(affine: Affine, shape: tuple[int, int, int]) -> npt.NDArray[np.float64]:
    """The orientation that shows a volume as slices upwards, rows backwards and columns to the left.

    Each axis of the file takes the direction in the body that it is closest to, as nibabel decides it. The
    only axis of size 1, if there is one, always is the slice axis; of the other two, rows and columns then
    take the better fit to anterior-posterior and right-left.

    Args:
        affine: from voxel indices of the file to RAS+ millimetres.
        shape: sizes of the file's three axes.

    Returns:
        As in :class:`Turn`.
    """
    from nibabel.orientations import axcodes2ornt, io_orientation, ornt_transform

    found: npt.NDArray[np.float64] = ornt_transform(io_orientation(affine), axcodes2ornt(_SHOWN))
    flat = [axis for axis in range(3) if shape[axis] == 1]
    if len(flat) == 1 and found[flat[0], 0] != 0:
        return _of_lone_slice(affine, flat[0])
    return found


def _of_lone_slice(affine: Affine, slice_axis: int) -> npt.NDArray[np.float64]:
    """The orientation of a single sagittal or coronal slice."""
    cosines = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    row, column = max(
        permutations({0, 1, 2} - {slice_axis}),
        key=lambda pair: abs(cosines[_ANTERIOR, pair[0]]) + abs(cosines[_RIGHT, pair[1]]),
    )
    orientation = np.zeros((3, 2))
    for place, (axis, direction) in enumerate(((slice_axis, _SUPERIOR), (row, _ANTERIOR), (column, _RIGHT))):
        part = cosines[direction, axis]
        if abs(part) < 0.1:  # decide by the direction that it does have
            part = cosines[np.argmax(np.abs(cosines[:, axis])), axis]
        upwards = part > 0
        orientation[axis] = place, 1 if upwards == (direction == _SUPERIOR) else -1
    return orientation

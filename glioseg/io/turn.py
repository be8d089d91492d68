"""How the axes of a file are turned so that every scan is shown the same way up; nothing is interpolated."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations
from typing import Any

import numpy as np
import numpy.typing as npt

Affine = npt.NDArray[np.float64]

_RIGHT, _ANTERIOR, _SUPERIOR = 0, 1, 2


@dataclass(frozen=True, eq=False)
class Turn:
    """How a grid stands in its file.

    Attributes:
        shape: the spatial sizes in the file's own order, 2 or 3 of them.
        axes: axis of the file along which slices, rows and columns run.
        flips: whether slices, rows and columns run against that axis.
    """

    shape: tuple[int, ...]
    axes: tuple[int, int, int]
    flips: tuple[bool, bool, bool]

    @property
    def _flipped(self) -> tuple[int, ...]:
        return tuple(axis for axis in range(3) if self.flips[axis])

    @property
    def sizes(self) -> tuple[int, int, int]:
        """``(slices, height, width)`` as presented."""
        full = (*self.shape, *[1] * (3 - len(self.shape)))
        return full[self.axes[0]], full[self.axes[1]], full[self.axes[2]]

    def presented(self, stored: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Voxels in the file's order ``(x, y, z[, channels])`` as ``(slices, height, width[, channels])``."""
        array = stored.transpose(*self.axes, *range(3, stored.ndim))
        array = np.flip(array, self._flipped)
        return np.ascontiguousarray(array)

    def stored(self, presented: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """The inverse of :meth:`presented`, in the shape of the file."""
        array = np.flip(presented, self._flipped)
        return array.transpose(np.argsort(self.axes)).reshape(self.shape)

    def presented_affine(self, affine: Affine) -> Affine:
        """The affine of presented indices (slice, row, column), of that of the file's indices."""
        turned = np.zeros((4, 4))
        turned[3, 3] = 1
        for place, (axis, size) in enumerate(zip(self.axes, self.sizes, strict=True)):
            turned[axis, place] = -1 if self.flips[place] else 1
            turned[axis, 3] = size - 1 if self.flips[place] else 0
        product: Affine = affine @ turned
        return product


def orient(
    affine: Affine, shape: tuple[int, int, int]
) -> tuple[tuple[int, int, int], tuple[bool, bool, bool]]:
    """Axes and directions that show a volume as slices upwards, rows backwards and columns to the left.

    Slices run along the axis closest to inferior-superior; the only axis of size 1, if there is one, always
    is the slice axis. Of the other two, rows and columns take the better fit to anterior-posterior and
    right-left.

    Args:
        affine: from voxel indices of the file to RAS+ millimetres.
        shape: sizes of the file's three axes.

    Returns:
        ``(axes, flips)`` as in :class:`Turn`.
    """
    cosines = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    flat = [axis for axis in range(3) if shape[axis] == 1]
    slice_axis = flat[0] if len(flat) == 1 else int(np.argmax(np.abs(cosines[_SUPERIOR])))
    rest = [axis for axis in range(3) if axis != slice_axis]
    row, column = max(
        permutations(rest), key=lambda pair: abs(cosines[_ANTERIOR, pair[0]]) + abs(cosines[_RIGHT, pair[1]])
    )

    def along(axis: int, direction: int) -> bool:
        part = cosines[direction, axis]
        if abs(part) < 0.1:  # a lone sagittal or coronal slice: decide by the direction it does have
            part = cosines[np.argmax(np.abs(cosines[:, axis])), axis]
        return bool(part > 0)

    flips = (not along(slice_axis, _SUPERIOR), along(row, _ANTERIOR), along(column, _RIGHT))
    return (slice_axis, row, column), flips

"""Where the voxels of a scan sit: sizes, spacing, place in the patient. All geometry is here."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from glioseg.words import Phrase

SAME_GRID = 0.1
"""How far, in voxels, corners of two grids may lie apart that count as one. Headers store single precision,
and programs round."""

THICKER = 1.5
"""How many times as thick as the others voxels are along the axis along which a scan was made in slices."""

SQUARE = 0.02
"""How much longer than wide a pixel may be that counts as square."""


@dataclass(frozen=True, eq=False)
class Grid:
    """Where the voxels of a scan sit. A scan and its masks share one grid.

    Attributes:
        shape: ``(slices, height, width)``.
        spacing: voxel size in mm along (slice, row, column), or ``None`` when the source does not know it.
        affine: 4x4 matrix from voxel indices (slice, row, column, 1) to millimetres in the
            right-anterior-superior (RAS+) frame, or ``None``.
        slice_numbers: number of each slice in the source, ascending.
    """

    shape: tuple[int, int, int]
    spacing: tuple[float, float, float] | None = None
    affine: npt.NDArray[np.float64] | None = None
    slice_numbers: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if len(self.shape) != 3 or min(self.shape) < 1:
            raise ValueError(f"a grid has three sizes of at least 1, not {self.shape}")
        if not self.slice_numbers:
            object.__setattr__(self, "slice_numbers", tuple(range(1, self.shape[0] + 1)))
        if len(self.slice_numbers) != self.shape[0]:
            raise ValueError(f"{self.shape[0]} slices but {len(self.slice_numbers)} slice numbers")

    def __repr__(self) -> str:
        return f"Grid({self.said})"

    @property
    def said(self) -> str:
        """Sizes, and the spacing where it is known."""
        spacing = "" if self.spacing is None else f", {' x '.join(f'{size:.4g}' for size in self.spacing)} mm"
        return f"{self.describe()}{spacing}"

    @property
    def voxel_volume(self) -> float | None:
        """Volume of a voxel in mm3, or ``None`` when the spacing is unknown."""
        return None if self.spacing is None else float(np.prod(self.spacing))

    @property
    def pixel_aspect(self) -> float:
        """Columns that measure as much as one row; 1 where the spacing is unknown or hardly differs."""
        if self.spacing is None:
            return 1.0
        aspect = self.spacing[1] / self.spacing[2]
        return 1.0 if abs(aspect - 1) <= SQUARE else aspect

    @property
    def thickest_axis(self) -> int:
        """The axis along which the scan was made in slices; 0 unless voxels are clearly thicker elsewhere."""
        if self.spacing is None:
            return 0
        axis = int(np.argmax(self.spacing))
        return axis if self.spacing[axis] > THICKER * self.spacing[0] else 0

    def turned(self, axis: int) -> Grid:
        """The grid of the scan as :func:`glioseg.prepare.frame.turned` presents it, its place left out."""
        first, second = (other for other in range(3) if other != axis)
        spacing, shape = self.spacing, self.shape
        if spacing is not None:
            spacing = spacing[axis], spacing[first], spacing[second]
        return Grid((shape[axis], shape[first], shape[second]), spacing)

    def lies_on(self, other: Grid, tolerance: float = SAME_GRID) -> bool:
        """Whether two grids have one shape and, where both know their place, the same place.

        Args:
            other: the other grid.
            tolerance: how far corners may lie apart, in voxels of this grid.
        """
        if self.shape != other.shape:
            return False
        if self.affine is None or other.affine is None:
            return True
        return self._distance(other) <= tolerance * min(self.spacing or (1.0,))

    def describe(self, like: Grid | None = None) -> Phrase:
        """``155 slices of 240 x 240``, or how far this grid lies from one of the same shape."""
        if like is not None and self.shape == like.shape and not (self.affine is None or like.affine is None):
            return Phrase("grid.away", distance=f"{self._distance(like):.1f}")
        slices, height, width = self.shape
        return Phrase("grid.size", slices=slices, width=width, height=height)

    def _distance(self, other: Grid) -> float:
        """Greatest distance between corners of the same name, in mm."""
        return float(np.linalg.norm(self._corners() - other._corners(), axis=0).max())

    def _corners(self) -> npt.NDArray[np.float64]:
        assert self.affine is not None
        ends = np.array(np.meshgrid(*[(0, size - 1) for size in self.shape])).reshape(3, -1)
        corners: npt.NDArray[np.float64] = self.affine[:3, :3] @ ends + self.affine[:3, 3:]
        return corners

"""The two nouns that are passed everywhere: :class:`Scan` and :class:`Mask`, and the grid they share."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from glioseg.errors import WrongKindError
from glioseg.words import Phrase

CHANNELS = ("pre", "flair", "post")
"""The sequences of the LGG data set in the order in which it stores them as RGB."""

Made = Literal["automatic", "corrected", "given"]
"""How a mask came about: by a network; by a network and a person who corrected it; it came with the scan."""

SAME_GRID = 0.1
"""How far, in voxels, corners of two grids may lie apart that count as one. Headers store single precision,
and programs round."""

BoolArray = npt.NDArray[np.bool_]
FloatArray = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True, eq=False)
class Grid:
    """Where the voxels of a scan sit. A scan and its masks share one grid.

    Attributes:
        shape: ``(slices, height, width)``.
        spacing: voxel size in mm along (slice, row, column), or ``None`` when the source does not know it.
        affine: 4x4 matrix from voxel indices (slice, row, column, 1) to millimetres in the
            right-anterior-superior (RAS+) frame, or ``None``.
        slice_numbers: number of each slice in the source, ascending.
        format: name of the format it was read with (the key of its reader in :mod:`glioseg.io`).
        files: the files it was read from: one a slice for folders, otherwise one a volume or sequence.
        native: what the writer of ``format`` needs to put a mask back where the scan came from.
    """

    shape: tuple[int, int, int]
    spacing: tuple[float, float, float] | None = None
    affine: npt.NDArray[np.float64] | None = None
    slice_numbers: tuple[int, ...] = ()
    format: str = "array"
    files: tuple[Path, ...] = ()
    native: Any = None

    def __post_init__(self) -> None:
        if len(self.shape) != 3 or min(self.shape) < 1:
            raise ValueError(f"a grid has three sizes of at least 1, not {self.shape}")
        if not self.slice_numbers:
            object.__setattr__(self, "slice_numbers", tuple(range(1, self.shape[0] + 1)))
        if len(self.slice_numbers) != self.shape[0]:
            raise ValueError(f"{self.shape[0]} slices but {len(self.slice_numbers)} slice numbers")

    @property
    def voxel_volume(self) -> float | None:
        """Volume of a voxel in mm3, or ``None`` when the spacing is unknown."""
        return None if self.spacing is None else float(np.prod(self.spacing))

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
        return self._apart(other) <= tolerance * min(self.spacing or (1.0,))

    def describe(self, like: Grid | None = None) -> Phrase:
        """``155 slices of 240 x 240``, or how far this grid lies from one of the same shape."""
        if like is not None and self.shape == like.shape and not (self.affine is None or like.affine is None):
            return Phrase("grid.away", distance=f"{self._apart(like):.1f}")
        slices, height, width = self.shape
        return Phrase("grid.size", slices=slices, width=width, height=height)

    def _apart(self, other: Grid) -> float:
        """Greatest distance between corners of the same name, in mm."""
        return float(np.linalg.norm(self._corners() - other._corners(), axis=0).max())

    def _corners(self) -> npt.NDArray[np.float64]:
        assert self.affine is not None
        ends = np.array(np.meshgrid(*[(0, size - 1) for size in self.shape])).reshape(3, -1)
        corners: npt.NDArray[np.float64] = self.affine[:3, :3] @ ends + self.affine[:3, 3:]
        return corners


@dataclass(frozen=True, eq=False)
class Scan:
    """A brain scan: voxels with named channels on a grid.

    Attributes:
        voxels: array ``(slices, height, width, channels)`` of any real dtype, in the source's own values.
        grid: where the voxels sit.
        id: name of the patient or scan, used for output names.
        channels: name of each channel; the networks here expect :data:`CHANNELS`.
        filled: channels that the source lacks and that were filled with FLAIR, as the LGG data set does.
    """

    voxels: npt.NDArray[Any]
    grid: Grid
    id: str
    channels: tuple[str, ...] = CHANNELS
    filled: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.voxels.ndim != 4:
            raise ValueError(f"a scan has (slices, height, width, channels), not {self.voxels.shape}")
        if self.voxels.shape[:3] != self.grid.shape:
            raise ValueError(f"voxels of {self.voxels.shape[:3]} on a grid of {self.grid.shape}")
        if self.voxels.shape[3] != len(self.channels):
            raise ValueError(f"{self.voxels.shape[3]} channels but names {self.channels}")

    @property
    def source(self) -> Path | None:
        """The file, or the folder that holds the files, of this scan."""
        files = self.grid.files
        if not files:
            return None
        return files[0] if len(files) == 1 else files[0].parent

    def channel(self, name: str) -> npt.NDArray[Any]:
        """Voxels ``(slices, height, width)`` of one channel."""
        return self.voxels[..., self.channels.index(name)]


@dataclass(frozen=True, eq=False)
class Mask:
    """Which voxels are lesion, on the same grid as the scan.

    Attributes:
        voxels: boolean array ``(slices, height, width)``. Never 0/255, never floats.
        grid: the grid of the scan.
        id: id of the scan.

    Raises:
        WrongKindError: the array is not boolean.
        ValueError: the array does not have the shape of the grid.
    """

    voxels: BoolArray
    grid: Grid
    id: str = field(default="mask")

    def __post_init__(self) -> None:
        check_boolean(self.voxels, "a mask")
        if self.voxels.shape != self.grid.shape:
            raise ValueError(f"a mask of {self.voxels.shape} on a grid of {self.grid.shape}")

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> npt.NDArray[Any]:
        return np.array(self.voxels, dtype=dtype, copy=bool(copy) or None)

    @property
    def slices_with_lesion(self) -> int:
        """Number of slices that hold at least one lesion voxel."""
        return int(self.voxels.any(axis=(1, 2)).sum())

    @property
    def volume_mm3(self) -> float | None:
        """Lesion volume in mm3, or ``None`` when the spacing is unknown."""
        unit = self.grid.voxel_volume
        return None if unit is None else float(self.voxels.sum()) * unit


@dataclass(frozen=True, eq=False)
class LabelMap:
    """Which class each voxel belongs to, on the same grid as the scan.

    Attributes:
        voxels: uint8 array ``(slices, height, width)``; 0 is background.
        grid: the grid of the scan.
        id: id of the scan.

    Raises:
        WrongKindError: the array is not uint8.
        ValueError: the array does not have the shape of the grid.
    """

    voxels: npt.NDArray[np.uint8]
    grid: Grid
    id: str = field(default="labels")

    def __post_init__(self) -> None:
        if self.voxels.dtype != np.uint8:
            raise WrongKindError(f"labels must be uint8, not {self.voxels.dtype}")
        if self.voxels.shape != self.grid.shape:
            raise ValueError(f"labels of {self.voxels.shape} on a grid of {self.grid.shape}")

    def mask(self, value: int | None = None) -> Mask:
        """The voxels of one class, or of any."""
        voxels = self.voxels > 0 if value is None else self.voxels == value
        return Mask(voxels, self.grid, self.id)


def bounding_box(mask: BoolArray) -> tuple[slice, ...]:
    """The smallest box that holds all that is set in a mask that is not empty."""
    box = []
    for axis in range(mask.ndim):
        others = tuple(other for other in range(mask.ndim) if other != axis)
        present = np.flatnonzero(mask.any(axis=others))
        box.append(slice(int(present[0]), int(present[-1]) + 1))
    return tuple(box)


def check_boolean(array: npt.NDArray[Any], what: str) -> None:
    """Refuse anything but a boolean array, and say what to do about it.

    Raises:
        WrongKindError: ``array`` is not boolean.
    """
    if array.dtype != np.bool_:
        raise WrongKindError(
            f"{what} must be boolean, not {array.dtype}: compare with a threshold first "
            "(probability >= 0.5, or stored values > 0)."
        )

"""The part of a mask that features are measured on: its largest component."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from glioseg.scan import BoolArray, bounding_box, check_boolean


@dataclass(frozen=True, eq=False)
class Lesion:
    """The largest component of a mask. Components are connected through voxel faces.

    Attributes:
        voxels: boolean ``(slices, height, width)``, cut down to the component's bounding box.
        offset: position ``(slice, row, column)`` of the first voxel of the box on the mask's grid.
        components: number of components of the whole mask.
        spacing: voxel size in mm along (slice, row, column), or ``None``.
    """

    voxels: BoolArray
    offset: tuple[int, int, int]
    components: int
    spacing: tuple[float, float, float] | None = None

    @cached_property
    def points(self) -> npt.NDArray[np.int64]:
        """Positions of the voxels within the box, ``(n, 3)``."""
        return np.argwhere(self.voxels)

    @property
    def flat(self) -> bool:
        """Whether the component is one voxel thin along an axis: one voxel, a line, one slice, a flat sheet.

        A component that is connected through faces lies in no other plane.
        """
        return min(self.voxels.shape) == 1

    @cached_property
    def largest_slice(self) -> int:
        """Position of the slice of largest lesion area within the box; the first of several."""
        return int(self.voxels.sum(axis=(1, 2)).argmax())

    @cached_property
    def region(self) -> BoolArray:
        """Largest face-connected region of :attr:`largest_slice`, ``(height, width)`` of the box."""
        return _largest(self.voxels[self.largest_slice])[0]


def largest_component(mask: BoolArray, spacing: tuple[float, float, float] | None = None) -> Lesion | None:
    """Cut the largest face-connected component out of a mask; the first of several that are equal.

    Args:
        mask: boolean ``(slices, height, width)``.
        spacing: voxel size in mm along (slice, row, column), or ``None`` where it is unknown.

    Returns:
        The component, or ``None`` when the mask is empty.

    Raises:
        WrongKindError: ``mask`` is not boolean.
        ValueError: ``mask`` does not have three dimensions.
    """
    check_boolean(mask, "a mask")
    if mask.ndim != 3:
        raise ValueError(f"a mask has (slices, height, width), not {mask.shape}")
    if not mask.any():
        return None
    whole = bounding_box(mask)
    component, components = _largest(mask[whole])
    inner = bounding_box(component)
    offset = tuple(int(outer.start + part.start) for outer, part in zip(whole, inner, strict=True))
    return Lesion(component[inner], (offset[0], offset[1], offset[2]), components, spacing)


def _largest(mask: BoolArray) -> tuple[BoolArray, int]:
    """The largest face-connected component and how many there are."""
    labels, count = ndimage.label(mask)
    if count == 1:
        return mask, 1
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    largest: BoolArray = labels == sizes.argmax()
    return largest, int(count)

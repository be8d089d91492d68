"""Bring a sequence onto the grid of another by where both lie in the patient."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from glioseg.errors import Fault, InputError
from glioseg.io.dicom.series import Series
from glioseg.io.turn import Affine
from glioseg.scan import Grid

LEAST_OVERLAP = 0.5
"""Share of the FLAIR's voxels that another sequence must reach."""


def onto(voxels: npt.NDArray[Any], grid: Grid, like: Grid, series: Series, flair: Series) -> npt.NDArray[Any]:
    """Linear interpolation at the voxel centres of ``like``; 0 outside.

    Args:
        voxels: ``(slices, height, width)`` on ``grid``.
        grid: where they lie.
        like: the grid of FLAIR.
        series, flair: what they were read from, for faults and frames of reference.

    Returns:
        ``(slices, height, width)`` on ``like``, in the dtype of ``voxels``; unchanged when the grids are one.

    Raises:
        InputError: the two do not share a frame of reference, or hardly overlap.
    """
    if like.lies_on(grid):
        return voxels
    frames = {each.first.frame_of_reference for each in (series, flair)}
    if len(frames) > 1:
        raise InputError(Fault("dicom.frame_of_reference", flair=flair.title, **series.where))
    assert grid.affine is not None
    assert like.affine is not None
    index: Affine = np.linalg.inv(grid.affine) @ like.affine
    share = _overlap(index, grid.shape, like.shape)
    if share < LEAST_OVERLAP:
        raise InputError(Fault("dicom.overlap", flair=flair.title, share=f"{share:.0%}", **series.where))
    from scipy.ndimage import affine_transform

    exact = np.float64 if voxels.dtype.itemsize > 4 else np.float32
    moved = affine_transform(
        voxels.astype(exact), index[:3, :3], index[:3, 3], like.shape, order=1, mode="constant", cval=0
    )
    if voxels.dtype.kind in "iu":
        moved = np.rint(moved)
    return moved.astype(voxels.dtype)


def _overlap(index: Affine, shape: tuple[int, int, int], like: tuple[int, int, int]) -> float:
    """Share of the voxels of ``like``, sampled, whose centres lie within ``shape``."""
    places = np.stack(
        np.meshgrid(*[np.linspace(0, size - 1, min(size, 24)) for size in like], indexing="ij"), -1
    )
    there = places @ index[:3, :3].T + index[:3, 3]
    inside = (there > -0.5) & (there < np.array(shape) - 0.5)
    return float(inside.all(axis=-1).mean())

"""Series as highdicom's volumes, shown on the axes of scans and put back; nothing is interpolated.

highdicom's volumes have perpendicular axes (to 1e-4). Headers round directions and positions more coarsely
than that, and slices are accepted that are stacked slightly aside of their normal. Axes are therefore
permuted and flipped on the nearest perpendicular volume, and the affine of the grid is the exact one of the
series, permuted and flipped alike.

Voxels are decoded by :mod:`~glioseg.io.dicom.pixels` and not by highdicom's ``get_volume_from_series``, which
knows no limits of size, takes files of one image alone, and refuses series without a frame of reference, with
steps that differ by more than 1 %, or with directions that differ in the last digit.

Slices stay in the order of the series. highdicom and SimpleITK order them oppositely, so volumes of other
programs are to be compared by their affines.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from glioseg.grid import Grid
from glioseg.io.dicom.series import Series
from glioseg.io.turn import orient

if TYPE_CHECKING:
    from highdicom import VolumeGeometry


def stored_geometry(series: Series) -> VolumeGeometry:
    """The series as it is stored: slices in their order, rows, columns."""
    from highdicom import VolumeGeometry

    # Columns, rows and slices in this order: what is not perpendicular is taken from the step between slices.
    axes, sizes = np.linalg.qr(series.affine[:3, :3])
    affine = series.affine.copy()
    affine[:3, :3] = axes * np.diag(sizes)
    shape = (len(series.frames), series.first.rows, series.first.columns)
    return VolumeGeometry(
        affine[:, [2, 1, 0, 3]],
        shape,
        "PATIENT",
        series.first.frame_of_reference or None,
        from_reference_convention="RAS",
    )


def shown_geometry(series: Series, stored: VolumeGeometry) -> VolumeGeometry:
    """The same voxels as every scan is shown.

    Which axis runs where is decided as for NIfTI, and not by highdicom's ``to_patient_orientation``: one
    volume is to look alike from either format, at angles of 45 degrees and with a lone slice too.
    """
    slices, rows, columns = stored.spatial_shape
    orientation = orient(series.affine, (columns, rows, slices))[::-1]
    flipped = [axis for axis in range(3) if orientation[axis, 1] < 0]
    turned = stored.flip_spatial(flipped) if flipped else stored
    return turned.permute_spatial_axes([int(axis) for axis in np.argsort(orientation[:, 0])])


def series_grid(series: Series) -> Grid:
    """The grid of a series as shown."""
    stored = stored_geometry(series)
    shown = shown_geometry(series, stored)
    # Whole numbers: from indices as shown to those stored.
    index = np.rint(stored.inverse_affine @ shown.affine)
    affine = series.affine[:, [2, 1, 0, 3]] @ index
    slices, height, width = np.linalg.norm(affine[:3, :3], axis=0)
    spacing = (float(slices), float(height), float(width))
    return Grid(shown.spatial_shape, spacing, affine)


def show(series: Series, voxels: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Voxels ``(slices, rows, columns)`` of a series as ``(slices, height, width)`` on its grid."""
    stored = stored_geometry(series)
    shown = stored.with_array(voxels).match_geometry(shown_geometry(series, stored))
    return np.ascontiguousarray(shown.array)


def put_back(series: Series, voxels: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The inverse of :func:`show`."""
    stored = stored_geometry(series)
    shown = shown_geometry(series, stored).with_array(voxels)
    return np.ascontiguousarray(shown.match_geometry(stored).array)

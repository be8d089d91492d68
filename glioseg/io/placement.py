"""Where the voxels of a NIfTI file lie, how large they are, and whether that can be.

Source: NIfTI-1 data format, https://nifti.nimh.nih.gov/nifti-1 (sform, qform, pixdim, xyzt_units).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from glioseg.errors import Fault, InputError
from glioseg.io.turn import Affine
from glioseg.words import Note

SMALLEST, LARGEST = 0.1, 20.0
"""Voxel sizes in mm outside of which none of a brain MRI lies."""

NARROWEST, WIDEST = 50.0, 600.0
"""Sizes in mm of the picture of a head."""

OF_A_HEAD = 64
"""Fewest pixels along the longer side of a picture that shows a whole head; fewer may be a part cut out."""

SAME_SIZE = 0.02
"""Share by which two statements of a voxel size may differ."""

UNITS = {"meter": 1000.0, "micron": 0.001}
"""Units of lengths in mm; all others are taken for mm."""

Sizes = npt.NDArray[np.float64]


def affine_of(path: Path, header: Any) -> Affine:
    """The affine of a header in millimetres.

    The sform counts before the qform. If the voxel sizes of the sform are not those that the header gives
    beside it, the qform counts; without one the sform gives the directions alone.

    Raises:
        InputError: it cannot be inverted, so that voxels have no place.
    """
    affine: Affine = np.array(_with_sizes(header).get_best_affine(), dtype=np.float64)
    if _sform_contradicts_sizes(header):
        qform = _qform(header)
        if qform is not None:
            affine = qform
        else:
            affine[:3, :3] *= _sizes(header) / np.linalg.norm(affine[:3, :3], axis=0)
    affine[:3] *= UNITS.get(_unit(header), 1.0)
    lengths = np.linalg.norm(affine[:3, :3], axis=0)
    if (
        not np.isfinite(affine).all()
        or lengths.min() == 0
        or abs(np.linalg.det(affine[:3, :3] / lengths)) < 1e-4
    ):
        raise InputError(Fault("nifti.affine", path, affine=affine[:3].round(3).tolist()))
    return affine


def contradictions(header: Any) -> tuple[Note, ...]:
    """What of a header's two geometries does not fit together, and which of them is used."""
    if _sform_contradicts_sizes(header):
        sform = np.linalg.norm(header.get_sform()[:3, :3], axis=0)
        return (Note("geometries_differ", sform=_said(sform), sizes=_said(_sizes(header))),)
    qform = _qform(header)
    if int(header["sform_code"]) > 0 and qform is not None:
        from nibabel.orientations import io_orientation

        if not np.array_equal(io_orientation(qform), io_orientation(header.get_sform())):
            return (Note("orientations_differ"),)
    return ()


def doubtful_sizes(affine: Affine, shape: tuple[int, ...], header: Any) -> Note | None:
    """Why the size of the voxels cannot be what the header says; ``None`` if it can.

    Args:
        affine: from :func:`affine_of`.
        shape: of the volume, two or three sizes.
        header: of the file.
    """
    if int(header["sform_code"]) <= 0 and not _sizes(header)[: len(shape)].all():
        return Note("size_unknown")
    lengths = np.linalg.norm(affine[:3, :3], axis=0)[: len(shape)]
    several = np.array(shape) > 1  # the thickness of a lone slice may be anything
    said = _said(lengths)
    if not _can_be(lengths[several]):
        unit = _unit(header)
        for cause, factor in (
            ("unit_is_metre", 0.001 if unit == "meter" else 0),
            ("unit_is_micron", 1000.0 if unit == "micron" else 0),
            ("size_in_metres", 1000.0),
            ("size_in_microns", 0.001),
        ):
            if factor and _can_be(lengths[several] * factor):
                return Note(cause, size=said, meant=_said(lengths * factor))
        return Note("size_impossible", size=said)
    extents = lengths * shape
    if extents.max() > WIDEST or _too_narrow(affine, shape, extents):
        return Note("head_impossible", size=said, head=_said(extents, digits=3))
    return None


def _too_narrow(affine: Affine, shape: tuple[int, ...], extents: Sizes) -> bool:
    """Whether a picture shows less than a head. A slab of a few slices may be thin, if it was placed."""
    plane = sorted(range(len(shape)), key=lambda axis: (shape[axis] > 1, _across(affine, axis)))[-2:]
    if max(shape[axis] for axis in plane) < OF_A_HEAD:
        return False
    if np.array_equal(affine, np.eye(4)):  # written by a program that knew no place
        plane = [axis for axis in range(len(shape)) if shape[axis] > 1]
    return bool(min(extents[axis] for axis in plane) < NARROWEST)


def _across(affine: Affine, axis: int) -> float:
    """How far an axis runs across the body and not along it, in 0..1."""
    column = affine[:3, axis]
    return 1 - float(abs(column[2]) / np.linalg.norm(column))


def _can_be(lengths: Sizes) -> bool:
    return bool((lengths >= SMALLEST).all() and (lengths <= LARGEST).all())


def _said(lengths: Sizes, digits: int = 4) -> str:
    return " x ".join(f"{length:.{digits}g}" for length in lengths)


def _sform_contradicts_sizes(header: Any) -> bool:
    if int(header["sform_code"]) <= 0:
        return False
    sform, sizes = np.linalg.norm(header.get_sform()[:3, :3], axis=0), _sizes(header)
    known = np.concatenate([sform, sizes])
    if not np.isfinite(known).all() or known.min() <= 0:
        return False
    return bool((np.abs(sform - sizes) > SAME_SIZE * sizes).any())


def _sizes(header: Any) -> Sizes:
    """Voxel sizes as the header gives them beside its geometries; 0 where it gives none."""
    return np.abs(np.asarray(header["pixdim"][1:4], np.float64))


def _with_sizes(header: Any) -> Any:
    """The header with 1 mm where it gives no voxel size."""
    copied = header.copy()
    copied["pixdim"][1:4] = np.where(header["pixdim"][1:4] == 0, 1, header["pixdim"][1:4])
    return copied


def _qform(header: Any) -> Affine | None:
    """The qform, if there is one that can be used."""
    from nibabel.spatialimages import HeaderDataError

    if int(header["qform_code"]) <= 0:
        return None
    try:
        qform: Affine = np.asarray(_with_sizes(header).get_qform(), np.float64)
    except (HeaderDataError, ValueError):  # numbers that are no rotation
        return None
    return qform if np.isfinite(qform).all() else None


def _unit(header: Any) -> str:
    try:
        return str(header.get_xyzt_units()[0])
    except KeyError:  # an unknown code: millimetres, as everyone assumes
        return "unknown"

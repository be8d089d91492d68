"""Bring the sequences of a scan onto the grid of FLAIR by where they lie in the patient, and join them.

One way for all kinds of files. A sequence that cannot be used is left out, and that is noted: FLAIR alone
gives nearly the same mask, and no mask at all helps nobody.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from glioseg.errors import Fault
from glioseg.grid import Grid
from glioseg.io.placement import affine_of
from glioseg.io.turn import Affine
from glioseg.scan import SEQUENCES, Scan
from glioseg.words import Note, Phrase

LEAST_OVERLAP = 0.5
"""Share of the FLAIR's voxels that another sequence must reach."""


def joined(scans: Mapping[str, Scan], notes: tuple[Note, ...] = ()) -> Scan:
    """One scan of several sequences on the grid of FLAIR.

    Args:
        scans: one of a single sequence each, ``flair`` among them.
        notes: what is to be known besides.

    Returns:
        The scan of FLAIR with the sequences that could be used, in the order of
        :data:`glioseg.scan.SEQUENCES`. Its notes say which were interpolated and which were left out.
    """
    flair = scans["flair"]
    voxels: dict[str, npt.NDArray[Any]] = {}
    said: list[str] = [*flair.notes]
    files = list(flair.storage.files)
    for name in SEQUENCES:
        if name not in scans:
            continue
        scan = scans[name]
        moved, note = (scan.voxels, None) if name == "flair" else _brought(name, scan, flair)
        said += [note] if note is not None else []
        if moved is not None:
            voxels[name] = moved
            said += scan.notes
            files += scan.storage.files
    storage = flair.storage
    if storage.format == "nifti":
        storage = replace(storage, files=tuple(dict.fromkeys(files)))
    together = np.concatenate(list(voxels.values()), axis=-1)
    told = tuple(dict.fromkeys([*said, *notes]))
    return Scan(together, flair.grid, flair.id, tuple(voxels), storage=storage, notes=told)


def unread(name: str, title: str, fault: Fault) -> Note:
    """The note of a sequence that cannot be used.

    Args:
        name: of the sequence.
        title: what a person calls its file or series.
        fault: why.
    """
    found = fault.phrase("found")
    return Note("left_out_unread", sequence=Phrase(f"sequence.{name}"), file=title, found=found)


def _brought(name: str, scan: Scan, flair: Scan) -> tuple[npt.NDArray[Any] | None, Note | None]:
    """Voxels of a sequence on the grid of FLAIR, or ``None`` if they cannot be there; and what to note."""
    if flair.grid.lies_on(scan.grid):
        return scan.voxels, None
    said = {"sequence": Phrase(f"sequence.{name}"), "file": _title(scan)}
    if scan.grid.affine is None or flair.grid.affine is None:
        return None, Note("left_out_unplaced", **said)
    if scan.storage.format == flair.storage.format == "dicom":
        frames = {each.storage.header.first.frame_of_reference for each in (scan, flair)}
        if len(frames) > 1:
            return None, Note("left_out_moved", **said)
    share = overlap(scan.grid, flair.grid)
    if share < LEAST_OVERLAP:
        return None, Note("left_out_elsewhere", share=f"{share:.0%}", **said)
    moved = onto(scan.voxels[..., 0], scan.grid, flair.grid)
    if _handedness(scan) * _handedness(flair) < 0:
        mirrored = onto(scan.voxels[:, :, ::-1, 0], scan.grid, flair.grid)
        like = flair.voxels[..., 0]
        if _likeness(mirrored, like) > _likeness(moved, like):
            return None, Note("left_out_mirrored", **said)
    return moved[..., None], Note("interpolated", **said)


def onto(voxels: npt.NDArray[Any], grid: Grid, like: Grid) -> npt.NDArray[Any]:
    """Linear interpolation at the voxel centres of ``like``; 0 outside.

    Args:
        voxels: ``(slices, height, width)`` on ``grid``.
        grid: where they lie.
        like: the grid of FLAIR.

    Returns:
        ``(slices, height, width)`` on ``like``, in the dtype of ``voxels``.
    """
    from scipy.ndimage import affine_transform

    index = _index(grid, like)
    exact = np.float64 if voxels.dtype.itemsize > 4 else np.float32
    moved = affine_transform(
        voxels.astype(exact), index[:3, :3], index[:3, 3], like.shape, order=1, mode="constant", cval=0
    )
    if voxels.dtype.kind in "iu":
        moved = np.rint(moved)
    return moved.astype(voxels.dtype)


def overlap(grid: Grid, like: Grid) -> float:
    """Share of the voxels of ``like``, sampled, whose centres lie within ``grid``."""
    index = _index(grid, like)
    places = np.stack(
        np.meshgrid(*[np.linspace(0, size - 1, min(size, 24)) for size in like.shape], indexing="ij"), -1
    )
    there = places @ index[:3, :3].T + index[:3, 3]
    inside = (there > -0.5) & (there < np.array(grid.shape) - 0.5)
    return float(inside.all(axis=-1).mean())


def _index(grid: Grid, like: Grid) -> Affine:
    """From voxel indices of ``like`` to those of ``grid``."""
    assert grid.affine is not None
    assert like.affine is not None
    index: Affine = np.linalg.inv(grid.affine) @ like.affine
    return index


def _handedness(scan: Scan) -> float:
    """1 or -1 for volumes of NIfTI, by whether the axes of the file are a right hand; 0 for others.

    Programs that lose an affine and make up another mirror a head by its header. Two files of one head may
    differ in this and both be right, so that their voxels have to be compared.
    """
    header = scan.storage.header
    if scan.storage.format != "nifti" or header is None:
        return 0.0
    affine = affine_of(Path(scan.id), header)
    return float(np.sign(np.linalg.det(affine[:3, :3])))


def _likeness(one: npt.NDArray[Any], other: npt.NDArray[Any]) -> float:
    """Correlation of two sequences. Of 70 pairs all were more alike as they are than with one mirrored."""
    some = slice(None, None, max(1, one.size // 1_000_000))
    first, second = (each.ravel()[some].astype(np.float64) for each in (one, other))
    if first.std() == 0 or second.std() == 0:
        return 0.0
    return float(np.corrcoef(first, second)[0, 1])


def _title(scan: Scan) -> str:
    """What a person calls a sequence: its series or its file."""
    if scan.storage.format == "dicom":
        return str(scan.storage.header.title)
    return "" if scan.source is None else scan.source.name

"""The reader of DICOM in the registry: scans from series, masks from and to DICOM SEG."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from glioseg.errors import Fault, InputError, raise_all
from glioseg.io.dicom.anonymise import KEPT
from glioseg.io.dicom.detect import is_dicom, require_dicom
from glioseg.io.dicom.headers import Frame, open_header, read_frames
from glioseg.io.dicom.match import choose
from glioseg.io.dicom.pixels import read_voxels
from glioseg.io.dicom.resample import onto
from glioseg.io.dicom.series import Series, find_series
from glioseg.io.names import is_hidden, listed
from glioseg.io.pictures import as_labels, as_mask
from glioseg.io.turn import Affine, Turn, orient
from glioseg.scan import CHANNELS, Grid, LabelMap, Made, Mask, Scan


@dataclass(frozen=True, eq=False)
class Native(Turn):
    """How a grid stands in its series, whose axes are columns, rows and slices along their normal.

    Attributes:
        series: the images of FLAIR.
        header: pydicom's dataset of what the first file says of patient and study.
        affine: from (column, row, slice) to RAS+ millimetres.
        anonymise: whether what is written for this grid names no patient.
        made: how the masks that are written for this grid came about.
    """

    series: Series
    header: Any
    affine: Affine
    anonymise: bool = False
    made: Made = "automatic"


def read(path: Path, id: str) -> Scan:
    """Read the sequences in a file or folder; a single series counts as the one that was asked for.

    Raises:
        InputError: there is no MR series or none that is FLAIR, a file is damaged, or slices are missing,
            doubled or without a place.
    """
    require_dicom()
    files = dicom_files(path)
    frames, faults, others = _frames_of(files)
    raise_all(faults)
    if not frames:
        cure = "Give the MR series."
        raise InputError(Fault(path, "MR images", f"only {listed(sorted(set(others))) or 'none'}", cure))
    series = find_series(frames)
    if len(series) == 1:
        raise_all(series[0].faults)
        return _scan({"flair": series[0]}, id)
    chosen, wrong = choose(series, str(path), {})
    raise_all(wrong)
    return _scan(chosen, id)


def read_files(files: Sequence[Path], sequences: Sequence[str], id: str) -> Scan:
    """Read files of which it is known what sequence they hold, from :func:`glioseg.io.dicom.find.find_dicom`.

    Raises:
        InputError: as :func:`read`.
    """
    require_dicom()
    chosen: dict[str, Series] = {}
    for name in dict.fromkeys(sequences):
        members = [file for file, sequence in zip(files, sequences, strict=True) if sequence == name]
        frames, faults, _ = _frames_of(members)
        raise_all(faults)
        series = find_series(frames)
        if len(series) != 1:
            titles = listed(each.title for each in series) or "none"
            cure = "Export its stacks (echoes, times, orientations) as files of their own."
            raise InputError(Fault(members[0], "a file of one stack of slices", titles, cure))
        raise_all(series[0].faults)
        chosen[name] = series[0]
    return _scan(chosen, id)


def read_mask(path: Path, like: Grid | None) -> Mask:
    """Read a DICOM SEG of one segment.

    Raises:
        InputError: it is no SEG, is damaged, holds several segments, or does not lie on ``like``.
    """
    from glioseg.io.dicom.segmentation import read_segments
    from glioseg.io.names import stem_of

    require_dicom()
    voxels, grid = read_segments(path, like)
    return Mask(as_mask(path, voxels), grid, stem_of(path))


def read_labels(path: Path, like: Grid | None, values: Sequence[int] | None) -> LabelMap:
    """Read a DICOM SEG of several segments; see :mod:`glioseg.io.dicom.segment` for their values.

    Raises:
        InputError: as :func:`read_mask`, or there are other values than ``values``.
    """
    from glioseg.io.dicom.segmentation import read_segments
    from glioseg.io.names import stem_of

    require_dicom()
    voxels, grid = read_segments(path, like)
    return LabelMap(as_labels(path, voxels, values), grid, stem_of(path))


def write_mask(mask: Mask, folder: Path, name: str) -> list[Path]:
    """Write ``folder/<name>_mask.dcm``, a DICOM SEG of the segment ``lesion`` that refers to the images."""
    from glioseg.io.dicom.segment import write_segments

    return [
        write_segments(mask.voxels.astype(np.uint8), mask.grid, folder / f"{name}_mask.dcm", {1: "lesion"})
    ]


def write_labels(labels: LabelMap, folder: Path, name: str) -> list[Path]:
    """Write ``folder/<name>_mask.dcm``, a DICOM SEG with the segment ``label <value>`` for each value."""
    from glioseg.io.dicom.segment import write_segments

    values = [int(value) for value in np.unique(labels.voxels) if value] or [1]
    titles = {value: f"label {value}" for value in values}
    return [write_segments(labels.voxels, labels.grid, folder / f"{name}_mask.dcm", titles)]


def anonymised(grid: Grid) -> Grid:
    """The same grid, so that what is written for it names no patient."""
    if not isinstance(grid.native, Native):
        return grid
    return replace(grid, native=replace(grid.native, anonymise=True))


def marked(grid: Grid, made: Made) -> Grid:
    """The same grid, so that a SEG written for it says how its mask came about."""
    if not isinstance(grid.native, Native):
        return grid
    return replace(grid, native=replace(grid.native, made=made))


def dicom_files(path: Path) -> list[Path]:
    """The DICOM files that a path is or holds, hidden ones aside."""
    if not path.is_dir():
        return [path]
    found = []
    for folder, folders, files in os.walk(path):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        here = (Path(folder, name) for name in sorted(files))
        found += [file for file in here if not is_hidden(file) and is_dicom(file)]
    return found


def series_grid(series: Series) -> tuple[Grid, Turn]:
    """The grid of a series as presented, and how it stands in the series."""
    shape = (series.first.columns, series.first.rows, len(series.frames))
    turn = Turn(shape, *orient(series.affine, shape))
    affine = turn.presented_affine(series.affine)
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    sizes = (float(spacing[0]), float(spacing[1]), float(spacing[2]))
    return Grid(turn.sizes, sizes, affine, format="dicom", files=series.files), turn


def _scan(chosen: dict[str, Series], id: str) -> Scan:
    flair = chosen["flair"]
    grid, turn = series_grid(flair)
    channels = []
    names = tuple(name for name in CHANNELS if name in chosen)
    for name in names:
        series = chosen[name]
        own, own_turn = (grid, turn) if series is flair else series_grid(series)
        voxels = own_turn.presented(read_voxels(series))
        channels.append(onto(voxels, own, grid, series, flair))
    header = open_header(flair.first.file, list(KEPT))
    native = Native(turn.shape, turn.axes, turn.flips, flair, header, flair.affine)
    return Scan(np.stack(channels, axis=-1), replace(grid, native=native), id, names)


def _frames_of(files: Sequence[Path]) -> tuple[list[Frame], list[Fault], list[str]]:
    frames: list[Frame] = []
    faults: list[Fault] = []
    others: list[str] = []
    for file in files:
        try:
            found, kind = read_frames(file)
        except InputError as error:
            faults += error.faults
            continue
        frames += found
        if kind:
            others.append(kind)
    return frames, faults, others

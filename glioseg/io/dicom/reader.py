"""The reader of DICOM in the registry: scans from series, masks from and to DICOM SEG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from glioseg.errors import Fault, InputError, raise_all
from glioseg.io.dicom.detect import dicom_files, require_dicom
from glioseg.io.dicom.headers import Frame, read_frames
from glioseg.io.dicom.match import choose
from glioseg.io.dicom.native import Native, series_grid
from glioseg.io.dicom.pixels import read_voxels
from glioseg.io.dicom.resample import onto
from glioseg.io.dicom.segment import write_segments
from glioseg.io.dicom.segmentation import read_segments
from glioseg.io.dicom.series import Series, find_series
from glioseg.io.names import listed, stem_of
from glioseg.io.pictures import as_labels, as_mask
from glioseg.scan import CHANNELS, Grid, LabelMap, Made, Mask, Scan


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
        if not others:
            raise InputError(Fault("dicom.nothing", path))
        raise InputError(Fault("dicom.other_objects", path, kinds=listed(sorted(set(others)))))
    series = find_series(frames)
    if len(series) == 1:
        raise_all(series[0].faults)
        return _scan({"flair": series[0]}, id)
    chosen, wrong = choose(series, str(path), {})
    raise_all(wrong)
    return _scan(chosen, id)


def read_series(chosen: Mapping[str, Series], id: str) -> Scan:
    """Read series whose headers are known, from :func:`glioseg.io.dicom.find.find_dicom`.

    Args:
        chosen: the series of each sequence; ``flair`` among them.
        id: name of the scan.

    Raises:
        InputError: as :func:`read`.
    """
    require_dicom()
    for series in chosen.values():
        raise_all(series.faults)
    return _scan(chosen, id)


def read_mask(path: Path, like: Grid | None) -> Mask:
    """Read a DICOM SEG of one segment.

    Raises:
        InputError: it is no SEG, is damaged, holds several segments, or does not lie on ``like``.
    """
    require_dicom()
    voxels, grid = read_segments(path, like)
    return Mask(as_mask(path, voxels), grid, stem_of(path))


def read_labels(path: Path, like: Grid | None, values: Sequence[int] | None) -> LabelMap:
    """Read a DICOM SEG of several segments; see :mod:`glioseg.io.dicom.segment` for their values.

    Raises:
        InputError: as :func:`read_mask`, or there are other values than ``values``.
    """
    require_dicom()
    voxels, grid = read_segments(path, like)
    return LabelMap(as_labels(path, voxels, values), grid, stem_of(path))


def write_mask(
    mask: Mask, folder: Path, name: str, *, anonymise: bool = False, made: Made = "automatic"
) -> list[Path]:
    """Write ``folder/<name>_mask.dcm``, a DICOM SEG of the segment ``lesion`` that refers to the images.

    Args:
        mask: the mask, of a scan that was read from DICOM.
        folder: where to write.
        name: of the file.
        anonymise: leave the patient, dates and original UIDs out.
        made: how the mask came about.
    """
    voxels, path = mask.voxels.astype(np.uint8), folder / f"{name}_mask.dcm"
    return [write_segments(voxels, mask.grid, path, {1: "lesion"}, anonymise=anonymise, made=made)]


def write_labels(
    labels: LabelMap, folder: Path, name: str, *, anonymise: bool = False, made: Made = "automatic"
) -> list[Path]:
    """Write ``folder/<name>_mask.dcm``, a DICOM SEG with the segment ``label <value>`` for each value.

    Args:
        labels: the classes, of a scan that was read from DICOM.
        folder, name, anonymise, made: as for :func:`write_mask`.
    """
    values = [int(value) for value in np.unique(labels.voxels) if value] or [1]
    titles = {value: f"label {value}" for value in values}
    path = folder / f"{name}_mask.dcm"
    return [write_segments(labels.voxels, labels.grid, path, titles, anonymise=anonymise, made=made)]


def _scan(chosen: Mapping[str, Series], id: str) -> Scan:
    flair = chosen["flair"]
    grid, turn = series_grid(flair)
    channels = []
    names = tuple(name for name in CHANNELS if name in chosen)
    for name in names:
        series = chosen[name]
        own, own_turn = (grid, turn) if series is flair else series_grid(series)
        voxels = own_turn.presented(read_voxels(series))
        channels.append(onto(voxels, own, grid, series, flair))
    native = Native(turn.shape, turn.axes, turn.flips, flair, flair.affine)
    return Scan(np.stack(channels, axis=-1), replace(grid, native=native), id, names)


def _frames_of(files: Sequence[Path]) -> tuple[list[Frame], list[Fault], list[str]]:
    frames: list[Frame] = []
    faults: list[Fault] = []
    others: list[str] = []
    for file in files:
        try:
            found, kind, *_ = read_frames(file)
        except InputError as error:
            faults += error.faults
            continue
        frames += found
        if kind:
            others.append(kind)
    return frames, faults, others

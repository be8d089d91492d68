"""The reader of DICOM in the registry: scans from series, masks from and to DICOM SEG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from glioseg.errors import Fault, InputError, raise_all
from glioseg.io.dicom.detect import dicom_files, require_dicom
from glioseg.io.dicom.headers import DicomImage, read_frames
from glioseg.io.dicom.match import choose
from glioseg.io.dicom.pixels import read_voxels
from glioseg.io.dicom.segment import write_segments
from glioseg.io.dicom.segmentation import read_segments
from glioseg.io.dicom.series import Series, find_series
from glioseg.io.dicom.volume import series_grid, show
from glioseg.io.labels import labels_of, segmentation_of
from glioseg.io.names import listed, stem_of
from glioseg.io.resample import joined, unread
from glioseg.scan import Scan, Segmentation, Storage
from glioseg.words import Note


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
    raise_all(chosen["flair"].faults)
    return _scan(chosen, id)


def read_segmentation(
    path: Path, like: Scan | Segmentation | None, labels: Mapping[int, str] | None
) -> Segmentation:
    """Read a DICOM SEG; see :mod:`glioseg.io.dicom.segment` for the values of its segments.

    Raises:
        InputError: it is no SEG, is damaged, holds other values than ``labels`` (of lesion or not, several
            segments), or does not lie on ``like``.
    """
    require_dicom()
    voxels, grid = read_segments(path, None if like is None else like.grid)
    own = Storage("dicom", (path,))
    return segmentation_of(labels_of(path, voxels, labels), like or grid, own, stem_of(path), labels)


def write_segmentation(
    segmentation: Segmentation, folder: Path, name: str, *, anonymise: bool = False
) -> list[Path]:
    """Write ``folder/<name>_mask.dcm``, a DICOM SEG that refers to the images; see :func:`write_segments`."""
    return [write_segments(segmentation, folder / f"{name}_mask.dcm", anonymise=anonymise)]


def _scan(chosen: Mapping[str, Series], id: str) -> Scan:
    """The sequences on the grid of FLAIR; a T1 that cannot be used is left out, and that is noted."""
    scans: dict[str, Scan] = {}
    left_out: list[Note] = []
    for name, series in chosen.items():
        try:
            if name != "flair":
                raise_all(series.faults)
            scans[name] = _sequence(series, id)
        except InputError as error:
            if name == "flair":
                raise
            left_out.append(unread(name, series.title, error.faults[0]))
    return joined(scans, tuple(left_out))


def _sequence(series: Series, id: str) -> Scan:
    voxels = show(series, read_voxels(series))[..., None]
    return Scan(voxels, series_grid(series), id, ("flair",), storage=Storage("dicom", series.files, series))


def _frames_of(files: Sequence[Path]) -> tuple[list[DicomImage], list[Fault], list[str]]:
    frames: list[DicomImage] = []
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

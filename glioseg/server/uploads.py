"""From an upload to a scan: names made harmless, archives unpacked within limits, masks paired."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from starlette.datastructures import UploadFile

from glioseg.errors import Fault, InputError, raise_all
from glioseg.io import find_scans, read_scan
from glioseg.io.archive import safe_name, unpack
from glioseg.io.dicom.detect import is_dicom
from glioseg.io.dicom.find import parse_series
from glioseg.io.dicom.match import FoundSeries, SeriesFault
from glioseg.io.names import is_picture, is_volume, listed, stem_of, suffix_of
from glioseg.io.numbering import numbered
from glioseg.io.sequences import with_all_channels
from glioseg.io.source import Source, without_image
from glioseg.scan import CHANNELS, Scan, Segmentation
from glioseg.server import promises
from glioseg.server.faults import UnfitError
from glioseg.server.settings import Settings

SERIES_CHOICE = "^(flair|pre|post)=.+$"
"""What the field ``series`` of an upload looks like."""
_MOST_LABELS = 16


def _choice(series: Sequence[str]) -> dict[str, str]:
    try:
        return dict(parse_series(series))
    except InputError as error:
        if all(re.match(SERIES_CHOICE, each) for each in series):  # each is right, but not all together
            raise UnfitError(*error.faults) from None
        raise


def no_limit(size: int) -> None:
    """Reserve nothing: for readers that count no memory."""


class Upload(NamedTuple):
    """What an upload holds: a scan, its mask if one came, all series of a DICOM study, and its files."""

    scan: Scan
    truth: Segmentation | None = None
    series: tuple[FoundSeries, ...] = ()
    source: Source | None = None


def keep_files(uploads: Sequence[UploadFile], folder: Path) -> None:
    """Copy the parts of an upload into a folder, under harmless names.

    Raises:
        InputError: there are none, a name climbs out, or a name is there twice.
    """
    faults = [] if uploads else [Fault("server.no_files")]
    for part in uploads:
        try:
            target = folder / safe_name(part.filename or "")
        except InputError as error:
            faults += error.faults
            continue
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("xb") as out:
                shutil.copyfileobj(part.file, out, 1 << 20)
        except (FileExistsError, NotADirectoryError):
            faults.append(Fault("server.file_twice", target.name))
    raise_all(faults)


def read_upload(
    folder: Path, settings: Settings, series: Sequence[str] = (), reserve: Callable[[int], None] = no_limit
) -> Upload:
    """Read the one scan in an upload's folder, and its mask (of DICOM: the SEG) if one is beside it.

    Args:
        folder: holds nothing but the upload.
        settings: limits.
        series: of DICOM, ``flair=SERIES`` and so on, see :func:`glioseg.io.dicom.find.parse_series`.
        reserve: called with the bytes of memory that reading takes, before anything is decoded; raises when
            there is no room for so many.

    Raises:
        InputError: there is no scan, there are several, or something cannot be read.
    """
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    archives = [path for path in files if suffix_of(path) == ".zip"]
    if archives and len(files) > 1:
        raise InputError(Fault("server.several_archives", archives[0], count=len(files)))
    if archives:
        inside = folder / f"in {stem_of(archives[0])}"
        inside.mkdir()
        unpack(archives[0], inside, settings.files, settings.unpacked_bytes, archives[0].name)
        archives[0].unlink()
        folder, files = inside, [path for path in sorted(inside.rglob("*")) if path.is_file()]
    known = [path for path in files if is_picture(path) or is_volume(path)]
    if not known and not any(is_dicom(path) for path in files):
        # Nothing that is known: the reader of what is there says so.
        return Upload(read_scan(_innermost(folder)))
    sources, faults = find_scans([folder], _choice(series))
    scans = listed(source.id for source in sources)
    if len(sources) > 1:
        raise InputError(Fault("server.several_scans", count=len(sources), scans=scans), *faults)
    raise_all(faults)
    if not sources:
        raise InputError(Fault("server.no_scan_in_upload"))
    reserve(promises.of_files(files).reading)
    return read_source(replace(sources[0], id=_id(sources[0], folder)), reserve)


def read_source(source: Source, reserve: Callable[[int], None] = no_limit) -> Upload:
    """Read a scan that was found, and its mask if one is beside it.

    Args:
        source: the scan.
        reserve: see :func:`read_upload`; of what is not DICOM the caller has reserved it already.

    Raises:
        InputError: something cannot be read.
    """
    if source.chosen:
        reserve(promises.of_series(source).reading)
    raise_all(without_image(mask) for mask in source.strays)
    try:
        scan = with_channels(source.read_as_stored())
    except InputError as error:
        if len(source.series) < 2:
            raise
        # Sequences that do not fit together: another series, or none, may.
        faults = [SeriesFault(f, source.series) for f in error.faults]
        raise InputError(*faults) from None
    return Upload(scan, _read_truth(source, scan), source.series, source)


def _read_truth(source: Source, scan: Scan) -> Segmentation | None:
    """The mask that came with a scan: lesion or not, or a few labels of which a person chooses."""
    try:
        return source.read_truth(scan)
    except InputError as refused:
        try:
            labelled = source.read_truth(scan, None)
        except InputError:
            raise refused from None
        # More values are no labels: a mask that was smoothed, or saved as JPEG.
        if labelled is None or len(labelled.counts) > _MOST_LABELS:
            raise
        return replace(labelled, labels={value: labelled.labels[value] for value in labelled.counts})


def with_channels(scan: Scan) -> Scan:
    """The scan with all channels; one sequence that fills the others is held once, not three times."""
    if scan.channels != ("flair",):
        return with_all_channels(scan)
    voxels = np.broadcast_to(scan.voxels, (*scan.voxels.shape[:3], len(CHANNELS)))
    missing = tuple(name for name in CHANNELS if name != "flair")
    return replace(scan, voxels=voxels, channels=CHANNELS, filled=missing)


def _id(source: Source, folder: Path) -> str:
    """The name of a scan; the folder of the upload itself has none that means anything."""
    if source.format == "dicom":
        plain = folder.name.removeprefix("in ")
        return source.id if source.id != folder.name else plain if plain != folder.name else "dicom"
    if source.format != "slices" or source.files[0].parent != folder:
        # Files whose whole names are sequences are called after their folder, here a random one.
        own = dict(zip(source.sequences, source.files, strict=False)).get("flair", source.files[0])
        return source.id if source.id != folder.name else stem_of(own)
    return numbered([stem_of(file) for file in source.files])[0][0] or folder.name.removeprefix("in ")


def _innermost(folder: Path) -> Path:
    """The folder that holds the files, below folders that hold nothing but one folder."""
    while True:
        inside = [path for path in folder.iterdir() if not path.name.startswith(".")]
        if len(inside) != 1:
            return folder
        if not inside[0].is_dir():
            return inside[0]
        folder = inside[0]

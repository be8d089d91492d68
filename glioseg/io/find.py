"""Which scans stand behind the paths that a person gives: files, patient folders, folders of either."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from glioseg.errors import Fault, InputError
from glioseg.files import natural_key
from glioseg.io import names
from glioseg.io.dicom.detect import is_dicom, require_dicom
from glioseg.io.refuse import check_exists, quiet, reading
from glioseg.io.registry import READERS, reader_for
from glioseg.scan import CHANNELS, Scan

if TYPE_CHECKING:
    from glioseg.io.dicom.match import FoundSeries


@dataclass(frozen=True)
class Source:
    """The files of one scan that has not been read yet.

    Attributes:
        id: name of the scan, different from that of every other source found with it.
        format: name of its reader in :data:`glioseg.io.READERS`.
        files: one file a slice for ``slices``, all of every sequence for ``dicom``, one a sequence when
            ``sequences`` are named otherwise, else one.
        sequences: which sequence each file holds, where the names of the files or DICOM headers say so.
        slice_numbers: number of each slice, for ``slices``.
        note: what was taken for what, where that is more than the names of the files say.
        series: of ``dicom``, all series of the study, each with what it was taken for.
    """

    id: str
    format: str
    files: tuple[Path, ...]
    sequences: tuple[str, ...] = ()
    slice_numbers: tuple[int, ...] = ()
    note: str = ""
    series: tuple[FoundSeries, ...] = ()

    def read(self) -> Scan:
        """Read the scan.

        Raises:
            InputError: see :func:`glioseg.io.read_scan`.
        """
        from glioseg.io import read_scan, with_all_channels

        if self.format == "dicom":
            from glioseg.io.dicom.reader import read_files

            return with_all_channels(read_files(self.files, self.sequences, self.id))
        if self.sequences:
            pre, flair, post = (
                dict(zip(self.sequences, self.files, strict=True)).get(name) for name in CHANNELS
            )
            return read_scan(flair=flair, pre=pre, post=post, id=self.id)
        if self.format == "slices":
            from glioseg.io.slices import read_slices

            return with_all_channels(read_slices(self.files, self.slice_numbers, id=self.id))
        return with_all_channels(READERS[self.format].read(self.files[0], self.id))

    def __str__(self) -> str:
        """What is read for what, for instance ``p1: a_t1.nii.gz as pre, a_flair.nii.gz as flair``."""
        if self.note:
            return f"{self.id}: {self.note}"
        if self.sequences:
            pairs = zip(self.files, self.sequences, strict=True)
            return f"{self.id}: " + ", ".join(f"{file.name} as {sequence}" for file, sequence in pairs)
        if len(self.files) > 1:
            return f"{self.id}: {len(self.files)} slices in {self.files[0].parent}"
        return f"{self.id}: {self.files[0]}"


def find_scans(
    paths: Iterable[str | Path], series: Mapping[str, str] | None = None
) -> tuple[list[Source], list[Fault]]:
    """Find the scans behind paths; images are not opened, except to tell a stack from a slice.

    A path may be a file, a patient's folder, or a folder of those at any depth. In one folder

    * images whose names differ only in the number at the end are the slices of one scan (a multi-page TIFF is
      a scan of its own),
    * NIfTI files whose names differ only in the word for the sequence (``flair``, ``t1``, ``t1post``,
      ``t1ce``, ``t1gd`` ...) are one scan; other sequences, such as T2, are left aside,
    * DICOM files, whatever they are called, are one scan a study, also over several folders; the headers say
      which series is FLAIR, pre-contrast and post-contrast,
    * masks (``..._mask``, ``..._seg``, ``..._label`` ...) and hidden files are never taken for images.

    Args:
        paths: files and folders.
        series: of DICOM, which series is ``flair``, ``pre`` or ``post``: its SeriesInstanceUID, its
            SeriesDescription, or ``none``.

    Returns:
        The scans in the order of the paths, each once, and all that is wrong with the rest; those in DICOM
        come last.
    """
    files: list[Path] = []
    dicom: dict[Path, Path] = {}
    faults: list[Fault] = []
    seen: set[str] = set()
    given = [Path(path) for path in paths]
    for path in given:
        before = len(files), len(faults), len(dicom)
        try:
            check_exists(path)
            if os.path.realpath(path) in seen:
                continue
            if path.is_dir():
                _collect(path, path, files, dicom, faults, seen)
                if (len(files), len(faults), len(dicom)) == before:
                    expected = "slices (TIFF, PNG, JPEG), NIfTI volumes or DICOM"
                    cure = "Give the folder that holds the scans; files named like masks are left aside."
                    faults.append(Fault(path, expected, "none", cure))
            elif is_dicom(path):
                dicom.setdefault(path, path)
            else:
                reader_for(path)
                files.append(path)
        except InputError as error:
            faults += error.faults
    images = [file for file in dict.fromkeys(files) if not names.is_mask(file)]
    if not images and not dicom and not faults:
        where = given[0] if given else "this command"
        what = "only files named like masks" if given else "none"
        faults.append(Fault(where, "at least one scan", what, "Give the images."))
    sources: list[Source] = []
    for parent, group in _grouped(images, lambda file: str(file.parent)).items():
        pictures = [file for file in group if names.is_picture(file)]
        for found_by in (
            _picture_scans(Path(parent), pictures),
            _volume_scans(sorted(set(group) - set(pictures))),
        ):
            sources += found_by[0]
            faults += found_by[1]
    if dicom:
        found = _dicom_scans(dicom, series)
        sources += found[0]
        faults += found[1]
    elif series:
        found_instead = f"{len(sources)} scans of other kinds"
        cure = "Use --flair, --pre and --post for files."
        faults.append(Fault("--series", "DICOM, whose series it chooses", found_instead, cure))
    return _named_apart(sources), faults


def _collect(
    given: Path,
    folder: Path,
    files: list[Path],
    dicom: dict[Path, Path],
    faults: list[Fault],
    seen: set[str],
) -> None:
    """Add the image files in a folder and the folders below it; links that lead round are followed once."""
    real = os.path.realpath(folder)
    if real in seen:
        return
    seen.add(real)
    try:
        with reading(folder):
            entries = [entry for entry in folder.iterdir() if not names.is_hidden(entry)]
            folders = {entry for entry in entries if entry.is_dir()}
    except InputError as error:
        faults += error.faults
        return
    entries.sort(key=lambda entry: natural_key(entry.name))
    files += [
        entry
        for entry in entries
        if entry not in folders
        and (names.is_picture(entry) or names.is_volume(entry))
        and not names.is_mask(entry)
    ]
    for entry in entries:
        if entry not in folders and is_dicom(entry):
            dicom.setdefault(entry, given)
    labelled = any(entry.name.casefold() == "images" for entry in folders)
    for entry in entries:
        if entry in folders and not (labelled and names.is_mask(entry)):
            _collect(given, entry, files, dicom, faults, seen)


def _dicom_scans(
    files: dict[Path, Path], series: Mapping[str, str] | None
) -> tuple[list[Source], list[Fault]]:
    try:
        require_dicom()
    except InputError as error:
        return [], list(error.faults)
    from glioseg.io.dicom.find import find_dicom

    return find_dicom(files, series)


def _picture_scans(folder: Path, pictures: Sequence[Path]) -> tuple[list[Source], list[Fault]]:
    from glioseg.io.slices import in_order

    sources: list[Source] = []
    faults: list[Fault] = []
    groups = _grouped(pictures, _scan_of_slice)
    for scan, files in groups.items():
        numbered = names.split_number(names.stem_of(files[0]))[1] is not None
        if len(files) == 1 or not numbered or _is_stack(files[0]):
            sources += [Source(names.stem_of(file), "image", (file,)) for file in files]
            continue
        try:
            ordered, numbers = in_order(folder, files)
        except InputError as error:
            faults += error.faults
            continue
        alone = len(groups) == 1 and folder.name.casefold() != "images"
        id = names.name_of(folder) if alone or not scan else scan
        sources.append(Source(id, "slices", ordered, slice_numbers=numbers))
    return sources, faults


def _scan_of_slice(file: Path) -> str:
    stem = names.stem_of(file)
    scan, number = names.split_number(stem)
    return stem if number is None else scan


def _is_stack(file: Path) -> bool:
    """Whether a file is a TIFF of several pages. A damaged file is not; reading it says what is wrong."""
    if names.suffix_of(file) not in (".tif", ".tiff"):
        return False
    import tifffile

    try:
        with quiet("tifffile"), tifffile.TiffFile(file, _multifile=False) as opened:
            return len(opened.pages) > 1
    except Exception:  # whatever tifffile runs into while parsing
        return False


def _volume_scans(volumes: Sequence[Path]) -> tuple[list[Source], list[Fault]]:
    sources = [
        Source(names.stem_of(file), "nifti", (file,)) for file in volumes if names.sequence_of(file) is None
    ]
    faults: list[Fault] = []
    named = [file for file in volumes if names.sequence_of(file) is not None]
    for scan, files in _grouped(named, names.scan_of_sequence).items():
        by_sequence = _grouped(files, lambda file: str(names.sequence_of(file)))
        for sequence in CHANNELS:
            if len(by_sequence.get(sequence, ())) > 1:
                several = names.listed(file.name for file in by_sequence[sequence])
                cure = "Name them with --flair, --pre and --post."
                expected = f"one {sequence} file for {scan}, by the words in the names"
                faults.append(Fault(files[0].parent, expected, several, cure))
        if "flair" not in by_sequence:
            found = f"only {names.listed(file.name for file in files)}"
            cure = "If one of them is FLAIR, say so: --flair FILE."
            faults.append(Fault(files[0].parent, f"a FLAIR file for {scan}", found, cure))
        elif all(len(by_sequence.get(sequence, ())) < 2 for sequence in CHANNELS):
            sequences = tuple(sequence for sequence in CHANNELS if sequence in by_sequence)
            found_files = tuple(by_sequence[sequence][0] for sequence in sequences)
            sources.append(Source(scan, "nifti", found_files, sequences))
    return sources, faults


def _grouped(files: Iterable[Path], key: Callable[[Path], str]) -> dict[str, list[Path]]:
    groups: dict[str, list[Path]] = defaultdict(list)
    for file in files:
        groups[key(file)].append(file)
    return dict(groups)


def _named_apart(sources: list[Source]) -> list[Source]:
    """Give scans of one name different ones, so that no result overwrites another, also where a disk
    does not tell small letters from capitals.
    """
    times = Counter(source.id.casefold() for source in sources)
    taken: set[str] = set()
    apart = []
    for source in sources:
        id = source.id
        if times[id.casefold()] > 1:
            id = f"{names.name_of(source.files[0].parent)}_{id}"
        number, base = 1, id
        while id.casefold() in taken:
            number += 1
            id = f"{base}_{number}"
        taken.add(id.casefold())
        apart.append(replace(source, id=id))
    return apart

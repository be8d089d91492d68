"""Which scans stand in DICOM files: one a study, with the series that are its sequences."""

from __future__ import annotations

import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

from glioseg.errors import Fault, InputError
from glioseg.io.dicom.headers import DicomImage, read_frames
from glioseg.io.dicom.match import NONE, FoundSeries, SeriesFault, choose, describe, listing, named, t2_of
from glioseg.io.dicom.series import Series, find_series
from glioseg.io.names import listed, name_of, scan_of_sequence, sequence_of, stem_of
from glioseg.scan import CHANNELS
from glioseg.words import Phrase

FEWEST_LONE = 3
"""Studies of one image that are thought to be one study whose images each got a UID of their own."""

_NO_NAME = re.compile(r"(dicom|dcm|images?|series|study|scans?|mri?|export)[ _-]?\d*", re.IGNORECASE)


@dataclass(frozen=True)
class DicomStudy:
    """A scan in DICOM.

    Attributes:
        id: name of the scan.
        chosen: the series of each sequence, ``flair`` first.
        note: what was taken for what, and what was left aside.
        series: all of them, each with what it was taken for.
        segmentations: the DICOM SEG files of the study.
        t2: the series that is T2, which few networks take.
        places: the folders of all its files.
    """

    id: str
    chosen: Mapping[str, Series]
    note: str
    series: tuple[FoundSeries, ...]
    segmentations: tuple[Path, ...] = ()
    t2: Series | None = None
    places: tuple[Path, ...] = ()


def find_dicom(
    files: Mapping[Path, Path], wanted: Mapping[str, str] | None = None
) -> tuple[list[DicomStudy], list[Fault]]:
    """Find the scans in DICOM files; only headers are read.

    Args:
        files: each file with the path that a person gave and under which it was found.
        wanted: which series is ``flair``, ``pre`` or ``post``, see :func:`glioseg.io.dicom.match.choose`.

    Returns:
        The studies, named after their folders, and all that is wrong with the rest. A study with a file
        that cannot be read in one of its folders is left out: it would be segmented without that slice.
    """
    wanted = wanted or {}
    images: list[DicomImage] = []
    faults: list[Fault] = []
    others: Counter[str] = Counter()
    broken: set[Path] = set()
    segmentations: dict[str, list[Path]] = defaultdict(list)
    for file in files:
        try:
            frames, kind, study, segmentation = read_frames(file)
        except InputError as error:
            faults += error.faults
            broken.add(file.parent)
            continue
        if frames:
            images += frames
            continue
        others[kind] += 1
        if segmentation:
            segmentations[study].append(file)
    studies = _by_study(images)
    if not studies and not faults:
        where = next(iter(files.values()))
        pairs = others.items()
        found = listed((Phrase("dicom.kind_count", kind=kind, count=count) for kind, count in pairs), 5)
        directory = any("DICOMDIR" in kind for kind in others)
        code = "dicom.only_directory" if directory else "dicom.no_images"
        faults.append(Fault(code, where, kinds=found))
    found_studies: list[DicomStudy] = []
    known_names: set[str] = set()
    for uid, frames in studies.items():
        series = find_series(frames)
        known_names |= {name for name, value in wanted.items() if named(series, value)}
        if broken.intersection(frame.file.parent for frame in frames):
            continue  # the file that was refused may be one of its slices, the first or last for instance
        folder = common_folder(frame.file for frame in frames)
        single_files = {frame.file for frame in frames}
        chosen, wrong = choose(series, str(single_files.pop() if len(single_files) == 1 else folder), wanted)
        listed_series = listing(chosen, series)
        id = _id(frames, folder, files)
        of_study = tuple(dict.fromkeys(frame.file for frame in frames))
        faults += [SeriesFault(one, listed_series, (id, of_study)) for one in wrong]
        if wrong:
            continue
        in_order: dict[str, Series] = {
            name: chosen[name] for name in ("flair", "pre", "post") if name in chosen
        }
        # An anonymised SEG has a StudyInstanceUID of its own: with one study alone it is that study's.
        own = tuple(segmentations[uid] if len(studies) > 1 else chain.from_iterable(segmentations.values()))
        note = describe(chosen, series)
        if uid not in {frame.study for frame in images if frame.file == frames[-1].file}:
            note = Phrase("dicom.own_studies", note=note)
        t2 = t2_of(series, chosen)
        places = tuple(dict.fromkeys(file.parent for file in (*of_study, *own)))
        found_studies.append(DicomStudy(id, in_order, note, listed_series, own, t2, places))
    for name, value in wanted.items():
        if studies and name not in known_names and value.casefold() != NONE:
            there = [each for frames in studies.values() for each in find_series(frames)]
            titles = listed((each.title for each in there), 8)
            missing = Fault("dicom.no_such_series", f"--series {name}={value}", series=titles)
            faults.append(SeriesFault(missing, listing({}, there)))
            found_studies = []  # what was asked for is not there: nothing is segmented in its place
    return found_studies, faults


def _by_study(images: Sequence[DicomImage]) -> dict[str, list[DicomImage]]:
    """Images by study; a study of several patients is one for each.

    Some programs give each image a study and a series of its own: if each study holds one image and all are
    of one patient, they are one study, and its series are told apart by number and description.
    """
    studies: dict[str, list[DicomImage]] = defaultdict(list)
    for frame in images:
        studies[frame.study].append(frame)
    if len(studies) >= FEWEST_LONE and _are_single_images(images, studies):
        own_series = len({frame.series for frame in images}) == len(images)
        study = images[0].study
        return {study: [replace(one, study=study, series="" if own_series else one.series) for one in images]}
    parted: dict[str, list[DicomImage]] = {}
    for uid, frames in studies.items():
        patients: dict[str, list[DicomImage]] = defaultdict(list)
        for frame in frames:
            patients[frame.patient].append(frame)
        # The first keeps the study's own UID, by which segmentations refer to it.
        for number, each in enumerate(patients.values()):
            parted[f"{uid}/{number}" if number else uid] = each
    return parted


def _are_single_images(images: Sequence[DicomImage], studies: Mapping[str, Sequence[DicomImage]]) -> bool:
    """Whether each study is one image of one patient."""
    one_each = all(len(frames) == 1 and frames[0].frames == 1 for frames in studies.values())
    return one_each and len({frame.patient for frame in images}) == 1


def parse_series(texts: Sequence[str]) -> dict[str, str]:
    """``["flair=AX FLAIR", "post=none"]`` as a mapping.

    Raises:
        InputError: a text is not SEQUENCE=SERIES, or a sequence is unknown or named twice.
    """
    wanted: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        name, value = name.strip().casefold(), value.strip()
        if not equals or name not in CHANNELS or not value or name in wanted:
            raise InputError(Fault("dicom.series_option", "--series", text=repr(text)))
        wanted[name] = value
    return wanted


def common_folder(files: Iterable[Path]) -> Path:
    """The deepest folder above all files."""
    return Path(os.path.commonpath([os.path.abspath(file.parent) for file in files]))


def _id(frames: Sequence[DicomImage], folder: Path, files: Mapping[Path, Path]) -> str:
    """The name of a scan: that of its folder; above folders named after a sequence or nothing at all."""
    first = frames[0].file
    if all(frame.file == first for frame in frames) and files[first] == first:
        return stem_of(first)
    given = Path(os.path.abspath(files[first]))
    while folder != given and folder.parent != folder and _says_nothing(folder):
        folder = folder.parent
    return name_of(folder)


def _says_nothing(folder: Path) -> bool:
    if _NO_NAME.fullmatch(folder.name):
        return True
    return sequence_of(folder) is not None and scan_of_sequence(folder) == name_of(folder.parent)

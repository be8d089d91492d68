"""The one finder: which scans stand behind the paths that a person gives, and the mask beside each.

Predicting, checking, training, evaluating, uploads and the table of features all find their scans here.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from glioseg.errors import Fault, InputError
from glioseg.files import natural_key
from glioseg.io.apart import named_apart, without_copies
from glioseg.io.dicom.detect import is_dicom, require_dicom
from glioseg.io.layouts import brats, recognised
from glioseg.io.names import (
    holds_images,
    holds_masks,
    is_hidden,
    is_mask,
    is_picture,
    is_volume,
    listed,
    patient_of,
    split_number,
    stem_of,
    suffix_of,
)
from glioseg.io.nifti_file import files_of
from glioseg.io.numbering import numbered
from glioseg.io.pack import is_pack, opened
from glioseg.io.refuse import check_exists, reading
from glioseg.io.registry import reader_for
from glioseg.io.slices import in_order, told_by_names
from glioseg.io.source import Source
from glioseg.io.tiff_pages import count_pages
from glioseg.io.truths import with_truths
from glioseg.io.vocabulary import sequence_in
from glioseg.io.volumes import volume_scans
from glioseg.words import Phrase

_Item = TypeVar("_Item")


@dataclass(frozen=True)
class Found:
    """The scans behind paths.

    Attributes:
        sources: the scans, each once.
        faults: all that is wrong with the rest.
        why: of each layout that was recognised, by what.
    """

    sources: list[Source]
    faults: list[Fault]
    why: Mapping[str, Phrase]


def find_scans(
    paths: Iterable[str | Path], series: Mapping[str, str] | None = None
) -> tuple[list[Source], list[Fault]]:
    """Find the scans behind paths; images are not opened, except to tell a stack from a slice.

    A path may be a file, a patient's folder, or a folder of those at any depth. Data sets of nnU-Net, of the
    Medical Segmentation Decathlon, in BIDS and of the WMH challenge are read as their layouts say, see
    :mod:`glioseg.io.layouts`. Elsewhere, in one folder

    * images whose names differ only in the number at the end are the slices of one scan (a multi-page TIFF is
      a scan of its own),
    * NIfTI files whose names differ only in the words for the sequence are one scan, see
      :mod:`glioseg.io.vocabulary`; other sequences, such as T2, are left aside,
    * DICOM files, whatever they are called, are one scan a study, also over several folders; the headers say
      which series is FLAIR, pre-contrast and post-contrast,
    * what is not FLAIR by name is no scan of its own beside a file that is: it belongs to that scan, or is
      left aside and named in its note,
    * a pack (see :mod:`glioseg.io.pack`) stands for the data set in it,
    * masks (``..._mask``, ``..._seg``, ``..._label`` ...) and hidden files are never taken for images; a mask
      is the truth of the scan that has its name, of the one beside its folder ``masks``, or of the only one,
    * a scan that is there twice, byte for byte, counts once.

    Args:
        paths: files and folders.
        series: of DICOM, which series is ``flair``, ``pre`` or ``post``: its SeriesInstanceUID, its
            SeriesDescription, or ``none``.

    Returns:
        The scans in the order of the paths, each once, and all that is wrong with the rest; those in DICOM
        come last.

    >>> from glioseg.samples import SAMPLES
    >>> sources, faults = find_scans([SAMPLES])
    >>> [source.id for source in sources], faults
    (['TCGA_CS_4944_20010208', 'TCGA_CS_6667_20011105', 'TCGA_HT_7692_19960724'], [])
    """
    found = find_all(paths, series)
    return found.sources, found.faults


def find_all(
    paths: Iterable[str | Path], series: Mapping[str, str] | None = None, layout: str | None = None
) -> Found:
    """Find scans as :func:`find_scans` does, and say what was recognised by what.

    Args:
        paths, series: as there.
        layout: the only layout to think of, see :func:`glioseg.io.layouts.recognised`.
    """
    given, packed = _opened(paths)
    walk = _Walk(faults=packed, layout=layout)
    for path in given:
        walk.start(path)
    images = [file for file in dict.fromkeys(walk.images) if not is_mask(file)]
    faults = walk.faults
    if not images and not walk.dicom and not faults and not walk.recognised:
        faults.append(Fault("io.only_masks", given[0]) if given else Fault("io.no_scan"))
    volumes, wrong = volume_scans([file for file in images if is_volume(file)])
    faults += wrong
    by_folder = _grouped(volumes, lambda source: str(source.files[0].parent))
    pictures = _grouped((file for file in images if is_picture(file)), lambda file: str(file.parent))
    sources: list[Source] = []
    for folder in dict.fromkeys(str(file.parent) for file in images):
        scans, wrong = _picture_scans(Path(folder), pictures.get(folder, []))
        faults += wrong
        sources += _beside_volumes(scans, by_folder.get(folder, []))
    sources = _without_other_sequences(sources)
    if walk.dicom:
        found = _dicom_scans(walk.dicom, series)
        sources = _beside_dicom(sources, found[0])
        faults += found[1]
    elif series:
        faults.append(Fault("io.series_of_files", "--series", count=len(sources)))
    sources = brats.with_labels(with_truths(sources, walk.masks), said=layout == "brats")
    return Found(named_apart(without_copies([*walk.recognised, *sources])), faults, walk.why)


def _opened(paths: Iterable[str | Path]) -> tuple[list[Path], list[Fault]]:
    """The paths, with the data set of each pack in its place, and what is wrong with packs."""
    given: list[Path] = []
    faults: list[Fault] = []
    for path in map(Path, paths):
        try:
            given.append(opened(path))
        except InputError as error:
            faults += error.faults
    return given, faults


@dataclass
class _Walk:
    """The files below the paths that were given, by kind."""

    images: list[Path] = field(default_factory=list)
    masks: list[Path] = field(default_factory=list)
    dicom: dict[Path, Path] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)
    layout: str | None = None
    recognised: list[Source] = field(default_factory=list)
    why: dict[str, Phrase] = field(default_factory=dict)

    def start(self, path: Path) -> None:
        """Add a path that a person gave."""
        before = self._counts()
        try:
            check_exists(path)
            if os.path.realpath(path) in self.seen:
                return
            if path.is_dir():
                self._folder(path, path)
                if self._counts() == before:
                    self.faults.append(Fault("io.folder_without_scans", path))
            elif is_dicom(path):
                self.dicom.setdefault(path, path)
            else:
                reader_for(path)
                path = files_of(path)[1]
                (self.masks if is_mask(path) else self.images).append(path)
        except InputError as error:
            self.faults += error.faults

    def _counts(self) -> tuple[int, ...]:
        return len(self.images), len(self.faults), len(self.dicom), len(self.recognised)

    def _is_recognised(self, folder: Path) -> bool:
        """Add the scans of a folder in a known layout, and tell whether it is one."""
        found = recognised(folder, self.layout)
        if found is None:
            return False
        self.recognised += found.sources
        self.faults += found.faults
        self.why.update({source.layout: found.why for source in found.sources[:1]})
        return True

    def _folder(self, given: Path, folder: Path, *, masks: bool = False) -> None:
        """Add the files in a folder and the folders below it; links that lead round are followed once."""
        real = os.path.realpath(folder)
        if real in self.seen:
            return
        self.seen.add(real)
        if not masks and self._is_recognised(folder):
            return
        try:
            with reading(folder):
                entries = [entry for entry in folder.iterdir() if not is_hidden(entry)]
                entries = [entry for entry in entries if not is_pack(entry)]
                folders = {entry for entry in entries if entry.is_dir()}
        except InputError as error:
            self.faults += error.faults
            return
        entries.sort(key=lambda entry: natural_key(entry.name))
        for entry in entries:
            if entry in folders:
                continue
            if is_picture(entry) or is_volume(entry):
                (self.masks if masks or is_mask(entry) else self.images).append(entry)
            elif not masks and is_dicom(entry):
                self.dicom.setdefault(entry, given)
        labelled = any(holds_images(entry) for entry in folders)
        for entry in entries:
            if entry in folders:
                self._folder(given, entry, masks=masks or (labelled and holds_masks(entry)))


def _dicom_scans(
    files: Mapping[Path, Path], series: Mapping[str, str] | None
) -> tuple[list[Source], list[Fault]]:
    try:
        require_dicom()
    except InputError as error:
        return [], list(error.faults)
    from glioseg.io.dicom.find import find_dicom

    studies, faults = find_dicom(files, series)
    sources = []
    for study in studies:
        pairs = [(file, name) for name, each in study.chosen.items() for file in each.files]
        paths, sequences = zip(*pairs, strict=True)
        sources.append(
            Source(
                study.id,
                "dicom",
                paths,
                sequences,
                note=study.note,
                series=study.series,
                truth=study.segmentations,
                chosen=study.chosen,
                further={} if study.t2 is None else {"t2": study.t2},
                places=study.places,
            )
        )
    return sources, faults


def _picture_scans(folder: Path, pictures: Sequence[Path]) -> tuple[list[Source], list[Fault]]:
    sources: list[Source] = []
    faults: list[Fault] = []
    read = dict(zip(pictures, numbered([stem_of(file) for file in pictures]), strict=True))
    groups = _grouped(pictures, lambda file: read[file][0] if read[file][1] is not None else stem_of(file))
    for scan, files in groups.items():
        if len(files) == 1 or read[files[0]][1] is None or _is_stack(files[0]):
            sources += [Source(stem_of(file), "image", (file,)) for file in files]
            continue
        try:
            ordered, numbers = in_order(folder, files)
        except InputError as error:
            faults += error.faults
            continue
        single_group = len(groups) == 1 and not holds_images(folder)
        id = patient_of(folder) if single_group or not scan else scan
        note = told_by_names(ordered, [read[file] for file in ordered]) or ""
        sources.append(Source(id, "slices", ordered, slice_numbers=numbers, note=note))
    return _with_singles_said(sources), faults


def _with_singles_said(sources: Sequence[Source]) -> list[Source]:
    """The scans of a folder; the few pictures that stand alone beside slices, maybe astray, have a note."""
    slices = [source for source in sources if source.format == "slices"]
    if not slices:
        return list(sources)
    singles = [source for source in sources if source.format == "image" and not _is_stack(source.files[0])]
    if len(singles) >= sum(len(source.files) for source in slices):
        return list(sources)
    told = Phrase("slices.single", scan=slices[0].id)
    said = [replace(single, note=f"{single.described}: {told}") for single in singles]
    return [said[singles.index(source)] if source in singles else source for source in sources]


def _scan_of_slice(file: Path) -> str:
    stem = stem_of(file)
    scan, number = split_number(stem)
    return stem if number is None else scan


def _is_stack(file: Path) -> bool:
    """Whether a file is a TIFF of several pages. A damaged file is not; reading it says what is wrong."""
    return suffix_of(file) in (".tif", ".tiff") and count_pages(file) > 1


# --- what stands beside a scan and is none ----------------------------------------------------


def _beside_volumes(pictures: list[Source], volumes: list[Source]) -> list[Source]:
    """The scans of a folder: single pictures beside volumes, without a number, were made to look at them."""
    if not volumes:
        return pictures
    looked_at = [each for each in pictures if _is_single_picture(each)]
    rest = [each for each in pictures if each not in looked_at]
    return [*rest, _aside(volumes[0], looked_at), *volumes[1:]]


def _beside_dicom(sources: list[Source], studies: list[Source]) -> list[Source]:
    """All scans, without single pictures in folders of DICOM, which programs put there as previews."""
    for place, study in enumerate(studies):
        folders = {file.parent for file in study.files}
        previews = [each for each in sources if _is_single_picture(each) and each.place.parent in folders]
        studies[place] = _aside(study, previews)
        sources = [each for each in sources if each not in previews]
    return [*sources, *studies]


def _is_single_picture(source: Source) -> bool:
    return source.format == "image" and split_number(stem_of(source.files[0]))[1] is None


def _without_other_sequences(sources: list[Source]) -> list[Source]:
    """Leave pictures aside that are not FLAIR by name where pictures beside them are.

    What stands beside is the other images of a folder, or those in other folders named after sequences.
    """
    places: dict[int, tuple[Path, str | None]] = {}
    for number, source in enumerate(sources):
        if source.format in ("image", "slices"):
            folder = Path(os.path.abspath(source.files[0])).parent
            said = sequence_in(_scan_of_slice(source.files[0]))
            by_folder = sequence_in(folder.name)
            if said is None and by_folder is not None:
                places[number] = folder.parent, by_folder
            else:
                places[number] = folder, said
    for home in dict.fromkeys(place for place, _ in places.values()):
        here = [number for number, (place, _) in places.items() if place == home]
        flair = [number for number in here if places[number][1] == "flair"]
        if not flair:
            continue
        others = [sources[number] for number in here if number not in flair]
        sources[flair[0]] = _aside(sources[flair[0]], others)
        for number in set(here) - set(flair):
            places.pop(number)
    kept = set(places)
    return [
        each
        for number, each in enumerate(sources)
        if number in kept or each.format not in ("image", "slices")
    ]


def _aside(source: Source, others: Sequence[Source]) -> Source:
    """The scan with a note of what was left aside."""
    if not others:
        return source
    names = listed((each.place.name for each in others), 4)
    return replace(source, note=f"{source.note or source.described}; left aside: {names}")


def _grouped(items: Iterable[_Item], key: Callable[[_Item], str]) -> dict[str, list[_Item]]:
    groups: dict[str, list[_Item]] = defaultdict(list)
    for item in items:
        groups[key(item)].append(item)
    return dict(groups)

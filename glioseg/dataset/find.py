"""The labelled scans of a folder: which images and masks are whose, in which order.

The layouts of slices are read strictly here: what is missing in them would be trained on unseen. All other
scans are those of :mod:`glioseg.io.find`. Only names are looked at, and headers of DICOM;
:mod:`glioseg.dataset.check` opens the files.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from glioseg.errors import Fault, InputError, raise_all
from glioseg.io.dicom.detect import SUFFIXES as DICOM_SUFFIXES
from glioseg.io.find import find_scans
from glioseg.io.names import (
    is_hidden,
    is_picture,
    is_volume,
    listed,
    name_of,
    split_number,
    stem_of,
    suffix_of,
)
from glioseg.io.pack import SUFFIX, opened
from glioseg.io.refuse import reading
from glioseg.io.source import Source, without_image, without_mask
from glioseg.scan import LabelMap, Mask, Scan

KAGGLE = "kaggle_3m"
IMAGES_MASKS = "images-masks"
SCANS = "scans"

DEFAULT_RULE = r"(?P<patient>.+?)_(?P<slice>\d+)$"
"""The patient is everything before the last ``_<number>``."""

_TCGA = re.compile(r"TCGA_(?P<site>[A-Z0-9]{2})_[A-Z0-9]{4}(_\d{8})?")


@dataclass(frozen=True)
class Case:
    """A labelled scan: a scan that was found, and its truth.

    Attributes:
        source: the files of the scan and of its mask.
        layout: ``"kaggle_3m"``, ``"images-masks"`` or ``"scans"``.
    """

    source: Source
    layout: str

    @property
    def id(self) -> str:
        """Name of the patient."""
        return self.source.id

    @property
    def images(self) -> tuple[Path, ...]:
        """The files of the scan: of slices, one a slice in slice order."""
        return self.source.files

    @property
    def masks(self) -> tuple[Path | None, ...]:
        """Of slices the mask of each, or ``None`` where there is none; otherwise the one mask."""
        if self.source.format == "slices" and not self.source.truth:
            return (None,) * len(self.source.files)
        return self.source.truth

    @property
    def slice_numbers(self) -> tuple[int, ...]:
        """Of slices the number of each, ascending."""
        return self.source.slice_numbers

    @property
    def site(self) -> str | None:
        """The institution, for names like ``TCGA_CS_4941_19960909``, where it is ``CS``."""
        return site_of(self.id)


@dataclass(frozen=True)
class Survey:
    """What the names in a data set's folder say.

    Attributes:
        layout: as in :class:`Case`; ``""`` when nothing was recognised.
        cases: the labelled scans, sorted by id, as far as they could be understood.
        faults: everything that is wrong.
        notes: what is unusual but allowed.
    """

    layout: str
    cases: tuple[Case, ...]
    faults: tuple[Fault, ...]
    notes: tuple[str, ...] = ()


def find_cases(folder: str | Path, rule: str | None = None, cache: Path | None = None) -> list[Case]:
    """Find the labelled scans in a folder.

    Three layouts are known. ``kaggle_3m``: a folder a patient, with ``<patient>_<n>.tif`` and
    ``<patient>_<n>_mask.tif``. ``images-masks``: folders ``images/`` and ``masks/`` of slices; the mask of an
    image has its stem, or its stem and ``_mask``. ``scans``: whatever else
    :func:`glioseg.io.find.find_scans` finds, with a mask beside each scan.

    Args:
        folder: the data set, or a pack of one (see :mod:`glioseg.io.pack`).
        rule: for ``images-masks``: regular expression that finds the patient at the start of a file's stem,
            as its first group or as the group ``patient``; a group ``slice`` may find the slice number.
            By default the patient is everything before the last ``_<number>``, and a file without a
            number is a patient of its own.
        cache: where the files of a pack are laid out, :func:`glioseg.files.default_cache` if not given.

    Returns:
        The cases sorted by id; every image has its mask.

    Raises:
        InputError: all that is wrong with the names: nothing there, images without mask, masks without
            image, slice numbers that are missing or occur twice, names that do not parse.
    """
    found = survey(folder, rule, cache)
    raise_all(found.faults)
    return list(found.cases)


def read_case(case: Case) -> tuple[Scan, Mask | None]:
    """Read the scan of a case and its mask (``None`` when no slice has one).

    Raises:
        InputError: files cannot be read or do not fit together; all faults of the case at once.
    """
    scan = case.source.read()
    return scan, case.source.read_truth(scan.grid)


def read_labelled_case(case: Case, values: Sequence[int]) -> tuple[Scan, LabelMap | None]:
    """Read the scan of a case and its classes (``None`` when no slice has a mask).

    Args:
        case: the case.
        values: labels that its masks may hold besides 0.

    Raises:
        InputError: as :func:`read_case`, or a mask holds other values.
    """
    scan = case.source.read()
    return scan, case.source.read_labels(scan.grid, values)


def survey(folder: str | Path, rule: str | None = None, cache: Path | None = None) -> Survey:
    """Look at all names in a data set's folder, once, and report everything; see :func:`find_cases`.

    Raises:
        InputError: the folder cannot be read, or parts of a pack are missing or damaged.
    """
    folder = opened(Path(folder), cache)
    pattern = _compiled(rule)
    folders, pictures = _entries(folder)
    inside = {entry.name.casefold(): entry for entry in folders}
    if ("images" in inside or "masks" in inside) and not _has_volumes(folder):
        missing = [name for name in ("images", "masks") if name not in inside]
        if missing:
            cure = f"Put the {missing[0]} into {folder / missing[0]}."
            fault = Fault(folder, "folders images and masks", f"no folder {missing[0]}", cure)
            return Survey("images-masks", (), (fault,))
        return _images_and_masks(inside["images"], inside["masks"], pattern)
    if rule is not None:
        cure = "Leave the rule away, or sort the files into images and masks."
        fault = Fault(folder, "folders images and masks for a patient rule", "neither", cure)
        return Survey("", (), (fault,))
    found = _patient_folders(folder, folders, pictures)
    if found.layout and not found.faults:
        return found
    if any(_has_volumes(each) for each in (folder, *folders)):
        return _scans(folder)
    if found.layout:
        return found
    # Not as the public data set: stacks, slices of several patients in one folder, deeper volumes ...
    others = _scans(folder)
    alone = [case for case in others.cases if case.source.format == "slices" and case.id == name_of(folder)]
    slices = all(case.source.format == "slices" for case in others.cases)
    known = others.cases and not alone and (not slices or bool(pictures))
    return others if known else found


def _scans(folder: Path) -> Survey:
    """The scans that predicting would find, each of which needs its mask."""
    sources, found = find_scans([folder])
    faults = list(found)
    for source in sources:
        truth = [file for file in source.truth if file is not None]
        if not truth:
            expected = "a mask beside it"
            cure = "Add it, for instance as <name>_mask.nii.gz, or remove the scan."
            faults.append(Fault(source.place, expected, "none", cure))
        elif source.format == "slices":
            pairs = zip(source.files, source.truth, strict=True)
            faults += [without_mask(image) for image, mask in pairs if mask is None]
        elif len(truth) > 1:
            several = listed(file.name for file in truth)
            faults.append(Fault(source.place, "one mask for the scan", several, "Leave one of them there."))
        faults += [without_image(mask) for mask in source.strays]
    cases = tuple(Case(source, SCANS) for source in sorted(sources, key=lambda source: source.id))
    notes = tuple(str(source) for source in sources if source.note and source.format != "dicom")
    return Survey(SCANS if cases else "", cases, tuple(faults), notes)


def _has_volumes(folder: Path) -> bool:
    """Whether volumes or DICOM lie in a folder or the folders in it; only names are looked at."""
    try:
        inside = [folder, *_entries(folder)[0]]
        return any(
            is_volume(file) or suffix_of(file) in DICOM_SUFFIXES
            for each in inside
            for file in each.iterdir()
            if not is_hidden(file)
        )
    except (InputError, OSError):
        return False


def site_of(id: str) -> str | None:
    """The institution in a TCGA name (``CS`` in ``TCGA_CS_4941_19960909``), otherwise ``None``."""
    named = _TCGA.fullmatch(id)
    return named["site"] if named else None


def _entries(folder: Path) -> tuple[list[Path], list[Path]]:
    """Folders and picture files in a folder, hidden ones left out, sorted."""
    with reading(folder), os.scandir(folder) as scan:
        entries = sorted((entry.name, entry.is_dir()) for entry in scan if not entry.name.startswith("."))
    # A pack beside the scans is no patient.
    folders = [folder / name for name, is_folder in entries if is_folder and not name.endswith(SUFFIX)]
    pictures = [folder / name for name, is_folder in entries if not is_folder and is_picture(Path(name))]
    return folders, pictures


def _patient_folders(root: Path, folders: list[Path], pictures: list[Path]) -> Survey:
    cases: list[Case] = []
    faults: list[Fault] = []
    empty: list[Path] = []
    for folder in folders:
        try:
            case, wrong = _patient(folder)
        except InputError as error:
            faults += error.faults
            continue
        faults += wrong
        if case is not None:
            cases.append(case)
        elif not wrong:
            empty.append(folder)
    if not cases and not faults:
        return Survey("", (), (_nothing(root, empty, pictures),))
    faults += [
        Fault(folder, "the slices of a patient", "no image", "Add its images, or remove the folder.")
        for folder in empty
    ]
    faults += [
        Fault(file, "images inside the folders of patients", "one beside them", "Move it into its folder.")
        for file in pictures
    ]
    return Survey(KAGGLE, tuple(sorted(cases, key=lambda case: case.id)), tuple(faults))


def _nothing(root: Path, folders: list[Path], pictures: list[Path]) -> Fault:
    """The fault of a folder without a patient; says where there are some, if one level up or down."""
    expected = "folders of patients, or folders images and masks"
    if pictures:
        return Fault(
            root, expected, f"{len(pictures)} images", f"Give {root.resolve().parent}, which holds it."
        )
    for folder in folders:
        with suppress(InputError):
            if any(_entries(inside)[1] for inside in _entries(folder)[0][:3]):
                return Fault(root, expected, f"them only one level down, in {folder.name}", f"Give {folder}.")
    found = f"{len(folders)} folders without images" if folders else "an empty folder"
    cure = "Give the unpacked kaggle_3m folder, or make images and masks."
    return Fault(root, expected, found, cure)


def _patient(folder: Path) -> tuple[Case | None, list[Fault]]:
    id = folder.name
    images: dict[int, Path] = {}
    masks: dict[int, Path] = {}
    faults: list[Fault] = []
    inside, files = _entries(folder)
    faults += [
        Fault(entry, "an image", "a folder of that name", "Rename it or take it away.")
        for entry in inside
        if is_picture(entry)
    ]
    for file in files:
        stem = stem_of(file)
        slice_stem = stem.removesuffix("_mask")
        prefix, number = split_number(slice_stem)
        if prefix != id or number is None:
            expected = f"a name like {id}_12.tif or {id}_12_mask.tif"
            faults.append(Fault(file, expected, file.name, "Rename it, or move it to its own patient."))
            continue
        _put(masks if slice_stem != stem else images, number, file, faults)
    faults += [without_mask(images[number]) for number in sorted(images.keys() - masks.keys())]
    faults += [without_image(masks[number]) for number in sorted(masks.keys() - images.keys())]
    gaps = sorted(set(range(1, max(images, default=0) + 1)) - images.keys())
    if gaps:
        found = f"no slice {listed(gaps, 5)}"
        cure = "Download or unpack the patient anew."
        faults.append(Fault(folder, f"slices 1 to {max(images)} without gaps", found, cure))
    return (_case(id, images, masks, KAGGLE) if images else None), faults


def _put(among: dict[int, Path], number: int, file: Path, faults: list[Fault]) -> None:
    if number in among:
        found = f"also {among[number].name}"
        faults.append(Fault(file, f"one file for slice {number}", found, "Remove one of them."))
    else:
        among[number] = file


def _case(id: str, images: dict[int, Path], masks: dict[int, Path], layout: str) -> Case:
    numbers = tuple(sorted(images))
    files = tuple(images[number] for number in numbers)
    truth = tuple(masks.get(number) for number in numbers) if masks else ()
    return Case(Source(id, "slices", files, slice_numbers=numbers, truth=truth), layout)


# --- images/ and masks/ ---------------------------------------------------------------------


def _compiled(rule: str | None) -> re.Pattern[str]:
    where = f"the patient rule {rule!r}"
    cure = r"For instance '(?P<patient>[^_]+)_(?P<slice>\d+)'."
    try:
        pattern = re.compile(DEFAULT_RULE if rule is None else rule)
    except re.error as error:
        raise InputError(Fault(where, "a regular expression", str(error), cure)) from error
    if "patient" not in pattern.groupindex and pattern.groups != 1:
        found = f"{pattern.groups} groups and none of that name"
        raise InputError(Fault(where, "one group, or a group named patient", found, cure))
    return pattern


def _images_and_masks(image_folder: Path, mask_folder: Path, pattern: re.Pattern[str]) -> Survey:
    faults: list[Fault] = []
    images = _by_stem(image_folder, faults)
    masks = _by_stem(mask_folder, faults)
    if not images and not faults:
        faults.append(Fault(image_folder, "images (TIFF, PNG, JPEG)", "none", "Put the slices there."))
    patients: dict[str, dict[int, Path]] = {}
    its_masks: dict[str, dict[int, Path]] = {}
    for stem, image in images.items():
        own = [masks.pop(name) for name in dict.fromkeys((stem, f"{stem}_mask")) if name in masks]
        if len(own) > 1:
            found = f"also {own[1].name}"
            faults.append(Fault(own[0], f"one mask for {image.name}", found, "Remove one of them."))
        if not own:
            expected = f"a mask of its name in {mask_folder.name}"
            cure = f"Add {mask_folder.name}/{stem}.png, or remove the image."
            faults.append(Fault(image, expected, "none", cure))
        id, number = _parsed(stem, pattern, default=pattern.pattern == DEFAULT_RULE)
        if not id:
            cure = "Rename it, or give another rule."
            faults.append(Fault(image, "a name that the patient rule fits", pattern.pattern, cure))
            continue
        slices = patients.setdefault(id, {})
        if number is None and slices:
            cure = "Name them like patient_12.png, or give a rule with a group named slice."
            faults.append(Fault(image, f"a slice number, since {id} has several slices", "none", cure))
            continue
        number = 1 if number is None else number
        _put(slices, number, image, faults)
        if own:
            its_masks.setdefault(id, {}).setdefault(number, own[0])
    faults += [without_image(mask) for mask in masks.values()]
    cases = [_case(id, patients[id], its_masks.get(id, {}), IMAGES_MASKS) for id in sorted(patients)]
    return Survey(IMAGES_MASKS, tuple(cases), tuple(faults), tuple(_oddities(cases)))


def _by_stem(folder: Path, faults: list[Fault]) -> dict[str, Path]:
    files: dict[str, Path] = {}
    for file in _entries(folder)[1]:
        stem = stem_of(file)
        if stem in files:
            faults.append(
                Fault(file, f"one file for {stem}", f"also {files[stem].name}", "Remove one of them.")
            )
        files.setdefault(stem, file)
    return files


def _parsed(stem: str, pattern: re.Pattern[str], *, default: bool) -> tuple[str | None, int | None]:
    """Patient and slice number of a file's stem by the rule."""
    found = pattern.match(stem)
    if found is None:
        return (stem, None) if default else (None, None)
    id = found["patient"] if "patient" in pattern.groupindex else found[1]
    if "slice" in pattern.groupindex:
        digits = found["slice"]
    else:
        numbers = re.findall(r"\d+", stem[found.end("patient" if "patient" in pattern.groupindex else 1) :])
        digits = numbers[-1] if numbers else None
    return id, int(digits) if digits and digits.isdigit() else None


def _oddities(cases: list[Case]) -> list[str]:
    """Notes on what is allowed where slices may have been left out on purpose, but worth a look."""
    gapped = [
        case.id for case in cases if len(case.images) != case.slice_numbers[-1] - case.slice_numbers[0] + 1
    ]
    notes = []
    if gapped:
        notes.append(f"slices are missing between others in {listed(gapped)}")
    if len(cases) == 1 and len(cases[0].images) > 1:
        notes.append(f"all images belong to one patient ({cases[0].id}); a patient rule tells patients apart")
    return notes

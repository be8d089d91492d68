"""The labelled scans of a folder: which images and masks are whose, in which order.

The layouts of slices are read strictly here: what is missing in them would be trained on unseen. All other
scans are those of :mod:`glioseg.io.find`. Only names are looked at, and headers of DICOM;
:mod:`glioseg.dataset.check` opens the files.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from glioseg.dataset.case import Case, read_case, site_of
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

__all__ = ["Case", "Survey", "find_cases", "read_case", "site_of", "survey"]

KAGGLE = "kaggle_3m"
IMAGES_MASKS = "images-masks"
SCANS = "scans"

DEFAULT_RULE = r"(?P<patient>.+?)_(?P<slice>\d+)$"
"""The patient is everything before the last ``_<number>``."""


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

    Three layouts are known. ``kaggle_3m``: a folder for each patient, with ``<patient>_<n>.tif`` and
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
            fault = Fault("dataset.no_folder", folder, name=missing[0], place=folder / missing[0])
            return Survey("images-masks", (), (fault,))
        return _images_and_masks(inside["images"], inside["masks"], pattern)
    if rule is not None:
        return Survey("", (), (Fault("dataset.rule_without_folders", folder),))
    found = _patient_folders(folder, folders, pictures)
    if found.layout and not found.faults:
        return found
    if any(_has_volumes(each) for each in (folder, *folders)):
        return _scans(folder)
    if found.cases:
        return found
    # Not as the public data set: stacks, slices of several patients in one folder, deeper volumes ...
    others = _scans(folder)
    of_folder = [
        case for case in others.cases if case.source.format == "slices" and case.id == name_of(folder)
    ]
    slices = all(case.source.format == "slices" for case in others.cases)
    if found.layout:  # folders with pictures, of which none has the names of its folder
        return found if others.faults or not others.cases else others
    known = others.cases and not of_folder and (not slices or bool(pictures))
    return others if known else found


def _scans(folder: Path) -> Survey:
    """The scans that predicting would find, each of which needs its mask."""
    sources, found = find_scans([folder])
    faults = list(found)
    for source in sources:
        truth = [file for file in source.truth if file is not None]
        if not truth:
            faults.append(Fault("dataset.scan_without_mask", source.place))
        elif source.format == "slices":
            pairs = zip(source.files, source.truth, strict=True)
            faults += [without_mask(image) for image, mask in pairs if mask is None]
        elif len(truth) > 1:
            several = listed(file.name for file in truth)
            faults.append(Fault("io.several_masks", source.place, files=several))
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
    faults += [Fault("dataset.empty_patient", folder) for folder in empty]
    faults += [Fault("dataset.image_beside_patients", file) for file in pictures]
    return Survey(KAGGLE, tuple(sorted(cases, key=lambda case: case.id)), tuple(faults))


def _nothing(root: Path, folders: list[Path], pictures: list[Path]) -> Fault:
    """The fault of a folder without a patient; says where there are some, if one level up or down."""
    if pictures:
        return Fault("dataset.images_alone", root, count=len(pictures), above=root.resolve().parent)
    for folder in folders:
        with suppress(InputError):
            if any(_entries(inside)[1] for inside in _entries(folder)[0][:3]):
                return Fault("dataset.one_level_down", root, name=folder.name, folder=folder)
    if not folders:
        return Fault("dataset.empty_folder", root)
    return Fault("dataset.folders_without_images", root, count=len(folders))


def _patient(folder: Path) -> tuple[Case | None, list[Fault]]:
    id = folder.name
    images: dict[int, Path] = {}
    masks: dict[int, Path] = {}
    faults: list[Fault] = []
    inside, files = _entries(folder)
    faults += [Fault("dataset.folder_named_like_image", entry) for entry in inside if is_picture(entry)]
    for file in files:
        stem = stem_of(file)
        slice_stem = stem.removesuffix("_mask")
        prefix, number = split_number(slice_stem)
        if prefix != id or number is None:
            faults.append(Fault("dataset.name_of_slice", file, patient=id, name=file.name))
            continue
        _put(masks if slice_stem != stem else images, number, file, faults)
    faults += [without_mask(images[number]) for number in sorted(images.keys() - masks.keys())]
    faults += [without_image(masks[number]) for number in sorted(masks.keys() - images.keys())]
    gaps = sorted(set(range(1, max(images, default=0) + 1)) - images.keys())
    if gaps:
        faults.append(Fault("dataset.gaps", folder, last=max(images), numbers=listed(gaps, 5)))
    return (_case(id, images, masks, KAGGLE) if images else None), faults


def _put(among: dict[int, Path], number: int, file: Path, faults: list[Fault]) -> None:
    if number in among:
        faults.append(Fault("dataset.slice_twice", file, number=number, other=among[number].name))
    else:
        among[number] = file


def _case(id: str, images: dict[int, Path], masks: dict[int, Path], layout: str) -> Case:
    numbers = tuple(sorted(images))
    files = tuple(images[number] for number in numbers)
    truth = tuple(masks.get(number) for number in numbers) if masks else ()
    return Case(Source(id, "slices", files, slice_numbers=numbers, truth=truth), layout)


# --- images/ and masks/ ---------------------------------------------------------------------


def _compiled(rule: str | None) -> re.Pattern[str]:
    try:
        pattern = re.compile(DEFAULT_RULE if rule is None else rule)
    except re.error as error:
        raise InputError(Fault("dataset.rule_no_expression", rule=repr(rule), reason=error)) from error
    if "patient" not in pattern.groupindex and pattern.groups != 1:
        raise InputError(Fault("dataset.rule_groups", rule=repr(rule), count=pattern.groups))
    return pattern


def _images_and_masks(image_folder: Path, mask_folder: Path, pattern: re.Pattern[str]) -> Survey:
    faults: list[Fault] = []
    images = _by_stem(image_folder, faults)
    masks = _by_stem(mask_folder, faults)
    if not images and not faults:
        faults.append(Fault("dataset.no_images", image_folder))
    patients: dict[str, dict[int, Path]] = {}
    its_masks: dict[str, dict[int, Path]] = {}
    for stem, image in images.items():
        own = [masks.pop(name) for name in dict.fromkeys((stem, f"{stem}_mask")) if name in masks]
        if len(own) > 1:
            faults.append(Fault("dataset.mask_twice", own[0], image=image.name, other=own[1].name))
        if not own:
            faults.append(Fault("dataset.image_without_mask", image, folder=mask_folder.name, stem=stem))
        id, number = _parsed(stem, pattern, default=pattern.pattern == DEFAULT_RULE)
        if not id:
            faults.append(Fault("dataset.rule_does_not_fit", image, rule=pattern.pattern))
            continue
        slices = patients.setdefault(id, {})
        if number is None and slices:
            faults.append(Fault("dataset.no_slice_number", image, patient=id))
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
            faults.append(Fault("dataset.name_twice", file, stem=stem, other=files[stem].name))
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

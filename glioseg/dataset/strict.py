"""The layouts of slices, read strictly: what is missing in them would be trained on unseen.

``kaggle_3m`` has a folder for each patient, ``images-masks`` the folders ``images/`` and ``masks/``.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from glioseg.dataset.case import IMAGES_MASKS, KAGGLE, Case, Survey
from glioseg.errors import Fault, InputError
from glioseg.io.names import is_hidden, is_mask, is_picture, listed, split_number, stem_of, unpacked_masks
from glioseg.io.pack import SUFFIX
from glioseg.io.refuse import reading
from glioseg.io.source import Source, without_image, without_mask
from glioseg.words import Phrase

DEFAULT_RULE = r"(?P<patient>.+?)_(?P<slice>\d+)$"
"""The patient is everything before the last ``_<number>``."""


def entries(folder: Path) -> tuple[list[Path], list[Path]]:
    """Folders and picture files in a folder, hidden ones left out, sorted."""
    with reading(folder), os.scandir(folder) as scan:
        inside = sorted((entry.name, entry.is_dir()) for entry in scan if not is_hidden(Path(entry.name)))
    # A pack beside the scans is no patient.
    folders = [folder / name for name, is_folder in inside if is_folder and not name.endswith(SUFFIX)]
    pictures = [folder / name for name, is_folder in inside if not is_folder and is_picture(Path(name))]
    return folders, pictures


def patient_folders(root: Path, folders: list[Path], pictures: list[Path]) -> Survey:
    """The patients of whom each has a folder of slices and masks."""
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
    by_id = tuple(sorted(cases, key=lambda case: case.id))
    return Survey(KAGGLE, by_id, tuple(faults), why=Phrase(f"layout.{KAGGLE}"))


def _nothing(root: Path, folders: list[Path], pictures: list[Path]) -> Fault:
    """The fault of a folder without a patient; says where there are some, if one level up."""
    if pictures:
        return Fault("dataset.images_alone", root, count=len(pictures), above=root.resolve().parent)
    if not folders:
        return Fault("dataset.empty_folder", root)
    return Fault("dataset.folders_without_images", root, count=len(folders))


def _patient(folder: Path) -> tuple[Case | None, list[Fault]]:
    id = folder.name
    images: dict[int, Path] = {}
    masks: dict[int, Path] = {}
    faults: list[Fault] = []
    inside, files = entries(folder)
    faults += [Fault("dataset.folder_named_like_image", entry) for entry in inside if is_picture(entry)]
    for file in files:
        stem = stem_of(file)
        slice_stem = stem.removesuffix("_mask")
        prefix, number = split_number(slice_stem)
        if prefix != id or number is None:
            faults.append(Fault("dataset.name_of_slice", file, patient=id, name=file.name))
            continue
        _put(masks if slice_stem != stem else images, number, file, faults)
    if not masks:
        masks = _unpacked(folder, faults)
    faults += [without_mask(images[number]) for number in sorted(images.keys() - masks.keys())]
    faults += [without_image(masks[number]) for number in sorted(masks.keys() - images.keys())]
    gaps = sorted(set(range(1, max(images, default=0) + 1)) - images.keys())
    if gaps:
        faults.append(Fault("dataset.gaps", folder, last=max(images), numbers=listed(gaps, 5)))
    return (_case(id, images, masks, KAGGLE) if images else None), faults


def _unpacked(folder: Path, faults: list[Fault]) -> dict[int, Path]:
    """The masks of a patient in a folder of their own below, as the server gives them out, by slice."""
    masks: dict[int, Path] = {}
    for place in unpacked_masks(folder, folder.name):
        for file in entries(place)[1] if place.is_dir() else ():
            prefix, number = split_number(stem_of(file).removesuffix("_mask"))
            if is_mask(file) and prefix == folder.name and number is not None:
                _put(masks, number, file, faults)
    return masks


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


def compiled(rule: str | None) -> re.Pattern[str]:
    """The patient rule, by default :data:`DEFAULT_RULE`.

    Raises:
        InputError: it is no regular expression, or has other groups.
    """
    try:
        pattern = re.compile(DEFAULT_RULE if rule is None else rule)
    except re.error as error:
        raise InputError(Fault("dataset.rule_no_expression", rule=repr(rule), reason=error)) from error
    if "patient" not in pattern.groupindex and pattern.groups != 1:
        raise InputError(Fault("dataset.rule_groups", rule=repr(rule), count=pattern.groups))
    return pattern


def images_and_masks(image_folder: Path, mask_folder: Path, pattern: re.Pattern[str]) -> Survey:
    """The patients whose slices and masks lie in two folders."""
    for folder in (image_folder, mask_folder):
        if not folder.is_dir():
            fault = Fault("dataset.no_folder", folder.parent, name=folder.name, place=folder)
            return Survey(IMAGES_MASKS, (), (fault,))
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
    notes = tuple(_oddities(cases))
    return Survey(IMAGES_MASKS, tuple(cases), tuple(faults), notes, Phrase(f"layout.{IMAGES_MASKS}"))


def _by_stem(folder: Path, faults: list[Fault]) -> dict[str, Path]:
    files: dict[str, Path] = {}
    for file in entries(folder)[1]:
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

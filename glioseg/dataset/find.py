"""Find the labelled scans of a folder: which images and masks are whose, in which order.

Only names are looked at here; :mod:`glioseg.dataset.check` opens the files.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from glioseg.errors import Fault, raise_all
from glioseg.io import with_all_channels
from glioseg.io.names import is_picture, split_number, stem_of
from glioseg.io.refuse import reading
from glioseg.io.slices import read_slice_masks, read_slices
from glioseg.scan import Mask, Scan

_TCGA = re.compile(r"TCGA_(?P<site>[A-Z0-9]{2})_[A-Z0-9]{4}(_\d{8})?")


@dataclass(frozen=True)
class Case:
    """The files of one labelled scan.

    Attributes:
        id: name of the patient.
        images: one file a slice, in slice order.
        masks: the mask of each image, or ``None`` where there is none.
        slice_numbers: number of each slice, ascending.
        site: the institution, for names like ``TCGA_CS_4941_19960909``, where it is ``CS``.
        layout: ``"kaggle_3m"`` or ``"images-masks"``.
    """

    id: str
    images: tuple[Path, ...]
    masks: tuple[Path | None, ...]
    slice_numbers: tuple[int, ...]
    site: str | None
    layout: str


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


def find_cases(folder: str | Path, rule: str | None = None) -> list[Case]:
    """Find the labelled scans in a folder.

    Two layouts are known. ``kaggle_3m``: a folder a patient, with ``<patient>_<n>.tif`` and
    ``<patient>_<n>_mask.tif``. ``images-masks``: folders ``images/`` and ``masks/``; the mask of an image
    has its stem, or its stem and ``_mask``.

    Args:
        folder: the data set.
        rule: for ``images-masks``: regular expression that finds the patient at the start of a file's stem,
            as its first group or as the group ``patient``; a group ``slice`` may find the slice number.
            By default the patient is everything before the last ``_<number>``, and a file without a
            number is a patient of its own.

    Returns:
        The cases sorted by id; every image has its mask.

    Raises:
        InputError: all that is wrong with the names: nothing there, images without mask, masks without
            image, slice numbers that are missing or occur twice, names that do not parse.
    """
    found = survey(folder, rule)
    raise_all(found.faults)
    return list(found.cases)


def read_case(case: Case) -> tuple[Scan, Mask | None]:
    """Read the scan of a case and its mask (``None`` when no slice has one).

    Raises:
        InputError: files cannot be read or do not fit together; all faults of the case at once.
    """
    scan = with_all_channels(read_slices(case.images, case.slice_numbers, id=case.id))
    masks = [mask for mask in case.masks if mask is not None]
    if not masks:
        return scan, None
    raise_all(_no_mask(image) for image, mask in zip(case.images, case.masks, strict=True) if mask is None)
    return scan, read_slice_masks(masks, scan.grid, case.id)


def survey(folder: str | Path, rule: str | None = None) -> Survey:
    """Look at all names in a data set's folder, once, and report everything; see :func:`find_cases`.

    Raises:
        InputError: the folder cannot be read.
    """
    folder = Path(folder)
    return _patient_folders(folder)


def site_of(id: str) -> str | None:
    """The institution in a TCGA name (``CS`` in ``TCGA_CS_4941_19960909``), otherwise ``None``."""
    named = _TCGA.fullmatch(id)
    return named["site"] if named else None


def _no_mask(image: Path) -> Fault:
    name = f"{stem_of(image)}_mask{image.suffix}"
    return Fault(image, "a mask beside it", "none", f"Add {name}, or remove the image.")


def _no_image(mask: Path) -> Fault:
    return Fault(mask, "the image that it belongs to", "none", "Add the image, or remove the mask.")


def _entries(folder: Path) -> tuple[list[Path], list[Path]]:
    """Folders and picture files in a folder, hidden ones left out, sorted."""
    with reading(folder), os.scandir(folder) as scan:
        entries = sorted((entry.name, entry.is_dir()) for entry in scan if not entry.name.startswith("."))
    folders = [folder / name for name, is_folder in entries if is_folder]
    pictures = [folder / name for name, is_folder in entries if not is_folder and is_picture(Path(name))]
    return folders, pictures


def _patient_folders(root: Path) -> Survey:
    cases: list[Case] = []
    faults: list[Fault] = []
    for folder in _entries(root)[0]:
        case, wrong = _patient(folder)
        faults += wrong
        if case is not None:
            cases.append(case)
    return Survey("kaggle_3m", tuple(cases), tuple(faults))


def _patient(folder: Path) -> tuple[Case | None, list[Fault]]:
    id = folder.name
    images: dict[int, Path] = {}
    masks: dict[int, Path] = {}
    faults: list[Fault] = []
    for file in _entries(folder)[1]:
        stem = stem_of(file)
        prefix, number = split_number(stem.removesuffix("_mask"))
        if prefix != id or number is None:
            expected = f"a name like {id}_12.tif or {id}_12_mask.tif"
            faults.append(Fault(file, expected, file.name, "Rename it, or move it to its own patient."))
            continue
        among = masks if stem.endswith("_mask") else images
        if number in among:
            expected = f"one {'mask' if among is masks else 'image'} for slice {number}"
            faults.append(Fault(file, expected, f"also {among[number].name}", "Remove one of them."))
        among.setdefault(number, file)
    if not images:
        return None, faults
    faults += [_no_mask(images[number]) for number in sorted(images.keys() - masks.keys())]
    faults += [_no_image(masks[number]) for number in sorted(masks.keys() - images.keys())]
    numbers = tuple(sorted(images))
    case = Case(
        id,
        tuple(images[number] for number in numbers),
        tuple(masks.get(number) for number in numbers),
        numbers,
        site_of(id),
        "kaggle_3m",
    )
    return case, faults

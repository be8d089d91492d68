"""The labelled scans of a folder: which images and masks are whose, in which order.

The layouts of slices are read strictly, see :mod:`glioseg.dataset.strict`. All other scans are those of
:mod:`glioseg.io.find`. Only names are looked at, headers of DICOM, and the JSON files that describe a data
set; :mod:`glioseg.dataset.check` opens the images.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from glioseg.dataset.case import IMAGES_MASKS, KAGGLE, LAYOUTS, SCANS, Case, Survey, read_case, site_of
from glioseg.dataset.strict import compiled, entries, images_and_masks, patient_folders
from glioseg.errors import Fault, InputError, raise_all
from glioseg.io.apart import named_apart, without_copies
from glioseg.io.dicom.detect import SUFFIXES as DICOM_SUFFIXES
from glioseg.io.find import find_all
from glioseg.io.layouts import recognised
from glioseg.io.names import holds_images, holds_masks, is_hidden, is_volume, listed, suffix_of
from glioseg.io.pack import opened
from glioseg.io.source import Source, with_channels, without_image, without_mask
from glioseg.words import Joined, Phrase

__all__ = ["Case", "Survey", "find_cases", "read_case", "site_of", "survey"]

_SIDES = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
    "testing": "test",
}
"""Folders of a data set that was split beforehand, and which side each is."""

_SIDES_OF_IMAGES = {"imagestr": "train", "imagesval": "validation", "imagests": "test"}
"""The same for the folders of images that nnU-Net and the Decathlon have."""

_TOLD_BY_NAMES = ("nnunet", "decathlon", "brats", "bids", "wmh", "dicom")
"""Layouts that names or headers show: to call other files so makes nothing of them."""
_NUMBERED_OR_NOT = {"nnunet": ("decathlon",), "decathlon": ("nnunet",)}
"""Those that differ in whether a sequence is a file of its own."""

_LEVELS_DOWN = 3
"""How far below a folder its data set is looked for."""


def find_cases(
    folder: str | Path,
    rule: str | None = None,
    cache: Path | None = None,
    layout: str | None = None,
    channels: str = "",
) -> list[Case]:
    """Find the labelled scans in a folder.

    Layouts are recognised by names. ``kaggle_3m``: a folder for each patient, with ``<patient>_<n>.tif`` and
    ``<patient>_<n>_mask.tif``. ``images-masks``: folders ``images/`` and ``masks/``; the mask of an image has
    its stem, or its stem and ``_mask``. ``nnunet``, ``decathlon``, ``bids``, ``wmh`` and ``brats``: see
    :mod:`glioseg.io.layouts`. ``dicom``: series with a SEG. ``scans``: whatever else
    :func:`glioseg.io.find.find_scans` finds, with a mask beside each scan. Folders ``train``, ``val`` and
    ``test`` may each hold one of these; their patients keep their side.

    Args:
        folder: the data set, or a pack of one (see :mod:`glioseg.io.pack`).
        rule: for ``images-masks`` of slices: regular expression that finds the patient at the start of a
            file's stem, as its first group or as the group ``patient``; a group ``slice`` may find the slice
            number. By default the patient is everything before the last ``_<number>``, and a file without a
            number is a patient of its own.
        cache: where the files of a pack are laid out, :func:`glioseg.files.default_cache` if not given.
        layout: one of these names, instead of what would be recognised.
        channels: what lies along the fourth axis of volumes, see :func:`glioseg.io.with_channels`.

    Returns:
        The cases sorted by id; every image has its mask.

    Raises:
        InputError: all that is wrong with the names: nothing there, images without mask, masks without
            image, slice numbers that are missing or occur twice, names that do not parse.
    """
    found = survey(folder, rule, cache, layout, channels)
    raise_all(found.faults)
    return list(found.cases)


def survey(
    folder: str | Path,
    rule: str | None = None,
    cache: Path | None = None,
    layout: str | None = None,
    channels: str = "",
) -> Survey:
    """Look at all names in a data set's folder, once, and report everything; see :func:`find_cases`.

    Raises:
        InputError: the folder cannot be read, parts of a pack are missing or damaged, there is no such
            layout, or the channels are none of volumes.
    """
    if layout is not None and layout not in LAYOUTS:
        raise InputError(Fault("dataset.layout", "--layout", layout=layout, known=Joined(LAYOUTS)))
    root = opened(Path(folder), cache)
    pattern = compiled(rule)
    found = _survey(root, pattern, layout, _LEVELS_DOWN)
    if rule is not None and found.layout != IMAGES_MASKS and not found.faults:
        return Survey("", (), (Fault("dataset.rule_without_folders", root),))
    sources = with_channels([case.source for case in found.cases], channels)
    cases = tuple(replace(case, source=source) for case, source in zip(found.cases, sources, strict=True))
    return replace(found, cases=cases)


def _survey(folder: Path, pattern: re.Pattern[str], layout: str | None, levels: int) -> Survey:
    folders, pictures = entries(folder)
    sides = {each: _SIDES[each.name.casefold()] for each in folders if each.name.casefold() in _SIDES}
    if len(set(sides.values())) > 1 and "train" in sides.values() and not pictures:
        return _split_beforehand(folder, {each: _survey(each, pattern, layout, 1) for each in sides}, sides)
    if layout is not None:
        return _of_layout(folder, folders, pictures, pattern, layout)
    if any(recognised(each) for each in (folder, *folders)):
        return _scans(folder)
    pair = _images_and_masks(folder, folders)
    if pair is not None and not _has_volumes(folder):
        return images_and_masks(*pair, pattern)
    found = patient_folders(folder, folders, pictures)
    if found.layout and not found.faults:
        return found
    if any(_has_volumes(each) for each in (folder, *folders)):
        return _scans(folder)
    if found.cases:
        return found
    # Not as the public data set: stacks, slices of several patients in one folder, deeper folders ...
    below = [_survey(each, pattern, None, levels - 1) for each in folders if levels and not pictures]
    below = [each for each in below if each.cases]
    if below and not found.layout:
        return _one_level_down(below)
    others = _scans(folder)
    if found.layout:  # folders with pictures, of which none has the names of its folder
        return found if others.faults or not others.cases else others
    if pictures and [case.source.place for case in others.cases] == [folder]:
        note = Phrase("dataset.one_patient", patient=others.cases[0].id)
        return replace(others, notes=(note, *others.notes))
    return others if others.cases else found


def _of_layout(
    folder: Path, folders: list[Path], pictures: list[Path], pattern: re.Pattern[str], layout: str
) -> Survey:
    """The scans of a folder whose layout a person says."""
    if layout == KAGGLE:
        return patient_folders(folder, folders, pictures)
    pair = _images_and_masks(folder, folders)
    if layout == IMAGES_MASKS and pair is not None and not _has_volumes(folder):
        return images_and_masks(*pair, pattern)
    return _scans(folder, layout)


def _images_and_masks(folder: Path, folders: Sequence[Path]) -> tuple[Path, Path] | None:
    """The folders of images and of masks in a data set; of those named so, one may be missing."""
    named = {entry.name.casefold(): entry for entry in folders}
    if not {"images", "masks"} & named.keys():
        return None
    images = [each for each in folders if holds_images(each)]
    masks = [each for each in folders if holds_masks(each)]
    return (
        named.get("images") or (images[0] if len(images) == 1 else folder / "images"),
        named.get("masks") or (masks[0] if len(masks) == 1 else folder / "masks"),
    )


def _scans(folder: Path, layout: str | None = None) -> Survey:
    """The scans that predicting would find, each of which needs its mask."""
    found = find_all([folder], layout=layout)
    faults = list(found.faults)
    found_as = {source.layout or _kind(source) for source in found.sources}
    if layout in _TOLD_BY_NAMES and found_as and not found_as & {layout, *_NUMBERED_OR_NOT.get(layout, ())}:
        faults.append(Fault("dataset.other_layout", folder, layout=layout, found=Joined(sorted(found_as))))
    cases: list[Case] = []
    unlabelled = 0
    for source in found.sources:
        wrong = _of_truth(source)
        side = _SIDES_OF_IMAGES.get(source.files[0].parent.name.casefold(), "")
        if side == "test" and not any(source.truth):
            unlabelled += 1
            continue
        faults += wrong
        cases.append(Case(source, layout or source.layout or _kind(source), side))
    cases.sort(key=lambda case: case.id)
    kinds = {case.layout for case in cases}
    kind = kinds.pop() if len(kinds) == 1 else SCANS if kinds else ""
    why = found.why.get(kind) or (Phrase(f"layout.{kind}") if kind else "")
    told = [source for source in found.sources if source.format != "dicom" and not source.layout]
    notes = [str(source) for source in told if source.note]
    if unlabelled:
        notes.append(Phrase("dataset.unlabelled", count=unlabelled))
    notes += [
        Phrase("dataset.lacks", patient=case.id, files=Joined(case.source.lacks))
        for case in cases
        if case.source.lacks
    ]
    return Survey(kind, tuple(cases), tuple(faults), tuple(notes), why)


def _of_truth(source: Source) -> list[Fault]:
    """What is wrong with the mask of a scan, by names."""
    truth = [file for file in source.truth if file is not None]
    faults = [without_image(mask) for mask in source.strays]
    if not truth:
        # A folder may hold many scans; only that of a study names one.
        where = source.place if source.format == "dicom" else source.files[0]
        return [Fault("dataset.scan_without_mask", where), *faults]
    if source.format == "slices":
        pairs = zip(source.files, source.truth, strict=True)
        return [*(without_mask(image) for image, mask in pairs if mask is None), *faults]
    if len(truth) > 1:
        several = listed(file.name for file in truth)
        return [Fault("io.several_masks", source.place, files=several), *faults]
    return faults


def _kind(source: Source) -> str:
    """The layout of a scan that was found by the names of its files."""
    if source.format == "dicom":
        return "dicom"
    apart = any(mask is not None and mask.parent != source.files[0].parent for mask in source.truth)
    return IMAGES_MASKS if source.format == "nifti" and apart else SCANS


def _split_beforehand(folder: Path, found: Mapping[Path, Survey], sides: Mapping[Path, str]) -> Survey:
    """The patients of folders for training, validation and test, each on its side."""
    surveys = [
        replace(each, cases=tuple(replace(case, side=sides[side]) for case in each.cases))
        for side, each in found.items()
    ]
    seen: dict[str, str] = {}
    both = {
        case.id
        for each in surveys
        for case in each.cases
        if seen.setdefault(case.id.casefold(), case.side) != case.side
    }
    joined = _joined(surveys)
    faults = list(joined.faults)
    if both:
        faults.append(Fault("dataset.in_two_sides", folder, patients=listed(sorted(both), 5)))
    counts = Joined(f"{side.name} {len(each.cases)}" for side, each in found.items())
    note = Phrase("dataset.split_beforehand", counts=counts)
    return replace(joined, faults=tuple(faults), notes=(note, *joined.notes))


def _one_level_down(below: Sequence[Survey]) -> Survey:
    """The data set that lies in a folder below the one that was given, or those in several."""
    cases = [case.source for each in below for case in each.cases]
    kept = {source.files for source in without_copies(cases)}
    surveys = [
        replace(each, cases=tuple(case for case in each.cases if case.source.files in kept)) for each in below
    ]
    joined = _joined([each for each in surveys if each.cases])
    above = os.path.commonpath([case.source.place.parent for case in joined.cases])
    notes: list[str] = [Phrase("dataset.taken_below", folder=above)]
    if len(kept) < len(cases):
        notes.append(Phrase("dataset.copies", count=len(cases) - len(kept)))
    return replace(joined, notes=(*notes, *joined.notes))


def _joined(surveys: Sequence[Survey]) -> Survey:
    """The cases of several folders as those of one data set, names told apart."""
    cases = [case for each in surveys for case in each.cases]
    renamed = named_apart([case.source for case in cases])
    cases = [replace(case, source=source) for case, source in zip(cases, renamed, strict=True)]
    layouts = {each.layout for each in surveys if each.layout}
    layout = layouts.pop() if len(layouts) == 1 else SCANS if layouts else ""
    return Survey(
        layout,
        tuple(sorted(cases, key=lambda case: case.id)),
        tuple(fault for each in surveys for fault in each.faults),
        tuple(dict.fromkeys(note for each in surveys for note in each.notes)),
        next((each.why for each in surveys if each.layout == layout), Phrase(f"layout.{SCANS}")),
    )


def _has_volumes(folder: Path) -> bool:
    """Whether volumes or DICOM lie in a folder or the folders in it; only names are looked at."""
    try:
        inside = [folder, *entries(folder)[0]]
        return any(
            is_volume(file) or suffix_of(file) in DICOM_SUFFIXES
            for each in inside
            for file in each.iterdir()
            if not is_hidden(file)
        )
    except (InputError, OSError):
        return False

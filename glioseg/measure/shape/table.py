"""The features of many patients: find their masks, measure them, write ``features.csv``."""

from __future__ import annotations

import csv
import io
import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from glioseg.cluster import Cluster, over
from glioseg.dataset.case import Case, read_case, with_lesion_values
from glioseg.dataset.find import survey
from glioseg.errors import Fault, InputError, raise_all
from glioseg.files import natural_key, write_text
from glioseg.io.names import holds_images, is_mask, is_picture, is_volume, listed, split_number, stem_of
from glioseg.io.pack import opened
from glioseg.io.refuse import check_exists
from glioseg.measure.shape.features import FEATURES, measure_lesion
from glioseg.measure.values import NotDefined, Value
from glioseg.recipe import Labels
from glioseg.scan import LESION, Scan, Segmentation
from glioseg.unexpected import faults_of

MaskReader = Callable[[], tuple[Segmentation, Scan | None]]
"""Reads one patient's mask, and the scan when there is one."""


@dataclass(frozen=True)
class FeatureTable:
    """Features by patient.

    Attributes:
        rows: for each patient the value of each name in :data:`glioseg.measure.shape.FEATURES`.
    """

    rows: Mapping[str, Mapping[str, Value]]

    @property
    def patients(self) -> list[str]:
        """The patients, in the order of the table."""
        return list(self.rows)

    def column(self, feature: str, patients: Iterable[str] | None = None) -> npt.NDArray[np.float64]:
        """Values of a feature that is a number, NaN where it is not defined.

        Args:
            feature: its name.
            patients: whose values, NaN for those that are not in the table; all of the table by default.
        """
        rows = (self.rows.get(patient, {}) for patient in (self.rows if patients is None else patients))
        return np.array([float(row.get(feature, math.nan)) for row in rows])

    def not_defined(self, feature: str) -> dict[str, str]:
        """The reason for each patient whose feature is not defined."""
        return {
            patient: value.reason
            for patient, row in self.rows.items()
            if isinstance(value := row[feature], NotDefined)
        }

    def reasons(self) -> list[tuple[str, int, list[str]]]:
        """Each reason for which values are missing, for how many patients, and in which features."""
        found: defaultdict[tuple[str, int], list[str]] = defaultdict(list)
        for feature in FEATURES:
            for reason, count in Counter(self.not_defined(feature).values()).items():
                found[reason, count].append(feature)
        return [(reason, count, features) for (reason, count), features in found.items()]

    def write_csv(self, path: Path) -> Path:
        """Write one row a patient: NaN where a feature is not defined, the reasons in the last column."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["patient", *FEATURES, "not_defined"])
        for patient, row in self.rows.items():
            writer.writerow([patient, *(_cell(value) for value in row.values()), _reasons(row)])
        return write_text(path, text.getvalue())


def measure_all(sources: Mapping[str, MaskReader], cluster: Cluster | None = None) -> FeatureTable:
    """Measure the features of many patients.

    Args:
        sources: what reads each patient's mask and scan.
        cluster: whose workers do it, entered; all files have to be there under the same paths.

    Raises:
        InputError: the faults of all patients that cannot be read, at once.
    """
    measured: dict[int, Mapping[str, Value]] = {}
    faults: list[Fault] = []
    patients = list(sources)
    for number, row in over(cluster, _measured, list(sources.values())):
        if isinstance(row, Exception):
            faults += faults_of(row, patients[number])
        else:
            measured[number] = row
    raise_all(faults)
    return FeatureTable({patient: measured[number] for number, patient in enumerate(patients)})


def _measured(read: MaskReader) -> Mapping[str, Value]:
    return measure_lesion(*read())


def find_masks(source: Path) -> dict[str, Path]:
    """Find whose masks are where.

    Args:
        source: one mask file; the folder of one patient, ``<id>/<slice>_mask.tif``; a folder of such folders
            or of files ``<id>_mask.nii.gz`` (as :func:`glioseg.io.write_segmentation` leaves them); a run,
            whose folder ``masks`` is one of these; or a folder of volumes or DICOM with a mask beside each
            scan, as
            :func:`glioseg.io.find_scans` finds them.

    Returns:
        For each patient, in natural order, what :func:`glioseg.io.read_segmentation` reads.

    Raises:
        InputError: there is nothing there, no mask is found, or a patient has two.
    """
    check_exists(source)
    source = opened(source)
    if source.is_file():
        return {_without_mask(source): source}
    source = results_in(source) or source
    beside = _masks_beside_scans(source)
    if beside:
        return beside
    files = _mask_files(source)
    if files and all(split_number(_without_mask(file))[0] == source.resolve().name for file in files):
        return {source.resolve().name: source}
    folders = [entry for entry in sorted(source.iterdir()) if entry.is_dir() and _mask_files(entry)]
    found: defaultdict[str, list[Path]] = defaultdict(list)
    for file in files:
        found[_without_mask(file)].append(file)
    for folder in folders:
        found[folder.name].append(folder)
    if not found:
        raise InputError(Fault("measure.no_masks", source))
    raise_all(
        Fault("measure.several_masks", source, patient=id, masks=listed(path.name for path in paths))
        for id, paths in found.items()
        if len(paths) > 1
    )
    return {id: found[id][0] for id in sorted(found, key=natural_key)}


def readers_of(
    source: Path,
    scans: Path | None = None,
    *,
    layout: str | None = None,
    lesion: Labels = Labels(),
    channels: str = "",
) -> dict[str, MaskReader]:
    """What reads the masks in a folder of labelled scans, each with its scan, or masks alone.

    Args:
        source: labelled scans in any layout (:func:`glioseg.dataset.find.find_cases`), of which those with a
            mask are measured; or masks, as :func:`find_masks` takes them.
        scans: the folder of the scans that masks belong to, see :func:`sources_of`.
        layout, channels: of labelled scans, see :func:`glioseg.dataset.find.find_cases`.
        lesion: says which values of the masks are lesion, if a person does.

    Raises:
        InputError: nothing is there, the scans are in no such layout, or see :func:`find_masks`.
    """
    said = layout is not None or bool(channels)
    cases = _labelled_cases(source, layout, channels) if scans is None or said else []
    if not cases:
        return sources_of(find_masks(source), scans, lesion.stored)
    return {case.id: partial(_mask_of_case, case) for case in with_lesion_values(cases, lesion)}


def _mask_of_case(case: Case) -> tuple[Segmentation, Scan | None]:
    scan, truth = read_case(case)
    assert truth is not None
    return truth, scan


def _labelled_cases(source: Path, layout: str | None, channels: str) -> list[Case]:
    """The scans with a mask in a folder; none where masks stand alone, unless a person says otherwise."""
    said = layout is not None or bool(channels)
    folder = opened(source)
    if not said and (not folder.is_dir() or results_in(folder)):
        return []
    found = survey(folder, layout=layout, channels=channels)
    wrong = [fault for fault in found.faults if fault.code != "dataset.scan_without_mask"]
    if said:
        raise_all(wrong)
    return [] if wrong else [case for case in found.cases if any(case.source.truth)]


def results_in(folder: Path) -> Path | None:
    """The folder of masks of what predicting or an evaluation wrote, or of a run, whose evaluation has one of
    its own; ``None`` where there is none, or scans stand beside it.
    """
    found = next((each for each in (folder, folder / "evaluation") if (each / "masks").is_dir()), None)
    return None if found is None or any(map(holds_images, found.iterdir())) else found / "masks"


def sources_of(
    masks: Mapping[str, Path],
    scans: Path | None = None,
    labels: Mapping[int, str] = LESION,
) -> dict[str, MaskReader]:
    """What reads the masks that :func:`find_masks` found, and their scans where they are known.

    Args:
        masks: for each patient a mask, or a folder with masks and perhaps the slices they belong to.
        scans: folder of scans, see :func:`glioseg.io.find_scans`. Patients without a
            scan there are measured without one.
        labels: what the values of the masks mean, lesion or not by default.
    """
    known = _scans_in(scans) if scans is not None else {}
    return {id: partial(_mask_and_scan, path, known.get(id), labels) for id, path in masks.items()}


def _mask_and_scan(
    path: Path, read: Callable[[], Scan] | None, labels: Mapping[int, str]
) -> tuple[Segmentation, Scan | None]:
    from glioseg.io import read_scan, read_segmentation

    if read is not None:
        scan: Scan | None = read()
    else:
        scan = read_scan(path) if path.is_dir() and _has_images(path) else None
    return read_segmentation(path, scan, labels), scan


def _scans_in(folder: Path) -> dict[str, Callable[[], Scan]]:
    from glioseg.io import find_scans

    sources, faults = find_scans([folder])
    raise_all(faults)
    return {source.id: source.read for source in sources}


def _masks_beside_scans(folder: Path) -> dict[str, Path]:
    """The masks that stand beside volumes and DICOM; those of slices are found by their folders."""
    from glioseg.io import find_scans

    found = [each for each in find_scans([folder])[0] if each.format != "slices" and any(each.truth)]
    raise_all(
        Fault("measure.several_masks", each.place, patient=each.id, masks=listed(each.truth))
        for each in found
        if len(each.truth) > 1
    )
    return {each.id: mask for each in found for mask in each.truth if mask is not None}


def _mask_files(folder: Path) -> list[Path]:
    return [
        entry
        for entry in sorted(folder.iterdir())
        if not entry.name.startswith(".")
        and (is_picture(entry) or is_volume(entry))
        and is_mask(entry)
        and entry.is_file()
    ]


def _has_images(folder: Path) -> bool:
    return any(is_picture(entry) and not is_mask(entry) for entry in folder.iterdir())


def _without_mask(path: Path) -> str:
    return stem_of(path).removesuffix("_mask")


def _cell(value: Value) -> str:
    if isinstance(value, str):
        return value
    return "NaN" if math.isnan(float(value)) else format(float(value), ".10g")


def _reasons(row: Mapping[str, Value]) -> str:
    """``a, b: reason | c: reason``."""
    by_reason: defaultdict[str, list[str]] = defaultdict(list)
    for feature, value in row.items():
        if isinstance(value, NotDefined):
            by_reason[value.reason].append(feature)
    return " | ".join(f"{', '.join(features)}: {reason}" for reason, features in by_reason.items())

"""From masks to p-values: measure every patient, join with the categories, test."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from glioseg.dataset.case import with_lesion_values
from glioseg.dataset.find import Case, find_cases, read_case
from glioseg.errors import Fault, InputError, raise_all
from glioseg.io import read_segmentation
from glioseg.io.names import listed
from glioseg.io.pack import opened
from glioseg.measure import dice
from glioseg.measure.shape.features import FEATURES, measure_lesion
from glioseg.measure.shape.table import FeatureTable, find_masks
from glioseg.measure.statistics import Correlation, correlation
from glioseg.measure.values import NotDefined, Value
from glioseg.radiogenomics.association import Association, Categories, Discrimination, associate, discriminate
from glioseg.radiogenomics.clinical import ClinicalTable, read_clinical
from glioseg.radiogenomics.statistics import RESAMPLES
from glioseg.recipe import Labels
from glioseg.scan import Scan, Segmentation

PAPER = tuple(name for name, feature in FEATURES.items() if feature.group == "paper")
"""The three features of Buda et al. 2019: the family that is tested first."""
EXPLORED = tuple(
    name for name, feature in FEATURES.items() if feature.group in ("size", "shape", "intensity")
)
"""The other features that are numbers and no positions: a family of their own."""

NO_MASK = NotDefined("there is no predicted mask")


@dataclass(frozen=True)
class Findings:
    """What the tests of one set of masks found.

    Attributes:
        paper: each of :data:`PAPER` against each column, corrected as one family.
        explored: each of :data:`EXPLORED` that has values, corrected as another.
        discriminations: areas under the ROC curve of :data:`PAPER`.
    """

    paper: list[Association]
    explored: list[Association]
    discriminations: list[Discrimination]


@dataclass(frozen=True)
class AssociationStudy:
    """Everything that a report is made of.

    Attributes:
        data: name of the folder with the scans.
        predicted: whether the masks are predicted, otherwise manual.
        cases: the scans.
        table: the features that are tested.
        tests: their tests.
        truth: with predicted masks, the features of the manual masks of the same patients.
        truth_tests: the tests of ``truth``.
        dice: with predicted masks, the Dice coefficient on the scan's own grid of each patient with both.
        correlations: with predicted masks, for each feature predicted against true.
        clinical: the categories.
        columns: the columns that were tested.
        left_out: the other columns, and why.
        labels: for each column the category of each patient of ``table``.
        resamples: random tables of each Monte Carlo test.
        seed: of the random tables.
        mask_files: with predicted masks, where each is.
    """

    data: str
    predicted: bool
    cases: Mapping[str, Case]
    table: FeatureTable
    tests: Findings
    truth: FeatureTable | None
    truth_tests: Findings | None
    dice: Mapping[str, float]
    correlations: Mapping[str, Correlation | NotDefined]
    clinical: ClinicalTable
    columns: tuple[str, ...]
    left_out: Mapping[str, str]
    labels: Mapping[str, Categories]
    resamples: int
    seed: int
    mask_files: Mapping[str, Path]

    def masks_of(self, patient: str) -> tuple[Scan, Segmentation, Segmentation | None]:
        """The scan, the mask that was measured, and with predicted masks the manual one; read again."""
        scan, truth = _read(self.cases[patient])
        if not self.predicted:
            return scan, truth, None
        return scan, read_segmentation(self.mask_files[patient], scan), truth

    def to_dict(self) -> dict[str, Any]:
        """All numbers and how they came about, as plain JSON types."""
        numbers: dict[str, Any] = {
            "masks": "predicted" if self.predicted else "manual",
            "patients": len(self.table.rows),
            "without_category_row": [id for id in self.table.rows if self.clinical.row_of(id) is None],
            "categories": self.clinical.name,
            "columns": list(self.columns),
            "columns_left_out": dict(self.left_out),
            "resamples": self.resamples,
            "seed": self.seed,
            "not_defined": [
                {"reason": reason, "patients": count, "features": features}
                for reason, count, features in self.table.reasons()
            ],
            "associations": [test.to_dict() for test in self.tests.paper],
            "explored_associations": [
                {name: value for name, value in test.to_dict().items() if name != "levels"}
                for test in self.tests.explored
            ],
            "auc": [test.to_dict() for test in self.tests.discriminations],
        }
        if self.truth_tests is not None:
            numbers |= {
                "manual_associations_same_patients": [test.to_dict() for test in self.truth_tests.paper],
                "manual_auc_same_patients": [test.to_dict() for test in self.truth_tests.discriminations],
                "dice": dict(self.dice),
                "correlation_predicted_manual": {
                    feature: {"not_defined": found.reason}
                    if isinstance(found, NotDefined)
                    else found._asdict()
                    for feature, found in self.correlations.items()
                },
            }
        return numbers


def radiogenomics(
    data: Path,
    masks: Path | None = None,
    clinical: Path | None = None,
    columns: Sequence[str] = (),
    key: str | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
    *,
    layout: str | None = None,
    lesion: Labels = Labels(),
    channels: str = "",
) -> AssociationStudy:
    """Measure the lesions of a data set and test their shape for association with categories.

    Args:
        data: folder of labelled scans, or a pack of it.
        masks: predicted masks, see :func:`glioseg.measure.shape.table.find_masks`; ``None`` for the manual
            masks of ``data``. Masks of patients that are not in ``data`` are left aside.
        clinical: table of categories by patient; ``data.csv`` in ``data`` by default.
        columns: the columns to test; see :meth:`ClinicalTable.choose_columns` for the default.
        key: the column of ``clinical`` that names the patient; the first by default.
        resamples: random tables of each Monte Carlo test.
        seed: of the random tables.
        layout, channels: of the scans, see :func:`glioseg.dataset.find.find_cases`.
        lesion: says which values of the manual masks are lesion, if a person does.

    Raises:
        InputError: everything that is wrong with the scans, the masks or the table.
    """
    data = opened(data)
    categories, found, files = _all_of(
        lambda: read_clinical(clinical if clinical is not None else data / "data.csv", key),
        lambda: with_lesion_values(find_cases(data, layout=layout, channels=channels), lesion),
        lambda: find_masks(masks) if masks is not None else {},
    )
    cases = {case.id: case for case in found}
    files = {id: path for id, path in files.items() if id in cases}
    name = data.resolve().name
    faults: list[Fault] = []
    if not any(categories.row_of(id) for id in cases):
        faults.append(
            Fault(
                "radiogenomics.other_patients",
                categories.name,
                data=name,
                key=categories.key,
                examples=listed(cases, 1),
                patients=listed(categories.rows, 2),
            )
        )
    if masks is not None and not files:
        faults.append(Fault("radiogenomics.other_masks", masks, data=name, examples=listed(cases, 1)))
    raise_all(faults)
    chosen, left_out = categories.choose_columns(list(cases), columns)

    manual: dict[str, Mapping[str, Value]] = {}
    predicted: dict[str, Mapping[str, Value]] = {}
    overlap: dict[str, float] = {}
    for id, case in cases.items():
        try:
            scan, truth = _read(case)
            if masks is None:
                manual[id] = measure_lesion(truth, scan)
            elif id in files:
                mask = read_segmentation(files[id], scan)
                manual[id], predicted[id] = measure_lesion(truth, scan), measure_lesion(mask, scan)
                if truth.mask.any():
                    overlap[id] = float(dice(mask.mask, truth.mask))
            else:
                predicted[id] = dict.fromkeys(FEATURES, NO_MASK)
        except InputError as error:
            faults += error.faults
    raise_all(faults)

    truth_table = FeatureTable(manual)
    table = truth_table if masks is None else FeatureTable(predicted)
    labels = {column: categories.labels(table.rows, column) for column in chosen}
    truth_labels = {column: categories.labels(truth_table.rows, column) for column in chosen}
    return AssociationStudy(
        data=name,
        predicted=masks is not None,
        cases=cases,
        table=table,
        tests=_test(table, labels, resamples, seed),
        truth=None if masks is None else truth_table,
        truth_tests=None if masks is None else _test(truth_table, truth_labels, resamples, seed),
        dice=overlap,
        correlations={} if masks is None else _correlate(table, truth_table),
        clinical=categories,
        columns=chosen,
        left_out=left_out,
        labels=labels,
        resamples=resamples,
        seed=seed,
        mask_files=files,
    )


def _all_of(*readers: Callable[[], Any]) -> list[Any]:
    """What each reader gives; the faults of all of them at once."""
    results: list[Any] = []
    faults: list[Fault] = []
    for read in readers:
        try:
            results.append(read())
        except InputError as error:
            faults += error.faults
    raise_all(faults)
    return results


def _read(case: Case) -> tuple[Scan, Segmentation]:
    scan, truth = read_case(case)
    if truth is None:
        raise InputError(Fault("radiogenomics.no_mask", case.images[0].parent))
    return scan, truth


def _test(table: FeatureTable, labels: Mapping[str, Categories], resamples: int, seed: int) -> Findings:
    columns = {name: table.column(name) for name in (*PAPER, *EXPLORED)}
    paper = {name: columns[name] for name in PAPER}
    explored = {name: columns[name] for name in EXPLORED if not np.isnan(columns[name]).all()}
    return Findings(
        paper=associate(paper, labels, resamples, seed),
        explored=associate(explored, labels, resamples, seed),
        discriminations=discriminate(paper, labels),
    )


def _correlate(predicted: FeatureTable, truth: FeatureTable) -> dict[str, Correlation | NotDefined]:
    """Correlation of each number over the patients that have a predicted mask."""
    found: dict[str, Correlation | NotDefined] = {}
    for name in (*PAPER, *EXPLORED):
        true = truth.column(name, predicted.rows)
        if not np.isnan(true).all():
            found[name] = correlation(predicted.column(name), true)
    return found

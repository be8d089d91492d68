"""Finished runs as people compare them: curves, stored scores, rows of runs that differ in the seed alone."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from glioseg.dataset.find import find_cases, read_case, read_labelled_case
from glioseg.errors import Fault, InputError, raise_all
from glioseg.evaluation.evaluate import Evaluation
from glioseg.io import read_labels, read_mask
from glioseg.measure import Scores, check_same_protocol
from glioseg.recipe import PostprocessChoice, Recipe
from glioseg.scan import Mask, Scan
from glioseg.runs.folder import RunFolder

ProtocolName = Literal["own", "reference"]
"""``own``: each scan's own grid; ``reference``: the published protocol's."""

FULL_SENSITIVITY, FULL_PRECISION = 0.95, 0.2


@dataclass(frozen=True)
class RunRecord:
    """What one run folder holds.

    Attributes:
        path: the folder.
        recipe: what was trained.
        manifest: versions, machine, data, split, command, status.
        curves: columns of ``metrics.csv``.
        evaluation: scores of ``glioseg evaluate``, or ``None``.
    """

    path: Path
    recipe: Recipe
    manifest: Mapping[str, Any]
    curves: Mapping[str, list[float]]
    evaluation: Evaluation | None

    @classmethod
    def read(cls, path: Path) -> RunRecord:
        """Read a run folder.

        Raises:
            InputError: it is no run folder, or its recipe, manifest or scores are damaged.
        """
        run = RunFolder.open(path)
        return cls(path, run.recipe, run.manifest, read_curves(run), read_evaluation(run))

    @property
    def finished(self) -> bool:
        """Whether the training came to its end."""
        return self.manifest.get("status") == "finished"

    @property
    def best(self) -> tuple[float, int] | None:
        """Best validation mean DSC on the prepared grid, and its epoch."""
        scored = [
            (dsc, -int(epoch))
            for dsc, epoch in zip(self.curves.get("val_dsc", []), self.curves["epoch"], strict=False)
            if not math.isnan(dsc)
        ]
        if not scored:
            return None
        dsc, epoch = max(scored)
        return dsc, -epoch

    @property
    def collapse(self) -> Literal["empty", "full"] | None:
        """Whether the network marks nothing at all, or nearly everything, in the validation patients."""
        if self.evaluation is None:
            return None
        own = self.evaluation.own
        sensitivity, precision = own["sensitivity"].mean, own["precision"].mean
        if own["dice"].mean < 0.01 and not sensitivity > 0.01:
            return "empty"
        if sensitivity > FULL_SENSITIVITY and precision < FULL_PRECISION:
            return "full"
        return None

    def scores(self, protocol: ProtocolName) -> Scores | None:
        """DSC by patient under one protocol."""
        if self.evaluation is None:
            return None
        return self.evaluation.own["dice"] if protocol == "own" else self.evaluation.reference


@dataclass(frozen=True)
class Row:
    """Runs that differ in the seed, or in the fold, alone.

    Attributes:
        name: what people call it.
        runs: at least one.
    """

    name: str
    runs: tuple[RunRecord, ...]

    @property
    def recipe(self) -> Recipe:
        """The recipe of the first run."""
        return self.runs[0].recipe

    @property
    def folds(self) -> bool:
        """Whether the runs are folds of a cross-validation."""
        return self.recipe.split.name == "kfold" and len({run.recipe.split.fold for run in self.runs}) > 1

    @property
    def best(self) -> list[tuple[float, int]]:
        """Best validation mean DSC and its epoch, of every run that has one."""
        return [run.best for run in self.runs if run.best is not None]

    def seed_means(self, protocol: ProtocolName) -> list[float]:
        """Mean DSC of each evaluated run."""
        return [scores.mean for run in self.runs if (scores := run.scores(protocol)) is not None]

    def scores(self, protocol: ProtocolName) -> Scores | None:
        """DSC by patient: the mean over seeds, or all folds together; ``None`` if nothing was evaluated.

        Raises:
            InputError: the runs were scored under different protocols.
        """
        found = [scores for run in self.runs if (scores := run.scores(protocol)) is not None]
        if not found:
            return None
        values: dict[str, list[float]] = {}
        for scores in found:
            for patient, value in scores.values.items():
                values.setdefault(patient, []).append(value)
        patients = tuple(values)
        pooled = {patient: float(np.mean(each)) for patient, each in values.items()}
        if self.folds:
            found = [
                Scores(replace(scores.protocol, patients=patients), pooled, scores.command)
                for scores in found
            ]
        for other in found[1:]:
            check_same_protocol(found[0], other, (self.name, self.name))
        return Scores(found[0].protocol, pooled, found[0].command)


def read_runs(paths: Sequence[Path]) -> list[RunRecord]:
    """Read run folders; all that is wrong with any of them in one error."""
    records: list[RunRecord] = []
    faults: list[Fault] = []
    for path in paths:
        try:
            records.append(RunRecord.read(path))
        except InputError as error:
            faults += error.faults
    raise_all(faults)
    return records


def group_runs(records: Sequence[RunRecord], names: Mapping[str, str] | None = None) -> list[Row]:
    """Rows of a table: runs that differ in the seed or the fold alone stand together.

    If all runs would stand in one row and are no folds, each is a row of its own.

    Args:
        records: the runs, in order.
        names: name of the row by name of the run folder; otherwise the recipe says it.
    """
    names = names or {}
    groups: dict[tuple[str, str], list[RunRecord]] = {}
    for record in records:
        key = names.get(record.path.name, record.recipe.name), _without_seed(record.recipe)
        groups.setdefault(key, []).append(record)
    rows = [Row(name, tuple(runs)) for (name, _), runs in groups.items()]
    if len(rows) == 1 and len(records) > 1 and not rows[0].folds:
        rows = [Row(record.path.name, (record,)) for record in records]
    return [
        replace(row, name=row.runs[0].path.name) if sum(other.name == row.name for other in rows) > 1 else row
        for row in rows
    ]


def _without_seed(recipe: Recipe) -> str:
    content = recipe.model_dump(mode="json")
    del content["train"]["seed"], content["split"]["fold"]
    return json.dumps(content, sort_keys=True)


def differences(recipe: Recipe, base: Recipe) -> list[tuple[str, Any, Any]]:
    """Settings in which two recipes differ: key, value, value in ``base``; names and seeds aside."""
    own, other = _flat(recipe.model_dump(mode="json")), _flat(base.model_dump(mode="json"))
    aside = {"name", "summary", "train.seed", "split.fold"}
    keys = [*own, *(key for key in other if key not in own)]
    return [
        (key, own.get(key), other.get(key))
        for key in keys
        if key not in aside and own.get(key) != other.get(key)
    ]


def _flat(table: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in table.items():
        if isinstance(value, Mapping):
            found |= _flat(value, f"{prefix}{key}.")
        else:
            found[f"{prefix}{key}"] = value
    return found


def read_curves(run: RunFolder) -> dict[str, list[float]]:
    """``metrics.csv`` by column; what is no number becomes NaN, a missing file an empty table."""
    columns: dict[str, list[float]] = {"epoch": []}
    try:
        with run.metrics_file.open(encoding="utf-8", newline="") as handle:
            for row in csv.DictReader(handle):
                for key, value in row.items():
                    if key is not None:
                        columns.setdefault(key, []).append(_parsed(value))
    except (OSError, UnicodeDecodeError):
        return columns
    return columns


def read_evaluation(run: RunFolder) -> Evaluation | None:
    """What ``glioseg evaluate`` stored in a run; ``None`` when it was not run.

    Raises:
        InputError: it is damaged.
    """
    try:
        text = run.metrics.read_text(encoding="utf-8")
    except OSError:
        return None
    try:
        return Evaluation.from_dict(json.loads(text))
    except (ValueError, KeyError, TypeError) as error:
        cure = "Evaluate the run again."
        raise InputError(Fault(run.metrics, "the scores of an evaluation", repr(error), cure)) from error


def read_patient(run: RunFolder, patient: str) -> tuple[Scan, Mask | None]:
    """A patient of the data that a run was trained on, and the truth if there is one.

    Raises:
        InputError: the data are not there any more, or lack the patient.
    """
    facts = run.manifest
    cases = find_cases(Path(str(facts.get("data", ""))), facts.get("patient_rule"))
    case = next((case for case in cases if case.id == patient), None)
    if case is None:
        cure = "Put the data back where they were, or drop the scan onto the page of glioseg serve."
        raise InputError(Fault(patient, "a patient of the run's data", "none", cure))
    if run.recipe.labels.given:
        scan, classes = read_labelled_case(case, run.recipe.labels.values)
        return scan, classes.mask() if classes is not None else None
    return read_case(case)


def stored_mask(run: RunFolder, scan: Scan) -> Mask | None:
    """The mask that the evaluation of a run stored for a scan, if it did."""
    folder = run.evaluation / "masks" / scan.id
    if not folder.is_dir():
        return None
    if run.recipe.labels.given:
        return replace(read_labels(folder, scan.grid).mask(), id=scan.id)
    return Mask(read_mask(folder, scan.grid).voxels, scan.grid, scan.id)


class Trust(NamedTuple):
    """How far a stored mask can be trusted, and how it was made of the probabilities."""

    expected_dice: float | None
    doubts: tuple[str, ...]
    postprocess: PostprocessChoice


def stored_trust(run: RunFolder, scan: Scan, mask: Mask) -> Trust | None:
    """What the evaluation and the model of a run say of a mask that :func:`stored_mask` read.

    Returns:
        The expected DSC, which is ``None`` for an empty mask, and the doubts, as a prediction has them;
        ``None`` when the run stored no expected DSC, or its model is not there any more.

    Raises:
        InputError: scores or model are damaged.
    """
    from glioseg.model.calibration import doubts
    from glioseg.model.description import read_description
    from glioseg.model.runtime import OnnxRuntime

    evaluation = read_evaluation(run)
    if evaluation is None or scan.id not in evaluation.expected_dice or not run.model.is_file():
        return None
    expected = evaluation.expected_dice[scan.id]
    model = read_description(run.model, OnnxRuntime(run.model, threads=1).metadata)
    images = model.prepare(scan).images
    found = doubts(scan, mask.voxels, expected, model.appearance, images[..., images.shape[-1] // 2])
    return Trust(expected, found, model.postprocess)


def _parsed(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return math.nan

"""What a run folder holds: its curves, and the scores that an evaluation stored in it."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from glioseg.errors import Fault, InputError, raise_all
from glioseg.measure import Scores
from glioseg.model.calibration import Evidence
from glioseg.recipe import Recipe
from glioseg.runs.folder import RunFolder

ProtocolName = Literal["own", "reference"]
"""``own``: each scan's own grid; ``reference``: the published protocol's."""

FULL_SENSITIVITY, FULL_PRECISION = 0.95, 0.2


@dataclass(frozen=True)
class Evaluation:
    """All scores of one evaluation.

    Attributes:
        own: by metric name, on the scans' own grids.
        reference: DSC under the reference protocol.
        false_positive_slices: per patient, lesion-free slices with a predicted voxel, and all such slices.
        evidence: per patient, what the mask can be judged by; ``None`` for an empty mask.
        expected_dice: per patient, what the model expected; ``None`` for an empty mask.
        classes: DSC of each class on the scans' own grids, by its name, of a model with classes; all
            other scores are then of all classes together against background.
    """

    own: dict[str, Scores]
    reference: Scores
    false_positive_slices: dict[str, tuple[int, int]]
    classes: dict[str, Scores] = field(default_factory=dict)
    evidence: dict[str, Evidence | None] = field(default_factory=dict)
    expected_dice: dict[str, float | None] = field(default_factory=dict)

    @property
    def false_positive_rate(self) -> float:
        """Share of lesion-free slices with any predicted voxel, over all patients together."""
        hits = sum(hit for hit, _ in self.false_positive_slices.values())
        return hits / max(1, sum(free for _, free in self.false_positive_slices.values()))

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        return {
            "own": {name: scores.to_dict() for name, scores in self.own.items()},
            "reference": self.reference.to_dict(),
            "false_positive_slices": {
                "rate": self.false_positive_rate,
                "by_patient": {
                    patient: list(counts) for patient, counts in self.false_positive_slices.items()
                },
            },
            "classes": {name: scores.to_dict() for name, scores in self.classes.items()},
            "evidence": {
                patient: None if found is None else found._asdict()
                for patient, found in self.evidence.items()
            },
            "expected_dice": self.expected_dice,
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Evaluation:
        """The evaluation that :meth:`to_dict` gave.

        Raises:
            InputError: a part of its scores is missing or does not fit.
        """
        slices = content["false_positive_slices"]["by_patient"]
        return cls(
            {name: Scores.from_dict(scores) for name, scores in content["own"].items()},
            Scores.from_dict(content["reference"]),
            {patient: (hits, free) for patient, (hits, free) in slices.items()},
            {name: Scores.from_dict(scores) for name, scores in content.get("classes", {}).items()},
            {
                patient: None if found is None else Evidence(**found)
                for patient, found in content.get("evidence", {}).items()
            },
            dict(content.get("expected_dice", {})),
        )


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
        raise InputError(Fault("runs.scores_unreadable", run.metrics, reason=repr(error))) from error


def _parsed(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return math.nan

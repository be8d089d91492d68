"""What a run folder holds: its curves, and the scores that an evaluation stored in it."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, NonNegativeInt, ValidationError

from glioseg.errors import Fault, InputError, raise_all
from glioseg.measure import Scores
from glioseg.model.calibration import Evidence
from glioseg.recipe import Recipe
from glioseg.runs.folder import RunFolder
from glioseg.runs.manifest import read_json, read_text
from glioseg.settings import first_error

ProtocolName = Literal["own", "reference"]
"""``own``: each scan's own grid; ``reference``: the published protocol's."""

NEEDED = ("dice", "sensitivity", "precision")
"""Metrics on the scans' own grids without which an evaluation says too little."""
MOST_EPOCHS = 10**9

FULL_SENSITIVITY, FULL_PRECISION = 0.95, 0.2


class DataPlace(BaseModel, frozen=True):
    """Where labelled scans are, and what a person said of them; see :func:`glioseg.dataset.find_cases`."""

    data: str
    patient_rule: str | None = None
    layout: str | None = None
    channels: str = ""
    lesion: tuple[int, ...] = ()


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
        place: where the scans are; ``None`` where nobody said it, or in records of before.
    """

    own: dict[str, Scores]
    reference: Scores
    false_positive_slices: dict[str, tuple[int, int]]
    classes: dict[str, Scores] = field(default_factory=dict)
    evidence: dict[str, Evidence | None] = field(default_factory=dict)
    expected_dice: dict[str, float | None] = field(default_factory=dict)
    place: DataPlace | None = None

    @property
    def false_positive_rate(self) -> float:
        """Share of lesion-free slices with any predicted voxel, over all patients together."""
        hits = sum(hit for hit, _ in self.false_positive_slices.values())
        return hits / max(1, sum(free for _, free in self.false_positive_slices.values()))

    @property
    def columns(self) -> dict[str, Scores]:
        """All scores, by the names that ``metrics.csv`` has for them."""
        by_class = {f"dice_{title}": scores for title, scores in self.classes.items()}
        return {**self.own, "dice_reference": self.reference, **by_class}

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
            "place": None if self.place is None else self.place.model_dump(mode="json"),
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Evaluation:
        """The evaluation that :meth:`to_dict` gave.

        Raises:
            InputError: a part of its scores is missing or does not fit.
            ValueError, KeyError, TypeError, AttributeError: another part is none of an evaluation.
        """
        judged = _Judged.model_validate(content)
        return cls(
            {name: _scores(content["own"][name]) for name in dict.fromkeys([*NEEDED, *content["own"]])},
            _scores(content["reference"]),
            judged.false_positive_slices.by_patient,
            {name: _scores(scores) for name, scores in content.get("classes", {}).items()},
            judged.evidence,
            judged.expected_dice,
            judged.place,
        )


class _Slices(BaseModel):
    by_patient: dict[str, tuple[NonNegativeInt, NonNegativeInt]]


class _Judged(BaseModel):
    """What an evaluation stores beside its scores."""

    false_positive_slices: _Slices
    evidence: dict[str, Evidence | None] = {}
    expected_dice: dict[str, Annotated[float, Field(ge=0, le=1)] | None] = {}
    place: DataPlace | None = None


def _scores(content: Any) -> Scores:
    """Scores of a metric that lies in 0..1."""
    scores = Scores.from_dict(content)
    if not all(0 <= value <= 1 for value in scores.counted.values()):
        raise ValueError(f"a {scores.protocol.metric} beyond 0..1")
    if not isinstance(scores.command, str):
        raise ValueError("a command that is no text")
    return scores


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
            InputError: it is no run folder, or its recipe, manifest, curves or scores are damaged.
        """
        run = RunFolder.open(path)
        faults: list[Fault] = []
        curves: dict[str, list[float]] = {}
        evaluation = None
        try:
            curves = read_curves(run)
        except InputError as error:
            faults += error.faults
        try:
            evaluation = read_evaluation(run)
        except InputError as error:
            faults += error.faults
        raise_all(faults)
        return cls(path, run.recipe, run.manifest, curves, evaluation)

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


def read_run(path: str | Path) -> RunRecord:
    """Read a run folder: recipe, manifest, curves, and the scores if it was evaluated.

    Raises:
        InputError: it is no run folder, or anything in it is damaged.

    >>> import glioseg
    >>> run = glioseg.read_run("runs/first")  # doctest: +SKIP
    >>> run.finished, run.best                # doctest: +SKIP
    (True, (0.913, 20))
    """
    return RunRecord.read(Path(path))


def read_runs(paths: Sequence[Path]) -> list[RunRecord]:
    """Read run folders; all that is wrong with any of them in one error."""
    records, faults = read_sound_runs(paths)
    raise_all(fault for found in faults.values() for fault in found)
    return list(records.values())


def read_sound_runs(paths: Iterable[Path]) -> tuple[dict[Path, RunRecord], dict[Path, tuple[Fault, ...]]]:
    """Read run folders; one that is damaged never hides the others.

    Returns:
        The runs that could be read, and what is wrong with each of the others.
    """
    records: dict[Path, RunRecord] = {}
    faults: dict[Path, tuple[Fault, ...]] = {}
    for path in paths:
        try:
            records[path] = RunRecord.read(path)
        except InputError as error:
            faults[path] = error.faults
    return records, faults


def read_curves(run: RunFolder) -> dict[str, list[float]]:
    """``metrics.csv`` by column; what is not finite or not there becomes NaN, a missing file no rows.

    Raises:
        InputError: it is damaged.
    """
    if not run.metrics_file.exists():
        return {"epoch": []}
    try:
        return _columns(read_text(run.metrics_file))
    except (ValueError, csv.Error) as error:
        raise InputError(Fault("runs.curves", run.metrics_file, reason=error)) from error


def _columns(text: str) -> dict[str, list[float]]:
    """Columns of the table; ``ValueError`` says what is none."""
    rows = csv.reader(io.StringIO(text))
    header = next(rows, [])
    if "epoch" not in header or len(set(header)) < len(header):
        raise ValueError("no heading with each column once and 'epoch' among them")
    columns: dict[str, list[float]] = {name: [] for name in header}
    for row in rows:
        if len(row) != len(header):
            raise ValueError(f"line {rows.line_num}: {len(row)} values for {len(header)} columns")
        for name, cell in zip(header, row, strict=True):
            columns[name].append(_number(cell, f"line {rows.line_num}, {name}"))
    if not all(epoch.is_integer() and 1 <= epoch < MOST_EPOCHS for epoch in columns["epoch"]):
        raise ValueError("epochs that are not counted from 1")
    return columns


def _number(cell: str, place: str) -> float:
    try:
        value = float(cell) if cell.strip() else math.nan
    except ValueError:
        raise ValueError(f"{place}: {cell[:40]!r} is no number") from None
    # A training that diverged has written inf or nan before it stopped.
    return value if math.isfinite(value) else math.nan


def read_evaluation(run: RunFolder) -> Evaluation | None:
    """What ``glioseg evaluate`` stored in a run; ``None`` when it was not run.

    Raises:
        InputError: it is damaged.
    """
    if not run.metrics.exists():
        return None
    try:
        return Evaluation.from_dict(read_json(run.metrics))
    except InputError as error:
        found = error.faults[0].found
        raise InputError(Fault("runs.scores_unreadable", run.metrics, reason=found)) from error
    except ValidationError as error:
        raise InputError(Fault("runs.scores_unreadable", run.metrics, reason=first_error(error))) from error
    except Exception as error:  # whatever stands in the place of numbers and tables
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        raise InputError(Fault("runs.scores_unreadable", run.metrics, reason=reason)) from error

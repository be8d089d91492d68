"""A score and the protocol it was made under, which never part."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, asdict, dataclass, fields, replace
from difflib import get_close_matches
from itertools import pairwise
from typing import Any, Literal

import numpy as np

from glioseg.errors import Fault, InputError, raise_all
from glioseg.io.names import listed
from glioseg.measure.metrics.registry import METRICS, EmptyRule, Metric, Unit
from glioseg.measure.protocol_text import as_phrase
from glioseg.measure.statistics import Interval, Statistic, bootstrap_interval
from glioseg.words import Phrase

_EMPTY = ("perfect", "worst", "skip")


@dataclass(frozen=True)
class Protocol:
    """Everything that must be equal for two scores to be comparable.

    Attributes:
        metric: name in :data:`~glioseg.measure.METRICS`.
        patients: ids of the patients, kept sorted.
        checkpoint: who picked the weights: ``"best val_dsc on the same patients"``, ``"last"``, ``"given"``.
        grid: ``"own"`` for the scan's own grid, or the preparation the masks were compared on
            (``"reference-256"``).
        threshold: probabilities of at least this are lesion.
        postprocessing: what was done to the mask, ``"largest face-connected 3-D component"`` or ``"none"``.
        slices: which slices were kept (``"all"``).
        sequences: which sequences the network saw (``"all"``, ``"FLAIR alone"``).
        empty: rule for two empty masks; the metric's own by default.
        unit: what the metric counts; follows from the metric.
        measured_in: ``"mm"`` or ``"voxels"`` for metrics with a length, otherwise ``""``.
        tolerance: for metrics that take one (their default if not given), otherwise ``None``.

    Raises:
        InputError: a field does not fit; all of them at once.
    """

    metric: str
    patients: tuple[str, ...]
    checkpoint: str
    grid: str = "own"
    threshold: float = 0.5
    postprocessing: str = "none"
    slices: str = "all"
    sequences: str = "all"
    empty: EmptyRule | None = None
    unit: Unit | None = None
    measured_in: Literal["", "mm", "voxels"] = ""
    tolerance: float | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "patients", tuple(sorted(self.patients)))
        raise_all(self._faults())
        declared = METRICS[self.metric]
        object.__setattr__(self, "empty", self.empty or declared.empty.both_empty)
        object.__setattr__(self, "unit", declared.unit)
        if self.tolerance is None:
            object.__setattr__(self, "tolerance", declared.tolerance)

    def _faults(self) -> list[Fault]:
        if self.metric not in METRICS:
            return [_unknown("measure.unknown_metric", "measure.unknown_metric_near", self.metric, METRICS)]
        declared = METRICS[self.metric]
        faults = []
        twice = sorted({one for one, next_one in pairwise(self.patients) if one == next_one})
        if twice:
            faults.append(Fault("measure.patient_twice", patients=listed(twice, 5)))
        if not 0 < self.threshold < 1:
            faults.append(Fault("measure.threshold", threshold=self.threshold))
        if self.empty is not None and self.empty not in _EMPTY:
            faults.append(Fault("measure.empty_rule", known=", ".join(_EMPTY), empty=self.empty))
        if self.unit not in (None, declared.unit):
            faults.append(Fault("measure.unit", unit=declared.unit, metric=self.metric, found=self.unit))
        has_length = bool(declared.length_unit(None))
        if self.measured_in not in (("mm", "voxels") if has_length else ("",)):
            code = "measure.measured_in" if has_length else "measure.measured_in_no_length"
            faults.append(Fault(code, found=repr(self.measured_in)))
        if self.tolerance is not None and declared.tolerance is None:
            faults.append(Fault("measure.takes_no_tolerance", metric=self.metric, tolerance=self.tolerance))
        return faults

    @property
    def declaration(self) -> Metric:
        """The metric of this protocol."""
        return METRICS[self.metric]

    def describe(self) -> Phrase:
        """The protocol as one sentence; English as a text, in another language by :meth:`Phrase.text`."""
        unit = as_phrase(self.measured_in)
        length = Phrase("protocol.in_unit", unit=unit) if self.declaration.is_length else ""
        within = ""
        if self.tolerance is not None:
            within = Phrase("protocol.within", tolerance=f"{self.tolerance:g}", unit=unit)
        count = len(self.patients)
        facts = {
            "metric": Phrase(f"metric.{self.metric}"),
            "length": length,
            "tolerance": within,
            "unit": as_phrase(str(self.unit)),
            "grid": as_phrase(self.grid)
            if self.grid == "own"
            else Phrase("protocol.grid", grid=as_phrase(self.grid)),
            "slices": as_phrase(self.slices),
            "threshold": f"{self.threshold:g}",
            "postprocessing": as_phrase(self.postprocessing),
            "empty": as_phrase(self.empty or self.declaration.empty.both_empty),
            "patients": Phrase("compare.patient") if count == 1 else Phrase("compare.patients", count=count),
            "checkpoint": as_phrase(self.checkpoint),
        }
        if self.sequences == "all":
            return Phrase("protocol.sentence", **facts)
        return Phrase("protocol.sentence_of_sequences", **facts, sequences=as_phrase(self.sequences))

    def to_dict(self) -> dict[str, Any]:
        """The protocol as plain JSON types."""
        return {**asdict(self), "patients": list(self.patients)}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Protocol:
        """The protocol that :meth:`to_dict` gave.

        Raises:
            InputError: a field is missing, unknown or does not fit.
        """
        known = {field.name: field for field in fields(cls)}
        codes = "measure.unknown_field", "measure.unknown_field_near"
        faults = [_unknown(*codes, name, known) for name in content if name not in known]
        faults += [
            Fault("measure.field_missing", field=name)
            for name, field in known.items()
            if field.default is MISSING and name not in content
        ]
        raise_all(faults)
        return cls(**{**content, "patients": tuple(content["patients"])})


@dataclass(frozen=True)
class Scores:
    """One value a patient, with the protocol and the command that made them.

    Attributes:
        protocol: how the values were made.
        values: value of each patient of the protocol; NaN where the protocol skips a patient.
        command: the command line that repeats it.

    Raises:
        InputError: the patients of ``values`` are not those of the protocol.
    """

    protocol: Protocol
    values: Mapping[str, float]
    command: str

    def __post_init__(self) -> None:
        values = {patient: float(value) for patient, value in sorted(self.values.items())}
        object.__setattr__(self, "values", values)
        if tuple(values) != self.protocol.patients:
            different = sorted(set(values) ^ set(self.protocol.patients))
            raise InputError(Fault("measure.values_differ", patients=listed(different, 5)))

    def of_patients(self, patients: Iterable[str]) -> Scores:
        """The scores of some of the patients."""
        values = {patient: self.values[patient] for patient in sorted(patients)}
        return Scores(replace(self.protocol, patients=tuple(values)), values, self.command)

    @property
    def counted(self) -> dict[str, float]:
        """The values that count: those that are not NaN."""
        return {patient: value for patient, value in self.values.items() if not math.isnan(value)}

    @property
    def skipped(self) -> list[str]:
        """Patients whose value is NaN: the metric is undefined for them or the protocol skips them."""
        return [patient for patient, value in self.values.items() if math.isnan(value)]

    @property
    def mean(self) -> float:
        """Mean over the counted patients; NaN when there is none."""
        return float(np.mean([*self.counted.values()])) if self.counted else float("nan")

    @property
    def median(self) -> float:
        """Median over the counted patients; NaN when there is none."""
        return float(np.median([*self.counted.values()])) if self.counted else float("nan")

    def interval(self, statistic: Statistic = "mean", confidence: float = 0.95, seed: int = 0) -> Interval:
        """Bootstrap interval over the counted patients, see :func:`bootstrap_interval`."""
        return bootstrap_interval(self.values.values(), statistic, confidence, seed=seed)

    def summary(self) -> str:
        """Mean, interval, median and number of patients in one line."""
        skipped = f", {len(self.skipped)} skipped" if self.skipped else ""
        return (
            f"mean {self.mean:.3f} (95 % interval {self.interval()}), median {self.median:.3f}, "
            f"{len(self.counted)} patient{'' if len(self.counted) == 1 else 's'}{skipped}"
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types, numbers as :func:`json_number` gives them."""
        return {
            "protocol": self.protocol.to_dict(),
            "mean": json_number(self.mean),
            "mean_interval_95": [json_number(end) for end in self.interval()],
            "median": json_number(self.median),
            "median_interval_95": [json_number(end) for end in self.interval("median")],
            "patients_counted": len(self.counted),
            "values": {patient: json_number(value) for patient, value in self.values.items()},
            "command": self.command,
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Scores:
        """The scores that :meth:`to_dict` gave; the statistics are made anew from the values.

        Raises:
            InputError: a part is missing or does not fit.
        """
        raise_all(
            Fault("measure.part_missing", part=name)
            for name in ("protocol", "values", "command")
            if name not in content
        )
        values = {
            patient: float("nan") if value is None else float(value)
            for patient, value in content["values"].items()
        }
        return cls(Protocol.from_dict(content["protocol"]), values, content["command"])


def check_same_protocol(a: Scores, b: Scores, names: tuple[str, str] = ("the first", "the second")) -> None:
    """Refuse to compare scores that were made under different protocols.

    Args:
        a: scores.
        b: other scores.
        names: what to call them in the faults.

    Raises:
        InputError: one fault for every field of the protocol that differs.
    """
    faults = []
    for field in fields(Protocol):
        first, second = getattr(a.protocol, field.name), getattr(b.protocol, field.name)
        if first == second:
            continue
        code = "measure.protocol_differs"
        if field.name == "patients":
            more, fewer = sorted(set(first) - set(second)), sorted(set(second) - set(first))
            code = "measure.patients_differ"
            if not more or not fewer:
                code = "measure.patients_fewer" if more else "measure.patients_more"
            first, second = listed(more, 5), listed(fewer, 5)
        faults.append(
            Fault(
                code,
                field=field.name,
                first=first,
                second=second,
                first_name=names[0],
                second_name=names[1],
            )
        )
    raise_all(faults)


def json_number(value: float) -> float | str | None:
    """A number as JSON can hold it: NaN becomes ``None``, infinity the text ``"inf"``."""
    if math.isnan(value):
        return None
    return value if math.isfinite(value) else str(value)


def _unknown(code: str, code_near: str, name: str, known: Mapping[str, Any]) -> Fault:
    near = get_close_matches(name, known, n=1)
    if near:
        return Fault(code_near, known=", ".join(known), name=name, near=near[0])
    return Fault(code, known=", ".join(known), name=name)

"""What a metric is: a formula on two boolean masks and everything a reader needs to read its number."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from glioseg.errors import Fault, InputError
from glioseg.scan import BoolArray, check_boolean

Unit = Literal["volume", "slice", "lesion"]
EmptyRule = Literal["perfect", "worst", "skip"]
"""What an empty mask counts as: the best value, the worst, or nothing (NaN, left out of the mean)."""

Spacing = Sequence[float]
Formula = Callable[..., float]

METRICS: dict[str, Metric] = {}
"""Every metric by its name, in the order in which tables show them."""


@dataclass(frozen=True)
class EmptyCases:
    """What a metric gives when a mask holds no voxel; ``"formula"`` where the formula itself still holds.

    Attributes:
        both: neither mask holds a voxel. A protocol may choose another rule for this case.
        no_prediction: only the prediction is empty: the lesion was missed.
        no_truth: only the truth is empty: all that was predicted is false.
    """

    both_empty: EmptyRule
    no_prediction: EmptyRule | Literal["formula"]
    no_truth: EmptyRule | Literal["formula"]


@dataclass(frozen=True)
class Metric:
    """A metric with its declaration; call it with two boolean masks.

    Attributes:
        name: key in :data:`METRICS`.
        title: name for tables and plots.
        meaning: one sentence for a reader who does not know it.
        unit: what is counted: voxels of the whole array (``"volume"``), slices or lesions.
        low, high: range of its values, both ends included.
        higher_is_better: ``None`` when values are best near zero from both sides.
        symmetric: whether exchanging prediction and truth leaves the value as it is.
        empty: its rule for empty masks.
        source: where the definition stands.
        is_length: values are in mm when the spacing is known, in voxels otherwise.
        tolerance: default tolerance, for metrics that take one; in mm or voxels likewise.
    """

    name: str
    title: str
    meaning: str
    unit: Unit
    low: float
    high: float
    higher_is_better: bool | None
    symmetric: bool
    empty: EmptyCases
    source: str
    formula: Formula
    is_length: bool = False
    tolerance: float | None = None

    @property
    def best(self) -> float:
        """Value of a perfect prediction."""
        if self.higher_is_better is None:
            return 0.0
        return self.high if self.higher_is_better else self.low

    @property
    def worst(self) -> float:
        """Value of the worst prediction."""
        return self.low if self.higher_is_better else self.high

    def length_unit(self, spacing: Spacing | None) -> str:
        """Unit of lengths that belong to this metric: ``"mm"``, ``"voxels"``, or ``""`` when it has none."""
        if not self.is_length and self.tolerance is None:
            return ""
        return "voxels" if spacing is None else "mm"

    def __call__(
        self,
        predicted: BoolArray,
        truth: BoolArray,
        spacing: Spacing | None = None,
        *,
        empty: EmptyRule | None = None,
        tolerance: float | None = None,
    ) -> float:
        """Measure one prediction.

        Args:
            predicted: boolean array ``(slices, height, width)`` or ``(height, width)``.
            truth: boolean array of the same shape.
            spacing: size of a voxel in mm along each axis; ``None`` when unknown, lengths are then in voxels.
            empty: rule for two empty masks, instead of the metric's own.
            tolerance: for metrics that take one, instead of their default.

        Returns:
            The value, or NaN when the metric is undefined and its rule says to skip the case.

        Raises:
            WrongKindError: an array is not boolean.
            InputError: shapes, spacing or tolerance do not fit.
        """
        check_boolean(predicted, "the predicted mask")
        check_boolean(truth, "the true mask")
        _check_fit(self, predicted, truth, spacing, tolerance)
        found, there = bool(predicted.any()), bool(truth.any())
        rule: str = "formula"
        if not found and not there:
            rule = empty or self.empty.both_empty
        elif not found:
            rule = self.empty.no_prediction
        elif not there:
            rule = self.empty.no_truth
        if rule != "formula":
            return {"perfect": self.best, "worst": self.worst, "skip": float("nan")}[rule]
        if self.tolerance is None:
            return float(self.formula(predicted, truth, spacing))
        return float(
            self.formula(predicted, truth, spacing, self.tolerance if tolerance is None else tolerance)
        )


def declare(name: str, **declaration: Any) -> Callable[[Formula], Metric]:
    """Decorator: register a formula ``(predicted, truth, spacing[, tolerance])`` as a :class:`Metric`."""

    def register(formula: Formula) -> Metric:
        if name in METRICS:
            raise ValueError(f"two metrics are named {name}")
        METRICS[name] = Metric(name=name, formula=formula, **declaration)
        return METRICS[name]

    return register


def _check_fit(
    metric: Metric,
    predicted: npt.NDArray[Any],
    truth: npt.NDArray[Any],
    spacing: Spacing | None,
    tolerance: float | None,
) -> None:
    faults = []
    if predicted.shape != truth.shape or predicted.ndim not in (2, 3) or not predicted.size:
        faults.append(Fault("measure.masks_differ", predicted=predicted.shape, truth=truth.shape))
    if spacing is not None and not (
        len(spacing) == predicted.ndim and np.all(np.isfinite(spacing)) and min(spacing) > 0
    ):
        faults.append(Fault("measure.spacing", dimensions=predicted.ndim, spacing=tuple(spacing)))
    if tolerance is not None and (metric.tolerance is None or not 0 <= tolerance < float("inf")):
        code = "measure.no_tolerance" if metric.tolerance is None else "measure.tolerance"
        faults.append(Fault(code, metric.name, tolerance=tolerance))
    if faults:
        raise InputError(*faults)

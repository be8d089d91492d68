"""Numbers that conclusions rest on: what single patients do to a mean, and what the curves of a run say."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

PATIENT = "dsc:"
"""How the columns of single patients begin."""

LAST = 5
"""Epochs at the end that are looked at for how far the curve has settled."""


@dataclass(frozen=True)
class Influence:
    """A mean over patients, and what it would be without one of them.

    Attributes:
        mean: of all patients.
        low, high: range of the mean when any one patient is left out.
        patient: the one whose absence changes the mean most.
        without: the mean without that one.
    """

    mean: float
    low: float
    high: float
    patient: str
    without: float


def influence(values: Mapping[str, float]) -> Influence | None:
    """What the mean of scores owes to single patients; ``None`` for fewer than two patients.

    Args:
        values: score by patient, finite.
    """
    if len(values) < 2:
        return None
    mean = float(np.mean(list(values.values())))
    without = {patient: mean_without(values, patient) for patient in values}
    patient = max(without, key=lambda patient: abs(without[patient] - mean))
    return Influence(mean, min(without.values()), max(without.values()), patient, without[patient])


def mean_without(values: Mapping[str, float], left_out: str) -> float:
    """The mean over all patients but one; NaN where nobody else is."""
    rest = [value for patient, value in values.items() if patient != left_out]
    return float(np.mean(rest)) if rest else math.nan


@dataclass(frozen=True)
class Reading:
    """Curves of one run in numbers; ``None`` where the run recorded no such curve.

    Attributes:
        to_08, to_09: first epoch with a validation DSC of 0.8 and of 0.9; ``None`` if it has none.
        ends: lowest and highest validation DSC of the last epochs.
        jumper: the patient whose DSC varies most in them, with its lowest and highest.
        first_loss, loss: training loss of the first and of the last epoch.
        distance: last validation loss minus last training loss.
    """

    to_08: int | None
    to_09: int | None
    ends: tuple[float, float] | None
    jumper: tuple[str, float, float] | None
    first_loss: float | None
    loss: float | None
    distance: float | None


def reading_of(curves: Mapping[str, Sequence[float]]) -> Reading:
    """The numbers of one run's curves; values that are not finite are passed over.

    Args:
        curves: values by column of ``metrics.csv``, one an epoch.
    """
    epochs = curves.get("epoch", ())
    dsc = [(int(epoch), value) for epoch, value in _finite(epochs, curves.get("val_dsc", ()))]
    losses = [value for _, value in _finite(epochs, curves.get("loss", ()))]
    validation = [value for _, value in _finite(epochs, curves.get("val_loss", ()))]
    last = [value for _, value in dsc[-LAST:]]
    ranges = []
    for column, values in curves.items():
        ends = [value for value in values[-LAST:] if math.isfinite(value)]
        if column.startswith(PATIENT) and ends:
            ranges.append((column.removeprefix(PATIENT), min(ends), max(ends)))
    return Reading(
        to_08=next((epoch for epoch, value in dsc if value >= 0.8), None),
        to_09=next((epoch for epoch, value in dsc if value >= 0.9), None),
        ends=(min(last), max(last)) if last else None,
        jumper=max(ranges, key=lambda one: one[2] - one[1], default=None),
        first_loss=losses[0] if losses else None,
        loss=losses[-1] if losses else None,
        distance=validation[-1] - losses[-1] if validation and losses else None,
    )


def _finite(epochs: Sequence[float], values: Sequence[float]) -> list[tuple[float, float]]:
    return [pair for pair in zip(epochs, values, strict=False) if all(map(math.isfinite, pair))]

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

UNSETTLED = 0.05
"""A spread of the validation DSC in these epochs with which it has not settled."""

HARDLY = 0.05
"""Share of the first training loss; a loss that falls by less hardly moves."""

RISEN, RISEN_AT_LAST = 1.05, 1.1
"""How many times the least validation loss the last three and the last one are where it has risen again."""


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
        patients: how many patients were recorded.
        first_loss, loss: training loss of the first and of the last epoch.
        validation_loss: of the last epoch.
        late: least validation loss of the last three epochs.
        least: epoch of the least validation loss, and that loss.
        epochs: number of the last epoch with a validation loss.
    """

    to_08: int | None
    to_09: int | None
    ends: tuple[float, float] | None
    jumper: tuple[str, float, float] | None
    patients: int
    first_loss: float | None
    loss: float | None
    validation_loss: float | None
    late: float | None
    least: tuple[int, float] | None
    epochs: int

    @property
    def distance(self) -> float | None:
        """Last validation loss minus last training loss."""
        if self.validation_loss is None or self.loss is None:
            return None
        return self.validation_loss - self.loss

    @property
    def unsettled(self) -> bool:
        """Whether the validation DSC still varies much in the last epochs."""
        return self.ends is not None and self.ends[1] - self.ends[0] > UNSETTLED

    @property
    def hardly_moves(self) -> bool:
        """Whether the training loss falls by less than a twentieth of what it begins with."""
        if self.first_loss is None or self.loss is None:
            return False
        return abs(self.first_loss - self.loss) < HARDLY * abs(self.first_loss)

    @property
    def has_risen(self) -> bool:
        """Whether the validation loss has risen again since it was least, and not in a single epoch."""
        if self.least is None or self.validation_loss is None or self.late is None:
            return False
        least = self.least[1]
        return least > 0 and self.late > RISEN * least and self.validation_loss > RISEN_AT_LAST * least

    @property
    def below_zero(self) -> bool:
        """Whether the validation loss falls below 0, as no loss of probabilities can."""
        return self.least is not None and self.least[1] < 0

    @property
    def still_falls(self) -> bool:
        """Whether the validation loss was least in one of the last two epochs."""
        return self.least is not None and self.epochs > 2 and self.least[0] >= self.epochs - 1


def reading_of(curves: Mapping[str, Sequence[float]]) -> Reading:
    """The numbers of one run's curves; values that are not finite are passed over.

    Args:
        curves: values by column of ``metrics.csv``, one an epoch.
    """
    epochs = curves.get("epoch", ())
    dsc = [(int(epoch), value) for epoch, value in _finite(epochs, curves.get("val_dsc", ()))]
    losses = [value for _, value in _finite(epochs, curves.get("loss", ()))]
    validation = [(int(epoch), value) for epoch, value in _finite(epochs, curves.get("val_loss", ()))]
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
        patients=len(ranges),
        first_loss=losses[0] if losses else None,
        loss=losses[-1] if losses else None,
        validation_loss=validation[-1][1] if validation else None,
        late=min((value for _, value in validation[-3:]), default=None),
        least=min(validation, key=lambda pair: pair[1], default=None),
        epochs=validation[-1][0] if validation else 0,
    )


def _finite(epochs: Sequence[float], values: Sequence[float]) -> list[tuple[float, float]]:
    return [pair for pair in zip(epochs, values, strict=False) if all(map(math.isfinite, pair))]

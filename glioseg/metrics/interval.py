"""How sure a mean or median over patients is: the percentile bootstrap."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Literal, NamedTuple

import numpy as np

Statistic = Literal["mean", "median"]
STATISTICS: dict[Statistic, Callable[..., Any]] = {"mean": np.mean, "median": np.median}

# Resamples are drawn in blocks of at most this many numbers: 16 MB, however many patients there are.
_BLOCK = 2_000_000


class Interval(NamedTuple):
    """Both ends of a confidence interval; NaN when there are too few values to tell."""

    low: float
    high: float

    def __str__(self) -> str:
        return "unknown" if np.isnan(self.low) else f"{self.low:.3f} to {self.high:.3f}"


def bootstrap_interval(
    values: Iterable[float],
    statistic: Statistic = "mean",
    confidence: float = 0.95,
    resamples: int = 10_000,
    seed: int = 0,
) -> Interval:
    """Percentile bootstrap interval of the mean or median over patients.

    Args:
        values: one value a patient; NaN (skipped patients) are left out.
        statistic: ``"mean"`` or ``"median"``.
        confidence: probability that the interval is meant to have, in (0, 1).
        resamples: number of samples drawn with replacement.
        seed: the same seed and values give the same interval.

    Returns:
        The interval, its ends being statistics of actual resamples (infinite values are
        allowed); both NaN with fewer than two values, of which no spread can be told.

    Raises:
        ValueError: ``confidence`` or ``resamples`` is out of range.

    Source:
        Efron and Tibshirani 1993, "An Introduction to the Bootstrap", chapter 13.
    """
    if not 0 < confidence < 1 or resamples < 1:
        raise ValueError("confidence lies between 0 and 1 and resamples is at least 1")
    sample = np.asarray(list(values), dtype=np.float64)
    sample = sample[~np.isnan(sample)]
    if len(sample) < 2:
        return Interval(float("nan"), float("nan"))
    reduce = STATISTICS[statistic]
    random = np.random.default_rng(seed)
    block = max(1, _BLOCK // len(sample))
    drawn = [
        reduce(
            sample[random.integers(len(sample), size=(min(block, resamples - start), len(sample)))], axis=1
        )
        for start in range(0, resamples, block)
    ]
    statistics = np.concatenate(drawn)
    tail = (1 - confidence) / 2
    # No interpolation: outward to a resample, which also holds where values are infinite.
    low = np.quantile(statistics, tail, method="lower")
    high = np.quantile(statistics, 1 - tail, method="higher")
    return Interval(float(low), float(high))

"""Statistics over patients: bootstrap intervals, paired tests, corrections, areas and correlations.

Everything here takes plain numbers. What is paired is paired by patient: patients, not slices or voxels,
are what is resampled and ranked.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from glioseg.measure.values import NotDefined

Statistic = Literal["mean", "median"]
STATISTICS: dict[Statistic, Callable[..., Any]] = {"mean": np.mean, "median": np.median}

_NORMAL_975 = 1.959963984540054

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


def paired_bootstrap(
    a: Sequence[float],
    b: Sequence[float],
    statistic: Statistic = "mean",
    confidence: float = 0.95,
    resamples: int = 10_000,
    seed: int = 0,
) -> Interval:
    """Bootstrap interval of the mean or median of ``a - b``, whole patients resampled.

    Args:
        a: one value a patient.
        b: values of the same patients in the same order.
        statistic, confidence, resamples, seed: as for :func:`bootstrap_interval`.

    Raises:
        ValueError: the two do not have the same length.
    """
    return bootstrap_interval(paired_differences(a, b), statistic, confidence, resamples, seed)


def wilcoxon(differences: Sequence[float]) -> float:
    """Two-sided p of the Wilcoxon signed-rank test.

    Args:
        differences: one a patient. Zeros are dropped, as Wilcoxon did; all zero gives p = 1.

    Returns:
        p in (0, 1], exact for any number of patients, also with ties: the distribution of the rank
        sum over all choices of signs.

    Source:
        Wilcoxon 1945, doi 10.2307/3001968; ties take their mean rank.
    """
    # Rounded, so that differences that are equal but for the last bit are ties.
    kept = np.round(np.asarray(differences, dtype=np.float64), 12)
    kept = kept[kept != 0]
    _, place, count = np.unique(np.abs(kept), return_inverse=True, return_counts=True)
    doubled = (2 * np.cumsum(count) - count + 1)[place]  # twice the mean rank: whole numbers
    total = int(doubled.sum())
    chance = np.zeros(total + 1)  # of each possible sum of the ranks with a positive sign
    chance[0] = 1.0
    for rank in doubled:
        chance *= 0.5
        chance[rank:] = chance[rank:] + chance[:-rank]
    distance = np.abs(2 * np.arange(total + 1) - total)
    observed = abs(2 * int(doubled[kept > 0].sum()) - total)
    return float(min(1.0, chance[distance >= observed].sum()))


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down correction: adjusted p values in the order given.

    Source:
        Holm 1979, "A simple sequentially rejective multiple test procedure", Scand. J. Statist. 6, 65-70.
    """
    adjusted = [1.0] * len(p_values)
    running = 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=lambda index: p_values[index])):
        running = max(running, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = running
    return adjusted


def bonferroni(p_values: Sequence[float]) -> list[float]:
    """Bonferroni's correction: each p times the number of tests, at most 1."""
    return [min(1.0, p * len(p_values)) for p in p_values]


def benjamini_hochberg(p_values: Sequence[float]) -> list[float]:
    """Benjamini and Hochberg's adjusted p-values, which bound the false discovery rate.

    Source:
        Benjamini and Hochberg 1995, doi 10.1111/j.2517-6161.1995.tb02031.x.
    """
    from scipy import stats

    adjusted: list[float] = stats.false_discovery_control(p_values).tolist() if len(p_values) else []
    return adjusted


class Auc(NamedTuple):
    """Area under the ROC curve with its 95 % interval; the ends are NaN where the area is 0 or 1."""

    value: float
    low: float
    high: float
    positives: int
    negatives: int


class Correlation(NamedTuple):
    """Pearson's r with its 95 % interval, and Spearman's rho, over ``n`` pairs."""

    pearson: float
    low: float
    high: float
    spearman: float
    n: int


def auc(positives: npt.ArrayLike, negatives: npt.ArrayLike) -> Auc | NotDefined:
    """Area under the ROC curve, with DeLong's variance and an interval made on the logit scale.

    Args:
        positives: values of one group; the area is the chance that one of them is larger than
            one of the others, a tie counting half.
        negatives: values of the rest.

    Source:
        DeLong, DeLong and Clarke-Pearson 1988, doi 10.2307/2531595; Pepe 2003, "The Statistical
        Evaluation of Medical Tests", section 5.2 (logit scale).
    """
    one, rest = (np.asarray(values, dtype=np.float64) for values in (positives, negatives))
    if len(one) < 2 or len(rest) < 2:
        return NotDefined("fewer than two patients on one side")
    larger = np.sign(one[:, None] - rest[None, :]) / 2 + 0.5
    value = float(larger.mean())
    variance = larger.mean(axis=1).var(ddof=1) / len(one) + larger.mean(axis=0).var(ddof=1) / len(rest)
    if value in (0.0, 1.0):
        return Auc(value, math.nan, math.nan, len(one), len(rest))
    centre = math.log(value / (1 - value))
    reach = _NORMAL_975 * math.sqrt(variance) / (value * (1 - value))
    low, high = (1 / (1 + math.exp(-end)) for end in (centre - reach, centre + reach))
    return Auc(value, low, high, len(one), len(rest))


def correlation(first: npt.ArrayLike, second: npt.ArrayLike) -> Correlation | NotDefined:
    """Correlation of pairs, those left out where one value is NaN; interval by Fisher's z."""
    from scipy import stats

    a, b = (np.asarray(values, dtype=np.float64) for values in (first, second))
    defined = ~(np.isnan(a) | np.isnan(b))
    a, b = a[defined], b[defined]
    if len(a) < 4:
        return NotDefined("fewer than four pairs")
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return NotDefined("all values are equal")
    pearson = float(np.clip(np.corrcoef(a, b)[0, 1], -1, 1))
    reach = _NORMAL_975 / math.sqrt(len(a) - 3)
    low, high = (
        math.tanh(math.atanh(pearson) + end) if abs(pearson) < 1 else pearson for end in (-reach, reach)
    )
    return Correlation(pearson, low, high, float(stats.spearmanr(a, b)[0]), len(a))


def paired_differences(a: Sequence[float], b: Sequence[float]) -> npt.NDArray[np.float64]:
    """What one value minus the other is; two equal ones differ by nothing, also where both are infinite.

    Raises:
        ValueError: the two do not have the same length.
    """
    first, second = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if first.shape != second.shape:
        raise ValueError(f"{len(first)} and {len(second)} values are no pairs")
    return np.subtract(first, second, out=np.zeros_like(first), where=first != second)

"""Tests, effect sizes and corrections for the association of a feature with a category."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from glioseg.measure.statistics import Auc
from glioseg.measure.values import NotDefined

RESAMPLES = 100_000
"""Random tables of a Monte Carlo test."""


class MonteCarlo(NamedTuple):
    """A p-value and its standard error, 0 where it is exact."""

    p: float
    standard_error: float


class KruskalWallis(NamedTuple):
    """Result of the test: H, p and the effect size epsilon squared."""

    h: float
    p: float
    epsilon_squared: float


def fisher_exact(table: npt.ArrayLike, resamples: int = RESAMPLES, seed: int = 0) -> MonteCarlo | NotDefined:
    """Two-sided Fisher's exact test: how probable are tables no more probable than this one?

    Two by two tables are enumerated. Larger ones (Freeman and Halton) are compared with random
    tables of the same margins; the observed table counts as one of them, so p is never 0.

    Args:
        table: counts ``(rows, columns)``.
        resamples: number of random tables.
        seed: the same seed gives the same p.

    Source:
        Freeman and Halton 1951, doi 10.1093/biomet/38.1-2.141; Patefield 1981, doi 10.2307/2346669 (random
        tables); Phipson and Smyth 2010, doi 10.2202/1544-6115.1585 (the observed table counts).
    """
    from scipy import stats

    counts = _without_empty(table)
    if isinstance(counts, NotDefined):
        return counts
    if counts.shape == (2, 2):
        return MonteCarlo(float(stats.fisher_exact(counts)[1]), 0.0)
    margins = tuple(counts.sum(axis=1).tolist()), tuple(counts.sum(axis=0).tolist())
    drawn = _random_tables(*margins, resamples, seed)
    observed = _log_factorials(counts).sum()
    p = (1 + int((drawn >= observed - 1e-7).sum())) / (resamples + 1)
    return MonteCarlo(p, math.sqrt(p * (1 - p) / resamples))


def cramers_v(table: npt.ArrayLike) -> float | NotDefined:
    """Cramer's V of a table of counts: 0 no association, 1 the largest possible.

    Source:
        Cramer 1946, "Mathematical Methods of Statistics", chapter 21.
    """
    counts = _without_empty(table)
    if isinstance(counts, NotDefined):
        return counts
    total = counts.sum()
    expected = np.outer(counts.sum(axis=1), counts.sum(axis=0)) / total
    chi_squared = ((counts - expected) ** 2 / expected).sum()
    return math.sqrt(chi_squared / (total * (min(counts.shape) - 1)))


def kruskal_wallis(groups: Sequence[npt.NDArray[np.float64]]) -> KruskalWallis | NotDefined:
    """Kruskal-Wallis test of whether groups have the same distribution, with epsilon squared.

    Epsilon squared is ``H / (n - 1)``: 0 no difference, 1 ranks that the group determines.

    Source:
        Kruskal and Wallis 1952, doi 10.1080/01621459.1952.10483441; Tomczak and Tomczak 2014, "The need to
        report effect size estimates revisited", Trends in Sport Sciences 21, 19-25.
    """
    from scipy import stats

    filled = [group for group in groups if len(group)]
    if len(filled) < 2:
        return NotDefined("fewer than two groups have a value")
    values = np.concatenate(filled)
    if (values == values[0]).all():
        return NotDefined("all values are equal")
    h, p = stats.kruskal(*filled)
    return KruskalWallis(float(h), float(p), float(h) / (len(values) - 1))


def format_p(p: float) -> str:
    """A p-value with two figures that count."""
    if math.isnan(p):
        return "not defined"
    if p < 0.001:
        return "< 0.0001" if p < 0.0001 else f"{p:.5f}"
    return f"{p:.2f}" if p >= 0.1 else f"{p:.2g}"


def format_auc(area: Auc | NotDefined) -> str:
    """An area with its interval."""
    if isinstance(area, NotDefined):
        return f"not defined: {area.reason}"
    if math.isnan(area.low):
        return f"{area.value:.2f} (no interval)"
    return f"{area.value:.2f} ({area.low:.2f}–{area.high:.2f})"


# Every feature without missing values has the same margins in a column, so the tables are drawn once.
@lru_cache(maxsize=32)
def _random_tables(
    rows: tuple[int, ...], columns: tuple[int, ...], resamples: int, seed: int
) -> npt.NDArray[np.float64]:
    """For random tables with these margins the logarithm of the product of the factorials in them.

    With fixed margins the probability of a table falls as this number rises.
    """
    from scipy import stats

    tables = stats.random_table(rows, columns, seed=np.random.default_rng(seed)).rvs(resamples)
    logarithms: npt.NDArray[np.float64] = _log_factorials(tables.astype(np.int64)).sum(axis=(1, 2))
    return logarithms


def _log_factorials(counts: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    from scipy.special import gammaln

    each: npt.NDArray[np.float64] = gammaln(np.arange(counts.max() + 1) + 1.0)[counts]
    return each


def _without_empty(table: npt.ArrayLike) -> npt.NDArray[Any] | NotDefined:
    """The table without empty rows and columns, which carry no information."""
    counts = np.asarray(table, dtype=np.int64)
    counts = counts[counts.sum(axis=1) > 0][:, counts.sum(axis=0) > 0]
    if min(counts.shape) < 2:
        return NotDefined("fewer than two groups, or all values on one side of the median")
    return counts

"""Test whether features differ between categories, as Buda et al. 2019 did, with what belongs beside it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from glioseg.measure.statistics import Auc, auc, benjamini_hochberg, bonferroni
from glioseg.measure.values import NotDefined
from glioseg.radiogenomics.clinical import sorted_levels
from glioseg.radiogenomics.statistics import (
    RESAMPLES,
    KruskalWallis,
    MonteCarlo,
    cramers_v,
    fisher_exact,
    kruskal_wallis,
)

Categories = Sequence[str | None]


@dataclass(frozen=True)
class Level:
    """A feature within one category.

    Attributes:
        name: the category.
        low: patients at or below the median of all patients.
        high: patients above it.
        median: median of the feature, with the quartiles beside it.
    """

    name: str
    low: int
    high: int
    median: float
    first_quartile: float
    third_quartile: float

    @property
    def patients(self) -> int:
        """How many patients are in this category and have the feature."""
        return self.low + self.high

    @property
    def numbers(self) -> dict[str, float]:
        """All but the name."""
        return {name: value for name, value in asdict(self).items() if name != "name"}


@dataclass(frozen=True)
class Association:
    """One feature against one column.

    Attributes:
        feature: name of the feature.
        column: name of the column.
        patients: how many have both.
        without_feature: patients whose feature is not defined.
        without_label: patients with the feature whose category is missing.
        threshold: the median of the feature over all patients that have it, with or without a category.
        levels: the categories in natural order.
        fisher: Fisher's exact test of category against above or not above the threshold.
        cramers_v: its effect size.
        kruskal: the test on the values themselves, with its effect size.
        bonferroni: p of ``fisher`` after Bonferroni's correction over the family.
        benjamini_hochberg: p of ``fisher`` after Benjamini and Hochberg's.
        kruskal_bonferroni: the same for ``kruskal``.
        kruskal_benjamini_hochberg: the same for ``kruskal``.
    """

    feature: str
    column: str
    patients: int
    without_feature: int
    without_label: int
    threshold: float
    levels: tuple[Level, ...]
    fisher: MonteCarlo | NotDefined
    cramers_v: float | NotDefined
    kruskal: KruskalWallis | NotDefined
    bonferroni: float = math.nan
    benjamini_hochberg: float = math.nan
    kruskal_bonferroni: float = math.nan
    kruskal_benjamini_hochberg: float = math.nan

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types; ``None`` where something is not defined, with the reason in ``not_defined``."""
        undefined = [part.reason for part in (self.fisher, self.kruskal) if isinstance(part, NotDefined)]
        fisher = self.fisher if isinstance(self.fisher, MonteCarlo) else MonteCarlo(math.nan, math.nan)
        kruskal = self.kruskal if isinstance(self.kruskal, KruskalWallis) else KruskalWallis(*[math.nan] * 3)
        numbers = {
            "threshold": self.threshold,
            "fisher_p": fisher.p,
            "fisher_p_standard_error": fisher.standard_error,
            "fisher_p_bonferroni": self.bonferroni,
            "fisher_p_benjamini_hochberg": self.benjamini_hochberg,
            "cramers_v": float(self.cramers_v),
            "kruskal_h": kruskal.h,
            "kruskal_p": kruskal.p,
            "kruskal_p_bonferroni": self.kruskal_bonferroni,
            "kruskal_p_benjamini_hochberg": self.kruskal_benjamini_hochberg,
            "epsilon_squared": kruskal.epsilon_squared,
        }
        return {
            "feature": self.feature,
            "column": self.column,
            "patients": self.patients,
            "without_feature": self.without_feature,
            "without_label": self.without_label,
            **_without_nan(numbers),
            "not_defined": "; ".join(dict.fromkeys(undefined)),
            "levels": [{"name": level.name, **_without_nan(level.numbers)} for level in self.levels],
        }


@dataclass(frozen=True)
class Discrimination:
    """How well a feature alone tells one category of a column from the rest.

    Attributes:
        feature: name of the feature.
        inverted: whether the area is that of 1 / feature, so that a larger value is more irregular.
        column: name of the column.
        level: the category.
        area: the area under the ROC curve.
    """

    feature: str
    inverted: bool
    column: str
    level: str
    area: Auc | NotDefined

    @property
    def score(self) -> str:
        """What is ranked: the feature or its inverse."""
        return f"1 / {self.feature}" if self.inverted else self.feature

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        area = self.area if isinstance(self.area, Auc) else Auc(math.nan, math.nan, math.nan, 0, 0)
        ends = {"auc": area.value, "low": area.low, "high": area.high}
        return {
            "score": self.score,
            "column": self.column,
            "level": self.level,
            **_without_nan(ends),
            "patients": area.positives,
            "others": area.negatives,
            "not_defined": self.area.reason if isinstance(self.area, NotDefined) else "",
        }


INVERTED = ("bounding_ellipsoid_volume_ratio",)
"""Features that are small for irregular lesions."""


def associate(
    features: Mapping[str, npt.NDArray[np.float64]],
    labels: Mapping[str, Categories],
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> list[Association]:
    """Test every feature against every column, and correct over all these tests as one family.

    A patient counts as high when its value is above the median of all patients that have the feature.
    Patients without a value or without a category are counted and left out, never filled in.

    Args:
        features: for each feature the value of each patient, NaN where it is not defined.
        labels: for each column the category of each patient in the same order, ``None`` where it is missing.
        resamples: random tables of each Monte Carlo test.
        seed: of the random tables; each test starts anew from it, so its p does not depend on the others.

    Returns:
        One association a pair, features first, in the order given.
    """
    found = [
        _associate_one(feature, column, values, categories, resamples, seed)
        for feature, values in features.items()
        for column, categories in labels.items()
    ]
    fisher = [test.fisher.p if isinstance(test.fisher, MonteCarlo) else math.nan for test in found]
    kruskal = [test.kruskal.p if isinstance(test.kruskal, KruskalWallis) else math.nan for test in found]
    corrected = zip(found, *_corrected(fisher), *_corrected(kruskal), strict=True)
    return [
        replace(
            test,
            bonferroni=first,
            benjamini_hochberg=second,
            kruskal_bonferroni=third,
            kruskal_benjamini_hochberg=fourth,
        )
        for test, first, second, third, fourth in corrected
    ]


def discriminate(
    features: Mapping[str, npt.NDArray[np.float64]], labels: Mapping[str, Categories]
) -> list[Discrimination]:
    """Area under the ROC curve of each feature for each category against the other categories.

    Args:
        features: as for :func:`associate`; those in :data:`INVERTED` enter as 1 / value.
        labels: as for :func:`associate`.
    """
    found = []
    for feature, values in features.items():
        inverted = feature in INVERTED
        score = 1 / values if inverted else values
        for column, categories in labels.items():
            array = np.array(categories, dtype=object)
            known = ~np.isnan(score) & np.array([label is not None for label in categories])
            for level in sorted_levels(categories):
                one = known & (array == level)
                area = auc(score[one], score[known & ~one])
                found.append(Discrimination(feature, inverted, column, level, area))
    return found


def _associate_one(
    feature: str,
    column: str,
    values: npt.NDArray[np.float64],
    categories: Categories,
    resamples: int,
    seed: int,
) -> Association:
    defined = ~np.isnan(values)
    threshold = float(np.median(values[defined])) if defined.any() else math.nan
    labelled = np.array([label is not None for label in categories], dtype=bool)
    groups = {
        level: values[defined & np.array([label == level for label in categories])]
        for level in sorted_levels(categories)
    }
    levels = tuple(_level(name, group, threshold) for name, group in groups.items())
    table = [[level.low, level.high] for level in levels] or [[0, 0]]
    return Association(
        feature=feature,
        column=column,
        patients=int((defined & labelled).sum()),
        without_feature=int((~defined).sum()),
        without_label=int((defined & ~labelled).sum()),
        threshold=threshold,
        levels=levels,
        fisher=fisher_exact(table, resamples, seed),
        cramers_v=cramers_v(table),
        kruskal=kruskal_wallis(list(groups.values())),
    )


def _level(name: str, group: npt.NDArray[np.float64], threshold: float) -> Level:
    quartiles = np.percentile(group, (25, 50, 75)).tolist() if len(group) else [math.nan] * 3
    high = int((group > threshold).sum())
    return Level(name, len(group) - high, high, quartiles[1], quartiles[0], quartiles[2])


def _corrected(p_values: Sequence[float]) -> tuple[list[float], list[float]]:
    """Bonferroni and Benjamini-Hochberg over the tests that are defined; NaN for the others."""
    places = [place for place, p in enumerate(p_values) if not math.isnan(p)]
    defined = [p_values[place] for place in places]
    spreads = []
    for adjusted in (bonferroni(defined), benjamini_hochberg(defined)):
        spread = [math.nan] * len(p_values)
        for place, p in zip(places, adjusted, strict=True):
            spread[place] = p
        spreads.append(spread)
    return spreads[0], spreads[1]


def _without_nan(numbers: Mapping[str, float]) -> dict[str, float | None]:
    """What JSON can hold."""
    return {name: None if math.isnan(number) else number for name, number in numbers.items()}

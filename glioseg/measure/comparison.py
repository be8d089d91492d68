"""Whether one set of scores is better than another by more than the noise between patients.

Everything is paired: both models are scored on the same patients, and the
patients, not slices or voxels, are what is resampled and ranked. The spread
between seeds of one recipe is another matter: compare several seeds for that.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from glioseg.measure.protocol import Scores, check_same_protocol, json_number
from glioseg.measure.statistics import (
    STATISTICS,
    Interval,
    Statistic,
    bootstrap_interval,
    holm,
    paired_differences,
    wilcoxon,
)
from glioseg.words import sentence

SIGNIFICANT = 0.05
"""Two-sided level at which a difference is called larger than the noise."""


@dataclass(frozen=True)
class Comparison:
    """Two sets of scores on the same patients.

    Attributes:
        first, second: what the two are called.
        metric: title of the metric.
        patients: number of patients scored by both.
        left_out: patients that one of the two skips.
        statistic: whether mean or median of the differences is given.
        difference: of ``first`` minus ``second``, in the metric's own values
            (for metrics that are best near zero: of their absolute values).
        interval: 95 % bootstrap interval of the difference.
        p: of the Wilcoxon signed-rank test, two-sided.
        adjusted_p: ``p`` after Holm's correction for all comparisons made together.
        higher_is_better: as the metric declares it.
    """

    first: str
    second: str
    metric: str
    patients: int
    left_out: tuple[str, ...]
    statistic: Statistic
    difference: float
    interval: Interval
    p: float
    adjusted_p: float
    higher_is_better: bool

    @property
    def larger_than_noise(self) -> bool:
        """Whether the interval excludes zero and the corrected p lies below 0.05."""
        return (self.interval.low > 0 or self.interval.high < 0) and self.adjusted_p < SIGNIFICANT

    @property
    def better(self) -> str | None:
        """The one that is better by more than the noise, or ``None``."""
        if not self.larger_than_noise:
            return None
        return self.first if (self.difference > 0) == self.higher_is_better else self.second

    @property
    def numbers(self) -> str:
        """The difference, its interval, the test and the number of patients."""
        return self.numbers_in("en")

    def numbers_in(self, language: str) -> str:
        """The difference, its interval, the test and the number of patients, in a language."""
        return sentence(
            "sentences",
            "compare.numbers_corrected" if self.adjusted_p != self.p else "compare.numbers",
            language,
            statistic=sentence("sentences", f"compare.{self.statistic}", language),
            metric=self.metric,
            difference=f"{self.difference:+.3f}",
            low=f"{self.interval.low:+.3f}",
            high=f"{self.interval.high:+.3f}",
            p=_p_text(self.adjusted_p),
            patients=self._count(language),
        )

    def _count(self, language: str) -> str:
        key = "compare.patient" if self.patients == 1 else "compare.patients"
        return sentence("sentences", key, language, count=self.patients)

    @property
    def sentence(self) -> str:
        """What was found, in plain English."""
        return self.text("en")

    def text(self, language: str) -> str:
        """What was found, in a language."""
        if self.patients < 2:
            key = "compare.few"
        elif self.better is not None:
            key = "compare.better"
        else:
            always = 2 * 0.5**self.patients >= SIGNIFICANT
            key = "compare.equal_always" if always else "compare.equal"
        return sentence(
            "sentences",
            key,
            language,
            first=self.first,
            second=self.second,
            better=self.better,
            other=self.second if self.better == self.first else self.first,
            numbers=self.numbers_in(language),
            patients=self._count(language),
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        return {
            "first": self.first,
            "second": self.second,
            "metric": self.metric,
            "patients": self.patients,
            "left_out": list(self.left_out),
            "statistic": self.statistic,
            "difference": json_number(self.difference),
            "interval_95": [json_number(end) for end in self.interval],
            "p": json_number(self.p),
            "adjusted_p": json_number(self.adjusted_p),
            "larger_than_noise": self.larger_than_noise,
            "better": self.better,
            "sentence": self.sentence,
        }


def compare_paired(
    a: Scores,
    b: Scores,
    names: tuple[str, str] = ("the first", "the second"),
    statistic: Statistic = "mean",
    seed: int = 0,
) -> Comparison:
    """Compare two sets of scores on the same patients.

    Args:
        a: scores of one model.
        b: scores of another, under the same protocol.
        names: what to call the two.
        statistic: mean or median of the differences; where a difference is infinite
            (HD95 of a missed lesion) it is always the median.
        seed: of the bootstrap.

    Raises:
        InputError: the protocols differ, one fault for each field.
    """
    check_same_protocol(a, b, names)
    metric = a.protocol.declaration
    shared = [patient for patient in a.counted if patient in b.counted]
    first, second = ([scores.values[patient] for patient in shared] for scores in (a, b))
    if metric.higher_is_better is None:
        first, second = np.abs(first).tolist(), np.abs(second).tolist()
    differences = paired_differences(first, second)
    if np.isinf(differences).any():
        statistic = "median"
    p = wilcoxon(differences.tolist())
    return Comparison(
        first=names[0],
        second=names[1],
        metric=metric.title,
        patients=len(shared),
        left_out=tuple(patient for patient in a.values if patient not in shared),
        statistic=statistic,
        difference=float(STATISTICS[statistic](differences)) if shared else math.nan,
        interval=bootstrap_interval(differences, statistic, seed=seed),
        p=p,
        adjusted_p=p,
        higher_is_better=bool(metric.higher_is_better),
    )


def compare_pairs(
    scores: Mapping[str, Scores],
    pairs: Sequence[tuple[str, str]],
    statistic: Statistic = "mean",
    seed: int = 0,
) -> list[Comparison]:
    """Compare chosen pairs, with Holm's correction over all of them.

    Args:
        scores: by name.
        pairs: names of the two of each comparison.
        statistic: mean or median of the differences.
        seed: of the bootstrap.

    Raises:
        InputError: the protocols of a pair differ.
    """
    return corrected(
        [
            compare_paired(scores[first], scores[second], (first, second), statistic, seed)
            for first, second in pairs
        ]
    )


def corrected(comparisons: Sequence[Comparison]) -> list[Comparison]:
    """The same comparisons with the p-values of Holm's correction over all of them."""
    adjusted = holm([one.p for one in comparisons])
    return [replace(one, adjusted_p=p) for one, p in zip(comparisons, adjusted, strict=True)]


def _p_text(p: float) -> str:
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"

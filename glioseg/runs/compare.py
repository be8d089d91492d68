"""Rows of runs against each other: paired statistics over patients, and whether seeds explain as much."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any, Literal

from glioseg.errors import Fault, InputError, raise_all
from glioseg.measure import Scores
from glioseg.measure.comparison import Comparison, compare_paired, corrected
from glioseg.runs.record import ProtocolName, read_runs
from glioseg.runs.rows import Row, changes, differences, group_runs
from glioseg.words import sentence

Verdict = Literal["better", "worse", "equal", "few"]


@dataclass(frozen=True)
class RowComparison:
    """Two rows on the same patients.

    Attributes:
        first, second: the rows.
        patients: the paired statistics, on the seeds that both rows have.
        of_all_seeds: difference of the means over all seeds of each row.
        seed_spread: the largest distance between mean DSCs of two seeds of one of the two rows; 0 where
            each has one run.
    """

    first: Row
    second: Row
    patients: Comparison
    of_all_seeds: float
    seed_spread: float

    @property
    def same_recipe(self) -> bool:
        """Whether the two differ in nothing but the seed."""
        return not differences(self.first.recipe, self.second.recipe)

    @property
    def least_difference(self) -> float:
        """How far apart the two are at least: on the seeds that both have, or on all."""
        return min(abs(self.patients.difference), abs(self.of_all_seeds))

    @property
    def within_seeds(self) -> bool:
        """Whether another seed changes as much as is between the two."""
        return self.same_recipe or self.least_difference <= self.seed_spread

    @property
    def verdict(self) -> Verdict:
        """What the first is in comparison with the second, beyond the noise of patients and of seeds."""
        if self.patients.patients < 2:
            return "few"
        if self.patients.better is None or self.within_seeds:
            return "equal"
        return "better" if self.patients.better == self.first.name else "worse"

    @property
    def changes(self) -> list[str]:
        """What the first has changed in the recipe of the second; see :func:`glioseg.runs.rows.changes`."""
        return changes(self.first.recipe, self.second.recipe)

    @property
    def attributed(self) -> bool:
        """Whether a difference can be put down to a change: exactly one was made, and neither collapsed."""
        return len(self.changes) == 1 and self.first.collapse is None and self.second.collapse is None

    @property
    def sentence(self) -> str:
        """What was found, in plain English."""
        return self.text("en")

    def text(self, language: str) -> str:
        """What was found, and what that does not show, in a language."""
        return " ".join((self._found(language), *self._reservations(language)))

    def _reservations(self, language: str) -> list[str]:
        """Why a difference beyond noise does not show that a change helped or harmed."""
        said = [
            sentence("sentences", f"compare.collapsed_{row.collapse}", language, row=row.name)
            for row in (self.first, self.second)
            if row.collapse is not None
        ]
        if self.verdict not in ("better", "worse"):
            return said
        if said:
            said.append(sentence("sentences", "compare.collapsed_shows_nothing", language))
        elif len(self.changes) > 1:
            key, several = "compare.several_changes", ", ".join(self.changes)
            said.append(sentence("sentences", key, language, count=len(self.changes), changes=several))
        return said

    def _found(self, language: str) -> str:
        if self.patients.better is None and not self.same_recipe:
            return self.patients.text(language)
        if not self.within_seeds:
            return self.patients.text(language)
        return sentence(
            "sentences",
            "compare.one_recipe" if self.same_recipe else "compare.seeds",
            language,
            first=self.first.name,
            second=self.second.name,
            spread=f"{self.seed_spread:.3f}",
            numbers=self.patients.numbers_in(language),
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types: the paired statistics, and the verdict that also looks at seeds."""
        better = {"better": self.first.name, "worse": self.second.name}.get(self.verdict)
        return {
            **self.patients.to_dict(),
            "seed_spread": self.seed_spread,
            "larger_than_noise": better is not None,
            "better": better,
            "verdict": self.verdict,
            "attributed": self.attributed,
            "changes": self.changes,
            "sentence": self.sentence,
        }


def compare_rows(pairs: Sequence[tuple[Row, Row]], protocol: ProtocolName) -> list[RowComparison]:
    """Compare pairs of rows on the seeds that both have, with Holm's correction over all pairs.

    Args:
        pairs: rows whose runs were all evaluated; names differ.
        protocol: which DSC.

    Raises:
        InputError: a run was not evaluated, or the two of a pair have different protocols.
    """
    compared = []
    for first, second in pairs:
        scores = [scores_of(row, protocol) for row in on_shared_seeds(first, second)]
        compared.append(compare_paired(scores[0], scores[1], (first.name, second.name)))
    return [
        RowComparison(
            first,
            second,
            one,
            scores_of(first, protocol).mean - scores_of(second, protocol).mean,
            max(_spread(first, protocol), _spread(second, protocol)),
        )
        for (first, second), one in zip(pairs, corrected(compared), strict=True)
    ]


def on_shared_seeds(first: Row, second: Row) -> tuple[Row, Row]:
    """Two rows with the seeds that both have; as they are where they share none, and where they are folds.

    What a seed does to both alike is then not taken for a difference between them.
    """
    shared = first.seeds & second.seeds
    if not shared or first.folds or second.folds:
        return first, second
    return first.with_seeds(shared), second.with_seeds(shared)


def pairs_of(rows: Sequence[Row], every: bool = False) -> list[tuple[Row, Row]]:
    """Each row with the first one, or every pair."""
    if every:
        return [(second, first) for first, second in combinations(rows, 2)]
    return [(row, rows[0]) for row in rows[1:]]


def scores_of(row: Row, protocol: ProtocolName) -> Scores:
    """DSC by patient of a row.

    Raises:
        InputError: a run of it was not evaluated, or its runs have different protocols.
    """
    raise_all(
        Fault("runs.not_evaluated", run.path, run=run.path, data=run.manifest["data"])
        for run in row.runs
        if run.evaluation is None
    )
    found = row.scores(protocol)
    if found is None:
        raise InputError(Fault("runs.empty_row", row.name))
    return found


def _spread(row: Row, protocol: ProtocolName) -> float:
    means = [] if row.folds else row.seed_means(protocol)
    return max(means) - min(means) if means else 0.0


@dataclass(frozen=True)
class Overview:
    """Runs side by side under one protocol.

    Attributes:
        rows: the first is the baseline.
        protocol: which DSC.
        comparisons: of each row with the first, or of every pair.
    """

    rows: tuple[Row, ...]
    protocol: ProtocolName
    comparisons: tuple[RowComparison, ...]

    def scores(self, row: Row) -> Scores:
        """DSC by patient of a row."""
        return scores_of(row, self.protocol)

    def facts(self, row: Row) -> dict[str, Any]:
        """A row as a line of a table: plain values under names that stay the same."""
        scores, best, seeds = self.scores(row), row.best, row.seed_means(self.protocol)
        low, high = scores.interval()
        return {
            "experiment": row.name,
            "folders": " ".join(run.path.as_posix() for run in row.runs),
            "runs": len(row.runs),
            "best_val_dsc": max((dsc for dsc, _ in best), default=None),
            "epoch": max(best)[1] if best else None,
            "dsc_mean": scores.mean,
            "dsc_low": low,
            "dsc_high": high,
            "dsc_median": scores.median,
            "seed_lowest": min(seeds),
            "seed_highest": max(seeds),
        }


def overview(runs: Sequence[str | Path], protocol: ProtocolName, every: bool = False) -> Overview:
    """Read runs and compare them; arguments and errors as :func:`compare` has them."""
    paths = list({Path(run).resolve(): Path(run) for run in runs}.values())
    if len(paths) < 2:
        raise InputError(Fault("runs.one_to_compare"))
    rows = group_runs(read_runs(paths))
    # Before anything is measured or written: scores that do not belong together are refused.
    compared = compare_rows(pairs_of(rows, every), protocol)
    return Overview(tuple(rows), protocol, tuple(compared))


def compare(
    runs: Sequence[str | Path], protocol: ProtocolName = "reference", every: bool = False
) -> list[RowComparison]:
    """Compare runs: paired statistics over the same patients, and whether seeds explain as much.

    Args:
        runs: run folders that were evaluated. Seeds of one recipe count as one row; the first row is the
            baseline.
        protocol: which DSC: ``reference`` (the published protocol's) or ``own`` (each scan's grid).
        every: compare every pair, and not only the first row with each.

    Returns:
        The comparisons; ``verdict`` and ``sentence`` of each say what was found.

    Raises:
        InputError: a folder is no evaluated run, or scores have different protocols.

    >>> import glioseg
    >>> for one in glioseg.compare(["runs/first", "runs/second"]):  # doctest: +SKIP
    ...     print(one.sentence)
    """
    return list(overview(runs, protocol, every).comparisons)

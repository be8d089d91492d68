"""Runs as rows of a table: those that differ in the seed, or in the fold, alone stand together."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from glioseg.measure import Scores, check_same_protocol
from glioseg.recipe import Recipe
from glioseg.runs.record import ProtocolName, RunRecord


@dataclass(frozen=True)
class Row:
    """Runs that differ in the seed, or in the fold, alone.

    Attributes:
        name: what people call it.
        runs: at least one.
    """

    name: str
    runs: tuple[RunRecord, ...]

    @property
    def recipe(self) -> Recipe:
        """The recipe of the first run."""
        return self.runs[0].recipe

    @property
    def folds(self) -> bool:
        """Whether the runs are folds of a cross-validation."""
        return self.recipe.split.name == "kfold" and len({run.recipe.split.fold for run in self.runs}) > 1

    @property
    def seeds(self) -> frozenset[int]:
        """The seeds of the runs."""
        return frozenset(run.recipe.train.seed for run in self.runs)

    def with_seeds(self, seeds: frozenset[int]) -> Row:
        """The row with the runs of these seeds alone."""
        return replace(self, runs=tuple(run for run in self.runs if run.recipe.train.seed in seeds))

    @property
    def collapse(self) -> Literal["empty", "full"] | None:
        """Whether the network of any run marks nothing at all, or nearly everything."""
        return next((run.collapse for run in self.runs if run.collapse), None)

    @property
    def best(self) -> list[tuple[float, int]]:
        """Best validation mean DSC and its epoch, of every run that has one."""
        return [run.best for run in self.runs if run.best is not None]

    def seed_means(self, protocol: ProtocolName) -> list[float]:
        """Mean DSC of each evaluated run."""
        return [scores.mean for run in self.runs if (scores := run.scores(protocol)) is not None]

    def scores(self, protocol: ProtocolName) -> Scores | None:
        """DSC by patient: the mean over seeds, or all folds together; ``None`` if nothing was evaluated.

        Raises:
            InputError: the runs were scored under different protocols.
        """
        found = [scores for run in self.runs if (scores := run.scores(protocol)) is not None]
        if not found:
            return None
        values: dict[str, list[float]] = {}
        for scores in found:
            for patient, value in scores.values.items():
                values.setdefault(patient, []).append(value)
        patients = tuple(values)
        pooled = {patient: float(np.mean(each)) for patient, each in values.items()}
        if self.folds:
            found = [
                Scores(replace(scores.protocol, patients=patients), pooled, scores.command)
                for scores in found
            ]
        for other in found[1:]:
            check_same_protocol(found[0], other, (self.name, self.name))
        return Scores(found[0].protocol, pooled, found[0].command)


def group_runs(records: Sequence[RunRecord], names: Mapping[str, str] | None = None) -> list[Row]:
    """Rows of a table: runs on the same data that differ in the seed or the fold alone stand together.

    If all runs would stand in one row and are no folds, each is a row of its own.

    Args:
        records: the runs, in order.
        names: name of the row by name of the run folder; otherwise the recipe says it.
    """
    names = names or {}
    groups: dict[tuple[str, ...], list[RunRecord]] = {}
    for record in records:
        name, data = names.get(record.path.name, record.recipe.name), record.manifest.get("data_fingerprint")
        groups.setdefault((name, str(data), _without_seed(record.recipe)), []).append(record)
    rows = [Row(name, tuple(runs)) for (name, *_), runs in groups.items()]
    if len(rows) == 1 and len(records) > 1 and not rows[0].folds:
        rows = [Row(record.path.name, (record,)) for record in records]
    for rename in (_folder_name, _folder_path):
        rows = [
            replace(row, name=rename(row)) if sum(other.name == row.name for other in rows) > 1 else row
            for row in rows
        ]
    return rows


def _folder_name(row: Row) -> str:
    return row.runs[0].path.name


def _folder_path(row: Row) -> str:
    return row.runs[0].path.as_posix()


def differences(recipe: Recipe, base: Recipe) -> list[tuple[str, Any, Any]]:
    """Settings in which two recipes differ: key, value, value in ``base``; names and seeds aside."""
    own, other = _flat(recipe.model_dump(mode="json")), _flat(base.model_dump(mode="json"))
    aside = {"name", "summary", "train.seed", "split.fold"}
    keys = [*own, *(key for key in other if key not in own)]
    return [
        (key, own.get(key), other.get(key))
        for key in keys
        if key not in aside and own.get(key) != other.get(key)
    ]


def changes(recipe: Recipe, base: Recipe) -> list[str]:
    """What was changed, counted as a person would: another network or loss with its arguments is one change.

    A setting that only says when to give up is left out.
    """
    keys = [key for key, _, _ in differences(recipe, base) if key != "train.stuck_epochs"]
    named = {key.removesuffix(".name") for key in keys if key.endswith(".name")}
    tables = ((key.split(".")[0], key) for key in keys)
    return list(dict.fromkeys(table if table in named else key for table, key in tables))


def _without_seed(recipe: Recipe) -> str:
    content = recipe.model_dump(mode="json")
    del content["train"]["seed"], content["split"]["fold"]
    return json.dumps(content, sort_keys=True)


def _flat(table: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in table.items():
        if isinstance(value, Mapping):
            found |= _flat(value, f"{prefix}{key}.")
        else:
            found[f"{prefix}{key}"] = value
    return found

"""Runs that were never trained, with scores as a test wants them."""

from __future__ import annotations

import math
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from glioseg.evaluation.evaluate import OWN_METRICS, write_evaluation
from glioseg.measure import Protocol, Scores
from glioseg.recipe import load_recipe
from glioseg.runs.folder import RunFolder
from glioseg.runs.record import Evaluation, RunRecord


def record(
    name: str,
    values: Sequence[float],
    settings: Sequence[str] = (),
    threshold: float = 0.5,
    sensitivity: float = 0.8,
    precision: float = 0.8,
    curves: Mapping[str, Sequence[float]] | None = None,
) -> RunRecord:
    """A finished run with these DSCs under both protocols."""
    patients = tuple(f"p{number}" for number in range(len(values)))

    def scores(metric: str, grid: str, numbers: Sequence[float]) -> Scores:
        protocol = Protocol(metric, patients, "last", grid=grid, threshold=threshold)
        return Scores(protocol, dict(zip(patients, numbers, strict=True)), "glioseg evaluate")

    numbers = {
        "dice": values,
        "iou": values,
        "sensitivity": [sensitivity] * len(values),
        "precision": [precision] * len(values),
    }
    own = {metric: scores(metric, "own", numbers[metric]) for metric in OWN_METRICS}
    evaluation = Evaluation(own, scores("dice", "reference-256", values), {})
    recorded = curves or {"epoch": [1.0, 2.0], "val_dsc": [0.5, 0.4], "loss": [0.9, math.nan]}
    manifest = {"status": "finished", "data": "data"}
    return RunRecord(Path(name), load_recipe("reference", settings), manifest, recorded, evaluation)


SMALL = ("prepare.size=32", "network.arguments.features=4")


def store(folder: Path, values: Sequence[float], *settings: str) -> RunFolder:
    """Write a run folder with these DSCs under both protocols."""
    run = RunFolder.create(folder, load_recipe("reference", [*SMALL, *settings]), {"data": "data"})
    run.metrics_file.write_text("epoch,loss\n1,0.5\n2,0.4\n", encoding="utf-8")
    shutil.copytree(_evaluated(tuple(values)).name, run.evaluation)
    return run


@cache
def _evaluated(values: tuple[float, ...]) -> tempfile.TemporaryDirectory[str]:
    """An evaluation with these DSCs, whose plots take a second; kept for the next run that has them."""
    patients = tuple(f"p{number}" for number in range(len(values)))

    def scores(metric: str, grid: str) -> Scores:
        protocol = Protocol(metric=metric, patients=patients, checkpoint="last", grid=grid)
        return Scores(protocol, dict(zip(patients, values, strict=True)), "glioseg evaluate")

    own = {metric: scores(metric, "own") for metric in OWN_METRICS}
    slices = dict.fromkeys(patients, (1, 8))
    folder = tempfile.TemporaryDirectory()
    write_evaluation(Evaluation(own, scores("dice", "reference-256"), slices), Path(folder.name))
    return folder

"""What the pages about runs show: run folders, their curves, scores by patient, and comparisons."""

from __future__ import annotations

import csv
import json
import math
from itertools import combinations
from pathlib import Path
from typing import Any

from glioseg.dataset.find import find_cases, read_case
from glioseg.errors import Fault, InputError
from glioseg.io import read_mask
from glioseg.metrics import Scores, check_same_protocol
from glioseg.scan import Mask, Scan
from glioseg.training.run import RunFolder

PROTOCOLS = ("own", "reference")


def find_runs(root: Path | None) -> dict[str, RunFolder]:
    """The run folders in a folder and one level below, by their path as a name, newest first."""
    found: dict[str, RunFolder] = {}
    if root is None or not root.is_dir():
        return found
    for manifest in sorted([*root.glob("*/manifest.json"), *root.glob("*/*/manifest.json")]):
        try:
            run = RunFolder.open(manifest.parent)
            run.manifest  # noqa: B018  a damaged one is left out
        except InputError:
            continue
        found[manifest.parent.relative_to(root).as_posix().replace("/", "~")] = run
    return dict(sorted(found.items(), key=lambda item: str(item[1].manifest.get("time", "")), reverse=True))


def summary(name: str, run: RunFolder) -> dict[str, Any]:
    """One line of the table of runs."""
    facts = run.manifest
    scores = evaluation(run)
    try:
        network = run.recipe.network.name
    except InputError:
        network = None
    rows = curves(run)
    return {
        "name": name,
        "recipe": facts.get("recipe"),
        "network": network,
        "status": facts.get("status"),
        "time": facts.get("time"),
        "epochs": len(rows["epoch"]),
        "best_val_dsc": facts.get("best_val_dsc", _best(rows)),
        "split": facts.get("split", {}).get("name"),
        "own": _line(scores.get("own/dice")),
        "reference": _line(scores.get("reference")),
    }


def detail(name: str, run: RunFolder) -> dict[str, Any]:
    """Everything about one run: summary, curves, scores by patient with their protocols, figures."""
    scores = evaluation(run)
    patients = sorted({patient for each in scores.values() for patient in each.values})
    rows = curves(run)
    if not patients:
        # Not evaluated yet: the last validation during the training says which patients there are.
        patients = sorted(key.removeprefix("dsc:") for key in rows if key.startswith("dsc:"))
    return {
        **summary(name, run),
        "curves": {
            key: [_number(value) for value in values]
            for key, values in rows.items()
            if not key.startswith("dsc:")
        },
        "columns": list(scores),
        "protocols": {key: each.protocol.describe() for key, each in scores.items()},
        "patients": [
            {
                "patient": patient,
                "scores": {key: _number(each.values.get(patient, math.nan)) for key, each in scores.items()},
                "training_dsc": _number(rows.get(f"dsc:{patient}", [math.nan])[-1]),
            }
            for patient in patients
        ],
        "figures": [path.name for path in figures(run)],
        "command": run.manifest.get("command"),
    }


def figures(run: RunFolder) -> list[Path]:
    """Pictures of a run that pages show."""
    return sorted([*run.figures.glob("*.png"), *(run.path / "evaluation").glob("*.png")])


def curves(run: RunFolder) -> dict[str, list[float]]:
    """``metrics.csv`` by column; what is no number becomes NaN."""
    columns: dict[str, list[float]] = {"epoch": []}
    try:
        with run.metrics_file.open(encoding="utf-8", newline="") as handle:
            for row in csv.DictReader(handle):
                for key, value in row.items():
                    if key is not None:
                        columns.setdefault(key, []).append(_parsed(value))
    except (OSError, UnicodeDecodeError):
        return columns
    return columns


def evaluation(run: RunFolder) -> dict[str, Scores]:
    """Scores of ``glioseg evaluate``: ``own/<metric>`` and ``reference``; empty when it was not run."""
    try:
        text = (run.path / "evaluation" / "metrics.json").read_text(encoding="utf-8")
        content = json.loads(text)
        found = {f"own/{name}": Scores.from_dict(each) for name, each in content["own"].items()}
        found["reference"] = Scores.from_dict(content["reference"])
        return found
    except (OSError, ValueError, KeyError, TypeError, InputError):
        return {}


def compare(runs: dict[str, RunFolder], protocol: str) -> dict[str, Any]:
    """The table of chosen runs under one protocol, and every pair with its paired test.

    Raises:
        InputError: a run was not evaluated. Different protocols are no error here: they are listed
            under ``refused`` in place of the comparison.
    """
    from glioseg.evaluation.statistics import compare_all

    key = "own/dice" if protocol == "own" else "reference"
    scores: dict[str, Scores] = {}
    faults = []
    for name, run in runs.items():
        found = evaluation(run).get(key)
        if found is None:
            cure = "Run: glioseg evaluate RUN DATA"
            faults.append(Fault(name, "a run with an evaluation", "none", cure))
        else:
            scores[name] = found
    if faults:
        raise InputError(*faults)
    refused: list[dict[str, str]] = []
    for first, second in combinations(scores, 2):
        try:
            check_same_protocol(scores[first], scores[second], (first, second))
        except InputError as error:
            refused += [
                {"where": str(one.where), "expected": one.expected, "found": one.found, "cure": one.cure}
                for one in error.faults
            ]
    patients = sorted({patient for each in scores.values() for patient in each.values})
    return {
        "runs": [{"name": name, **(_line(each) or {})} for name, each in scores.items()],
        "protocols": {name: each.protocol.describe() for name, each in scores.items()},
        "patients": [
            {
                "patient": patient,
                "scores": {
                    name: _number(each.values.get(patient, math.nan)) for name, each in scores.items()
                },
            }
            for patient in patients
        ],
        "refused": refused,
        "comparisons": [] if refused else [one.to_dict() for one in compare_all(scores)],
    }


def open_patient(run: RunFolder, patient: str) -> tuple[Scan, Mask | None, Mask | None]:
    """A patient of a run: scan, truth, and the mask that the evaluation stored, if it did.

    Raises:
        InputError: the data that the run was trained on are not there any more, or lack the patient.
    """
    facts = run.manifest
    cases = find_cases(Path(str(facts.get("data", ""))), facts.get("patient_rule"))
    case = next((case for case in cases if case.id == patient), None)
    if case is None:
        cure = "Put the data back where they were, or drop the scan onto the page."
        raise InputError(Fault(patient, "a patient of the run's data", "none", cure))
    scan, truth = read_case(case)
    stored = run.path / "evaluation" / "masks" / patient
    predicted = read_mask(stored, scan.grid) if stored.is_dir() else None
    if predicted is not None:
        predicted = Mask(predicted.voxels, scan.grid, scan.id)
    return scan, truth, predicted


def _line(scores: Scores | None) -> dict[str, Any] | None:
    if scores is None:
        return None
    low, high = scores.interval()
    return {
        "mean": _number(scores.mean),
        "low": _number(low),
        "high": _number(high),
        "median": _number(scores.median),
        "patients": len(scores.counted),
    }


def _best(rows: dict[str, list[float]]) -> float | None:
    return max((value for value in rows.get("val_dsc", []) if not math.isnan(value)), default=None)


def _parsed(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return math.nan


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None

"""What the pages about runs show: run folders, their curves, scores by patient, and comparisons."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

from glioseg.errors import Fault, InputError, raise_all
from glioseg.measure import Scores, check_same_protocol
from glioseg.runs.compare import compare_rows, pairs_of, scores_of
from glioseg.runs.folder import RunFolder
from glioseg.runs.record import ProtocolName, RunRecord, read_sound_runs
from glioseg.runs.rows import Row, group_runs
from glioseg.server.faults import as_dict


def find_runs(root: Path | None) -> dict[str, RunFolder]:
    """The run folders in a folder and one level below, by their path as a name, newest first.

    Damaged ones are among them: what is wrong is told when they are read.
    """
    found: dict[str, RunFolder] = {}
    if root is None or not root.is_dir():
        return found
    for manifest in sorted([*root.glob("*/manifest.json"), *root.glob("*/*/manifest.json")]):
        found[manifest.parent.relative_to(root).as_posix().replace("/", "~")] = RunFolder(manifest.parent)
    return dict(sorted(found.items(), key=lambda item: _time(item[1]), reverse=True))


def _time(run: RunFolder) -> str:
    try:
        return str(run.manifest.get("time", ""))
    except InputError:
        return ""


def table(root: Path | None) -> list[dict[str, Any]]:
    """The table of runs. A damaged one has a line that says so, and never hides the others."""
    found = find_runs(root)
    records, faults = read_sound_runs(run.path for run in found.values())
    return [
        _summary(name, records[run.path]) if run.path in records else _damaged(name, faults[run.path])
        for name, run in found.items()
    ]


def _summary(name: str, record: RunRecord) -> dict[str, Any]:
    facts, scores = record.manifest, _scores(record)
    return {
        "name": name,
        "recipe": facts.get("recipe"),
        "network": record.recipe.network.name,
        "status": facts.get("status"),
        "time": facts.get("time"),
        "epochs": len(record.curves["epoch"]),
        "best_val_dsc": facts.get("best_val_dsc", _best(record.curves)),
        "split": (facts.get("split") or {}).get("name"),
        "own": _line(scores.get("own/dice")),
        "reference": _line(scores.get("reference")),
        "faults": [],
    }


def _damaged(name: str, faults: Sequence[Fault]) -> dict[str, Any]:
    """The line of a run that cannot be read."""
    absent = ("recipe", "network", "time", "best_val_dsc", "split", "own", "reference")
    told = [as_dict(fault) for fault in _named(name, faults)]
    return {"name": name, "status": "damaged", "epochs": 0, **dict.fromkeys(absent), "faults": told}


def _named(name: str, faults: Iterable[Fault]) -> list[Fault]:
    """The faults of a run with its name in the place of its folder on this machine."""
    return [fault.at(f"{name}/{Path(fault.where).name}") for fault in faults]


def _read(name: str, run: RunFolder) -> RunRecord:
    try:
        return RunRecord.read(run.path)
    except InputError as error:
        raise InputError(*_named(name, error.faults)) from error


def detail(name: str, run: RunFolder) -> dict[str, Any]:
    """Everything about one run: summary, curves, scores by patient with their protocols, figures.

    Raises:
        InputError: it is damaged.
    """
    record = _read(name, run)
    scores, rows = _scores(record), record.curves
    patients = sorted({patient for each in scores.values() for patient in each.values})
    if not patients:
        # Not evaluated yet: the last validation during the training says which patients there are.
        patients = sorted(key.removeprefix("dsc:") for key in rows if key.startswith("dsc:"))
    return {
        **_summary(name, record),
        "curves": {
            key: [_number(value) for value in values]
            for key, values in rows.items()
            if not key.startswith("dsc:")
        },
        "columns": list(scores),
        "protocols": {key: _described(each) for key, each in scores.items()},
        "patients": [
            {
                "patient": patient,
                "scores": {key: _number(each.values.get(patient, math.nan)) for key, each in scores.items()},
                "training_dsc": _number(next(reversed(rows.get(f"dsc:{patient}", [])), math.nan)),
            }
            for patient in patients
        ],
        "figures": [path.name for path in figures(run)],
        "command": record.manifest.get("command"),
    }


def figures(run: RunFolder) -> list[Path]:
    """Pictures of a run that pages show."""
    return sorted([*run.figures.glob("*.png"), *run.evaluation.glob("*.png")])


def _scores(record: RunRecord) -> dict[str, Scores]:
    """Scores of ``glioseg evaluate``; empty when it was not run.

    They are ``own/<metric>``, ``reference`` and, where there are classes, ``class/<name>``: the DSC of each.
    """
    found = record.evaluation
    if found is None:
        return {}
    own = {f"own/{name}": scores for name, scores in found.own.items()}
    classes = {f"class/{name}": scores for name, scores in found.classes.items()}
    return {**own, "reference": found.reference, **classes}


def compare(runs: dict[str, RunFolder], protocol: ProtocolName) -> dict[str, Any]:
    """The table of chosen runs under one protocol, and every pair with its paired test.

    Rows, pairs and verdicts are those of ``glioseg compare --all-pairs``: runs that differ in the seed alone
    stand in one row. A row of one run is called by the run's name on this server.

    Raises:
        InputError: a run was not evaluated. Different protocols are no error here: they are listed
            under ``refused`` in place of the comparison.
    """
    names = {run.path: name for name, run in runs.items()}
    rows = [
        replace(row, name=names[row.runs[0].path]) if len(row.runs) == 1 else row
        for row in group_runs([_read(name, run) for name, run in runs.items()])
    ]
    raise_all(
        Fault("runs.not_evaluated", names[record.path], run="RUN", data="DATA")
        for row in rows
        for record in row.runs
        if record.evaluation is None
    )
    try:
        scores = {row.name: scores_of(row, protocol) for row in rows}
        refused = _refused(scores)
    except InputError as error:  # seeds of one row under different protocols: each run stands for itself
        refused = list(error.faults)
        rows = [Row(names[record.path], (record,)) for row in rows for record in row.runs]
        scores = {row.name: scores_of(row, protocol) for row in rows}
    patients = sorted({patient for each in scores.values() for patient in each.values})
    return {
        "runs": [
            {
                "name": row.name,
                "members": [names[record.path] for record in row.runs],
                **(_line(scores[row.name]) or {}),
            }
            for row in rows
        ],
        "protocols": {name: _described(each) for name, each in scores.items()},
        "patients": [
            {
                "patient": patient,
                "scores": {
                    name: _number(each.values.get(patient, math.nan)) for name, each in scores.items()
                },
            }
            for patient in patients
        ],
        "refused": [as_dict(one) for one in refused],
        "comparisons": []
        if refused
        else [
            {**one.to_dict(), "translations": {"zh": {"sentence": one.text("zh")}}}
            for one in compare_rows(pairs_of(rows, every=True), protocol)
        ],
    }


def _refused(scores: dict[str, Scores]) -> list[Fault]:
    """Every field in which the protocols of two rows differ."""
    faults: list[Fault] = []
    for first, second in combinations(scores, 2):
        try:
            check_same_protocol(scores[first], scores[second], (first, second))
        except InputError as error:
            faults += error.faults
    return faults


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


def _best(rows: Mapping[str, list[float]]) -> float | None:
    return max((value for value in rows.get("val_dsc", []) if not math.isnan(value)), default=None)


def _described(scores: Scores) -> dict[str, Any]:
    """The protocol as a sentence, and the same in the other languages."""
    said = scores.protocol.describe()
    return {"sentence": said, "translations": {"zh": {"sentence": said.text("zh")}}}


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None

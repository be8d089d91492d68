"""Keep what the networks of a cross-validation said of patients they never saw, and look at it again later.

    python scripts/keep_cross_validation.py fold runs/lgg/fold-2 kaggle_3m docs/cross-validation/fold-2
    python scripts/keep_cross_validation.py masks docs/cross-validation kaggle_3m out_of_fold
    python scripts/keep_cross_validation.py summary docs/cross-validation kaggle_3m
    python scripts/keep_cross_validation.py fast kaggle_3m runs/lgg/fold-*
    python scripts/keep_cross_validation.py best kaggle_3m docs/cross-validation kept-before

``fold`` wants an evaluated run (``glioseg evaluate RUN DATA``). ``masks`` writes a mask of every patient, as
``glioseg radiogenomics --masks`` reads them. ``summary`` prints the table for the README, and writes the
calibration of the expected DSC, the plots, and a picture of each patient with a DSC below 0.7. ``fast``
prints what 8 bits cost the patients that each run never saw. ``best`` prints what a second network of each
fold, kept likewise of the same folds, brings them, and writes it to ``second/best.csv``.
"""

from __future__ import annotations

import csv
import shutil
import zipfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import numpy.typing as npt
import typer
from ship_model import middle_slices

from glioseg.dataset.cache import prepare_cases
from glioseg.dataset.find import Case, find_cases, read_case
from glioseg.draw import contact_sheet, reliability_plot
from glioseg.evaluation.reliability import assess
from glioseg.files import make_folder, write_json
from glioseg.io import write_segmentation
from glioseg.measure import bootstrap_interval, dice
from glioseg.model.calibration import UNCERTAIN_BELOW, evidence
from glioseg.model.predictor import Predictor, load_model
from glioseg.model.quantise import quantise
from glioseg.model.runtime import OnnxRuntime, OpenVino
from glioseg.postprocess import to_mask
from glioseg.prepare import Preparation
from glioseg.recipe import load_recipe
from glioseg.runs.folder import RunFolder
from glioseg.scan import Scan, Segmentation

STEPS = 255
"""Probabilities are kept in steps of 1/255."""

EXPLAINED_BELOW = 0.7
"""DSC below which a patient gets a picture."""

SHOWN = 8
"""Slices in such a picture."""

app = typer.Typer(help=__doc__, add_completion=False)


@app.command()
def fold(run: Path, data: Path, out: Path) -> None:
    """Keep one fold: its scores, its probabilities, its curves and its recipe."""
    folder = RunFolder.open(run)
    make_folder(out)
    shutil.copyfile(folder.recipe_file, out / "recipe.toml")
    shutil.copyfile(folder.metrics_file, out / "training.csv")
    shutil.copyfile(folder.evaluation / "metrics.csv", out / "scores.csv")
    predictor = load_model(run)
    unseen = set(folder.manifest["split"]["validation"])
    probabilities = {}
    for case in find_cases(data):
        if case.id in unseen:
            probability = predictor(read_case(case)[0]).probability
            probabilities[case.id] = np.rint(probability * STEPS).astype(np.uint8)
    with zipfile.ZipFile(out / "probability.npz", "w", zipfile.ZIP_BZIP2) as packed:  # a third smaller
        for id, probability in probabilities.items():
            with packed.open(f"{id}.npy", "w") as file:
                np.lib.format.write_array(file, probability)


@app.command()
def masks(kept: Path, data: Path, out: Path) -> None:
    """Write the out-of-fold mask of every patient."""
    for case, _, mask in out_of_fold(kept, data):
        write_segmentation(mask, out, case.id)


@app.command()
def summary(kept: Path, data: Path) -> None:
    """Print the table of folds; write calibration, plots and pictures of the worst patients."""
    folds = {folder.name: _scores(folder) for folder in sorted(kept.glob("fold-*"))}
    patients = {patient: row for rows in folds.values() for patient, row in rows.items()}
    for name, rows in {**folds, "all": patients}.items():
        print(_line(name.removeprefix("fold-"), rows))
    true = {patient: float(row["dice"]) for patient, row in patients.items()}
    clues, poor = {}, []
    for case, probability, mask in out_of_fold(kept, data):
        clues[case.id] = evidence(probability, mask.mask)
        if true[case.id] < EXPLAINED_BELOW:
            poor.append((case, mask))
    reliability = assess(clues, true)
    if reliability is not None:
        reliability_plot(reliability.expected, reliability.true, UNCERTAIN_BELOW, kept / "reliability.png")
        write_json(kept / "calibration.json", reliability.to_dict())
        print(reliability.sentence())
    for case, mask in poor:
        scan, truth = read_case(case)
        assert truth is not None
        somewhere = np.flatnonzero((mask.mask | truth.mask).any(axis=(1, 2)))
        evenly = np.linspace(0, len(somewhere) - 1, min(SHOWN, len(somewhere))).round()
        shown = [int(position) for position in somewhere[evenly.astype(int)]]
        contact_sheet(scan, mask, truth, kept / f"{case.id}.png", positions=shown)
        print(f"{case.id}: DSC {true[case.id]:.3f}")


@app.command()
def fast(data: Path, runs: list[Path]) -> None:
    """Print the mean DSC of patients out of fold: exact, in 8 bits in ONNX Runtime, and in OpenVINO."""
    cases = {case.id: case for case in find_cases(data)}
    scores = []
    for run in map(RunFolder.open, runs):
        split = run.manifest["split"]
        exact = load_model(run.path)
        prepared = prepare_cases([cases[patient] for patient in split["train"]], exact.description.prepare)
        with TemporaryDirectory() as folder:
            slices = middle_slices(prepared, exact.description.neighbours)
            small = quantise(run.model, Path(folder) / "int8.onnx", slices)
            rounded = [Predictor(kind(small), exact.description) for kind in (OnnxRuntime, OpenVino)]
        for patient in split["validation"]:
            scan, truth = read_case(cases[patient])
            assert truth is not None
            scores.append([dice(each(scan).segmentation.mask, truth.mask) for each in (exact, *rounded)])
    means = np.mean(scores, axis=0)
    print(
        f"{len(scores)} patients: exact {means[0]:.4f}, ONNX Runtime {means[1]:.4f}, OpenVINO {means[2]:.4f}"
    )


@app.command()
def best(data: Path, kept: Path, other: Path) -> None:
    """Score patients out of fold by the kept networks and by both at once: ``second/best.csv``."""
    rows = []
    seconds = {case.id: probability for case, probability, _ in out_of_fold(other, data)}
    recipe = load_recipe(next(kept.glob("fold-*")) / "recipe.toml")
    for case, probability, mask in out_of_fold(kept, data):
        scan, truth = read_case(case)
        assert truth is not None
        flair = partial(_prepared_flair, scan, Preparation.of(recipe.prepare))
        together = to_mask(np.maximum(probability, seconds[case.id]), recipe.postprocess, flair)
        free = ~truth.mask.any(axis=(1, 2))
        hits = int(together.any(axis=(1, 2))[free].sum())
        rows.append((case.id, dice(mask.mask, truth.mask), dice(together, truth.mask), hits, int(free.sum())))
    with (kept / "second" / "best.csv").open("w", encoding="utf-8", newline="") as table:
        writer = csv.writer(table)
        writer.writerow(["patient", "dice", "dice_best", "false_positive_slices_best", "lesion_free_slices"])
        writer.writerows((name, f"{a:.6f}", f"{b:.6f}", *counts) for name, a, b, *counts in rows)
    one, both, hits_of_all, free_of_all = (np.array(column) for column in list(zip(*rows, strict=True))[1:])
    gain = both - one
    low, high = bootstrap_interval(gain)
    for name, scores in (("one", one), ("both", both)):
        print(f"{name}: mean {scores.mean():.4f}, median {np.median(scores):.4f}, worst {scores.min():.3f}")
    print(f"{len(gain)} patients, gain {gain.mean():+.4f} ({low:+.4f} to {high:+.4f})")
    share = hits_of_all.sum() / free_of_all.sum()
    print(f"both: {100 * share:.1f} % of lesion-free slices with a false positive")


def out_of_fold(folder: Path, data: Path) -> Iterator[tuple[Case, npt.NDArray[np.float32], Segmentation]]:
    """Each patient with its probability map and its mask."""
    cases = {case.id: case for case in find_cases(data)}
    for fold in sorted(folder.glob("fold-*")):
        recipe = load_recipe(fold / "recipe.toml")
        with np.load(fold / "probability.npz") as stored:
            for patient in stored.files:
                probability = stored[patient].astype(np.float32) / STEPS
                scan = read_case(cases[patient])[0]
                flair = partial(_prepared_flair, scan, Preparation.of(recipe.prepare))
                mask = to_mask(probability, recipe.postprocess, flair)
                yield cases[patient], probability, scan.segmentation(mask)


def _prepared_flair(scan: Scan, prepare: Preparation, some: slice) -> npt.NDArray[np.float32]:
    return prepare(scan).flair_on_scan(some)


def _scores(folder: Path) -> dict[str, dict[str, str]]:
    with (folder / "scores.csv").open(encoding="utf-8", newline="") as table:
        return {row["patient"]: row for row in csv.DictReader(table)}


def _line(name: str, rows: dict[str, dict[str, str]]) -> str:
    """A row of the README's table."""
    own = {patient: float(row["dice"]) for patient, row in rows.items()}
    values = np.array(list(own.values()))
    low, high = bootstrap_interval(values)
    worst = min(own, key=lambda patient: own[patient])
    hits = sum(int(row["false_positive_slices"]) for row in rows.values())
    free = sum(int(row["lesion_free_slices"]) for row in rows.values())
    reference = np.mean([float(row["dice_reference"]) for row in rows.values()])
    return (
        f"| {name} | {len(own)} | {values.mean():.3f} | {low:.3f} to {high:.3f} | {np.median(values):.3f} "
        f"| {reference:.3f} | {own[worst]:.3f}, {worst} | {100 * hits / free:.1f} % |"
    )


if __name__ == "__main__":
    app()

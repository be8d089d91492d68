"""Cross-validation: every patient scored by a network that never saw it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from glioseg.errors import Fault, InputError
from glioseg.evaluation.evaluate import write_evaluation
from glioseg.evaluation.reliability import assess
from glioseg.files import make_folder, write_json
from glioseg.measure import Scores, check_same_protocol
from glioseg.model.calibration import UNCERTAIN_BELOW
from glioseg.runs.folder import RunFolder
from glioseg.runs.record import Evaluation, read_evaluation
from glioseg.studies.queue import PlannedRun


def plan_folds(recipe: str, folds: int, seed: int, settings: Sequence[str] = ()) -> list[PlannedRun]:
    """One run for each fold; patients are dealt by site.

    Args:
        recipe: name of a recipe or a TOML file.
        folds: how many.
        seed: of the dealing; the seed of the training is the recipe's.
        settings: changes, as for ``--set``.

    Raises:
        InputError: a setting touches the split, which the folds decide.
    """
    split = [setting for setting in settings if setting.strip().startswith("split.")]
    if split:
        raise InputError(Fault("studies.sets_split", f"--set {split[0]}"))
    dealt = ("split.name=kfold", f"split.folds={folds}", f"split.seed={seed}")
    return [
        PlannedRun(f"fold-{fold}", recipe, (*settings, *dealt, f"split.fold={fold}")) for fold in range(folds)
    ]


def gather(runs: Sequence[Path], out: Path, command: str = "") -> Evaluation:
    """Put the folds' scores and masks together.

    Args:
        runs: evaluated run folders of all folds.
        out: gets ``metrics.json``, ``metrics.csv``, ``dsc.png``, ``dsc_reference.png`` and ``masks/``, as an
            evaluation of one model on all patients has them; of enough patients also ``calibration.json``
            and ``reliability.png``.
        command: what repeats it, for the record.

    Raises:
        InputError: a fold was not evaluated, a patient is in two folds, or the folds' protocols differ.
    """
    from glioseg.draw import reliability_plot

    folds = [_read(run) for run in runs]
    slices = {patient: counts for fold in folds for patient, counts in fold.false_positive_slices.items()}
    if len(slices) != sum(len(fold.false_positive_slices) for fold in folds):
        raise InputError(Fault("studies.patient_in_several_folds", out))
    whole = Evaluation(
        {name: _pooled([fold.own[name] for fold in folds], command) for name in folds[0].own},
        _pooled([fold.reference for fold in folds], command),
        slices,
        {name: _pooled([fold.classes[name] for fold in folds], command) for name in folds[0].classes},
        {patient: found for fold in folds for patient, found in fold.evidence.items()},
        {patient: value for fold in folds for patient, value in fold.expected_dice.items()},
    )
    make_folder(out / "masks")
    for run in runs:
        for masks in sorted((RunFolder(run).evaluation / "masks").iterdir()):
            _link(masks, out / "masks" / masks.name)
    write_evaluation(whole, out)
    reliability = assess(whole.evidence, whole.own["dice"].values)
    if reliability is not None:
        reliability_plot(reliability.expected, reliability.true, UNCERTAIN_BELOW, out / "reliability.png")
        write_json(out / "calibration.json", reliability.to_dict())
    return whole


def _read(run: Path) -> Evaluation:
    found = read_evaluation(RunFolder(run))
    if found is None:
        raise InputError(Fault("studies.fold_not_evaluated", RunFolder(run).metrics, run=run))
    return found


def _pooled(parts: Sequence[Scores], command: str) -> Scores:
    values = {patient: value for part in parts for patient, value in part.values.items()}
    pooled = [
        Scores(replace(part.protocol, patients=tuple(values)), values, command or part.command)
        for part in parts
    ]
    for number, one in enumerate(pooled[1:], start=1):
        check_same_protocol(pooled[0], one, ("fold 0", f"fold {number}"))
    return pooled[0]


def _link(masks: Path, target: Path) -> None:
    """The masks a second time: as hard links where the disk has them, otherwise as copies."""

    def link(source: str, destination: str) -> None:
        try:
            os.link(source, destination)
        except OSError:
            shutil.copyfile(source, destination)

    if target.exists():
        shutil.rmtree(target) if target.is_dir() else target.unlink()
    if masks.is_dir():
        shutil.copytree(masks, target, copy_function=link)
    else:
        link(str(masks), str(target))

"""The patients of a run: their scans, and the masks that its evaluation stored."""

from __future__ import annotations

from dataclasses import replace
from glob import escape
from pathlib import Path
from typing import NamedTuple

from glioseg.dataset.find import Case, find_cases, read_case
from glioseg.errors import Fault, InputError
from glioseg.io import read_segmentation
from glioseg.model.description import read_description
from glioseg.model.runtime import OnnxRuntime
from glioseg.model.steps import doubts_about
from glioseg.model.trial import check_model
from glioseg.recipe import PostprocessChoice
from glioseg.runs.folder import RunFolder
from glioseg.runs.record import read_evaluation
from glioseg.scan import Scan, Segmentation


def find_patient(run: RunFolder, patient: str) -> Case:
    """A patient of the data that a run was trained on.

    Raises:
        InputError: the data are not there any more, or lack the patient.
    """
    facts = run.manifest
    cases = find_cases(
        Path(str(facts.get("data", ""))),
        facts.get("patient_rule"),
        layout=facts.get("layout"),
        channels=facts.get("channels", ""),
    )
    case = next((case for case in cases if case.id == patient), None)
    if case is None:
        raise InputError(Fault("runs.no_patient", patient))
    return case


def read_patient(run: RunFolder, patient: str) -> tuple[Scan, Segmentation | None]:
    """The scan of a patient of the data that a run was trained on, and the truth if there is one.

    Raises:
        InputError: the data are not there any more, or lack the patient, or cannot be read.
    """
    return read_case(find_patient(run, patient), run.recipe.labels.stored)


def mask_path(run: RunFolder, patient: str) -> Path | None:
    """The mask that the evaluation of a run stored of a patient: a folder of slices, or a volume."""
    masks = run.evaluation / "masks"
    if (masks / patient).is_dir():
        return masks / patient
    return next(iter(sorted(masks.glob(f"{escape(patient)}_mask.*"))), None)


def stored_mask(run: RunFolder, scan: Scan) -> Segmentation | None:
    """The mask that the evaluation of a run stored for a scan, if it did."""
    path = mask_path(run, scan.id)
    if path is None:
        return None
    stored = read_segmentation(path, scan, run.recipe.labels.named)
    return replace(stored, id=scan.id, origin="automatic")


class Trust(NamedTuple):
    """How far a stored mask can be trusted, and how it was made of the probabilities."""

    expected_dice: float | None
    doubts: tuple[str, ...]
    postprocess: PostprocessChoice


def stored_trust(run: RunFolder, scan: Scan, mask: Segmentation) -> Trust | None:
    """What the evaluation and the model of a run say of a mask that :func:`stored_mask` read.

    Returns:
        The expected DSC, which is ``None`` for an empty mask, and the doubts, as a prediction has them;
        ``None`` when the run stored no expected DSC, or its model is not there any more.

    Raises:
        InputError: scores or model are damaged.
    """
    evaluation = read_evaluation(run)
    if evaluation is None or scan.id not in evaluation.expected_dice or not run.model.is_file():
        return None
    expected = evaluation.expected_dice[scan.id]
    check_model(run.model)
    model = read_description(run.model, OnnxRuntime(run.model, threads=1).metadata)
    found = doubts_about(model, scan, model.prepare(scan), mask.mask, expected)
    return Trust(expected, found, model.postprocess)

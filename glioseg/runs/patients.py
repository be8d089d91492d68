"""The patients of a run: their scans, and the masks that its evaluation stored."""

from __future__ import annotations

from dataclasses import replace
from glob import escape
from pathlib import Path
from typing import NamedTuple

from glioseg.dataset.case import with_lesion_values
from glioseg.dataset.find import Case, find_cases, read_case
from glioseg.errors import Fault, InputError
from glioseg.io import read_segmentation
from glioseg.model.description import read_description
from glioseg.model.runtime import OnnxRuntime
from glioseg.model.steps import doubts_about
from glioseg.model.trial import check_model
from glioseg.recipe import Labels, PostprocessChoice
from glioseg.runs.folder import RunFolder
from glioseg.runs.record import DataPlace, read_evaluation
from glioseg.scan import Scan, Segmentation


def place_of(run: RunFolder, patient: str) -> DataPlace:
    """Where the scan of a patient is: in the data that the run was last scored on, if the patient is one of
    those, otherwise in the data that it was trained on. Patients of both may have the same name.
    """
    evaluation = read_evaluation(run)
    if evaluation is not None and evaluation.place and patient in evaluation.own["dice"].values:
        return evaluation.place
    facts = run.manifest
    return DataPlace(
        data=str(facts.get("data", "")),
        patient_rule=facts.get("patient_rule"),
        layout=facts.get("layout"),
        channels=facts.get("channels", ""),
        lesion=run.recipe.labels.lesion,
    )


def find_patient(run: RunFolder, patient: str) -> Case:
    """A patient of the data that a run was scored or trained on, with all sequences.

    Raises:
        InputError: the data are not there any more, or lack the patient.
    """
    place = place_of(run, patient)
    cases = find_cases(place.data, place.patient_rule, layout=place.layout, channels=place.channels)
    case = next((case for case in cases if case.id == patient), None)
    if case is None:
        raise InputError(Fault("runs.no_patient", patient))
    (case,) = with_lesion_values([case], Labels(lesion=place.lesion))
    return case


def read_patient(run: RunFolder, case: Case) -> tuple[Scan, Segmentation | None]:
    """The scan of a patient, with the sequences that the network of a run takes, and the truth if there is.

    Raises:
        InputError: it cannot be read.
    """
    return read_case(case.with_sequences(run.recipe.input.sequences), run.recipe.labels.stored)


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

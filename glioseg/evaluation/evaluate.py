"""Score a model on labelled scans, under two protocols at once, and draw what it did.

``own``: on each scan's own grid, all slices, as a user meets it. ``reference``: the published
protocol (first and last slice dropped, cropped and resized to 256, rounded, largest face-connected
component), to compare with published figures. The two are never mixed.
"""

from __future__ import annotations

import csv
import io
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from glob import escape
from pathlib import Path, PurePath

import numpy as np

from glioseg.cluster import Cluster, over
from glioseg.dataset.find import Case, find_cases, read_case
from glioseg.errors import Fault, InputError
from glioseg.files import make_folder, sweep_all, write_fault, write_json, write_text
from glioseg.io import with_all_channels
from glioseg.measure import Protocol, Scores, dice, measure
from glioseg.model.description import ModelDescription
from glioseg.model.predictor import Predictor, load_model
from glioseg.postprocess import to_mask
from glioseg.prediction import Evidence, Prediction
from glioseg.prepare import Preparation
from glioseg.recipe import Labels, PostprocessChoice
from glioseg.runs.manifest import read_json
from glioseg.runs.record import DataPlace, Evaluation
from glioseg.scan import Scan, Segmentation

REFERENCE = Preparation(name="reference", size=256, drop_ends=True)
REFERENCE_POSTPROCESS = PostprocessChoice(threshold=0.5, largest_component=True)


OWN_METRICS = ("dice", "iou", "sensitivity", "precision")
FLAIR_ALONE = "FLAIR alone"
"""What a protocol says of scans whose other sequences were left out."""
GIF_SECONDS = 0.15
"""How long each slice stands in a GIF."""

JUDGED = ("certainty", "border", "expected_dice")
"""Columns of ``metrics.csv`` that the model said of its masks without the truth."""


def evaluate(
    predictor: Predictor | str | Path,
    cases: Sequence[Case] | str | Path,
    out: str | Path | None = None,
    *,
    patients: str = "all",
    checkpoint: str | None = None,
    command: str = "",
    flair_alone: bool = False,
    pictures: bool = True,
    gif_seconds: float = GIF_SECONDS,
    progress: Callable[[str, float], None] | None = None,
    cluster: Cluster | None = None,
    place: DataPlace | None = None,
) -> Evaluation:
    """Predict each case and score it.

    Args:
        predictor: what :func:`glioseg.load_model` gave, or what it takes.
        cases: labelled scans, or the folder that holds them.
        out: folder for ``metrics.csv``, ``metrics.json``, ``dsc.png``, ``outlines/``, ``gifs/``,
            ``masks/``; nothing is written without it.
        patients: which of a folder's: ``all``, ``validation`` (those of the model's own split), or a
            text file with a patient in each line.
        checkpoint: who picked the weights, for the protocol; by default what the model says of itself.
        command: what repeats this, for the record.
        flair_alone: leave the other sequences out, as if they had never been taken.
        pictures: draw a PNG of each slice and a GIF of each patient.
        gif_seconds: how long each slice stands in the GIF.
        progress: called with each patient and its DSC on its own grid.
        cluster: whose workers do it, entered; the files, ``out`` and the model have to be there under the
            same paths.
        place: where the scans are, for the record: who shows a patient later reads the scan from there. Of a
            folder of labelled scans it is known.

    Raises:
        InputError: a case has no mask, or cannot be read.

    >>> from glioseg.samples import SAMPLES
    >>> scores = evaluate("default", SAMPLES).own["dice"]
    >>> len(scores.values), round(scores.mean, 1)
    (3, 0.9)
    """
    if isinstance(predictor, str | Path):
        predictor = load_model(predictor)
    if isinstance(cases, str | Path):
        place = place or DataPlace(data=str(Path(cases).absolute()))
        cases = choose_patients(find_cases(cases), patients, predictor.description)
    checkpoint = picked_by(predictor.description, cases) if checkpoint is None else checkpoint
    out = None if out is None else Path(out)
    if not cases:
        raise InputError(Fault("evaluation.no_patients"))
    if out is not None:
        make_folder(out)
        sweep_all(out)
    before = _patients_before(out)
    judging = _Judging(predictor, flair_alone, out and out.absolute(), pictures, gif_seconds)
    by_number: dict[int, _Judged] = {}
    for number, found in over(cluster, judging, cases, lambda case: case.images[0].parent):
        if isinstance(found, Exception):
            raise found
        by_number[number] = found
        if progress is not None:
            progress(cases[number].id, found.own["dice"])
    judged = {case.id: by_number[number] for number, case in enumerate(cases)}
    values = {name: {id: each.own[name] for id, each in judged.items()} for name in OWN_METRICS}
    reference = {id: each.reference for id, each in judged.items()}
    slices = {id: each.slices for id, each in judged.items()}
    evidence = {id: each.evidence for id, each in judged.items()}
    expected = {id: each.expected for id, each in judged.items()}
    classes = {
        title: {id: each.classes[title] for id, each in judged.items()}
        for title in predictor.description.labels.titles
    }
    facts = partial(
        Protocol,
        patients=tuple(reference),
        checkpoint=checkpoint,
        sequences=FLAIR_ALONE if flair_alone else "all",
    )
    choice = predictor.description.postprocess
    on_own_grid = partial(facts, threshold=choice.threshold, postprocessing=choice.describe())
    own = {name: Scores(on_own_grid(metric=name), each, command) for name, each in values.items()}
    as_published = facts(
        metric="dice",
        grid="reference-256",
        threshold=REFERENCE_POSTPROCESS.threshold,
        postprocessing=REFERENCE_POSTPROCESS.describe(),
        slices="all but first and last",
    )
    scores = Scores(as_published, reference, command)
    by_class = {title: Scores(on_own_grid(metric="dice"), each, command) for title, each in classes.items()}
    evaluation = Evaluation(own, scores, slices, by_class, evidence, expected, place)
    if out is not None:
        _forget_files(out, before, judged, pictures)
        write_evaluation(evaluation, out)
    return evaluation


@dataclass(frozen=True)
class _Judged:
    """What is kept of a case: scores on its own grid and under the reference protocol, DSC of each class,
    lesion-free slices (with a false positive, and all), what the model said of its mask, and its files."""

    own: dict[str, float]
    reference: float
    classes: dict[str, float]
    slices: tuple[int, int]
    evidence: Evidence | None
    expected: float | None
    masks: frozenset[str]


@dataclass(frozen=True)
class _Judging:
    """Predicts a case, scores it and writes its mask and pictures; the arguments of :func:`evaluate`."""

    predictor: Predictor
    flair_alone: bool
    out: Path | None
    pictures: bool
    gif_seconds: float

    def __call__(self, case: Case) -> _Judged:
        labels = self.predictor.description.labels
        scan, truth = _truth(case.with_sequences(self.predictor.description.sequences), labels)
        if self.flair_alone:
            flair = scan.channel("flair")[..., None]
            alone = replace(scan, voxels=flair, channels=("flair",), filled=())
            scan = with_all_channels(alone, self.predictor.channels)
        prediction = self.predictor(scan)
        found, there = prediction.segmentation.mask, truth.mask
        free = ~there.any(axis=(1, 2))
        hits = found.any(axis=(1, 2)) & free
        masks: frozenset[str] = frozenset()
        if self.out is not None:
            _forget_record(self.out)
            masks = _write_case(self.out, scan, prediction, truth, self.pictures, self.gif_seconds)
        return _Judged(
            own=dict(measure(found, there, names=OWN_METRICS)),
            reference=reference_dice(prediction, scan, truth, self.predictor),
            classes={
                title: dice(prediction.segmentation.label(label), truth.label(label))
                for title, label in zip(labels.titles, labels.values, strict=True)
            },
            slices=(int(hits.sum()), int(free.sum())),
            evidence=prediction.evidence,
            expected=prediction.expected_dice,
            masks=masks,
        )


def choose_patients(cases: Sequence[Case], patients: str, model: ModelDescription) -> list[Case]:
    """The cases to score: ``validation`` (of the model's own split), ``all``, or those a text file names.

    Raises:
        InputError: none of them is in the data, or a named one is not.
    """
    if patients == "all":
        return list(cases)
    if patients == "validation":
        wanted = set(model.trained_on.get("validation", []))
        chosen = [case for case in cases if case.id in wanted]
        if not chosen:
            raise InputError(Fault("evaluation.no_validation_patients"))
        return chosen
    path = Path(patients)
    try:
        wanted = {line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines() if line.strip()}
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(Fault("evaluation.patients_file", path, reason=error)) from error
    missing = sorted(wanted - {case.id for case in cases})
    if missing or not wanted:
        code = "evaluation.patients_missing" if missing else "evaluation.patients_empty"
        raise InputError(Fault(code, path, patients=", ".join(missing[:5])))
    return [case for case in cases if case.id in wanted]


def trained_among(model: ModelDescription, cases: Sequence[Case]) -> list[str]:
    """Patients of the cases that the model was trained on: their scores are too good."""
    return sorted({case.id for case in cases} & set(model.trained_on.get("train", [])))


def picked_by(model: ModelDescription, cases: Sequence[Case]) -> str:
    """Who picked the model's weights, for the protocol: patients that picked them score too well."""
    if model.checkpoint != "best":
        return model.checkpoint
    same = {case.id for case in cases} & set(model.trained_on.get("validation", []))
    return f"best {model.monitor} on {'the same' if same else 'other'} patients"


def reference_dice(prediction: Prediction, scan: Scan, truth: Segmentation, predictor: Predictor) -> float:
    """DSC of one patient under the reference protocol.

    A network whose own preparation is the reference's is scored on its own output. It predicts once more for
    that, since the protocol drops the first and last slice before it looks at the scan: with them the crop
    and the grey values can be others. The probability map of any other network is carried from the scan's
    grid to the reference's by averaging, before rounding.
    """
    model = predictor.description
    if model.prepare.name == "reference" and model.prepare.size == REFERENCE.size:
        as_published = model.model_copy(update={"prepare": REFERENCE})
        again = Predictor(predictor.runtime, as_published, predictor.flips, predictor.batch)
        probability, frame = again.prepared_probability(scan)
    else:
        frame = REFERENCE.frame(scan)
        assert prediction.probability is not None
        probability = np.clip(frame.coverage(prediction.probability), 0, 1)
    return dice(to_mask(probability, REFERENCE_POSTPROCESS), frame.to_prepared(truth.mask))


def write_evaluation(evaluation: Evaluation, out: Path) -> None:
    """``metrics.csv``, the DSC plots and, last, ``metrics.json``: where that is, the evaluation is whole."""
    from glioseg.draw import dsc_plot

    text = io.StringIO()
    columns = evaluation.columns
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["patient", *columns, "false_positive_slices", "lesion_free_slices", *JUDGED])
    for patient, (hits, free) in evaluation.false_positive_slices.items():
        clues = evaluation.evidence.get(patient) or (None, None)
        judged = (*clues, evaluation.expected_dice.get(patient))
        table.writerow(
            [
                patient,
                *(f"{scores.values[patient]:.6f}" for scores in columns.values()),
                hits,
                free,
                *("" if value is None else f"{value:.6f}" for value in judged),
            ]
        )
    write_text(out / "metrics.csv", text.getvalue())
    dsc_plot(evaluation.own["dice"], out / "dsc.png")
    dsc_plot(evaluation.reference, out / "dsc_reference.png")
    write_json(out / "metrics.json", evaluation.to_dict())


def _patients_before(out: Path | None) -> list[str]:
    """The patients of the evaluation that a folder holds, by whose names files can be called."""
    try:
        found = [] if out is None else list(read_json(out / "metrics.json")["own"]["dice"]["values"])
    except (InputError, ValueError, LookupError, TypeError):
        return []
    return [patient for patient in found if patient != ".." and PurePath(".", patient).parts == (patient,)]


def _forget_files(out: Path, before: Sequence[str], judged: Mapping[str, _Judged], pictures: bool) -> None:
    """Remove what the evaluation before wrote and this one did not: masks of other patients, masks in another
    kind of file, pictures of other masks.
    """
    for patient in before:
        kept = judged[patient].masks if patient in judged else frozenset()
        masks = [out / "masks" / patient, *(out / "masks").glob(f"{escape(patient)}_mask.*")]
        stale = [path for path in masks if path.name not in kept]
        if not (pictures and patient in judged):
            stale += [out / "outlines" / patient, out / "gifs" / f"{patient}.gif"]
        for path in stale:
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)


def _forget_record(out: Path) -> None:
    """Remove the record of an evaluation before: its numbers are not to stand beside masks of this one."""
    record = out / "metrics.json"
    try:
        record.unlink(missing_ok=True)
    except OSError as error:
        raise InputError(write_fault(record, error)) from error


def _truth(case: Case, labels: Labels) -> tuple[Scan, Segmentation]:
    """A labelled scan and its truth in the labels that the model tells."""
    scan, truth = read_case(case, labels.stored)
    if truth is None:
        raise InputError(Fault("evaluation.no_mask", case.images[0].parent))
    return scan, truth


def _write_case(
    out: Path, scan: Scan, prediction: Prediction, truth: Segmentation, pictures: bool, gif_seconds: float
) -> frozenset[str]:
    """Write the mask of a scan and its pictures; gives what of the folder of masks is its own."""
    from glioseg.draw import draw_gif, draw_slices
    from glioseg.io.save import write_both

    predicted = prediction.segmentation
    written = write_both(predicted, out / "masks", scan.id)
    if pictures:
        draw_slices(scan, predicted, truth, out / "outlines" / scan.id)
        draw_gif(scan, predicted, truth, out / "gifs" / f"{scan.id}.gif", seconds=gif_seconds)
    return frozenset(path.relative_to(out / "masks").parts[0] for path in written)

"""Scores of networks whose answer is known are those counted by hand, and carry their protocol."""

from __future__ import annotations

import csv
import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image
from scipy import ndimage
from support.known_models import known_model

from glioseg.dataset.find import Case, find_cases, read_case
from glioseg.errors import InputError
from glioseg.evaluation.evaluate import REFERENCE, choose_patients, evaluate, picked_by, trained_among
from glioseg.measure import Scores, check_same_protocol
from glioseg.model.predictor import Predictor, load_model
from glioseg.prepare import Preparation
from glioseg.recipe import PostprocessChoice
from glioseg.runs.record import Evaluation


def rectangles(*places: tuple[int, int, int, int, int]) -> np.ndarray:
    """Boolean ``(6, 256, 256)``; each place is (slice, top, left, height, width)."""
    mask = np.zeros((6, 256, 256), bool)
    for position, top, left, height, width in places:
        mask[position, top : top + height, left : left + width] = True
    return mask


# What is bright in FLAIR, which the network below finds to the pixel, and what is called lesion.
PATIENTS = {
    "exact": (rectangles((2, 50, 60, 60, 70), (3, 55, 60, 50, 70)),) * 2,
    "half": (
        rectangles((2, 50, 60, 60, 80), (3, 50, 60, 60, 80)),
        rectangles((2, 50, 100, 60, 80), (3, 50, 100, 60, 80)),
    ),
    "first slice": (
        rectangles((0, 50, 60, 60, 80), (1, 50, 60, 60, 80), (2, 50, 60, 60, 80)),
        rectangles((1, 50, 60, 60, 80), (2, 50, 60, 30, 80)),
    ),
    "two blobs": (
        rectangles((2, 50, 60, 60, 80), (4, 150, 150, 40, 40)),
        rectangles((2, 50, 60, 60, 80), (3, 150, 150, 40, 40)),
    ),
    "no lesion": (rectangles((2, 50, 60, 60, 80), (3, 50, 60, 60, 80)), rectangles()),
}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Scans that fill 256 x 256 pixels, so that the reference protocol keeps every pixel."""
    root = tmp_path_factory.mktemp("data")
    for id, (bright, truth) in PATIENTS.items():
        write_patient(root, id, np.where(bright, 250, 100), truth)
    return root


def write_patient(root: Path, id: str, grey: np.ndarray, truth: np.ndarray) -> None:
    (root / id).mkdir()
    for number, (image, mask) in enumerate(zip(grey, truth, strict=True), start=1):
        tifffile.imwrite(root / id / f"{id}_{number}.tif", np.stack([image] * 3, -1).astype(np.uint8))
        tifffile.imwrite(root / id / f"{id}_{number}_mask.tif", mask.astype(np.uint8) * 255)


@pytest.fixture(scope="module")
def made_cases(data: Path) -> list[Case]:
    return find_cases(data)


@pytest.fixture(scope="module")
def predictor(tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    """Calls lesion what is bright, to the pixel."""
    path = tmp_path_factory.mktemp("model") / "model.onnx"
    return load_model(known_model(path, 10, -20, prepare=Preparation(name="reference", size=256)), threads=1)


def dice_by_hand(predicted: np.ndarray, truth: np.ndarray) -> float:
    return 2 * int((predicted & truth).sum()) / int(predicted.sum() + truth.sum())


def largest(mask: np.ndarray) -> np.ndarray:
    labels, count = ndimage.label(mask)
    sizes = ndimage.sum_labels(mask, labels, range(1, count + 1))
    return labels == 1 + int(np.argmax(sizes))


# ---------------------------------------------------------------- the numbers


def test_scores_are_those_counted_by_hand(predictor, made_cases) -> None:
    told = {}
    found = evaluate(predictor, made_cases, progress=told.__setitem__)
    for id, (bright, truth) in PATIENTS.items():
        own = dice_by_hand(bright, truth)
        assert found.own["dice"].values[id] == pytest.approx(own)
        assert told[id] == found.own["dice"].values[id]
        assert found.own["iou"].values[id] == pytest.approx(own / (2 - own))
        overlap = int((bright & truth).sum())
        if truth.any():
            assert found.own["sensitivity"].values[id] == pytest.approx(overlap / truth.sum())
            assert found.own["precision"].values[id] == pytest.approx(overlap / bright.sum())
        inner = slice(1, -1)
        expected = dice_by_hand(largest(bright[inner]), truth[inner])
        assert found.reference.values[id] == pytest.approx(expected)
        free = ~truth.any(axis=(1, 2))
        hits = int((free & bright.any(axis=(1, 2))).sum())
        assert found.false_positive_slices[id] == (hits, int(free.sum()))
    assert found.own["dice"].values["exact"] == 1
    assert found.own["dice"].values["half"] == pytest.approx(0.5)
    assert found.own["dice"].values["no lesion"] == 0
    assert found.own["dice"].values["first slice"] != found.reference.values["first slice"]
    assert found.own["dice"].values["two blobs"] != found.reference.values["two blobs"]
    hits, free = np.sum(list(found.false_positive_slices.values()), axis=0)
    assert found.false_positive_rate == pytest.approx(hits / free)
    assert found.own["dice"].mean == pytest.approx(np.mean(list(told.values())))


def test_flair_alone_leaves_t1_out_and_says_so(tmp_path) -> None:
    from glioseg.samples import sample_cases

    trained = load_model(threads=1)
    seen = []

    class Watched(Predictor):
        def __call__(self, scan):
            seen.append(scan)
            return super().__call__(scan)

    case = sample_cases()[0]
    watched = Watched(trained.runtime, trained.description)
    alone = evaluate(watched, [case], flair_alone=True)
    whole = evaluate(trained, [case])
    (scan,) = seen
    assert scan.filled == ("pre", "post")
    for name in ("pre", "post"):
        np.testing.assert_array_equal(scan.channel(name), read_case(case)[0].channel("flair"))
    assert alone.own["dice"].values != whole.own["dice"].values
    assert alone.own["dice"].mean > 0.7
    assert "FLAIR alone" in alone.own["dice"].protocol.describe()
    assert "FLAIR" not in whole.own["dice"].protocol.describe()
    with pytest.raises(InputError, match="sequences"):
        check_same_protocol(alone.reference, whole.reference)


def test_end_slices_do_not_move_the_grid_of_the_reference_protocol(predictor, tmp_path) -> None:
    """With its first slice this head's crop, and so its square, lies elsewhere than without."""
    bright = rectangles((2, 100, 60, 60, 80), (3, 100, 60, 60, 80))
    grey = np.where(bright, 250, 100)
    grey[:, :20] = grey[:, 236:] = 0
    grey[0, :20] = 100
    write_patient(tmp_path, "p", grey, bright)
    scores = evaluate(predictor, find_cases(tmp_path))
    assert scores.reference.values == {"p": 1}
    assert scores.own["dice"].values == {"p": 1}


def test_another_preparation_is_carried_to_the_reference_grid(labelled, tmp_path) -> None:
    from glioseg.samples import sample_cases

    predictor = load_model(known_model(tmp_path / "model.onnx", 3, -4), threads=1)
    scores = evaluate(predictor, sample_cases())
    for id, (scan, truth) in labelled.items():
        found = predictor(scan)
        frame = REFERENCE.frame(scan)
        predicted = largest(frame.coverage(found.probability) >= 0.5)
        expected = dice_by_hand(predicted, frame.to_prepared(truth.mask))
        assert scores.reference.values[id] == pytest.approx(expected)
        assert scores.own["dice"].values[id] == pytest.approx(
            dice_by_hand(found.segmentation.mask, truth.mask)
        )


def test_a_network_that_finds_nothing(made_cases, tmp_path) -> None:
    empty = known_model(tmp_path / "empty.onnx", 0, -100, prepare=Preparation(name="reference", size=256))
    scores = evaluate(load_model(empty, threads=1), made_cases)
    assert scores.own["dice"].values == {
        **dict.fromkeys(PATIENTS, 0.0), "no lesion": 1.0,
    }  # fmt: skip
    assert scores.reference.values["no lesion"] == 1
    assert scores.reference.mean == pytest.approx(1 / len(PATIENTS))
    assert scores.false_positive_rate == 0
    assert all(
        value == 0 or math.isnan(value) or id == "no lesion"
        for id, value in scores.own["sensitivity"].values.items()
    )


# ---------------------------------------------------------------- the protocol


def test_scores_carry_their_protocol(predictor, made_cases) -> None:
    found = evaluate(predictor, made_cases, checkpoint="last", command="glioseg evaluate here")
    for name, scores in found.own.items():
        protocol = scores.protocol
        assert (protocol.metric, protocol.grid, protocol.slices) == (name, "own", "all")
        assert (protocol.threshold, protocol.postprocessing) == (0.5, "none")
        assert protocol.checkpoint == "last"
        assert scores.command == "glioseg evaluate here"
    protocol = found.reference.protocol
    assert (protocol.metric, protocol.grid) == ("dice", "reference-256")
    assert protocol.slices == "all but first and last"
    assert protocol.postprocessing == "largest face-connected 3-D component"
    assert protocol.patients == tuple(sorted(PATIENTS))


@pytest.mark.parametrize(
    ("choice", "words"),
    [
        (PostprocessChoice(minimum_voxels=20), "3-D components of at least 20 voxels"),
        (PostprocessChoice(largest_component=True), "largest face-connected 3-D component"),
        (
            PostprocessChoice(largest_component=True, minimum_voxels=9),
            "largest face-connected 3-D component of at least 9 voxels",
        ),
        (
            PostprocessChoice(minimum_voxels=9, minimum_share=0.1),
            "3-D components of at least 9 voxels and of at least 0.1 of the largest",
        ),
        (
            PostprocessChoice(largest_component=True, fill_holes=True),
            "largest face-connected 3-D component; holes filled in each slice",
        ),
        (PostprocessChoice(fill_holes=True), "holes filled in each slice"),
    ],
)
def test_the_protocol_says_what_was_done_to_the_mask(predictor, made_cases, choice, words) -> None:
    description = predictor.description.model_copy(update={"postprocess": choice})
    found = evaluate(Predictor(predictor.runtime, description), made_cases[:1])
    assert found.own["dice"].protocol.postprocessing == words
    assert found.reference.protocol.postprocessing == "largest face-connected 3-D component"


# ---------------------------------------------------------------- what is written


def test_everything_that_is_written(predictor, made_cases, tmp_path) -> None:
    out = tmp_path / "evaluation"
    chosen = [case for case in made_cases if case.id in ("exact", "half")]
    found = evaluate(predictor, chosen, out, command="the command")
    content = json.loads((out / "metrics.json").read_text(encoding="utf-8"))
    for name, scores in found.own.items():
        assert Scores.from_dict(content["own"][name]) == scores
    assert Scores.from_dict(content["reference"]) == found.reference
    assert content["false_positive_slices"]["by_patient"] == {"exact": [0, 4], "half": [0, 4]}
    with (out / "metrics.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["patient"] for row in rows] == ["exact", "half"]
    assert list(rows[0]) == [
        "patient", "dice", "iou", "sensitivity", "precision", "dice_reference",
        "false_positive_slices", "lesion_free_slices", "certainty", "border", "expected_dice",
    ]  # fmt: skip
    for row in rows:
        for name, scores in (*found.own.items(), ("dice_reference", found.reference)):
            assert float(row[name]) == pytest.approx(scores.values[row["patient"]], abs=1e-6)
    for name in ("dsc.png", "dsc_reference.png"):
        assert Image.open(out / name).size[0] > 200
    for case in chosen:
        bright, _ = PATIENTS[case.id]
        for number in range(1, 7):
            mask = tifffile.imread(out / "masks" / case.id / f"{case.id}_{number}_mask.tif")
            np.testing.assert_array_equal(mask, bright[number - 1] * 255)
        assert len(list((out / "outlines" / case.id).iterdir())) == 6
        assert getattr(Image.open(out / "gifs" / f"{case.id}.gif"), "n_frames", 1) == 6


def test_nothing_of_an_evaluation_before_is_left(predictor, made_cases, tmp_path) -> None:
    exact, half = (case for case in made_cases if case.id in ("exact", "half"))
    evaluate(predictor, [exact, half], tmp_path)
    (tmp_path / "masks" / "exact_mask.nii.gz").write_text("of a volume with the name of these slices")
    (tmp_path / "masks" / "somebody_mask.nii.gz").write_text("of no evaluation")
    evaluate(predictor, [exact], tmp_path, pictures=False)
    left = {path.name for path in (tmp_path / "masks").iterdir()}
    assert left == {"exact", "somebody_mask.nii.gz"}
    assert not [*(tmp_path / "outlines").iterdir(), *(tmp_path / "gifs").iterdir()]


def test_where_the_scans_are_is_on_record(predictor, data, tmp_path) -> None:
    found = evaluate(predictor, data, tmp_path, pictures=False)
    content = json.loads((tmp_path / "metrics.json").read_text(encoding="utf-8"))
    assert content["place"]["data"] == str(data.absolute())
    assert Evaluation.from_dict(content).place == found.place


def test_a_slice_stands_in_the_gif_as_long_as_asked(predictor, made_cases, tmp_path) -> None:
    evaluate(predictor, made_cases[:1], tmp_path / "out", gif_seconds=0.1)
    (path,) = (tmp_path / "out" / "gifs").glob("*.gif")
    with Image.open(path) as gif:
        assert gif.info["duration"] == 100


def test_pictures_can_be_left_out(predictor, made_cases, tmp_path) -> None:
    evaluate(predictor, made_cases[:1], tmp_path / "out", pictures=False)
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "metrics.json", "metrics.csv", "dsc.png", "dsc_reference.png", "masks",
    }  # fmt: skip


# ---------------------------------------------------------------- which patients


def test_nobody_to_score(predictor, made_cases) -> None:
    with pytest.raises(InputError, match="expected at least one patient, found none"):
        evaluate(predictor, [])
    unlabelled = replace(made_cases[0], source=replace(made_cases[0].source, truth=()))
    with pytest.raises(InputError, match="expected a mask for every slice"):
        evaluate(predictor, [unlabelled])


def described(predictor: Predictor, checkpoint: str = "best", **trained_on: list[str]):
    return predictor.description.model_copy(update={"trained_on": trained_on, "checkpoint": checkpoint})


def test_patients_are_chosen(predictor, made_cases, tmp_path) -> None:
    model = described(predictor, validation=["half", "gone"])

    def chosen(patients: str) -> list[str]:
        return [case.id for case in choose_patients(made_cases, patients, model)]

    assert chosen("all") == sorted(PATIENTS)
    assert chosen("validation") == ["half"]
    names = tmp_path / "names.txt"
    names.write_bytes(b"\xef\xbb\xbftwo blobs\r\n\r\n  exact\r\n")
    assert chosen(str(names)) == ["exact", "two blobs"]


def test_patients_that_are_not_there(predictor, made_cases, tmp_path) -> None:
    model = described(predictor, validation=["gone"])
    with pytest.raises(InputError, match=r"none of them\. Use --patients all"):
        choose_patients(made_cases, "validation", model)
    with pytest.raises(InputError, match=r"none of them\. Use --patients all"):
        choose_patients(made_cases, "validation", described(predictor))
    files = {
        "unknown": (b"exact\ngone\naway\n", "no away, gone"),
        "empty": (b"\n", "an empty file"),
        "binary": (b"\xff\xfe\x00", "codec"),
    }
    for name, (content, words) in files.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError) as caught:
            choose_patients(made_cases, str(tmp_path / name), model)
        assert words in str(caught.value)
        assert str(tmp_path / name) in str(caught.value)
    for path in (tmp_path / "not there", tmp_path):
        with pytest.raises(InputError, match="validation, all, or a text file"):
            choose_patients(made_cases, str(path), model)


def test_patients_that_a_model_was_trained_on_are_told(predictor, made_cases) -> None:
    model = described(predictor, train=["half", "exact", "gone"], validation=["two blobs"])
    assert trained_among(model, made_cases) == ["exact", "half"]
    assert trained_among(described(predictor), made_cases) == []


def test_who_picked_the_weights(predictor, made_cases) -> None:
    assert picked_by(described(predictor, "last", validation=["half"]), made_cases) == "last"
    assert (
        picked_by(described(predictor, validation=["half"]), made_cases)
        == "best val_dsc on the same patients"
    )
    assert (
        picked_by(described(predictor, validation=["gone"]), made_cases) == "best val_dsc on other patients"
    )

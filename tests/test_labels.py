"""Masks of several classes, from the file to the score and back to a file."""

from __future__ import annotations

import csv
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pydantic import ValidationError
from typer.testing import CliRunner

from glioseg.cli import app
from glioseg.dataset.cache import prepare_cases
from glioseg.dataset.check import check
from glioseg.dataset.find import Case, find_cases, read_case
from glioseg.errors import InputError
from glioseg.evaluation.evaluate import picked_by
from glioseg.grid import Grid
from glioseg.io import read_scan, read_segmentation, write_segmentation
from glioseg.io.image import write_picture
from glioseg.postprocess import to_labels, to_mask
from glioseg.prepare import Preparation
from glioseg.recipe import Labels, PostprocessChoice, load_recipe
from glioseg.report import write_report
from glioseg.runs.folder import RunFolder
from glioseg.runs.record import Evaluation
from glioseg.samples import SAMPLES
from glioseg.scan import Segmentation, Storage

HEAD, LESION = 3, 7
TISSUE = Labels(values=(HEAD, LESION), names=("head", "lesion"))


@pytest.fixture(scope="module")
def tissue(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundled patients with a third class: what of the head is no lesion."""
    folder = tmp_path_factory.mktemp("tissue")
    for case in find_cases(SAMPLES):
        scan, truth = read_case(case)
        assert truth is not None
        head = scan.channel("flair") > 0.15 * np.percentile(scan.channel("flair"), 99)
        labels = np.where(truth.mask, LESION, np.where(head, HEAD, 0)).astype(np.uint8)
        home = folder / case.id
        home.mkdir()
        for image, page in zip(case.images, labels, strict=True):
            shutil.copy(image, home)
            write_picture(home / f"{image.stem}_mask", image.suffix, page[None])
    return folder


@pytest.mark.parametrize(
    "wrong",
    [
        {"values": [0, 1]},
        {"values": [256]},
        {"values": [1, 1]},
        {"values": [1], "names": ["a", "b"]},
        {"values": [1, 2], "names": ["a", "a"]},
    ],
)
def test_labels_that_are_none(wrong: dict[str, list[object]]) -> None:
    with pytest.raises(ValidationError):
        Labels.model_validate(wrong)


def test_channels_and_titles() -> None:
    assert (Labels().channels, Labels().titles, Labels().given) == (1, (), False)
    assert (TISSUE.channels, TISSUE.titles, TISSUE.given) == (3, ("head", "lesion"), True)
    assert Labels(values=(4, 2)).titles == ("4", "2")


class TestFiles:
    @pytest.mark.parametrize("kind", ["slices", "image", "nifti"])
    def test_come_back_as_they_were(self, kind: str, tmp_path: Path) -> None:
        voxels = np.random.default_rng(0).choice([0, HEAD, LESION, 255], (4, 9, 7)).astype(np.uint8)
        names = {HEAD: "head", LESION: "lesion", 255: "all"}
        labels = Segmentation(voxels, Grid(voxels.shape), "scan", names, storage=Storage(kind))
        written = write_segmentation(labels, tmp_path)
        source = written[0].parent if kind == "slices" else written[0]
        back = read_segmentation(source, labels=None)
        np.testing.assert_array_equal(back.voxels, voxels)
        if kind != "slices":  # its grid would name the images, and there are masks alone
            assert read_segmentation(source, back, None).grid is back.grid
        with pytest.raises(InputError, match=r"labels 0, 3, 7.*found 255"):
            read_segmentation(source, labels=TISSUE.named)
        with pytest.raises(InputError, match=r"labels\.values"):
            read_segmentation(source)

    def test_land_on_the_grid_of_the_volume_they_belong_to(self, tmp_path: Path) -> None:
        import nibabel

        affine = np.array([[0, 0, 2.0, 5], [-1.0, 0, 0, 7], [0, 3.0, 0, 1], [0, 0, 0, 1]])
        values = np.random.default_rng(1).integers(0, 500, (6, 5, 4)).astype(np.int16)
        nibabel.save(nibabel.Nifti1Image(values, affine), tmp_path / "flair.nii.gz")
        scan = read_scan(tmp_path / "flair.nii.gz")
        voxels = (scan.channel("flair") // 100).astype(np.uint8)
        (path,) = write_segmentation(
            scan.segmentation(voxels, dict.fromkeys(range(1, 5), "some")), tmp_path / "out"
        )
        stored = nibabel.load(path)
        np.testing.assert_array_equal(np.asarray(stored.dataobj), values // 100)
        np.testing.assert_allclose(stored.affine, affine)
        np.testing.assert_array_equal(read_segmentation(path, scan, None).voxels, voxels)


@given(
    arrays(np.float32, (3, 2, 4, 5), elements=st.floats(0, 1, width=32)),
    st.floats(0.1, 0.9),
)
def test_every_voxel_of_the_lesion_has_its_likeliest_class(scores: np.ndarray, threshold: float) -> None:
    probability = scores / np.maximum(scores.sum(axis=0), 1)
    choice = PostprocessChoice(threshold=threshold)
    labels = to_labels(probability, choice, (5, 1, 9))
    union = to_mask(np.minimum(probability.sum(axis=0), 1), choice)
    np.testing.assert_array_equal(labels > 0, union)
    likeliest = np.array([5, 1, 9])[probability.argmax(axis=0)]
    np.testing.assert_array_equal(labels[union], likeliest[union])


def test_components_are_kept_for_each_class() -> None:
    probability = np.zeros((2, 1, 5, 9), np.float32)
    probability[0, 0, 1, 1:4] = probability[0, 0, 3, 1] = 0.9
    probability[1, 0, 1, 6:8] = probability[1, 0, 3, 8] = 0.9
    labels = to_labels(probability, PostprocessChoice(largest_component=True), (1, 2))
    assert [(labels == value).sum() for value in (1, 2)] == [3, 2]


class TestDataSet:
    @pytest.mark.parametrize("name", ["head", "reference"])
    def test_targets_are_the_shares_of_the_classes(self, tissue: Path, tmp_path: Path, name: str) -> None:
        case = find_cases(tissue)[0]
        preparation = Preparation(name=name, size=48)  # type: ignore[arg-type]
        (prepared,) = prepare_cases([case], preparation, tmp_path, labels=TISSUE)
        assert prepared.targets.shape == (*prepared.images.shape[:3], 3)
        assert (prepared.targets.sum(axis=-1, dtype=int) == 255).all()
        scan, labels = read_case(case, TISSUE.named)
        assert labels is not None
        frame = preparation.frame(scan)
        for number, value in enumerate(TISSUE.values, start=1):
            shares = preparation.target(labels.label(value), frame)
            np.testing.assert_allclose(prepared.targets[..., number] / 255, shares, atol=1.6 / 255)
        np.testing.assert_allclose(
            prepared.lesion, 1 * (prepared.targets[..., 1:].sum(axis=(1, 2, 3), dtype=int) / 255)
        )

    def test_a_cache_of_lesion_or_not_is_not_taken_for_classes(self, tmp_path: Path) -> None:
        case = find_cases(SAMPLES)[0]
        preparation = Preparation(size=32)
        (binary,) = prepare_cases([case], preparation, tmp_path)
        (classes,) = prepare_cases([case], preparation, tmp_path, labels=Labels(values=(255,)))
        assert binary.targets.ndim == 3
        np.testing.assert_array_equal(classes.targets[..., 1], binary.targets)
        np.testing.assert_allclose(classes.lesion, binary.lesion)

    def test_check_knows_the_classes(self, tissue: Path) -> None:
        assert "labels.values" in str(check(tissue).faults[0])
        census = check(tissue, labels=TISSUE)
        assert not census.faults
        assert census.lesion_slices == census.slices
        said = CliRunner().invoke(app, ["check", str(tissue), "--labels", "3,7"])
        assert said.exit_code == 0, said.output
        with pytest.raises(InputError, match="--labels 1,2,3"):
            CliRunner().invoke(app, ["check", str(tissue), "--labels", "3;7"], catch_exceptions=False)


SETTINGS = (
    "prepare.size=32",
    "labels.values=[3, 7]",
    'labels.names=["head", "lesion"]',
    "loss.name=categorical_cross_entropy",
    "split.name=holdout",
    "split.fraction=0.5",
    "train.epochs=4",
    "train.batch_size=8",
    "train.steps_per_epoch=12",
    "train.vis_freq=2",
    "network.arguments.features=8",
    "optimizer.rate=1e-2",
)


@pytest.fixture(scope="module")
def run(tissue: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network of three classes, trained and scored."""
    pytest.importorskip("pytorch_lightning")
    from glioseg.training.train import train

    out = tmp_path_factory.mktemp("classes") / "run"
    train(tissue, load_recipe("reference", SETTINGS), out, echo=lambda _: None)
    said = CliRunner().invoke(app, ["evaluate", str(out), str(tissue), "--no-pictures"])
    assert said.exit_code == 0, said.output
    assert "head   " in said.output
    return out


class TestEndToEnd:
    def test_learns_and_scores_each_class(self, run: Path) -> None:
        content = json.loads(RunFolder(run).metrics.read_text(encoding="utf-8"))
        evaluation = Evaluation.from_dict(content)
        assert list(evaluation.classes) == ["head", "lesion"]
        # A head in the dark is learnt in a few steps.
        assert evaluation.classes["head"].mean > 0.75
        header = (run / "evaluation" / "metrics.csv").read_text(encoding="utf-8").splitlines()[0]
        assert "dice_head,dice_lesion" in header
        columns = (run / "metrics.csv").read_text(encoding="utf-8").splitlines()[0].split(",")
        assert {"val_dsc_head", "val_dsc_lesion"} <= set(columns)

    def test_masks_hold_the_labels(self, run: Path, tissue: Path, tmp_path: Path) -> None:
        patient = find_cases(tissue)[0].id
        said = CliRunner().invoke(
            app, ["predict", str(SAMPLES / patient), "-o", str(tmp_path), "--model", str(run)]
        )
        assert said.exit_code == 0, said.output
        labels = read_segmentation(tmp_path / "masks" / patient, labels=TISSUE.named)
        assert HEAD in labels.voxels
        record = json.loads((tmp_path / "scans" / f"{patient}.json").read_text(encoding="utf-8"))
        assert record["label_voxels"][str(HEAD)] == int((labels.voxels == HEAD).sum())
        assert record["lesion_voxels"] == int((labels.voxels > 0).sum())

    def test_the_report_draws_them(self, run: Path, tmp_path: Path) -> None:
        write_report([run], tmp_path)
        assert (tmp_path / "examples.png").is_file()


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (["labels.values=[3, 7]"], "categorical_cross_entropy"),
        (["loss.name=categorical_dice"], "a loss of lesion or not"),
        ([], r"labels\.values"),
    ],
)
def test_what_does_not_fit_together_is_refused(
    tissue: Path, tmp_path: Path, settings: list[str], expected: str
) -> None:
    pytest.importorskip("pytorch_lightning")
    from glioseg.training.train import train

    recipe = load_recipe("reference", [*SETTINGS[4:6], "prepare.size=32", *settings])
    with pytest.raises(InputError, match=expected):
        train(tissue, recipe, tmp_path / "run", echo=lambda _: None)
    assert not (tmp_path / "run").exists()


def test_the_keras_recipe_ends_in_a_softmax_over_two_classes(tmp_path: Path) -> None:
    pytest.importorskip("pytorch_lightning")
    import torch

    from glioseg.model.predictor import load_model
    from glioseg.training.train import train

    tiny = ["network.arguments.features=4", "train.epochs=3", "train.steps_per_epoch=2", "train.batch_size=2"]
    recipe = load_recipe("keras_unet", [*SETTINGS[4:6], "prepare.size=32", "train.vis_freq=0", *tiny])
    train(SAMPLES, recipe, tmp_path / "run", echo=lambda _: None)
    predictor = load_model(tmp_path / "run")
    case: Case = find_cases(SAMPLES)[0]
    prediction = predictor(read_case(case)[0])
    assert predictor.runtime(np.zeros((1, 1, 32, 32), np.float32)).shape == (1, 2, 32, 32)
    assert list(prediction.segmentation.labels) == [255]
    assert set(np.unique(prediction.segmentation.voxels)) <= {0, 255}
    # The network takes FLAIR alone: without the others, nothing is missing.
    assert predictor.description.sequences == ("flair",)
    scan = read_case(case)[0]
    assert "filled_sequences" not in predictor(replace(scan, filled=("pre", "post"))).doubts
    # Its weights are those of the least validation loss.
    rows = list(csv.DictReader((tmp_path / "run" / "metrics.csv").open(encoding="utf-8")))
    least = min(rows, key=lambda row: float(row["val_loss"]))
    best = torch.load(tmp_path / "run" / "best.ckpt", weights_only=True)
    assert best["global_step"] == int(least["step"])
    manifest = RunFolder.open(tmp_path / "run").manifest
    assert manifest["kept_epoch"] == int(least["epoch"])
    assert picked_by(predictor.description, [case]).startswith("best val_loss on")

"""From a scan to a mask on its own grid, with networks whose answer is known."""

from __future__ import annotations

import json
import os
import pickle
import shutil
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import nibabel
import numpy as np
import pytest
from scipy.ndimage import label
from scipy.special import expit
from support.known_models import known_model

import glioseg
from glioseg.errors import InputError
from glioseg.grid import Grid
from glioseg.io import read_scan, write_segmentation
from glioseg.measure import dice
from glioseg.model.predictor import Predictor, load_model
from glioseg.model.runtime import OnnxRuntime, usable_cores
from glioseg.model.weights import find_model
from glioseg.prediction import Prediction
from glioseg.prepare import Preparation
from glioseg.recipe import PostprocessChoice
from glioseg.samples import SAMPLES
from glioseg.scan import CHANNELS, Scan

PATIENT = "TCGA_CS_4944_20010208"


def scan_of(voxels, channels=CHANNELS) -> Scan:
    return Scan(voxels, Grid(voxels.shape[:3]), "scan", channels)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return known_model(tmp_path_factory.mktemp("model") / "model.onnx")


@pytest.fixture(scope="module")
def predictor(model: Path) -> Predictor:
    return load_model(model, threads=1)


# ---------------------------------------------------------------- what comes out


@pytest.mark.parametrize("name", ["head", "reference"])
def test_the_result_is_what_the_network_says_on_the_grid_of_the_scan(name, labelled, tmp_path) -> None:
    preparation = Preparation(name=name, size=64)
    known = load_model(known_model(tmp_path / "model.onnx", 3, -2, prepare=preparation))
    for scan, _ in labelled.values():
        found = known(scan)
        prepared = preparation(scan)
        probability = expit(3 * prepared.images[..., 1] - 2)
        np.testing.assert_allclose(known.prepared_probability(scan)[0], probability, atol=1e-6)
        np.testing.assert_allclose(found.probability, prepared.frame.restore(probability), atol=1e-6)
        assert known.prepared_probability(scan)[1] == prepared.frame
        assert found.probability.shape == scan.grid.shape
        assert found.probability.dtype == np.float32
        assert found.segmentation.grid is scan.grid
        assert found.segmentation.id == scan.id
        np.testing.assert_array_equal(found.segmentation.mask, found.probability >= 0.5)
        assert found.segmentation.mask.any()
        assert found.seconds > 0


def test_a_network_that_is_sure_of_everything(labelled, tmp_path) -> None:
    scan, _ = labelled[PATIENT]
    for name in ("head", "reference"):
        preparation = Preparation(name=name, size=64)
        full = load_model(known_model(tmp_path / "full.onnx", 0, 100, prepare=preparation))(scan)
        shown = preparation.frame(scan).restore(np.ones((20, 64, 64), np.float32)) > 0
        np.testing.assert_array_equal(full.segmentation.mask, shown)
        assert full.probability.max() == 1
        empty = load_model(known_model(tmp_path / "empty.onnx", 0, -100, prepare=preparation))(scan)
        assert not empty.segmentation.mask.any()


@pytest.mark.parametrize("batch", [1, 3, 7, 64])
def test_the_batch_size_does_not_matter(batch: int, predictor: Predictor, labelled) -> None:
    scan, _ = labelled[PATIENT]
    other = Predictor(predictor.runtime, predictor.description, batch=batch)
    np.testing.assert_array_equal(other(scan).probability, predictor(scan).probability)


def test_the_batch_size_does_not_matter_for_the_model_that_ships(labelled) -> None:
    scan, _ = labelled[PATIENT]
    shipped = load_model(threads=1)
    expected = shipped(scan)
    found = Predictor(shipped.runtime, shipped.description, batch=3)(scan)
    np.testing.assert_allclose(found.probability, expected.probability, atol=1e-4)


def test_flips_average_with_the_mirrored_slices(labelled, tmp_path) -> None:
    scan, _ = labelled[PATIENT]
    pattern = np.tile(np.linspace(-3, 3, 64), (64, 1))
    path = known_model(tmp_path / "model.onnx", 1, -1, pattern=pattern)
    flair = Preparation(name="head", size=64)(scan).images[..., 1]
    plain, mirrored = expit(flair - 1 + pattern), expit(flair - 1 + pattern[:, ::-1])
    np.testing.assert_allclose(load_model(path).prepared_probability(scan)[0], plain, atol=1e-6)
    both = load_model(path, flips=True)
    np.testing.assert_allclose(both.prepared_probability(scan)[0], (plain + mirrored) / 2, atol=1e-6)


def test_the_surer_of_two_networks_counts(labelled, tmp_path, monkeypatch) -> None:
    scan, _ = labelled[PATIENT]
    for name, channel in (("one", 0), ("other", 2)):
        known_model(tmp_path / f"{name}.onnx", 1, 0, channel=channel)
    entry = {"file": "one.onnx", "second": "other.onnx", "summary": "two networks"}
    (tmp_path / "index.json").write_text(json.dumps({"two": entry, "one": {"file": "one.onnx"}}))
    monkeypatch.setattr("glioseg.model.weights.WEIGHTS", tmp_path)
    images = Preparation(name="head", size=64)(scan).images
    both = load_model("two", best=True)
    np.testing.assert_allclose(both.prepared_probability(scan)[0], expit(images[..., ::2].max(-1)), atol=1e-6)
    assert both.fingerprint != load_model("two").fingerprint
    with pytest.raises(InputError, match="two"):
        load_model("one", best=True)
    with pytest.raises(InputError, match="one of them"):
        load_model("two", best=True, fast=True)


def test_a_network_sees_its_neighbours(labelled, tmp_path) -> None:
    scan, _ = labelled[PATIENT]
    flair = Preparation(name="head", size=64)(scan).images[..., 1]
    positions = np.arange(20)
    for channel, step in ((3, -2), (4, -1), (5, 1), (6, 2)):
        path = known_model(tmp_path / "model.onnx", 1, 0, neighbours=2, channel=channel)
        expected = expit(flair[np.clip(positions + step, 0, 19)])
        np.testing.assert_allclose(load_model(path).prepared_probability(scan)[0], expected, atol=1e-6)


def test_postprocessing_is_the_models_own_and_the_threshold_can_be_chosen(labelled, tmp_path) -> None:
    scan, _ = labelled[PATIENT]
    path = known_model(tmp_path / "model.onnx", postprocess=PostprocessChoice(largest_component=True))
    own = load_model(path)
    largest = own(scan).segmentation.mask
    everything = own(scan).probability >= 0.5
    assert 0 < largest.sum() < everything.sum()
    stricter = load_model(path, threshold=0.9)
    assert stricter.description.postprocess == PostprocessChoice(threshold=0.9, largest_component=True)
    assert 0 < stricter(scan).segmentation.mask.sum() < largest.sum()


def test_pieces_fainter_than_the_largest_go_by_the_prepared_flair(labelled, tmp_path) -> None:
    scan, _ = labelled[PATIENT]
    pattern = np.full((64, 64), -9.0)
    pattern[28:36, 16:28] = 9  # within the brain
    pattern[28:36, 44:50] = 9
    files = [
        known_model(
            tmp_path / f"{share}.onnx",
            0,
            0,
            pattern=pattern,
            postprocess=PostprocessChoice(minimum_contrast=share),
        )
        for share in (0, 1)
    ]
    everything, alike = (load_model(file)(scan).segmentation.mask for file in files)
    labels, count = label(everything)
    assert count == 2
    prepared = Preparation(name="head", size=64)(scan)
    flair = prepared.frame.restore(prepared.images[..., 1])
    largest, other = sorted((1, 2), key=lambda number: -(labels == number).sum())
    assert flair[labels == largest].mean() > 0
    stays = flair[labels == other].mean() >= flair[labels == largest].mean()
    np.testing.assert_array_equal(alike, everything if stays else labels == largest)
    assert not stays


# ---------------------------------------------------------------- scans of all kinds


@pytest.fixture(scope="module")
def sequences(labelled, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The sequences of a sample as NIfTI files in the usual orientation: x to the left, y back, z up."""
    scan, _ = labelled[PATIENT]
    folder = tmp_path_factory.mktemp("nifti")
    affine = np.diag([-0.9, -0.9, 5.0, 1.0])
    affine[:3, 3] = 100, 120, -30
    files = {}
    for name in CHANNELS:
        image = nibabel.Nifti1Image(scan.channel(name).transpose(2, 1, 0), affine)
        files[name] = folder / f"{name}.nii.gz"
        nibabel.save(image, files[name])
    return files


@pytest.mark.parametrize("axes", ["LPS", "RAS", "PIR", "SLA", "ASR"])
def test_nifti_in_any_orientation_comes_back_on_its_own_grid(
    axes, sequences, predictor, labelled, tmp_path
) -> None:
    expected = predictor(labelled[PATIENT][0]).segmentation.mask
    turned = {}
    for name, file in sequences.items():
        image = nibabel.load(file)
        wanted = nibabel.orientations.axcodes2ornt(axes)
        start = nibabel.orientations.io_orientation(image.affine)
        turned[name] = tmp_path / f"{name}.nii"
        nibabel.save(image.as_reoriented(nibabel.orientations.ornt_transform(start, wanted)), turned[name])
    scan = read_scan(**turned, id="turned")
    mask = predictor(scan).segmentation
    np.testing.assert_array_equal(mask.voxels, expected)
    assert mask.volume_mm3 == pytest.approx(expected.sum() * 0.9 * 0.9 * 5)
    (written,) = write_segmentation(mask, tmp_path / "masks")
    stored, given = nibabel.load(written), nibabel.load(turned["flair"])
    assert stored.shape == given.shape
    np.testing.assert_array_equal(stored.affine, given.affine)
    assert "".join(nibabel.aff2axcodes(stored.affine)) == axes
    # Where it lies in the patient: the mean position in mm of the voxels.
    columns, rows, slices = np.nonzero(expected.transpose(2, 1, 0))
    straight = nibabel.load(sequences["flair"]).affine
    centre = straight @ [columns.mean(), rows.mean(), slices.mean(), 1]
    places = np.nonzero(np.asanyarray(stored.dataobj))
    np.testing.assert_allclose(stored.affine @ [*map(np.mean, places), 1], centre, atol=1e-3)


@pytest.mark.parametrize("axis", [1, 2])
def test_a_lesion_is_found_whatever_the_shape_of_the_pixels(axis: int, labelled) -> None:
    """Slices of 4 mm across the axial plane, as sagittal and coronal acquisitions have them."""
    scan, truth = labelled["TCGA_HT_7692_19960724"]

    def in_fours(values):
        return np.stack([values.take(range(k, 256, 4), axis) for k in range(4)]).mean(
            axis=0, dtype=np.float32
        )

    spacing = [5.0, 1.0, 1.0]
    spacing[axis] = 4.0
    thick = Scan.from_array(in_fours(scan.voxels), spacing=spacing)
    found = glioseg.segment(thick, model=load_model(threads=1)).segmentation
    assert found.grid.shape == thick.grid.shape
    assert dice(found.mask, in_fours(truth.mask) >= 0.5) > 0.85


def test_one_slice(predictor, labelled) -> None:
    scan, _ = labelled[PATIENT]
    for place in (0, 9):
        found = predictor(scan_of(scan.voxels[place : place + 1]))
        assert found.segmentation.mask.shape == (1, 256, 256)
    assert found.segmentation.mask.any()


def test_flair_alone(sequences, predictor) -> None:
    alone = read_scan(sequences["flair"])
    assert alone.filled == ("pre", "post")
    filled = read_scan(**dict.fromkeys(CHANNELS, sequences["flair"]))
    np.testing.assert_array_equal(predictor(alone).segmentation.mask, predictor(filled).segmentation.mask)


def test_a_scan_that_shows_no_head_is_refused_by_name(predictor) -> None:
    with pytest.raises(InputError, match="scan: expected a head on a darker background"):
        predictor(scan_of(np.zeros((3, 64, 64, 3), np.uint8)))


def test_a_scan_of_other_channels_is_refused(predictor, labelled) -> None:
    scan, _ = labelled[PATIENT]
    with pytest.raises(InputError, match="expected the channels pre, flair, post, found flair"):
        predictor(scan_of(scan.voxels[..., 1:2], ("flair",)))


# ---------------------------------------------------------------- glioseg.segment


def test_segment_takes_a_path_sequences_or_a_scan(model, sequences, labelled, predictor) -> None:
    scan, _ = labelled[PATIENT]
    expected = predictor(scan).segmentation.mask
    for prediction in (
        glioseg.segment(SAMPLES / PATIENT, model=model),
        glioseg.segment(str(SAMPLES / PATIENT), model=str(model)),
        glioseg.segment(scan, model=model),
        glioseg.segment(**sequences, model=model),
    ):
        assert isinstance(prediction, Prediction)
        np.testing.assert_array_equal(prediction.segmentation.mask, expected)
    with pytest.raises(InputError, match=r"not/there"):
        glioseg.segment("not/there", model=model)


# ---------------------------------------------------------------- models


def test_a_model_is_found_by_name_run_folder_and_file(model, tmp_path) -> None:
    assert find_model("default") == find_model(find_model("default").stem)
    assert find_model(model) == model
    shutil.copyfile(model, tmp_path / "model.onnx")
    assert find_model(tmp_path) == tmp_path / "model.onnx"


def test_a_file_says_what_was_trained_on(tmp_path) -> None:
    manifest = {
        "data_fingerprint": "abc",
        "data": "/somewhere/private",
        "split": {"name": "reference", "train": ["a"], "validation": ["b"]},
    }
    path = known_model(tmp_path / "model.onnx", manifest=manifest, checkpoint="best")
    description = load_model(path).description
    assert description.trained_on == {
        "fingerprint": "abc", "split": "reference", "train": ["a"], "validation": ["b"],
    }  # fmt: skip
    assert description.checkpoint == "best"
    assert not description.prepare.drop_ends, "a user's first and last slice are segmented too"
    assert b"private" not in path.read_bytes()


def wrong_models(folder: Path) -> dict[str, tuple[object, str]]:
    known = known_model(folder / "known.onnx")
    (folder / "text.onnx").write_text("no network", encoding="utf-8")
    (folder / "empty.onnx").touch()
    (folder / "cut.onnx").write_bytes(known.read_bytes()[:200])
    (folder / "run").mkdir()
    return {
        "no such name": ("lgg-lite", "nothing of that name"),
        "no such file": (folder / "none.onnx", "nothing of that name"),
        "text": (folder / "text.onnx", "expected an ONNX model"),
        "empty": (folder / "empty.onnx", "expected an ONNX model"),
        "cut short": (folder / "cut.onnx", "expected an ONNX model"),
        "of others": (known_model(folder / "others.onnx", metadata=False), "without its description"),
        "unfinished run": (folder / "run", "glioseg train --resume"),
        "another kind of file": (Path(__file__), "nothing of that name"),
        "other channels": (
            known_model(folder / "channels.onnx", input_shape=("batch", 5, 64, 64)),
            "expected an input of 3 x 64 x 64, found 5 x 64 x 64",
        ),
        "other size": (
            known_model(folder / "size.onnx", input_shape=("batch", 3, 1, 1)),
            "expected an input of 3 x 64 x 64, found 3 x 1 x 1",
        ),
    }


def test_what_is_no_model_is_refused_in_words(tmp_path) -> None:
    for kind, (given, words) in wrong_models(tmp_path).items():
        with pytest.raises(InputError) as caught:
            load_model(given)  # type: ignore[arg-type]
        text = str(caught.value)
        assert words in text, kind
        assert "\n" not in text, kind
        assert caught.value.faults[0].cure, kind


def test_sizes_that_the_file_leaves_free_are_taken(tmp_path, labelled) -> None:
    path = known_model(tmp_path / "free.onnx", input_shape=("batch", 3, "rows", "columns"))
    assert load_model(path)(labelled[PATIENT][0]).segmentation.mask.any()


@pytest.mark.parametrize("threshold", [0, 1, -0.5, 2, float("nan")])
def test_a_threshold_that_is_none(threshold: float, model: Path) -> None:
    with pytest.raises(InputError, match="threshold: expected a number between 0 and 1"):
        load_model(model, threshold=threshold)


def test_the_fingerprint_is_that_of_the_weights(model: Path, tmp_path: Path) -> None:
    shutil.copyfile(model, tmp_path / "copy.onnx")
    other = known_model(tmp_path / "other.onnx", gain=4.5)
    prints = [OnnxRuntime(path).fingerprint for path in (model, tmp_path / "copy.onnx", other)]
    assert prints[0] == prints[1] != prints[2]
    assert load_model(other).fingerprint == prints[2]


def test_threads_are_those_of_the_process() -> None:
    assert 1 <= usable_cores() <= (os.cpu_count() or 1)


class TestOtherProcesses:
    def test_a_predictor_travels_by_name_and_options(self, labelled) -> None:
        scan, _ = labelled[PATIENT]
        one = glioseg.load_model(threads=1, threshold=0.7)
        other = pickle.loads(pickle.dumps(one))
        assert other.fingerprint == one.fingerprint
        assert other.description == one.description
        assert len(pickle.dumps(one)) < 1000
        assert pickle.loads(pickle.dumps(one)) is other, "it is loaded once a process"
        np.testing.assert_array_equal(other(scan).segmentation.mask, one(scan).segmentation.mask)

    def test_by_a_path_that_holds_in_every_folder(self, model: Path, tmp_path, monkeypatch) -> None:
        monkeypatch.chdir(model.parent)
        packed = pickle.dumps(load_model(model.name, threads=1))
        monkeypatch.chdir(tmp_path)
        assert pickle.loads(packed).fingerprint == load_model(model).fingerprint

    def test_other_weights_under_that_name_are_refused(self, model: Path, tmp_path) -> None:
        here = tmp_path / "model.onnx"
        shutil.copy(model, here)
        packed = pickle.dumps(load_model(here))
        known_model(here, gain=3.0)
        with pytest.raises(InputError, match="the same model file on every machine"):
            pickle.loads(packed)

    def test_one_made_by_hand_says_that_it_cannot(self, predictor: Predictor) -> None:
        with pytest.raises(TypeError, match="load_model"):
            pickle.dumps(Predictor(predictor.runtime, predictor.description))

    def test_a_pool_of_processes_segments_with_it(self, sequences, model: Path) -> None:
        work = partial(glioseg.segment, model=load_model(model, threads=1))
        with ProcessPoolExecutor(1, get_context("spawn")) as pool:
            (found,) = pool.map(work, [sequences["flair"]])
        np.testing.assert_array_equal(found.segmentation.mask, work(sequences["flair"]).segmentation.mask)

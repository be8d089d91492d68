"""From a scan to a mask on its own grid, with networks whose answer is known."""

from __future__ import annotations

import json

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
from glioseg.prediction import Prediction
from glioseg.prepare import Preparation
from glioseg.recipe import PostprocessChoice
from glioseg.samples import SAMPLES
from glioseg.scan import CHANNELS, Scan

PATIENT = "TCGA_CS_4944_20010208"


def scan_of(voxels, channels=CHANNELS) -> Scan:
    return Scan(voxels, Grid(voxels.shape[:3]), "scan", channels)


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

"""The public door: every name has an example that runs, and the nouns do what they say."""

from __future__ import annotations

import doctest
import importlib
import os
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from support.known_models import known_model

import glioseg
from glioseg import Grid, InputError, Prediction, Scan, Segmentation, WrongKindError
from glioseg.io import read_segmentation
from glioseg.samples import SAMPLES

SAMPLE = SAMPLES / "TCGA_HT_7692_19960724"
WITH_EXAMPLE = sorted(
    set(glioseg.__all__) - {"__version__", "GliosegError", "TrainingError", "WrongKindError"}
)


@pytest.mark.parametrize("name", WITH_EXAMPLE)
def test_every_name_has_an_example_that_runs(name: str) -> None:
    if name == "train":
        pytest.importorskip("pytorch_lightning")
    thing = getattr(glioseg, name)
    assert getattr(importlib.import_module(thing.__module__), name) is thing
    finder = doctest.DocTestFinder(exclude_empty=True)
    found = finder.find(thing, name, globs=vars(sys.modules[thing.__module__]).copy())
    if name == "Grid":  # its example is that of the module
        found += finder.find(sys.modules["glioseg.scan"], "scan")
    assert any(test.examples for test in found)
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    for test in found:
        runner.run(test)
    assert runner.failures == 0


def test_the_door_lists_its_names_and_no_others() -> None:
    assert dir(glioseg) == sorted(glioseg.__all__)
    with pytest.raises(AttributeError, match="write_mask"):
        _ = glioseg.write_mask  # type: ignore[attr-defined]


# ---------------------------------------------------------------- segmentations


def segmentation(**other: Any) -> Segmentation:
    voxels = np.zeros((3, 4, 5), np.uint8)
    voxels[1, 1:3, 2] = 1
    grid = Grid(voxels.shape, spacing=(5.0, 1.0, 2.0))
    return Segmentation(**{"voxels": voxels, "grid": grid, "id": "someone", **other})


@pytest.mark.parametrize("wrong", [np.float32, np.int64, np.bool_])
def test_arrays_that_are_no_labels_are_refused(wrong: type) -> None:
    with pytest.raises(WrongKindError, match="uint8"):
        segmentation(voxels=np.zeros((3, 4, 5), wrong))


def test_0_and_255_are_no_lesion_or_not() -> None:
    with pytest.raises(WrongKindError, match="255"):
        segmentation(voxels=np.full((3, 4, 5), 255, np.uint8))
    for wrong in (np.zeros((3, 4, 5), np.float32), np.full((3, 4, 5), 255, np.uint8)):
        with pytest.raises(WrongKindError, match="boolean"):
            Segmentation.from_mask(wrong, Grid((3, 4, 5)))
    with pytest.raises(ValueError, match="grid"):
        segmentation(voxels=np.zeros((3, 4, 4), np.uint8))


def test_what_a_segmentation_says() -> None:
    one = segmentation()
    assert (one.volume_mm3, one.slices_with_lesion, one.counts) == (20.0, 1, {1: 2})
    assert one.mask.dtype == np.bool_
    assert one.label(1).sum() == 2
    assert np.asarray(one).dtype == np.uint8
    assert np.asarray(one, dtype=bool).sum() == 2
    with pytest.raises(KeyError):
        one.label(2)
    html = one._repr_html_()
    assert "data:image/png;base64," in html
    assert "lesion: 2 voxels" in html
    several = segmentation(voxels=one.voxels * 4, labels={2: "oedema", 4: "<core>"})
    assert not several.lesion_or_not
    assert several.counts == {4: 2}
    assert "&lt;core&gt;" in several._repr_html_()


def test_representations_are_short() -> None:
    scan = glioseg.read_scan(SAMPLE)
    prediction = Prediction(scan.segmentation(scan.channel("flair") > 99), np.zeros(scan.grid.shape, "f4"))
    for noun in (scan, scan.grid, prediction, prediction.segmentation):
        assert len(repr(noun)) < 200


@pytest.mark.parametrize("name", ["mask.nii.gz", "mask.nii", "mask.tif"])
def test_a_segmentation_is_saved_as_it_is_called(name: str, tmp_path: Path) -> None:
    one = segmentation()
    assert one.save(tmp_path / name) == [tmp_path / name]
    np.testing.assert_array_equal(read_segmentation(tmp_path / name).voxels, one.voxels)
    labels = {1: "a", 7: "b"}
    several = segmentation(voxels=one.voxels * 7, labels=labels)
    several.save(tmp_path / name)
    np.testing.assert_array_equal(read_segmentation(tmp_path / name, labels=labels).voxels, several.voxels)


def test_a_segmentation_is_saved_in_the_kind_of_its_scan_or_refused(tmp_path: Path) -> None:
    scan = glioseg.read_scan(SAMPLE)
    one = scan.segmentation(scan.channel("flair") > 150)
    written = one.save(tmp_path / "folder")
    assert len(written) == 20
    assert written[0] == tmp_path / "folder" / scan.id / f"{scan.id}_1_mask.tif"
    for name, why in (("a.png", "20 slices"), ("a.jpg", r"\.jpg"), ("a.dcm", "DICOM")):
        with pytest.raises(InputError, match=why):
            one.save(tmp_path / name)


# ---------------------------------------------------------------- predictions, scans


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return known_model(tmp_path / "model.onnx", 3, -2)


def test_segment_takes_paths_scans_arrays_and_images(model: Path, tmp_path: Path) -> None:
    scan = glioseg.read_scan(SAMPLE)
    flair = scan.channel("flair")
    image = nibabel.Nifti1Image(flair.transpose(2, 1, 0), np.diag([-1.0, -1, 5, 1]))
    nibabel.save(image, tmp_path / "flair.nii.gz")
    loaded = nibabel.load(tmp_path / "flair.nii.gz")
    expected = glioseg.segment(flair=tmp_path / "flair.nii.gz", model=model)
    assert expected.segmentation.mask.any()
    for source in (flair, Scan.from_array(flair), image, loaded, Scan.from_nibabel(image)):
        found = glioseg.segment(source, model=model)
        np.testing.assert_array_equal(found.segmentation.voxels, expected.segmentation.voxels)
        assert "filled_sequences" in found.doubts
    (path,) = glioseg.segment(loaded, model=glioseg.load_model(model)).segmentation.save(tmp_path / "out")
    np.testing.assert_array_equal(nibabel.load(path).affine, image.affine)
    with pytest.raises(InputError, match="list"):
        glioseg.segment([1, 2])
    with pytest.raises(InputError, match="both"):
        glioseg.segment(scan, flair=tmp_path / "flair.nii.gz")


def test_segment_takes_the_options_of_the_command(model: Path) -> None:
    options = {"flips": True, "threshold": 0.9, "threads": 1}
    found = glioseg.segment(SAMPLE, model=model, **options)
    expected = glioseg.load_model(model, **options)(glioseg.read_scan(SAMPLE))
    np.testing.assert_array_equal(found.probability, expected.probability)
    np.testing.assert_array_equal(found.segmentation.voxels, expected.segmentation.voxels)
    plain = glioseg.segment(SAMPLE, model=model)
    assert plain.segmentation.mask.sum() > found.segmentation.mask.sum()
    with pytest.raises(InputError, match=r"fast.*loaded already"):
        glioseg.segment(SAMPLE, model=glioseg.load_model(model), fast=True)
    with pytest.raises(InputError, match="fast"):
        glioseg.segment(SAMPLE, fast=True, best=True)


def test_a_model_whose_file_has_changed_is_read_again(model: Path, tmp_path: Path) -> None:
    assert glioseg.segment(SAMPLE, model=model).segmentation.mask.any()
    os.replace(known_model(tmp_path / "other.onnx", 0, -9), model)
    assert not glioseg.segment(SAMPLE, model=model).segmentation.mask.any()


def test_a_prediction_is_saved_whole(model: Path, tmp_path: Path) -> None:
    prediction = glioseg.segment(SAMPLE, model=model)
    written = prediction.save(tmp_path / "out")
    stored = nibabel.load(tmp_path / "out" / f"{SAMPLE.name}_probability.nii.gz")
    assert stored.get_data_dtype() == np.float32
    np.testing.assert_array_equal(np.asarray(stored.dataobj).transpose(2, 1, 0), prediction.probability)
    assert (tmp_path / "out" / f"{SAMPLE.name}.json") in written
    assert all(path.is_file() for path in written)
    np.testing.assert_array_equal(
        read_segmentation(tmp_path / "out" / SAMPLE.name).voxels, prediction.segmentation.voxels
    )
    with pytest.raises(InputError):
        replace(prediction, segmentation=replace(prediction.segmentation, id="../x")).save(tmp_path)


def test_arrays_that_are_no_scan_are_refused() -> None:
    good = np.zeros((2, 4, 4), np.uint8)
    affine = np.diag([5.0, 1, 1, 1])
    assert Scan.from_array(good, affine=affine).grid.spacing == (5, 1, 1)
    for wrong in (good.astype(complex), np.full((2, 4, 4), np.nan)):
        with pytest.raises(WrongKindError):
            Scan.from_array(wrong)
    for array, options in (
        (good[0], {}),
        (np.zeros((2, 4, 4, 2)), {}),
        (good, {"channels": ("t2",)}),
        (good, {"spacing": (1, 0, 1)}),
        (good, {"spacing": (1, 1, 1), "affine": affine}),
        (good, {"affine": np.zeros((4, 4))}),
    ):
        with pytest.raises(ValueError, match=r"scan has|channels are|spacing|affine"):
            Scan.from_array(array, **options)  # type: ignore[arg-type]


# ---------------------------------------------------------------- runs


def test_processes_that_lightning_starts_are_told_the_run_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pytorch_lightning")
    from glioseg.cli import app
    from glioseg.training import train as training

    folders = []
    real = training.train
    monkeypatch.setattr(training, "train", lambda data, recipe, out, **_: folders.append(Path(out)))
    monkeypatch.setattr(sys, "argv", ["glioseg", "train", str(SAMPLES), "--devices", "2"])
    app(sys.argv[1:], standalone_mode=False)
    monkeypatch.setattr(training, "default_run_folder", lambda recipe: Path("runs/another"))
    app(sys.argv[1:], standalone_mode=False)  # Lightning starts the others with the same words
    assert folders[0] == folders[1]
    assert folders[0].parent == Path("runs")
    assert "GLIOSEG_RUN" not in os.environ
    with pytest.raises(InputError, match="run folder"):
        real(SAMPLES, hardware=training.Hardware(devices=2))


def test_compare_needs_two_runs(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="two run folders"):
        glioseg.compare([tmp_path])
    shutil.copytree(SAMPLE, tmp_path / "no run")
    with pytest.raises(InputError):
        glioseg.compare([tmp_path / "no run", tmp_path / "no run"])

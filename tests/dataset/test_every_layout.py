"""Every layout of labelled data, made of the same real slices: checked, scored and trained on alike."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.layouts_kit import LAYOUTS, Layout, Piece, kaggle, pieces

from glioseg.dataset import find_cases, read_case
from glioseg.dataset.check import Census, check
from glioseg.errors import InputError
from glioseg.evaluation.evaluate import evaluate
from glioseg.io import find_scans
from glioseg.model.predictor import Predictor, load_model

Checked = Callable[..., Census]


@pytest.fixture(scope="module")
def patients() -> list[Piece]:
    """Three of them, with three slices each."""
    return pieces(slices=3)


@pytest.fixture(params=LAYOUTS)
def layout(request: pytest.FixtureRequest) -> Layout:
    return LAYOUTS[request.param]


@pytest.fixture
def checked(layout: Layout, patients: list[Piece], tmp_path: Path) -> Checked:
    """Write the patients in the layout, the first with changes, and check them."""

    def make(**changes: object) -> Census:
        layout.make(tmp_path, [replace(patients[0], **changes), *patients[1:]])
        return check(tmp_path)

    return make


def test_check_counts_what_was_written(layout: Layout, patients: list[Piece], tmp_path: Path) -> None:
    layout.make(tmp_path, patients)
    census = check(tmp_path)
    assert census.faults == ()
    assert (census.patients, census.slices) == (3, 9)
    assert census.lesion_voxels == sum(int(piece.mask.sum()) for piece in patients)
    assert census.lesion_slices == sum(int(piece.mask.any(axis=(1, 2)).sum()) for piece in patients)
    assert census.missing == {
        name: () if name in layout.sequences else tuple(layout.id.format(piece.id) for piece in patients)
        for name in ("post", "pre")
    }
    assert f"layout: {layout.name} (" in census.summary()


def test_every_voxel_is_read_as_it_was_written(layout: Layout, patients: list[Piece], tmp_path: Path) -> None:
    layout.make(tmp_path, patients)
    cases = find_cases(tmp_path)
    assert [case.id for case in cases] == [layout.id.format(piece.id) for piece in patients]
    assert {case.layout for case in cases} == {layout.name}
    for case, piece in zip(cases, patients, strict=True):
        scan, truth = read_case(case)
        assert truth is not None
        for name in layout.sequences:
            np.testing.assert_array_equal(scan.channel(name), piece.sequences[name])
        assert set(scan.filled) == {"pre", "flair", "post"} - set(layout.sequences)
        assert truth.lesion_or_not
        np.testing.assert_array_equal(truth.mask, piece.mask == 1)
    # predicting finds each patient once, and no mask among them
    sources, faults = find_scans([tmp_path])
    assert faults == []
    assert sorted(source.id for source in sources) == [case.id for case in cases]


def test_a_mask_on_another_grid_is_a_fault(layout: Layout, patients: list[Piece], checked: Checked) -> None:
    mask = layout.mask.format("p001")
    if layout.placed:
        (fault,) = checked(mask_affine=np.diag([-2.0, -1.0, 1.0, 1.0])).faults
        assert Path(fault.where).match(mask)
        assert "same size, but up to 63.0 mm away" in fault.found
    if layout.name == "dicom":  # a SEG of a part of the images lies where it says
        return
    fault, *others = checked(mask=patients[0].mask[:, :-8]).faults
    assert len(others) == (2 if layout.name == "kaggle_3m" else 0), "a fault for each file"
    assert Path(fault.where).match(mask)
    assert "64 x 64" in fault.expected
    assert "64 x 56" in fault.found


def test_a_value_that_is_not_listed_is_a_fault(
    layout: Layout, patients: list[Piece], checked: Checked
) -> None:
    mask = patients[0].mask.copy()
    mask[0, -1, -2:] = 9, 77
    (fault,) = checked(mask=mask).faults
    assert Path(fault.where).match(layout.mask.format("p001"))
    assert "9, 77" in fault.found


def test_an_empty_mask_is_said(layout: Layout, patients: list[Piece], checked: Checked) -> None:
    census = checked(mask=np.zeros_like(patients[0].mask))
    id = layout.id.format("p001")
    assert census.faults == ()
    assert census.without_lesion == (id,)
    assert f"1 patient without ({id})" in census.summary()


def test_a_missing_sequence_is_said(layout: Layout, checked: Checked) -> None:
    census = checked(lacks=("pre",))
    id = layout.id.format("p001")
    assert census.faults == ()
    assert census.layout == layout.name
    assert census.missing["pre"] == (id,)
    assert f"no pre sequence of their own (it equals FLAIR): 1 patient ({id})" in census.summary()


def test_a_patient_under_two_names_is_a_fault(layout: Layout, patients: list[Piece], tmp_path: Path) -> None:
    layout.make(tmp_path, [*patients, replace(patients[0], id="p009")])
    (fault,) = check(tmp_path).faults
    first, again = layout.id.format("p001"), layout.id.format("p009")
    assert fault.found.startswith(f"{again} has 3 slices that are those of {first}")


def test_a_scan_without_a_mask_is_a_fault(layout: Layout, patients: list[Piece], tmp_path: Path) -> None:
    layout.make(tmp_path, patients)
    (tmp_path / layout.mask.format("p001")).unlink()
    with pytest.raises(InputError, match="expected a mask") as caught:
        find_cases(tmp_path)
    (fault,) = caught.value.faults
    assert layout.id.format("p001") in str(fault)


@pytest.fixture(scope="module")
def model() -> Predictor:
    return load_model("default")


def test_volumes_score_as_the_same_slices_do(layout: Layout, model: Predictor, tmp_path: Path) -> None:
    (patient,) = pieces(1, slices=2, size=256)
    patient = replace(patient, lacks=tuple({"pre", "post"} - set(layout.sequences)))
    kaggle(tmp_path / "slices", [patient])
    layout.make(tmp_path / "layout", [patient])
    expected, found = (
        evaluate(model, find_cases(tmp_path / name), pictures=False).own["dice"].values
        for name in ("slices", "layout")
    )
    assert expected[patient.id] > 0.5
    assert found == {layout.id.format(patient.id): pytest.approx(expected[patient.id], abs=1e-6)}


@pytest.mark.slow
def test_a_training_learns_and_goes_on_bit_for_bit(layout: Layout, tmp_path: Path) -> None:
    """Its DSC on the patient held out rises from the first epoch to the second."""
    pytest.importorskip("pytorch_lightning")
    from glioseg.recipe import load_recipe
    from glioseg.training.train import Hardware, train

    layout.make(tmp_path / "data", pieces())
    tiny = ["prepare.size=32", "network.name=unet", "network.arguments={features=4}", "optimizer.rate=1e-2"]
    tiny += ["train.epochs=2", "train.batch_size=4", "train.steps_per_epoch=8", "train.vis_freq=0"]
    recipe = load_recipe("default", [*tiny, "split.name=holdout", "split.fraction=0.34"])
    options = {"hardware": Hardware("cpu", threads=1), "cache": tmp_path / "cache", "echo": lambda said: None}
    whole = train(tmp_path / "data", recipe, tmp_path / "whole", **options)
    with open(whole.metrics_file, encoding="utf-8") as file:
        first, second = csv.DictReader(file)
    assert float(second["val_dsc"]) > float(first["val_dsc"])
    assert float(second["loss"]) < float(first["loss"])
    stopped = train(tmp_path / "data", recipe, tmp_path / "stopped", minutes=0, **options)
    assert stopped.manifest["status"] == "stopped"
    resumed = train(None, None, tmp_path / "stopped", resume=True, **options)
    assert resumed.manifest["status"] == "finished"
    weights = [run.path / "weights.safetensors" for run in (whole, resumed)]
    assert weights[0].read_bytes() == weights[1].read_bytes()

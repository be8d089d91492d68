"""Data sets for nnU-Net are read back as what they were."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
from support.layouts_kit import LAYOUTS, kaggle, pieces
from typer.testing import CliRunner

from glioseg.cli import app
from glioseg.dataset import find_cases, read_case
from glioseg.dataset.check import check
from glioseg.dataset.export import export_nnunet
from glioseg.errors import InputError
from glioseg.recipe import Labels


def test_a_data_set_of_nnunet_is_the_data_set(tmp_path: Path) -> None:
    patients = pieces()
    kaggle(tmp_path / "data", patients)
    out = tmp_path / "Dataset101_Lesion"
    result = CliRunner().invoke(app, ["export-dataset", str(tmp_path / "data"), "-o", str(out)])
    assert result.exit_code == 0, result.output
    assert sorted(file.name for file in (out / "imagesTr").iterdir())[:3] == [
        f"p001_000{channel}.nii.gz" for channel in range(3)
    ]
    told = json.loads((out / "dataset.json").read_text())
    assert told == {
        "channel_names": {"0": "FLAIR", "1": "T1w", "2": "T1w_ce"},
        "labels": {"background": 0, "lesion": 1},
        "numTraining": 3,
        "file_ending": ".nii.gz",
    }
    assert check(out).faults == ()
    for case, original in zip(find_cases(out), find_cases(tmp_path / "data"), strict=True):
        assert (case.id, case.layout) == (original.id, "nnunet")
        (scan, truth), (first, its_truth) = read_case(case), read_case(original)
        assert truth is not None
        assert its_truth is not None
        np.testing.assert_array_equal(scan.voxels, first.voxels)
        np.testing.assert_array_equal(truth.voxels, its_truth.voxels)
    again = CliRunner().invoke(app, ["export-dataset", str(tmp_path / "data"), "-o", str(out)])
    assert isinstance(again.exception, InputError), "nothing is overwritten"
    other = CliRunner().invoke(app, ["export-dataset", "x", "-o", "y", "--to", "other"])
    assert isinstance(other.exception, InputError)


def test_classes_are_numbered_and_sequences_that_some_lack_are_left_out(tmp_path: Path) -> None:
    LAYOUTS["brats_2020"].make(tmp_path / "data", pieces())
    (tmp_path / "data" / "p002" / "p002_t1ce.nii.gz").unlink()
    first, *others = find_cases(tmp_path / "data", layout="brats")
    cases = [replace(first, side="test"), *others]
    labels = Labels(values=(1, 2, 4), names=("necrosis", "oedema", "enhancing"))
    result = export_nnunet(cases, tmp_path / "out", labels)
    assert (result.training, result.test, result.channels) == (2, 1, ("flair", "pre", "t2"))
    told = json.loads((tmp_path / "out" / "dataset.json").read_text())
    assert told["labels"] == {"background": 0, "necrosis": 1, "oedema": 2, "enhancing": 3}
    back = find_cases(tmp_path / "out")
    assert [case.side for case in back] == ["test", "train", "train"]
    (_, truth), (_, original) = (read_case(case, None) for case in (back[0], first))
    assert truth is not None
    assert original is not None
    np.testing.assert_array_equal(truth.voxels == 3, original.voxels == 4)
    assert not list(tmp_path.rglob("*_0003.nii.gz"))

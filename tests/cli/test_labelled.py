"""The verbs on labelled scans understand them alike: layout, values of masks, a fourth axis."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from support.layouts_kit import AFFINE, LAYOUTS, Layout, Piece, pieces, write
from typer.testing import CliRunner

from glioseg.cli import app
from glioseg.errors import InputError
from glioseg.measure.shape.table import readers_of
from glioseg.samples import SAMPLES


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def done(*arguments: object) -> str:
    result = run(*arguments)
    assert result.exit_code == 0, result.output + str(result.exception)
    return result.stdout


def refused(*arguments: object) -> set[str]:
    """The codes of the faults that a command names."""
    result = run(*arguments)
    assert isinstance(result.exception, InputError)
    return {fault.code for fault in result.exception.faults}


@pytest.fixture(scope="module")
def patients() -> list[Piece]:
    return pieces(slices=3)


@pytest.fixture(scope="module")
def three_labels(patients: list[Piece], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Volumes in images/ and masks/ whose masks hold 1, 2 and 3, with a table of categories."""
    root = tmp_path_factory.mktemp("labels")
    for piece in patients:
        write(root / "images" / f"{piece.id}.nii.gz", piece.sequences["flair"])
        write(root / "masks" / f"{piece.id}.nii.gz", piece.labels)
    rows = [f"{piece.id},{number % 2}" for number, piece in enumerate(patients)]
    (root / "data.csv").write_text("\n".join(["patient,cluster", *rows]), encoding="utf-8")
    return root


@pytest.fixture(scope="module")
def fourth_axis(patients: list[Piece], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Volumes of contrast T1, FLAIR, T1 and T2."""
    root = tmp_path_factory.mktemp("axis")
    for piece in patients:
        order = [piece.sequences[name] for name in ("post", "flair", "pre", "t2")]
        write(root / "images" / f"{piece.id}.nii.gz", np.stack(order, axis=-1))
        write(root / "masks" / f"{piece.id}.nii.gz", piece.mask)
    return root


def rows_of(table: Path) -> dict[str, dict[str, str]]:
    with table.open(encoding="utf-8", newline="") as file:
        return {row["patient"]: row for row in csv.DictReader(file)}


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_features_are_those_of_the_lesion_in_every_layout(
    layout: Layout, patients: list[Piece], tmp_path: Path
) -> None:
    layout.make(tmp_path / "data", patients)
    done("features", tmp_path / "data", "-o", tmp_path / "features.csv")
    rows = rows_of(tmp_path / "features.csv")
    assert list(rows) == [layout.id.format(piece.id) for piece in patients]
    for row, piece in zip(rows.values(), patients, strict=True):
        lesion = piece.mask == 1
        assert float(row["volume_voxels"]) <= lesion.sum()
        inside = piece.sequences["flair"][lesion]
        assert float(row["intensity_maximum"]) in inside, "the scan is read with its mask"
    assert list(readers_of(tmp_path / "data", layout=layout.name)) == list(rows)


def test_values_of_masks_are_merged_by_every_verb(three_labels: Path, tmp_path: Path) -> None:
    features = ("features", three_labels, "-o", tmp_path / "features.csv")
    study = ("radiogenomics", three_labels, "--truth", "--resamples", "20", "-o", tmp_path / "report")
    for verb in (features, study):
        assert refused(*verb) == {"pictures.mask_values"}, "three values may be lesion or classes"
    whole = {}
    for said in ("lesion=1,2,3", "1,2,3"):
        done(*features, "--labels", said)
        whole[said] = rows_of(tmp_path / "features.csv")
    assert whole["lesion=1,2,3"] == whole["1,2,3"]
    done(*study, "--labels", "lesion=1,2,3", "--layout", "images-masks")
    measured = rows_of(tmp_path / "report" / "features.csv")
    assert {id: row["volume_voxels"] for id, row in measured.items()} == {
        id: row["volume_voxels"] for id, row in whole["1,2,3"].items()
    }
    assert "no fault" in done("check", three_labels, "--labels", "lesion=1,2,3")


def test_the_fourth_axis_is_read_as_a_person_says(fourth_axis: Path, tmp_path: Path) -> None:
    said = ("--channels", "t1c,flair,t1,t2")
    assert run("check", fourth_axis).exit_code == 2, "four volumes in an order that nobody said"
    assert "64 x 64 3 sequences" in done("check", fourth_axis, *said)
    done("features", fourth_axis, "-o", tmp_path / "features.csv", *said)
    assert len(rows_of(tmp_path / "features.csv")) == 3
    assert refused("check", fourth_axis, "--channels", "t1c,t1,t2,t2") == {"nifti.channels_of_scan"}


def test_a_layout_that_is_not_there_is_refused_by_every_verb(three_labels: Path) -> None:
    for verb in (["check"], ["features"], ["radiogenomics", "--truth"]):
        name, *options = verb
        assert refused(name, three_labels, *options, "--layout", "nonsense") == {"dataset.layout"}
        assert "nifti.channels_of_no_volume" in refused(name, SAMPLES, *options, "--channels", "flair,t1")


def test_notes_of_scans_are_told_once(patients: list[Piece], tmp_path: Path) -> None:
    LAYOUTS["images_masks"].make(tmp_path, patients)
    for piece in patients[:2]:
        half = piece.sequences["pre"][:, ::2, ::2]
        write(tmp_path / "images" / f"{piece.id}_t1.nii.gz", half, AFFINE @ np.diag([2.0, 2.0, 1.0, 1.0]))
    lines = done("check", tmp_path).splitlines()
    (told,) = [line for line in lines if "interpolated" in line]
    assert told.startswith("note: p001, p002; of p001: The sequence ")
    records = [json.loads(line) for line in done("check", tmp_path, "--json").splitlines()]
    scans = [record for record in records if record["kind"] == "scan"]
    assert [record["doubts"] for record in scans] == [["interpolated"], ["interpolated"], []]
    assert "(p002_t1.nii.gz)" in scans[1]["notes"][0]
    assert told.removeprefix("note: ") in records[-1]["notes"]


@pytest.mark.slow
def test_a_training_keeps_what_was_said_of_the_data(fourth_axis: Path, tmp_path: Path) -> None:
    """When it goes on, when its patients are shown, and when it is scored."""
    pytest.importorskip("pytorch_lightning")
    from glioseg.runs.folder import RunFolder
    from glioseg.runs.patients import find_patient, read_patient

    said = ("--channels", "t1c,flair,t1,t2")
    tiny = ["prepare.size=32", "network.name=unet", "network.arguments={features=4}", "train.epochs=2"]
    tiny += ["train.steps_per_epoch=2", "train.vis_freq=0", "split.name=holdout", "split.fraction=0.34"]
    settings = [part for setting in tiny for part in ("--set", setting)]
    machine = ("--device", "cpu", "--threads", 1, "--cache", tmp_path / "cache")
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    begin = ("train", fourth_axis, *settings, *said, *machine, "--labels", "lesion=1", "-o")
    done(*begin, whole)
    done(*begin, stopped, "--minutes", 0)
    assert refused("train", "--resume", stopped, *said) == {"cli.resume_with"}
    done("train", "--resume", stopped, *machine)
    weights = [(folder / "weights.safetensors").read_bytes() for folder in (whole, stopped)]
    assert weights[0] == weights[1]
    run = RunFolder.open(whole)
    assert (run.manifest["channels"], run.recipe.labels.lesion) == ("t1c,flair,t1,t2", (1,))
    patient = run.manifest["split"]["validation"][0]
    scan, truth = read_patient(run, find_patient(run, patient))
    assert scan.filled == ()
    assert truth is not None
    assert "DSC" in done("evaluate", whole, fourth_axis, *said, "--no-pictures")

"""Labelled data as people have it: values merged, a layout that is said, split beforehand, too deep."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from support.layouts_kit import LAYOUTS, Piece, kaggle, pieces, write

from glioseg.cli.labelled import labels_in
from glioseg.dataset import find_cases, read_case
from glioseg.dataset.cache import prepare_cases
from glioseg.dataset.case import with_lesion_values
from glioseg.dataset.check import check
from glioseg.dataset.find import survey
from glioseg.errors import InputError
from glioseg.io import find_scans
from glioseg.prepare import Preparation
from glioseg.recipe import Labels, SplitChoice


@pytest.fixture(scope="module")
def patients() -> list[Piece]:
    return pieces()


def test_values_can_be_merged(patients: list[Piece], tmp_path: Path) -> None:
    """Without a layout that lists them, several values are refused until a person says what they are."""
    for piece in patients:
        write(tmp_path / "images" / f"{piece.id}.nii.gz", piece.voxels[..., 1])
        write(tmp_path / "masks" / f"{piece.id}.nii.gz", piece.labels)
    assert len(check(tmp_path).faults) == 3
    whole = check(tmp_path, labels=Labels(lesion=(1, 2, 3)))
    assert whole.faults == ()
    assert whole.lesion_voxels == sum(int(piece.mask.sum()) for piece in patients)
    assert len(check(tmp_path, labels=Labels(lesion=(1, 2))).faults) == 3
    said = with_lesion_values(find_cases(tmp_path), labels_in("lesion=1,2,3"))
    for case, piece in zip(said, patients, strict=True):
        _, truth = read_case(case)
        assert truth is not None
        np.testing.assert_array_equal(truth.mask, piece.mask > 0)
    with pytest.raises(InputError, match="lesion=1,2,4"):
        labels_in("lesion=tumour")
    classes = check(tmp_path, labels=Labels(values=(1, 2, 3)))
    assert classes.faults == ()
    assert whole.lesion_voxels == classes.lesion_voxels


def test_masks_of_0_and_255_may_be_named_as_in_brats(patients: list[Piece], tmp_path: Path) -> None:
    LAYOUTS["brats_2020"].make(tmp_path, patients)
    for piece in patients:
        write(tmp_path / piece.id / f"{piece.id}_seg.nii.gz", piece.mask * np.uint8(255))
    census = check(tmp_path)
    assert (census.layout, census.faults) == ("brats", ())
    assert census.lesion_voxels == sum(int(piece.mask.sum()) for piece in patients)


def test_what_lies_along_a_fourth_axis_can_be_said(patients: list[Piece], tmp_path: Path) -> None:
    """And what was prepared of another order is not taken for it."""
    prepared = []
    for order in (("pre", "flair", "post"), ("post", "flair", "pre")):
        for piece in patients:
            whole = np.stack([piece.sequences[name] for name in ("post", "flair", "pre")], axis=-1)
            write(tmp_path / "images" / f"{piece.id}.nii.gz", whole)
            write(tmp_path / "masks" / f"{piece.id}.nii.gz", piece.mask)
        said = ",".join(order)
        assert check(tmp_path, channels=said).faults == ()
        cases = find_cases(tmp_path, channels=said)
        scan, _ = read_case(cases[0])
        np.testing.assert_array_equal(scan.channel(order[0]), patients[0].sequences["post"])
        for labels in (Labels(), Labels(values=(1,))):
            prepared += prepare_cases(cases[:1], Preparation(size=32), tmp_path / "cache", labels=labels)
    first, _, second, _ = (each.images for each in prepared)
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(prepared[0].images, prepared[1].images)
    np.testing.assert_array_equal(prepared[2].images, prepared[3].images)


def test_a_layout_that_is_said_is_taken(patients: list[Piece], tmp_path: Path) -> None:
    LAYOUTS["nnunet"].make(tmp_path, patients)
    (tmp_path / "imagesTr" / "p002_0003.nii.gz").unlink()
    notes = survey(tmp_path).notes
    assert any("p002 lacks p002_0003 (T2w)" in note for note in notes)
    with pytest.raises(InputError, match="expected one of kaggle_3m"):
        survey(tmp_path, layout="nonsense")
    assert survey(tmp_path, layout="kaggle_3m").faults
    for other in ("bids", "wmh", "dicom"):
        assert "dataset.other_layout" in {fault.code for fault in survey(tmp_path, layout=other).faults}, (
            other
        )
    assert {case.layout for case in survey(tmp_path, layout="nnunet").cases} == {"nnunet"}


@pytest.mark.parametrize(("layout", "part"), [("nnunet", "imagesTr"), ("bids", "sub-p001")])
def test_a_part_is_known_from_within(
    layout: str, part: str, patients: list[Piece], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    LAYOUTS[layout].make(tmp_path, patients)
    of_part = [case for case in find_cases(tmp_path) if part in case.images[0].parts]
    monkeypatch.chdir(tmp_path / part)
    assert find_cases(Path()) == of_part
    monkeypatch.chdir(of_part[0].images[0].parent)
    if part == "sub-p001":
        assert find_cases("..") == of_part
    monkeypatch.chdir(tmp_path)
    assert [case.id for case in find_cases(part)] == [case.id for case in of_part], "a relative path"


def test_folders_split_beforehand_stay_split(patients: list[Piece], tmp_path: Path) -> None:
    from glioseg.dataset.split import split_cases

    for side, piece in zip(("train", "val", "test"), patients, strict=True):
        kaggle(tmp_path / side, [piece])
    found = survey(tmp_path)
    assert found.faults == ()
    assert {case.id: case.side for case in found.cases} == {
        "p001": "train",
        "p002": "validation",
        "p003": "test",
    }
    split = split_cases(SplitChoice(), found.cases)
    assert (split.train, split.validation) == (("p001",), ("p002",))
    kaggle(tmp_path / "val", [patients[0]])
    assert any("the same names in two" in str(fault) for fault in survey(tmp_path).faults)


def test_the_data_set_may_lie_deeper_twice_or_be_one_patient(patients: list[Piece], tmp_path: Path) -> None:
    kaggle(tmp_path / "deep" / "archive" / "kaggle_3m", patients)
    found = survey(tmp_path / "deep")
    assert found.faults == ()
    assert found.layout == "kaggle_3m"
    assert any("archive/kaggle_3m" in note.replace("\\", "/") for note in found.notes)
    shutil.copytree(tmp_path / "deep" / "archive" / "kaggle_3m", tmp_path / "deep" / "kaggle_3m")
    (tmp_path / "deep" / "__MACOSX").mkdir()
    (tmp_path / "deep" / "__MACOSX" / "._p001_1.tif").write_bytes(b"Mac")
    found = survey(tmp_path / "deep")
    assert [case.id for case in found.cases] == ["p001", "p002", "p003"]
    assert any("a second time" in note for note in found.notes)
    assert len(find_scans([tmp_path / "deep"])[0]) == 3, "predicting takes each once, too"
    one = survey(tmp_path / "deep" / "kaggle_3m" / "p002")
    assert [case.id for case in one.cases] == ["p002"]
    assert one.faults == ()


def test_test_images_without_masks_are_left_aside(patients: list[Piece], tmp_path: Path) -> None:
    LAYOUTS["nnunet"].make(tmp_path, patients[:2])
    write(tmp_path / "imagesTs" / "p003_0000.nii.gz", patients[2].voxels[..., 1])
    found = survey(tmp_path)
    assert [case.id for case in found.cases] == ["p001", "p002"]
    assert found.faults == ()
    assert any("1 scans of the test set" in note for note in found.notes)
    assert len(find_scans([tmp_path])[0]) == 3
    (alone,) = find_scans([tmp_path / "imagesTs"])[0]
    assert (alone.id, alone.sequences) == ("p003", ("flair",))


def test_nothing_can_be_trained_on_masks_that_are_empty(patients: list[Piece], tmp_path: Path) -> None:
    """And check says so, as it says where nearly everything is lesion."""
    empty = [Piece(piece.id, piece.voxels, np.zeros_like(piece.mask)) for piece in patients]
    kaggle(tmp_path / "empty", empty)
    assert any("no mask holds any lesion" in note for note in check(tmp_path / "empty").notes)
    inverted = [Piece(piece.id, piece.voxels, 1 - piece.mask) for piece in patients]
    kaggle(tmp_path / "inverted", inverted)
    notes = check(tmp_path / "inverted").notes
    assert sum("is the mask inverted?" in note for note in notes) == sum(
        piece.mask.mean() < 0.5 for piece in patients
    )
    pytest.importorskip("pytorch_lightning")
    from glioseg.recipe import load_recipe
    from glioseg.training.train import Hardware, train

    recipe = load_recipe("default", ["prepare.size=32", "network.arguments.pretrained=none"])
    with pytest.raises(InputError, match="empty masks alone"):
        train(
            tmp_path / "empty", recipe, tmp_path / "run", cache=tmp_path / "cache", hardware=Hardware("cpu")
        )
    assert not (tmp_path / "run").exists()

"""Labelled data of every usual layout, made of the same real slices: found, read, checked, scored."""

from __future__ import annotations

import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from support.layouts_kit import AFFINE, LAYOUTS, Layout, Piece, kaggle, pieces, write

from glioseg.cli.labelled import labels_in
from glioseg.dataset import find_cases, read_case
from glioseg.dataset.case import with_lesion_values
from glioseg.dataset.check import check
from glioseg.dataset.find import survey
from glioseg.errors import InputError
from glioseg.io import find_scans
from glioseg.recipe import Labels, SplitChoice


@pytest.fixture(scope="module")
def patients() -> list[Piece]:
    return pieces()


@pytest.fixture(params=LAYOUTS)
def layout(request: pytest.FixtureRequest) -> Layout:
    return LAYOUTS[request.param]


def test_a_layout_is_found_read_and_counted(layout: Layout, patients: list[Piece], tmp_path: Path) -> None:
    layout.make(tmp_path, patients)
    cases = find_cases(tmp_path)
    assert [case.id for case in cases] == [layout.id.format(piece.id) for piece in patients]
    assert {case.layout for case in cases} == {layout.name}
    for case, piece in zip(cases, patients, strict=True):
        scan, truth = read_case(case)
        assert truth is not None
        own = ["pre", "flair", "post"].index
        for name in layout.sequences:
            np.testing.assert_array_equal(scan.channel(name), piece.voxels[..., own(name)])
        assert set(scan.filled) == {"pre", "flair", "post"} - set(layout.sequences)
        assert truth.lesion_or_not
        np.testing.assert_array_equal(truth.mask, piece.mask > 0)
    census = check(tmp_path)
    assert census.faults == ()
    assert (census.patients, census.slices) == (3, 18)
    assert census.lesion_voxels == sum(int(piece.mask.sum()) for piece in patients)
    assert f"layout: {layout.name} (" in census.summary()
    # predicting finds each patient once, and no mask among them
    sources, faults = find_scans([tmp_path])
    assert faults == []
    assert sorted(source.id for source in sources) == [case.id for case in cases]


def test_planted_faults_are_named(layout: Layout, patients: list[Piece], tmp_path: Path) -> None:
    layout.make(tmp_path, patients)
    first, second, _ = (piece.id for piece in patients)
    mask = tmp_path / layout.mask.format(first)
    labels = np.asarray(nib.load(mask).dataobj)

    nib.save(nib.Nifti1Image(labels, np.diag([-2.0, -1.0, 1.0, 1.0])), mask)
    (fault,) = check(tmp_path).faults
    assert "grid" in str(fault), "the mask lies on another grid"
    assert mask.name in str(fault)

    wrong = labels.copy()
    wrong[0, 0, :2] = 77, 9
    nib.save(nib.Nifti1Image(wrong, AFFINE), mask)
    (fault,) = check(tmp_path).faults
    assert "77" in str(fault), "a value that is not listed"

    nib.save(nib.Nifti1Image(np.zeros_like(labels), AFFINE), mask)
    census = check(tmp_path)
    assert census.faults == ()
    assert f"without ({layout.id.format(first)})" in census.summary(), "an empty mask"

    if layout.image:
        (tmp_path / layout.image.format(second)).unlink()
        assert layout.id.format(second) in check(tmp_path).missing["pre"]
        assert layout.id.format(second) in check(tmp_path).summary()


def test_a_patient_under_two_names_is_a_fault(layout: Layout, patients: list[Piece], tmp_path: Path) -> None:
    again = Piece("p009", patients[0].voxels, patients[0].mask)
    layout.make(tmp_path, [*patients, again])
    faults = check(tmp_path).faults
    assert len(faults) == 1
    assert f"those of {layout.id.format('p001')}, pixel for pixel" in str(faults[0])


def test_a_scan_without_a_mask_is_a_fault(layout: Layout, patients: list[Piece], tmp_path: Path) -> None:
    layout.make(tmp_path, patients)
    (tmp_path / layout.mask.format("p001")).unlink()
    with pytest.raises(InputError, match="a mask beside it") as caught:
        find_cases(tmp_path)
    assert len(caught.value.faults) == 1


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


def test_a_layout_that_is_said_is_taken(patients: list[Piece], tmp_path: Path) -> None:
    LAYOUTS["nnunet"].make(tmp_path, patients)
    (tmp_path / "imagesTr" / "p002_0003.nii.gz").unlink()
    notes = survey(tmp_path).notes
    assert any("p002 lacks p002_0003 (T2w)" in note for note in notes)
    with pytest.raises(InputError, match="expected one of kaggle_3m"):
        survey(tmp_path, layout="nonsense")
    assert survey(tmp_path, layout="kaggle_3m").faults
    assert {case.layout for case in survey(tmp_path, layout="nnunet").cases} == {"nnunet"}


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

"""Which images and masks are whose: the public layout, and folders of images and masks."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import dicom_kit
from support.sound_scans import labelled, mask_of, nifti, patient, save, slice_rgb, volume

from glioseg.dataset import find_cases, read_case
from glioseg.dataset.cache import prepare_cases
from glioseg.dataset.check import check
from glioseg.dataset.find import site_of, survey
from glioseg.errors import InputError
from glioseg.io import read_scan, write_segmentation
from glioseg.prepare import Preparation


def test_patients_in_order_and_slices_by_number(tmp_path: Path) -> None:
    patient(tmp_path, "TCGA_DU_0002_19990101", 12)
    patient(tmp_path, "TCGA_CS_0001_19990101", 3)
    (tmp_path / "data.csv").write_text("Patient\n", encoding="utf-8")
    first, second = find_cases(tmp_path)
    assert (first.id, second.id) == ("TCGA_CS_0001_19990101", "TCGA_DU_0002_19990101")
    assert second.slice_numbers == tuple(range(1, 13))
    assert [file.name for file in second.images[8:]] == [f"{second.id}_{n}.tif" for n in (9, 10, 11, 12)]
    for image, mask in zip(second.images, second.masks, strict=True):
        assert mask == image.with_name(f"{image.stem}_mask.tif")
    assert (first.site, second.site) == ("CS", "DU")
    assert first.layout == "kaggle_3m"


def test_a_case_is_read_as_it_is_stored(tmp_path: Path) -> None:
    patient(tmp_path, "p1", 11)
    (case,) = find_cases(tmp_path)
    scan, mask = read_case(case)
    assert mask is not None
    assert mask.grid is scan.grid
    assert scan.voxels.dtype == np.uint8
    np.testing.assert_array_equal(scan.voxels, [slice_rgb(number) for number in range(1, 12)])
    np.testing.assert_array_equal(mask.voxels, [mask_of(number) == 255 for number in range(1, 12)])


@given(st.text(st.sampled_from("ABCT_GSX0123 é"), min_size=1))
def test_sites_come_from_whole_tcga_names_alone(id: str) -> None:
    assert site_of(f"TCGA_CS_4941_19960909{id}") is None
    assert site_of(f"{id}TCGA_CS_4941_19960909") is None


@pytest.mark.parametrize(
    ("id", "site"),
    [
        ("TCGA_CS_4941_19960909", "CS"),
        ("TCGA_HT_A61B_19991127", "HT"),
        ("TCGA_EZ_7264", "EZ"),
        ("patient_3", None),
    ],
)
def test_sites(id: str, site: str | None) -> None:
    assert site_of(id) == site


def generic(root: Path, *stems: str, mask: str = "{}.png", image: str = "{}.png") -> Path:
    for number, stem in enumerate(stems):
        save(root / "images" / image.format(stem), slice_rgb(number))
        save(root / "masks" / mask.format(stem), mask_of(number))
    return root


def test_images_and_masks_by_the_default_rule(tmp_path: Path) -> None:
    generic(tmp_path, "anna_2", "anna_10", "anna_1", "ben_7", "carl", "TCGA_CS_4941_19960909_1")
    cases = {case.id: case for case in find_cases(tmp_path)}
    assert list(cases) == sorted(cases) == ["TCGA_CS_4941_19960909", "anna", "ben", "carl"]
    assert cases["anna"].slice_numbers == (1, 2, 10)
    assert [file.stem for file in cases["anna"].images] == ["anna_1", "anna_2", "anna_10"]
    assert cases["carl"].slice_numbers == (1,)
    assert cases["TCGA_CS_4941_19960909"].site == "CS"
    assert cases["ben"].layout == "images-masks"
    scan, mask = read_case(cases["anna"])
    assert mask is not None
    assert scan.voxels.shape == (3, 32, 32, 3)


@pytest.mark.parametrize("mask", ["{}.png", "{}.tif", "{}_mask.png", "{}_mask.tif"])
@pytest.mark.parametrize("image", ["{}.png", "{}.jpg", "{}.tiff"])
def test_masks_may_have_another_suffix(mask: str, image: str, tmp_path: Path) -> None:
    generic(tmp_path, "a_1", "a_2", mask=mask, image=image)
    (case,) = find_cases(tmp_path)
    assert all(file is not None for file in case.masks)


@pytest.mark.parametrize(
    "rule",
    [r"(?P<patient>[^-]+)-day\d+-z(?P<slice>\d+)", r"([^-]+)-day\d+-z\d+", r"(?P<patient>[a-z]+)"],
)
def test_rules_for_patients(rule: str, tmp_path: Path) -> None:
    generic(tmp_path, "anna-day3-z1", "anna-day3-z2", "anna-day3-z10", "ben-day8-z1")
    anna, ben = find_cases(tmp_path, rule)
    assert (anna.id, ben.id) == ("anna", "ben")
    assert anna.slice_numbers == (1, 2, 10)


@pytest.mark.parametrize("rule", ["(", "anna", "(a)(n)", ""])
def test_bad_rules_are_refused(rule: str, tmp_path: Path) -> None:
    generic(tmp_path, "anna_1")
    with pytest.raises(InputError, match="patient rule"):
        find_cases(tmp_path, rule)


def test_names_that_the_rule_does_not_fit(tmp_path: Path) -> None:
    generic(tmp_path, "anna_1", "anna_2", "7")
    with pytest.raises(InputError, match=r"7\.png: expected a name that the patient rule fits") as caught:
        find_cases(tmp_path, r"(?P<patient>[a-z]+)_(?P<slice>\d+)")
    assert len(caught.value.faults) == 1


def test_slices_without_number_under_a_rule(tmp_path: Path) -> None:
    generic(tmp_path, "anna_top", "anna_low")
    with pytest.raises(InputError, match="a slice number, since anna has several"):
        find_cases(tmp_path, r"([a-z]+)_")


def test_gaps_are_a_fault_only_where_there_are_none(tmp_path: Path) -> None:
    """The public data set has no gaps; elsewhere slices are left out on purpose, which is noted."""
    patient(tmp_path / "public", "a", 5)
    for file in (tmp_path / "public" / "a").glob("a_3*"):
        file.unlink()
    with pytest.raises(InputError, match="no slice 3"):
        find_cases(tmp_path / "public")
    generic(tmp_path / "other", "a_31", "a_32", "a_35", "b_1")
    assert survey(tmp_path / "other").notes == ("slices are missing between others in a",)
    assert len(find_cases(tmp_path / "other")) == 2


def test_a_rule_needs_images_and_masks(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="for a patient rule"):
        find_cases(labelled(tmp_path), r"(.+)_\d+")


def test_all_faults_of_all_patients_in_one_pass(tmp_path: Path) -> None:
    data = labelled(tmp_path)
    for case in find_cases(data):
        assert case.masks[1] is not None
        case.masks[1].unlink()
        case.images[0].unlink()
    with pytest.raises(InputError) as caught:
        find_cases(data)
    assert len(caught.value.faults) == 6, "for each: no image 1, no mask 2, a gap"


@pytest.mark.skipif("GLIOSEG_DATA" not in os.environ, reason="GLIOSEG_DATA names no kaggle_3m folder")
def test_the_public_data_set() -> None:
    cases = find_cases(os.environ["GLIOSEG_DATA"])
    assert len(cases) >= 98
    assert all(20 <= len(case.images) <= 88 for case in cases)
    assert {case.site for case in cases} <= {"CS", "DU", "EZ", "FG", "HT"}
    scan, mask = read_case(next(case for case in cases if case.id == "TCGA_CS_4944_20010208"))
    assert scan.voxels.shape == (20, 256, 256, 3)
    assert mask is not None
    assert int(mask.voxels.sum()) == 28110


def test_scans_that_predict_reads_are_labelled_scans_if_they_have_a_mask(tmp_path: Path) -> None:
    lesion = (volume() > 400).astype(np.uint8)
    for number, id in enumerate(("p1", "p2")):
        nifti(tmp_path / "beside" / id / f"{id}_FLAIR.nii.gz", volume(seed=number))
        nifti(tmp_path / "beside" / id / f"{id}_T1.nii.gz", volume(seed=number + 5))
        nifti(tmp_path / "beside" / id / f"{id}_seg.nii.gz", lesion)
        nifti(tmp_path / "folders" / "images" / f"{id}.nii.gz", volume(seed=number))
        nifti(tmp_path / "folders" / "masks" / f"{id}.nii.gz", lesion)
        for slice in (1, 2, 3):
            save(tmp_path / "flat" / f"{id}_{slice}.png", slice_rgb(slice + 10 * number))
            save(tmp_path / "flat" / f"{id}_{slice}_mask.png", mask_of(slice))
            save(tmp_path / "singular" / "image" / f"{id}_{slice}.png", slice_rgb(slice + 10 * number))
            save(tmp_path / "singular" / "mask" / f"{id}_{slice}.png", mask_of(slice))
        dicom_kit.series(tmp_path / "dicom" / id, volume(seed=number), study=id)
        scan = read_scan(tmp_path / "dicom" / id)
        write_segmentation(scan.segmentation(scan.channel("flair") > 400, id=id), tmp_path / "dicom" / id)
    layouts = {
        "beside": "scans",
        "folders": "images-masks",
        "flat": "scans",
        "singular": "scans",
        "dicom": "dicom",
    }
    for data, layout in layouts.items():
        cases = find_cases(tmp_path / data)
        assert [case.id for case in cases] == ["p1", "p2"]
        assert {case.layout for case in cases} == {layout}
        for case in cases:
            scan, mask = read_case(case)
            assert mask is not None
            assert mask.grid is scan.grid
            assert mask.voxels.any()
        census = check(tmp_path / data)
        assert census.faults == ()
        assert census.patients == 2
        assert census.slices == sum(census.counts) == (6 if data in ("flat", "singular") else 12)
        (prepared, _) = prepare_cases(cases, Preparation(name="head", size=32), tmp_path / "cache")
        assert prepared.targets.any()


def test_scans_without_a_mask_are_faults_of_the_data(tmp_path: Path) -> None:
    for id in ("p1", "p2", "p3"):
        nifti(tmp_path / id / f"{id}_FLAIR.nii.gz", volume())
    nifti(tmp_path / "p1" / "p1_seg.nii.gz", (volume() > 400).astype(np.uint8))
    for word in ("mask", "seg"):
        nifti(tmp_path / "p3" / f"p3_{word}.nii.gz", (volume() > 400).astype(np.uint8))
    with pytest.raises(InputError) as caught:
        find_cases(tmp_path)
    assert [Path(fault.where).name[:2] for fault in caught.value.faults] == ["p2", "p3"]
    nifti(tmp_path / "p1" / "p1_seg.nii.gz", volume())
    assert any("p1_seg.nii.gz" in str(fault) for fault in check(tmp_path).faults)

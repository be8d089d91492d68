"""From the paths that a person gives to the scans behind them."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile
from support.sound_scans import mask_of, nifti, patient, save, slice_rgb, volume

from glioseg.errors import InputError
from glioseg.io import find_scans, names, read_scan
from glioseg.io.source import Source


def found(*paths: Path) -> list[Source]:
    sources, faults = find_scans(paths)
    assert faults == []
    for source in sources:
        assert source.read().id == source.id
    return sources


def test_a_patient_folder_and_a_folder_of_those(tmp_path: Path) -> None:
    ids = ["TCGA_CS_0001_19990101", "TCGA_CS_0002_19990101", "TCGA_DU_0003_19990101"]
    folders = [patient(tmp_path / "data", id, 12) for id in ids]
    assert [source.id for source in found(tmp_path / "data")] == ids
    (one,) = found(folders[1])
    assert one.id == ids[1]
    assert one.slice_numbers == tuple(range(1, 13))
    assert len(one.files) == 12
    assert not any("mask" in file.name for file in one.files)
    assert one.read().storage.format == "slices"


def test_what_is_given_twice_is_found_once(tmp_path: Path) -> None:
    first = patient(tmp_path / "data", "a", 3)
    patient(tmp_path / "data", "b", 3)
    file = nifti(tmp_path / "c.nii", volume())
    sources = found(first, tmp_path / "data", first, file, file)
    assert [source.id for source in sources] == ["a", "b", "c"]


def test_all_files_of_a_patient_are_one_scan(tmp_path: Path) -> None:
    """As a shell gives them for ``patient/*``, masks among them."""
    folder = patient(tmp_path, "a", 12)
    (source,) = found(*sorted(folder.iterdir()))
    assert (source.id, source.slice_numbers) == ("a", tuple(range(1, 13)))
    (alone,) = found(folder / "a_7.tif")
    assert (alone.id, alone.format) == ("a_7", "image")
    assert alone.read().grid.slice_numbers == (7,)


def test_scans_whose_slices_lie_in_one_folder(tmp_path: Path) -> None:
    for name in ("a_1", "a_2", "b_1", "b_2", "b_10", "lone"):
        save(tmp_path / f"{name}.png", slice_rgb())
    sources = found(tmp_path)
    assert [(source.id, source.slice_numbers) for source in sources] == [
        ("a", (1, 2)),
        ("b", (1, 2, 10)),
        ("lone", ()),
    ]


def test_images_and_masks(tmp_path: Path) -> None:
    """Labelled data as this program knows it: the folder of masks is no scan."""
    for name in ("a_1", "a_2"):
        save(tmp_path / "data" / "images" / f"{name}.png", slice_rgb())
        save(tmp_path / "data" / "masks" / f"{name}.png", mask_of())
    (source,) = found(tmp_path / "data")
    assert source.id == "a"
    assert source.files[0].parent.name == "images"


def test_stacks_are_scans_of_their_own(tmp_path: Path) -> None:
    for number in (1, 2):
        tifffile.imwrite(
            tmp_path / f"stack_{number}.tif", np.stack([slice_rgb(), slice_rgb()]), photometric="rgb"
        )
    sources = found(tmp_path)
    assert [(source.id, source.format) for source in sources] == [("stack_1", "image"), ("stack_2", "image")]
    assert sources[0].read().grid.shape == (2, 32, 32)


def test_sequences_are_matched_by_words(tmp_path: Path) -> None:
    for id in ("case_001", "case_002"):
        for word in ("flair", "t1", "t1ce", "t2", "seg"):
            nifti(tmp_path / id / f"{id}_{word}.nii.gz", volume(seed=len(word)))
    first, second = found(tmp_path)
    assert (first.id, second.id) == ("case_001", "case_002")
    assert [file.name for file in first.files] == [
        f"case_001_{word}.nii.gz" for word in ("t1", "flair", "t1ce")
    ]
    assert str(first) == (
        "case_001: case_001_t1.nii.gz as pre, case_001_flair.nii.gz as flair, case_001_t1ce.nii.gz as post"
    )
    assert first.read().filled == ()


def test_a_folder_of_sequences_can_be_read_as_a_scan(tmp_path: Path) -> None:
    for name in ("FLAIR", "T1post"):
        nifti(tmp_path / "p1" / f"{name}.nii.gz", volume())
    scan = read_scan(tmp_path / "p1")
    assert (scan.id, scan.filled) == ("p1", ("pre",))
    assert read_scan(tmp_path / "p1", id="other").id == "other"
    nifti(tmp_path / "p2" / "FLAIR.nii.gz", volume())
    with pytest.raises(InputError, match=r"2 scans \(p1, p2\)"):
        read_scan(tmp_path)
    (tmp_path / "none").mkdir()
    with pytest.raises(InputError, match="found none"):
        read_scan(tmp_path / "none")


def test_several_patients_with_sequences_in_one_folder(tmp_path: Path) -> None:
    for name in ("sub-01_FLAIR", "sub-01_ce-gd_T1w", "sub-02_FLAIR", "sub-03_FLAIR", "sub-03_T1w", "whole"):
        nifti(tmp_path / f"{name}.nii.gz", volume())
    sources = {source.id: source for source in found(tmp_path)}
    assert set(sources) == {"sub-01", "sub-02", "sub-03"}
    assert sources["sub-01"].sequences == ("flair", "post")
    assert sources["sub-01"].read().filled == ("pre",)
    assert sources["sub-02"].read().filled == ("pre", "post")
    assert sources["sub-03"].sequences == ("pre", "flair")
    assert "left aside: whole.nii.gz" in str(sources["sub-01"])


@pytest.mark.parametrize(
    ("names_of_files", "sequences"),
    [
        (("FLAIR", "MPRAGE", "AX_T1_without_contrast_other"), None),
        (("AX_FLAIR", "SAG_T1_without_contrast", "COR_T1_+C"), ("pre", "flair", "post")),
        (("3_t2_tirm_tra_dark-fluid", "5_t1_se_tra", "9_t1_se_tra_KM"), ("pre", "flair", "post")),
        (("Head_AX_T2_FLAIR_20200101101010_5", "Head_AX_T1_20200101101010_3"), ("pre", "flair")),
        (("p1_FLAIR", "MPRAGE"), ("pre", "flair")),
        (("p1_FLAIR", "localizer", "p1_ADC", "head"), ("flair",)),
        (("p1_FLAIR", "p2_T1"), ("flair",)),
    ],
)
def test_what_is_not_flair_beside_flair_is_no_scan_of_its_own(
    names_of_files: tuple[str, ...], sequences: tuple[str, ...] | None, tmp_path: Path
) -> None:
    for name in names_of_files:
        nifti(tmp_path / "study" / f"{name}.nii.gz", volume())
    sources, faults = find_scans([tmp_path / "study"])
    assert len(sources) <= 1
    if sequences is None:
        assert sources[0].sequences == ("pre", "flair"), "the second T1 is left aside"
        return
    assert faults == []
    assert sources[0].sequences == sequences
    assert sources[0].id in ("study", "p1", "Head_20200101101010")
    for file in (tmp_path / "study").iterdir():
        said = file in sources[0].files or file.name in sources[0].note
        assert said or names.sequence_of(file) == "other"


def test_several_patients_without_flair_are_still_faults(tmp_path: Path) -> None:
    for name in ("p1_FLAIR", "p2_FLAIR", "p3_T1"):
        nifti(tmp_path / f"{name}.nii.gz", volume())
    sources, faults = find_scans([tmp_path])
    assert [source.id for source in sources] == ["p1", "p2"]
    assert "a FLAIR file for p3" in str(faults[0])


def test_folders_named_after_sequences_are_one_scan(tmp_path: Path) -> None:
    for folder, name in (("FLAIR", "img"), ("T1", "img"), ("T1_post", "img")):
        nifti(tmp_path / "p1" / folder / f"{name}.nii.gz", volume())
    (source,) = found(tmp_path)
    assert (source.id, source.sequences) == ("p1", ("pre", "flair", "post"))


def test_slices_of_other_sequences_are_left_aside(tmp_path: Path) -> None:
    for number in (1, 2):
        for name in ("flair", "t1"):
            save(tmp_path / "one" / f"{name}_{number}.png", slice_rgb())
            save(tmp_path / "folders" / name / f"{number}.png", slice_rgb())
    nifti(tmp_path / "three" / "FLAIR.nii.gz", volume())
    save(tmp_path / "three" / "qc.png", slice_rgb())
    one, folders, three = found(tmp_path / "one", tmp_path / "folders", tmp_path / "three")
    for source, other in ((one, "one"), (folders, "t1"), (three, "qc.png")):
        assert f"left aside: {other}" in source.note
    assert all("flair" in str(file).casefold() for file in (*one.files, *folders.files, *three.files))


def truths(*paths: Path) -> dict[str, list[str | None]]:
    return {
        source.id: [None if file is None else file.name for file in source.truth] for source in found(*paths)
    }


def test_masks_beside_scans_are_their_truth(tmp_path: Path) -> None:
    patient(tmp_path / "kaggle", "a", 3)
    for id in ("case_001", "case_002"):
        for word in ("flair", "t1ce", "seg"):
            nifti(tmp_path / "brats" / id / f"{id}_{word}.nii.gz", volume())
    for word in ("FLAIR", "T1", "tumour_labels"):
        nifti(tmp_path / "own" / "p9" / f"{word}.nii.gz", volume())
    for name in ("x", "y"):
        nifti(tmp_path / "volumes" / "images" / f"{name}.nii.gz", volume())
        nifti(tmp_path / "volumes" / "masks" / f"{name}.nii.gz", volume())
        nifti(tmp_path / "nn" / "imagesTr" / f"{name}{name}.nii.gz", volume())
        nifti(tmp_path / "nn" / "labelsTr" / f"{name}{name}.nii.gz", volume())
    nifti(tmp_path / "bare" / "z.nii.gz", volume())
    assert truths(*(tmp_path / name for name in ("kaggle", "brats", "own", "volumes", "nn", "bare"))) == {
        "a": ["a_1_mask.tif", "a_2_mask.tif", "a_3_mask.tif"],
        "case_001": ["case_001_seg.nii.gz"],
        "case_002": ["case_002_seg.nii.gz"],
        "p9": ["tumour_labels.nii.gz"],
        "x": ["x.nii.gz"],
        "y": ["y.nii.gz"],
        "xx": ["xx.nii.gz"],
        "yy": ["yy.nii.gz"],
        "z": [],
    }


def test_the_truth_is_read_on_the_grid_of_the_scan(tmp_path: Path) -> None:
    lesion = (volume() > 400).astype(np.uint8)
    nifti(tmp_path / "p1" / "p1_flair.nii.gz", volume())
    nifti(tmp_path / "p1" / "p1_seg.nii.gz", lesion)
    (source,) = found(tmp_path)
    mask = source.read_truth(source.read())
    assert mask is not None
    assert mask.voxels.sum() == lesion.sum()
    nifti(tmp_path / "p1" / "p1_mask.nii.gz", lesion)
    (source,) = found(tmp_path)
    with pytest.raises(InputError, match="one mask for the scan"):
        source.read_truth(source.read())


def test_nothing_overwrites_anything(tmp_path: Path) -> None:
    """Scans of one name get different ids, also where a disk ignores capitals."""
    for place in ("a/x", "b/x", "c/x", "a/X2"):
        nifti(tmp_path / f"{place}.nii", volume())
    nifti(tmp_path / "d" / "b_x.nii", volume())
    ids = [source.id for source in found(tmp_path)]
    assert {"a_x", "c_x", "X2"} < set(ids)
    assert len({id.casefold() for id in ids}) == len(ids) == 5


def test_good_ones_are_found_beside_bad_ones(tmp_path: Path) -> None:
    good = nifti(tmp_path / "good.nii", volume())
    for name in ("p_1", "p_01"):
        save(tmp_path / "bad" / f"{name}.png", slice_rgb())
    nifti(tmp_path / "worse" / "t1.nii", volume())
    sources, faults = find_scans([tmp_path / "bad", good, tmp_path / "gone", tmp_path / "worse"])
    assert [source.id for source in sources] == ["good"]
    assert sorted(Path(fault.where).name for fault in faults) == ["bad", "gone", "worse"]


def test_a_damaged_scan_is_found_and_then_refused(tmp_path: Path) -> None:
    (tmp_path / "a_1.tif").write_bytes(b"II*\0")
    (tmp_path / "a_2.tif").write_bytes(b"II*\0")
    sources, faults = find_scans([tmp_path])
    assert faults == []
    assert [source.format for source in sources] == ["slices"]


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights on Windows")
def test_links_are_followed_once(tmp_path: Path) -> None:
    folder = patient(tmp_path / "data", "a", 3)
    (folder / "up").symlink_to(tmp_path)
    (tmp_path / "data" / "again").symlink_to(folder)
    (tmp_path / "data" / "gone").symlink_to(tmp_path / "nowhere")
    assert len(found(tmp_path)) == 1


@pytest.mark.parametrize(
    ("stem", "expected"),
    [
        ("TCGA_CS_4941_19960909_12", ("TCGA_CS_4941_19960909", 12)),
        ("IM-0001-0012", ("IM-0001", 12)),
        ("slice007", ("slice", 7)),
        ("scan 3", ("scan", 3)),
        ("12", ("", 12)),
        ("TCGA_HT_A61B", ("TCGA_HT_A61B", None)),
    ],
)
def test_numbers_in_names(stem: str, expected: tuple[str, int | None]) -> None:
    assert names.split_number(stem) == expected


@pytest.mark.parametrize(
    ("stem", "sequence", "scan"),
    [
        ("FLAIR", "flair", "folder"),
        ("p1_T2_FLAIR", "flair", "p1"),
        ("p1-t2f", "flair", "p1"),
        ("p1-t1n", "pre", "p1"),
        ("T1", "pre", "folder"),
        ("T1POST", "post", "folder"),
        ("p1_t1_post", "post", "p1"),
        ("p1_T1_Gd", "post", "p1"),
        ("p1.T1+C", "post", "p1"),
        ("p1-t1c", "post", "p1"),
        ("p1_t2w", "other", "p1"),
        ("p1_T2_post", "other", "p1"),
        ("brain", None, "brain"),
        ("Flaird_Smith", None, "Flaird_Smith"),
    ],
)
def test_words_for_sequences(stem: str, sequence: str | None, scan: str) -> None:
    path = Path("folder") / f"{stem}.nii.gz"
    assert names.sequence_of(path) == sequence
    assert names.scan_of_sequence(path) == scan


@pytest.mark.parametrize(
    "stem", ["a_1_mask", "mask_001", "b_seg", "tumour_labels", "A-MASK", "lesion", "gt 3"]
)
def test_names_of_masks(stem: str) -> None:
    assert names.is_mask(Path(f"{stem}.nii.gz"))


@pytest.mark.parametrize(
    ("stem", "expected"),
    [
        ("A_1_mask", "a_1"),
        ("a_1-Seg", "a_1"),
        ("12mask", "12"),
        ("unmask", "unmask"),
        ("a 1.label", "a 1"),
        ("mask", ""),
        ("a_1", "a_1"),
    ],
)
def test_the_slice_of_a_mask(stem: str, expected: str) -> None:
    assert names.slice_of_mask(Path(f"{stem}.png")) == expected


@pytest.mark.parametrize("stem", ["a_1", "masked_head", "12", "segovia_3", "mask_of_zorro_flair"])
def test_names_of_images(stem: str) -> None:
    assert not names.is_mask(Path(f"{stem}.png"))

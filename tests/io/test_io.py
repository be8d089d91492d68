"""What the room of readers promises as a whole."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from support.reader_contract import disc
from support.sound_scans import mask_of, nifti, patient, save, slice_rgb, volume

from glioseg.errors import InputError
from glioseg.grid import Grid
from glioseg.io import read_scan, read_segmentation, with_all_channels, write_segmentation
from glioseg.scan import Scan, Segmentation


def test_nothing_heavy_is_imported_before_a_reader_is_used() -> None:
    heavy = (
        "pydicom",
        "highdicom",
        "PIL",
        "tifffile",
        "nibabel",
        "matplotlib",
        "scipy",
        "torch",
        "onnxruntime",
    )
    code = f"import sys, glioseg.io, glioseg.dataset; print([m for m in {heavy!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_scan_and_its_sequences_exclude_each_other(tmp_path: Path) -> None:
    path = nifti(tmp_path / "a.nii", volume())
    with pytest.raises(InputError, match="one file a sequence"):
        read_scan(path, post=path)
    with pytest.raises(InputError, match="at least its FLAIR"):
        read_scan()


def test_channels_that_are_there_are_kept() -> None:
    voxels = np.random.default_rng(0).random((2, 4, 5, 2))
    scan = with_all_channels(Scan(voxels, Grid((2, 4, 5)), "a", ("flair", "post")))
    assert scan.filled == ("pre",)
    np.testing.assert_array_equal(scan.voxels, voxels[..., [0, 0, 1]])


def test_a_mask_on_a_grid_of_no_file_is_written_as_nifti(tmp_path: Path) -> None:
    voxels = disc((4, 5, 6))
    for grid in (
        Grid((4, 5, 6)),
        Grid((4, 5, 6), spacing=(3.0, 0.5, 0.5)),
        Grid(
            (4, 5, 6), (5.0, 1.0, 1.0), np.array([[0, 0, -1.0, 3], [0, -1, 0, 4], [5, 0, 0, 5], [0, 0, 0, 1]])
        ),
    ):
        (path,) = write_segmentation(Segmentation.from_mask(voxels, grid, "a"), tmp_path)
        again = read_segmentation(path)
        np.testing.assert_array_equal(again.voxels, voxels)
        assert again.grid.spacing == (grid.spacing or (1.0, 1.0, 1.0))
        if grid.affine is not None:
            np.testing.assert_allclose(again.grid.affine, grid.affine)


def test_masks_of_some_slices_only_are_refused(tmp_path: Path) -> None:
    folder = patient(tmp_path, "p1", 4)
    (folder / "p1_2_mask.tif").unlink()
    save(folder / "p1_9_mask.tif", np.zeros((32, 32), np.uint8))
    with pytest.raises(InputError) as caught:
        read_segmentation(folder, read_scan(folder))
    assert len(caught.value.faults) == 2
    assert "p1_2_mask" in str(caught.value)
    assert "p1_9_mask" in str(caught.value)


def test_masks_by_other_words(tmp_path: Path) -> None:
    for number in (1, 2):
        save(tmp_path / "p1" / f"p1_{number}.png", slice_rgb(number))
        save(tmp_path / "p1" / f"p1_{number}_seg.png", mask_of(number))
    scan = read_scan(tmp_path / "p1")
    assert scan.grid.shape[0] == 2
    expected = np.stack([mask_of(1), mask_of(2)]) == 255
    np.testing.assert_array_equal(read_segmentation(tmp_path / "p1", scan).voxels, expected)
    np.testing.assert_array_equal(read_segmentation(tmp_path / "p1").voxels, expected)


def test_slice_number_zero_stays(tmp_path: Path) -> None:
    save(tmp_path / "p1" / "p1_0.png", slice_rgb())
    assert read_scan(tmp_path / "p1").grid.slice_numbers == (0,)


def test_when_one_slice_cannot_be_written_none_stays(tmp_path: Path) -> None:
    scan = read_scan(patient(tmp_path, "p1", 4))
    obstacle = tmp_path / "out" / "p1" / "p1_3_mask.tif"
    obstacle.mkdir(parents=True)
    with pytest.raises(InputError, match="p1_3_mask"):
        write_segmentation(scan.segmentation(disc(scan.grid.shape)), tmp_path / "out")
    assert list((tmp_path / "out" / "p1").iterdir()) == [obstacle]


def test_names_of_slices_must_tell_their_order(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        save(tmp_path / "p1" / f"{name}.png", slice_rgb())
    with pytest.raises(InputError, match="a slice number at the end of the name"):
        read_scan(tmp_path / "p1")


def test_slices_of_two_scans_are_told_apart(tmp_path: Path) -> None:
    for name in ("a_1", "a_2", "b_1"):
        save(tmp_path / "p1" / f"{name}.png", slice_rgb())
    with pytest.raises(InputError, match=r"2 scans \(a, b\)"):
        read_scan(tmp_path / "p1")


@pytest.mark.parametrize("kind", ["slices", "image", "nifti"])
def test_a_folder_that_cannot_be_written_is_said(kind: str, tmp_path: Path) -> None:
    paths = {
        "slices": patient(tmp_path, "p1", 2),
        "image": save(tmp_path / "a.png", slice_rgb()),
        "nifti": nifti(tmp_path / "b.nii", volume()),
    }
    scan = read_scan(paths[kind])
    (tmp_path / "out").write_text("a file", encoding="utf-8")
    with pytest.raises(InputError, match="out"):
        write_segmentation(scan.segmentation(disc(scan.grid.shape)), tmp_path / "out")
    assert (tmp_path / "out").read_text(encoding="utf-8") == "a file"

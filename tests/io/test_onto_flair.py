"""Sequences on other grids are brought onto FLAIR by their headers; what cannot be used is left out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.sound_scans import AFFINE, nifti, save, slice_rgb, volume

from glioseg.errors import InputError
from glioseg.io import find_scans, read_scan
from glioseg.words import LANGUAGES, said


def smooth(affine: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
    """A volume whose values are a linear function of the place in the patient, in mm."""
    index = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), -1)
    place = index @ affine[:3, :3].T + affine[:3, 3]
    return (place @ [1.0, 2.0, 3.0] + 500).astype(np.float32)


def moved(**changes: float) -> np.ndarray:
    affine = AFFINE.copy()
    for axis, by in changes.items():
        affine["xyz".index(axis), 3] += by
    return affine


def test_a_sequence_on_another_grid_is_interpolated_by_its_header(tmp_path: Path) -> None:
    flair = nifti(tmp_path / "p1" / "FLAIR.nii.gz", smooth(AFFINE, (20, 24, 6)))
    fine = np.diag([-0.5, 0.5, 2.0, 1])
    fine[:3, 3] = 42, -32, 8
    nifti(tmp_path / "p1" / "T1.nii.gz", smooth(fine, (52, 60, 18)), fine)
    (source,), _ = find_scans([tmp_path / "p1"])
    scan = source.read()
    assert scan.filled == ("post",)
    assert scan.notes == ("interpolated",)
    assert "T1.nii.gz" in said(scan.notes[0])
    assert scan.grid.spacing == (5, 1, 1)
    np.testing.assert_allclose(scan.channel("pre"), scan.channel("flair"), atol=0.01)
    assert read_scan(flair=flair).grid.lies_on(scan.grid)


def test_what_cannot_be_used_is_left_out_and_said(tmp_path: Path) -> None:
    flair = nifti(tmp_path / "FLAIR.nii.gz", volume())
    mirrored = np.diag([1.0, 1, 5, 1])
    mirrored[:3, 3] = 22, -28, 10
    nifti(tmp_path / "mirrored.nii.gz", volume()[1:-1, 2:], mirrored)
    (tmp_path / "empty.nii.gz").touch()
    nifti(tmp_path / "elsewhere.nii.gz", volume(), moved(z=22))
    nifti(tmp_path / "labels.nii.gz", volume(dtype=np.uint8) % 3)
    nifti(tmp_path / "four.nii.gz", volume((20, 24, 6, 3)))
    save(tmp_path / "picture.png", slice_rgb()[..., 0])
    for name, note, words in (
        ("elsewhere.nii.gz", "left_out_elsewhere", "covers 33% of FLAIR"),
        ("mirrored.nii.gz", "left_out_mirrored", "mirror image"),
        ("empty.nii.gz", "left_out_unread", "0 bytes"),
        ("labels.nii.gz", "left_out_unread", "whole numbers 0 to 2"),
        ("four.nii.gz", "left_out_unread", "several"),
        ("picture.png", "left_out_unplaced", "another size"),
    ):
        scan = read_scan(flair=flair, post=tmp_path / name)
        assert scan.notes == (note,)
        assert scan.filled == ("pre", "post")
        sentence = said(scan.notes[0])
        assert name in sentence
        assert words in sentence
        assert all("{" not in said(scan.notes[0], language) for language in LANGUAGES)
        np.testing.assert_array_equal(scan.voxels, read_scan(flair=flair).voxels)


def test_axes_of_another_hand_are_used_where_the_voxels_bear_them_out(tmp_path: Path) -> None:
    """Programs store one head as a left hand and another sequence of it as a right hand."""
    flair = nifti(tmp_path / "FLAIR.nii.gz", volume())
    right = np.diag([1.0, 1, 5, 1])
    right[:3, 3] = 22, -28, 10
    post = nifti(tmp_path / "T1c.nii.gz", volume()[::-1][1:-1, 2:], right)
    scan = read_scan(flair=flair, post=post)
    assert scan.notes == ("interpolated",)
    np.testing.assert_array_equal(scan.channel("post")[:, :22, 1:-1], scan.channel("flair")[:, :22, 1:-1])


def test_a_path_that_is_not_there_and_a_flair_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    flair = nifti(tmp_path / "FLAIR.nii.gz", volume())
    with pytest.raises(InputError, match="nothing of that name"):
        read_scan(flair=flair, pre=tmp_path / "T1.nii.gz")
    (tmp_path / "empty.nii.gz").touch()
    with pytest.raises(InputError, match="0 bytes"):
        read_scan(flair=tmp_path / "empty.nii.gz", pre=flair)


def test_sequences_stored_in_other_directions_but_on_one_grid_are_used_as_they_are(tmp_path: Path) -> None:
    flair = nifti(tmp_path / "FLAIR.nii.gz", volume())
    turned = AFFINE @ np.array([[-1, 0, 0, 19], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]])
    post = nifti(tmp_path / "T1c.nii.gz", volume(seed=3)[::-1], turned)
    scan = read_scan(flair=flair, post=post)
    assert scan.notes == ()
    np.testing.assert_array_equal(scan.channel("post"), volume(seed=3).transpose(2, 1, 0)[:, ::-1])

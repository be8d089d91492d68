"""Files of volumes: what they are is decided by their content, and pairs and FreeSurfer's are read too."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from support.sound_scans import AFFINE, nifti, nifti_with, volume

from glioseg.errors import InputError
from glioseg.io import find_scans, read_scan, read_segmentation, write_segmentation
from glioseg.io.nifti_file import MOST_BEHIND, with_other_parts


@pytest.mark.parametrize(
    "kind", ["offset 0", "gzip named .nii", "plain named .nii.gz", "pair", "mgz", "Nifti2"]
)
def test_other_ways_to_store_a_volume_give_the_same_scan(kind: str, tmp_path: Path) -> None:
    sound = read_scan(nifti(tmp_path / "sound" / "scan.nii", volume()))
    path = tmp_path / "scan.nii"
    if kind == "offset 0":
        path = nifti_with(path, lambda data: struct.pack_into("<f", data, 108, 0))
    elif kind == "gzip named .nii":
        path.write_bytes(gzip.compress(sound.source.read_bytes()))
    elif kind == "plain named .nii.gz":
        path = tmp_path / "scan.nii.gz"
        path.write_bytes(sound.source.read_bytes())
    elif kind == "pair":
        nib.save(nib.Nifti1Pair(volume(), AFFINE), tmp_path / "scan.img")
        path = tmp_path / "scan.img"
    elif kind == "mgz":
        path = tmp_path / "scan.mgz"
        nib.save(nib.MGHImage(volume(), AFFINE), path)
    else:
        nib.save(nib.Nifti2Image(volume(), AFFINE), path)
    scan = read_scan(path)
    np.testing.assert_array_equal(scan.voxels, sound.voxels)
    assert scan.voxels.dtype.isnative
    assert scan.grid.spacing == sound.grid.spacing
    np.testing.assert_allclose(scan.grid.affine, sound.grid.affine, atol=1e-4)
    assert scan.notes == ()
    mask = scan.channel("flair") > 300
    (written,) = write_segmentation(scan.segmentation(mask), tmp_path / "out")
    assert written.name == "scan_mask.nii.gz"
    np.testing.assert_array_equal(read_segmentation(written, sound).mask, mask)
    np.testing.assert_allclose(nib.load(written).affine, AFFINE, atol=1e-4)


def test_a_pair_is_one_scan_and_its_voxels_tell_whether_it_was_done(tmp_path: Path) -> None:
    nib.save(nib.Nifti1Pair(volume(), AFFINE), tmp_path / "p1" / "a.img") if (
        tmp_path / "p1"
    ).mkdir() else None
    nib.save(nib.Nifti1Pair(volume(), AFFINE), tmp_path / "p1" / "a.img")
    for given in (tmp_path / "p1", tmp_path / "p1" / "a.img", tmp_path / "p1" / "a.hdr"):
        (source,), faults = find_scans([given])
        assert not faults
        assert source.files == (tmp_path / "p1" / "a.img",)
        assert with_other_parts(source.files) == [tmp_path / "p1" / "a.img", tmp_path / "p1" / "a.hdr"]
        assert read_scan(given).grid.shape == (6, 24, 20)


def test_a_volume_of_freesurfer_without_a_place_has_no_size(tmp_path: Path) -> None:
    nib.save(nib.MGHImage(volume(), AFFINE), tmp_path / "a.mgh")
    content = bytearray((tmp_path / "a.mgh").read_bytes())
    content[28:30] = bytes(2)
    (tmp_path / "a.mgh").write_bytes(content)
    assert read_scan(tmp_path / "a.mgh").notes == ("size_unknown",)


def test_much_behind_the_voxels_is_not_unpacked_for_ever(tmp_path: Path) -> None:
    plain = nifti(tmp_path / "made.nii", volume()).read_bytes()
    path = tmp_path / "scan.nii.gz"
    path.write_bytes(gzip.compress(plain + bytes(1000)))
    assert read_scan(path).grid.shape == (6, 24, 20)
    path.write_bytes(gzip.compress(plain + bytes(MOST_BEHIND + 1), 1))
    with pytest.raises(InputError, match="64 MB behind them"):
        read_scan(path)

"""What a header says of voxels, against what can be: sizes, two geometries, and the fourth axis."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from support.sound_scans import AFFINE, nifti, volume

from glioseg.errors import InputError
from glioseg.io import find_scans, read_scan, read_segmentation, write_segmentation
from glioseg.io.source import with_channels
from glioseg.scan import Scan
from glioseg.words import LANGUAGES, said

HEAD = (100, 120, 12)
"""Sizes of a head at 2 x 2 x 5 mm."""


def head() -> np.ndarray:
    return volume(HEAD)


def stored(path: Path, affine: np.ndarray, unit: str = "mm", array: np.ndarray | None = None) -> Scan:
    image = nib.Nifti1Image(head() if array is None else array, affine)
    image.header.set_xyzt_units(unit)
    nib.save(image, path)
    return read_scan(path)


def comes_back(scan: Scan, folder: Path) -> nib.Nifti1Image:
    """The mask of a scan as it is written, read again on the scan."""
    mask = scan.channel("flair") > 300
    (path,) = write_segmentation(scan.segmentation(mask, id="m"), folder)
    np.testing.assert_array_equal(read_segmentation(path, scan).mask, mask)
    return nib.load(path)


def test_sizes_that_cannot_be_are_said_with_the_cause_and_give_no_volume(tmp_path: Path) -> None:
    right = np.diag([-2.0, -2, 5, 1])
    for name, sizes, unit, note, words in (
        ("metre", (2, 2, 5), "meter", "unit_is_metre", "2000 x 2000 x 5000 mm"),
        ("micron", (2, 2, 5), "micron", "unit_is_micron", "(2 x 2 x 5)"),
        ("in_metres", (0.002, 0.002, 0.005), "mm", "size_in_metres", "(2 x 2 x 5 mm)"),
        ("in_microns", (2000, 2000, 5000), "unknown", "size_in_microns", "(2 x 2 x 5 mm)"),
        ("thick", (2, 2, 50), "mm", "size_impossible", "2 x 2 x 50 mm"),
        ("small", (0.2, 0.2, 5), "mm", "head_impossible", "20 x 24 x 60 mm"),
        ("large", (8, 8, 5), "mm", "head_impossible", "800 x 960 x 60 mm"),
    ):
        scan = stored(tmp_path / f"{name}.nii.gz", np.diag([-sizes[0], -sizes[1], sizes[2], 1]), unit)
        assert scan.notes == (note,), name
        assert scan.grid.spacing is None
        assert words in said(scan.notes[0])
        assert all("{" not in said(scan.notes[0], language) for language in LANGUAGES)
        mask = scan.segmentation(scan.channel("flair") > 300)
        assert mask.volume_mm3 is None
        assert comes_back(scan, tmp_path / name).shape == HEAD
    assert stored(tmp_path / "right.nii.gz", right).notes == ()


def test_axes_in_another_order_without_an_affine_make_a_narrow_head(tmp_path: Path) -> None:
    turned = stored(tmp_path / "zyx.nii", np.eye(4), array=head().transpose(2, 1, 0))
    assert "12 x 120 x 100 mm" in said(turned.notes[0])
    straight = stored(tmp_path / "xyz.nii", np.eye(4))
    assert straight.notes == ("head_impossible",), "an identity says nothing of the slices either"
    assert straight.grid.spacing is None
    cube = stored(tmp_path / "cube.nii", np.eye(4), array=volume((100, 120, 60)))
    assert cube.notes == ()
    assert cube.grid.spacing == (1, 1, 1)


@pytest.mark.parametrize(
    ("shape", "affine"),
    [
        ((20, 24, 6), AFFINE),  # a part cut out
        ((100, 120, 4), np.diag([-2.0, -2, 5, 1])),  # a slab
        ((100, 120, 1), np.diag([-2.0, -2, 40, 1])),  # one slice
        ((4, 100, 120), np.diag([5.0, 2, 2, 1]) + np.array([[0, 0, 0, -9.0]] + [[0] * 4] * 3)),
    ],
    ids=["part", "slab", "slice", "sagittal slab"],
)
def test_parts_of_a_head_are_not_said_to_be_none(
    shape: tuple[int, ...], affine: np.ndarray, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    scan = stored(tmp_path / "scan.nii", affine, array=volume(shape))
    narrow = "sagittal" in request.node.name
    assert scan.notes == (("head_impossible",) if narrow else ())
    assert (scan.grid.spacing is None) == narrow


def test_a_size_that_is_not_given_is_unknown_and_stays_so(tmp_path: Path) -> None:
    path = nifti(tmp_path / "scan.nii", head())
    content = bytearray(path.read_bytes())
    content[80:92] = bytes(12)  # pixdim
    content[252:256] = bytes(4)  # the codes of qform and sform
    path.write_bytes(content)
    scan = read_scan(path)
    assert scan.notes == ("size_unknown",)
    assert scan.grid.spacing is None
    assert scan.grid.affine is None
    again = comes_back(scan, tmp_path / "out")
    assert Path(again.get_filename()).suffix == ".gz"
    (mask,) = (tmp_path / "out").glob("*.nii.gz")
    assert read_segmentation(mask).grid.spacing is None


def test_two_geometries_that_contradict_each_other_are_said(tmp_path: Path) -> None:
    right = np.diag([-2.0, -2, 5, 1])
    image = nib.Nifti1Image(head(), None)
    image.header.set_qform(right, code=1)
    image.header.set_sform(np.eye(4), code=2)
    nib.save(nib.Nifti1Image(head(), None, image.header), tmp_path / "both.nii")
    both = read_scan(tmp_path / "both.nii")
    assert both.notes == ("geometries_differ",)
    assert both.grid.spacing == (5, 2, 2)
    np.testing.assert_array_equal(both.voxels, stored(tmp_path / "right.nii", right).voxels)
    written = comes_back(both, tmp_path / "out").header
    np.testing.assert_array_equal(written.get_sform(), np.eye(4), "the mask keeps the header of the file")
    np.testing.assert_array_equal(written.get_qform(), right)

    image.header["qform_code"] = 0
    nib.save(nib.Nifti1Image(head(), None, image.header), tmp_path / "sizes.nii")
    sizes = read_scan(tmp_path / "sizes.nii")
    assert sizes.notes == ("geometries_differ",)
    assert sizes.grid.spacing == (5, 2, 2)

    image.header.set_sform(np.diag([2.0, -2, 5, 1]), code=2)
    image.header.set_qform(right, code=1)
    nib.save(nib.Nifti1Image(head(), None, image.header), tmp_path / "mirrored.nii")
    assert read_scan(tmp_path / "mirrored.nii").notes == ("orientations_differ",)


class TestFourthAxis:
    def volumes(self, path: Path, count: int, **units: str) -> Path:
        image = nib.Nifti1Image(np.stack([volume(seed=number) for number in range(count)], -1), AFFINE)
        image.header.set_xyzt_units("mm", **units)
        nib.save(image, path)
        return path

    def test_how_it_was_read_is_said(self, tmp_path: Path) -> None:
        path = self.volumes(tmp_path / "p1_flair_t1_t1c.nii.gz", 3)
        (source,), faults = find_scans([path])
        assert not faults
        scan = source.read()
        assert scan.notes == ("fourth_axis",)
        assert "before contrast, FLAIR and T1 after" in said(scan.notes[0])
        np.testing.assert_array_equal(scan.channel("pre"), volume(seed=0).transpose(2, 1, 0)[:, ::-1])

    def test_its_order_can_be_given(self, tmp_path: Path) -> None:
        for text, sequences in (
            ("flair,t1,t1c", {"flair": 0, "pre": 1, "post": 2}),
            ("T2w, FLAIR, T1w, t1gd", {"flair": 1, "pre": 2, "post": 3}),
            ("t1,t2,flair", {"pre": 0, "flair": 2}),
            ("flair", {"flair": 0}),
        ):
            count = text.count(",") + 1
            path = self.volumes(tmp_path / f"{count}.nii.gz", count)
            scan = read_scan(path, channels=text)
            assert scan.notes == ()
            assert set(scan.filled) == {"pre", "post"} - set(sequences)
            for name, place in sequences.items():
                presented = volume(seed=place).transpose(2, 1, 0)[:, ::-1]
                np.testing.assert_array_equal(scan.channel(name), presented)
            assert scan.segmentation(scan.channel("flair") > 300).voxels.shape == (6, 24, 20)

    def test_an_order_that_does_not_fit_is_refused(self, tmp_path: Path) -> None:
        path = self.volumes(tmp_path / "a.nii.gz", 3)
        for text, words in (
            ("flair,t1", "expected 2 volumes"),
            ("flair,t1,brain", "'brain'"),
            ("t1,t1c,t2", "FLAIR once"),
            ("flair,flair,t1", "FLAIR once"),
        ):
            with pytest.raises(InputError, match=words):
                read_scan(path, channels=text)
        with pytest.raises(InputError, match=r"8 x 8 x 3 x 4.*--channels"):
            read_scan(nifti(tmp_path / "b.nii", volume((8, 8, 3, 4))))
        flair = nifti(tmp_path / "p" / "a_flair.nii", volume())
        with pytest.raises(InputError, match="other kinds"):
            with_channels(find_scans([flair])[0], "flair,t1")

    def test_seconds_that_every_program_writes_are_no_times(self, tmp_path: Path) -> None:
        assert read_scan(self.volumes(tmp_path / "a.nii.gz", 3, t="sec")).notes == ("fourth_axis",)

    def test_sequences_that_were_filled_in_are_no_times(self, tmp_path: Path) -> None:
        one = volume()
        scan = read_scan(nifti(tmp_path / "a.nii", np.stack([one, one, one], -1)))
        assert scan.filled == ("pre", "post")

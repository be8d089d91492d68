"""DICOM in: slices sorted, voxels where they lie and with the values that are meant."""

from __future__ import annotations

import builtins
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import highdicom
import nibabel
import numpy as np
import pydicom
import pytest
from support.damaged_dicom import shipped
from support.dicom_kit import AXIAL, ORIENTATIONS, enhanced, series, some
from support.sound_scans import volume

from glioseg.errors import InputError
from glioseg.io import (
    find_scans,
    read_scan,
    read_segmentation,
    write_segmentation,
)
from glioseg.io.dicom import detect
from glioseg.io.dicom.pixels import codestream_size
from glioseg.scan import Scan, Segmentation


def values_in_place(scan: Scan, affine: np.ndarray, voxels: np.ndarray) -> np.ndarray:
    """What a series holds at the place of each voxel of a scan."""
    places = np.argwhere(np.ones(scan.grid.shape, bool))
    assert scan.grid.affine is not None
    ras = places @ scan.grid.affine[:3, :3].T + scan.grid.affine[:3, 3]
    stored = (ras - affine[:3, 3]) @ np.linalg.inv(affine[:3, :3]).T
    assert np.abs(stored - np.rint(stored)).max() < 1e-4
    return voxels[tuple(np.rint(stored).astype(int).T)].reshape(scan.grid.shape)


# --- where voxels lie -------------------------------------------------------------------------


@pytest.mark.parametrize("name", ORIENTATIONS)
@pytest.mark.parametrize("make", [series, enhanced], ids=["series", "enhanced"])
def test_every_voxel_lands_where_it_was(name: str, make: Any, tmp_path: Path) -> None:
    affine, voxels = ORIENTATIONS[name], volume((20, 24, 7))
    make(tmp_path / "p1" / "a.dcm" if make is enhanced else tmp_path / "p1", voxels, affine)
    scan = read_scan(tmp_path / "p1")
    np.testing.assert_array_equal(scan.channel("flair"), values_in_place(scan, affine, voxels))
    mask = some(scan)
    (path,) = write_segmentation(mask, tmp_path / "out")
    np.testing.assert_array_equal(read_segmentation(path, scan).voxels, mask.voxels)

    # As others see it: highdicom orders slices its own way, so its volume is compared by affine.
    seen = highdicom.seg.segread(path).get_volume(combine_segments=True)
    ras = np.diag([-1.0, -1.0, 1.0, 1.0]) @ seen.affine
    lesion = np.argwhere(seen.array > 0) @ ras[:3, :3].T + ras[:3, 3]
    assert scan.grid.affine is not None
    there = np.rint((lesion - scan.grid.affine[:3, 3]) @ np.linalg.inv(scan.grid.affine[:3, :3]).T)
    again = np.zeros(scan.grid.shape, bool)
    again[tuple(there.astype(int).T)] = True
    np.testing.assert_array_equal(again, mask.voxels)


def test_the_scan_is_shown_as_the_same_volume_in_nifti(tmp_path: Path) -> None:
    affine, voxels = ORIENTATIONS["sagittal"], volume((20, 24, 7))
    series(tmp_path / "p1", voxels, affine)
    nibabel.save(nibabel.Nifti1Image(voxels, affine), tmp_path / "p1.nii.gz")
    scan, other = read_scan(tmp_path / "p1"), read_scan(tmp_path / "p1.nii.gz")
    np.testing.assert_array_equal(scan.voxels, other.voxels)
    assert scan.grid.affine is not None
    np.testing.assert_allclose(scan.grid.affine, other.grid.affine, atol=1e-5)
    mask = some(scan)
    (path,) = write_segmentation(other.segmentation(mask.mask, id="p1"), tmp_path / "nifti")
    np.testing.assert_array_equal(read_segmentation(path, scan).voxels, mask.voxels)
    (path,) = write_segmentation(mask, tmp_path / "dicom")
    np.testing.assert_array_equal(read_segmentation(path, other).voxels, mask.voxels)


def test_a_real_scan_survives_the_way_through_dicom(
    labelled: dict[str, tuple[Scan, Segmentation]], tmp_path: Path
) -> None:
    scan, truth = next(iter(labelled.values()))
    for name, words in (("flair", "Ax T2 FLAIR"), ("pre", "Ax T1"), ("post", "Ax T1 POST")):
        series(tmp_path / "p1" / name, scan.channel(name).transpose(2, 1, 0).astype(np.uint16), name=words)
    again = read_scan(tmp_path / "p1")
    np.testing.assert_array_equal(again.voxels, scan.voxels)
    (path,) = write_segmentation(again.segmentation(truth.mask, id="p1"), tmp_path / "out")
    np.testing.assert_array_equal(read_segmentation(path).voxels, truth.mask)


def test_other_sequences_are_brought_onto_flair(tmp_path: Path) -> None:
    x, y, z = np.meshgrid(np.arange(20), np.arange(24), np.arange(7), indexing="ij")
    plain = (10 * x + 3 * y + 20 * z).astype(np.int16)  # linear: interpolation is exact
    series(tmp_path / "p1", plain, AXIAL)
    finer = AXIAL @ np.diag([0.5, 0.5, 0.5, 1.0])
    x, y, z = np.meshgrid(np.arange(40), np.arange(48), np.arange(14), indexing="ij")
    fine = (10 * x + 3 * y + 20 * z).astype(np.float32) / 2
    series(tmp_path / "p1", np.rint(fine * 2).astype(np.int16), finer, name="AX T1", RescaleSlope="0.5")
    scan = read_scan(tmp_path / "p1")
    assert scan.filled == ("post",)
    np.testing.assert_allclose(scan.channel("pre"), scan.channel("flair"), atol=0.01)


# --- voxel values -----------------------------------------------------------------------------

SYNTAXES = {
    "RLE": "1.2.840.10008.1.2.5",
    "JPEG-LS": "1.2.840.10008.1.2.4.80",
    "JPEG 2000": "1.2.840.10008.1.2.4.90",
}


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize("kind", [np.int16, np.uint16])
def test_compressed_series(syntax: str, kind: Any, tmp_path: Path) -> None:
    voxels = (volume((64, 48, 4)) - (250 if kind is np.int16 else 0)).astype(kind)
    series(tmp_path / "p1", voxels, syntax=SYNTAXES[syntax])
    scan = read_scan(tmp_path / "p1")
    assert scan.voxels.dtype == kind
    np.testing.assert_array_equal(scan.channel("flair"), voxels.transpose(2, 1, 0))


def test_the_plug_ins_for_jpeg_are_there() -> None:
    from pydicom.pixels import get_decoder
    from pydicom.uid import JPEG2000, JPEGExtended12Bit, JPEGLosslessSV1

    for syntax in (JPEGLosslessSV1, JPEGExtended12Bit, JPEG2000):
        assert get_decoder(syntax).is_available


@pytest.mark.parametrize(
    "name",
    [
        "MR_small.dcm",
        "MR_small_bigendian.dcm",
        "MR_small_implicit.dcm",
        "MR_small_expb.dcm",
        "MR_small_padded.dcm",
        "MR_small_RLE.dcm",
        "MR_small_jp2klossless.dcm",
        "MR_small_jpeg_ls_lossless.dcm",
    ],
)
def test_files_that_pydicom_ships(name: str, tmp_path: Path) -> None:
    path = shipped(name)
    stored = pydicom.dcmread(path)
    scan = read_scan(path, series={"flair": stored.SeriesInstanceUID})
    expected = pydicom.dcmread(shipped("MR_small.dcm")).pixel_array
    np.testing.assert_array_equal(scan.channel("flair")[0], expected)
    assert scan.id == path.stem
    mask = some(scan)
    (written,) = write_segmentation(mask, tmp_path)
    np.testing.assert_array_equal(read_segmentation(written, scan).voxels, mask.voxels)


def test_a_directory_as_scanners_burn_it_is_read(tmp_path: Path) -> None:
    """pydicom ships such a tree, of CT and MR with a DICOMDIR and files without suffix."""
    root = shipped("DICOMDIR").parent
    shutil.copytree(root, tmp_path / "cd")
    sources, faults = find_scans([tmp_path / "cd"])
    assert sources or faults
    for source in sources:
        try:
            assert source.read().voxels.ndim == 4
        except InputError as error:
            faults += error.faults
    assert all("DICOMDIR" not in fault.expected for fault in faults)


def test_values_are_scaled_turned_and_signed(tmp_path: Path) -> None:
    voxels = volume((20, 24, 5), dtype=np.int16) - 250
    series(tmp_path / "scaled", voxels, RescaleSlope="2", RescaleIntercept="-10")
    scan = read_scan(tmp_path / "scaled")
    assert scan.voxels.dtype == np.float32
    np.testing.assert_array_equal(scan.channel("flair"), voxels.transpose(2, 1, 0) * 2.0 - 10)
    series(tmp_path / "signed", voxels, PhotometricInterpretation="MONOCHROME1")
    np.testing.assert_array_equal(
        read_scan(tmp_path / "signed").channel("flair"), -1 - voxels.transpose(2, 1, 0)
    )
    series(
        tmp_path / "unsigned",
        (voxels + 250).astype(np.uint8),
        PhotometricInterpretation="MONOCHROME1",
        bits=8,
    )
    unsigned = (voxels + 250).astype(np.uint8).transpose(2, 1, 0)
    np.testing.assert_array_equal(read_scan(tmp_path / "unsigned").channel("flair"), 255 - unsigned)


def test_each_slice_has_its_own_slope(tmp_path: Path) -> None:
    paths = series(tmp_path / "p1", volume((20, 24, 5)))
    for number, path in enumerate(paths):
        dataset = pydicom.dcmread(path)
        dataset.RescaleSlope, dataset.RescaleIntercept = str(number + 1), "0"
        dataset.save_as(path)
    expected = volume((20, 24, 5)).transpose(2, 1, 0) * np.arange(1, 6)[:, None, None]
    np.testing.assert_array_equal(read_scan(tmp_path / "p1").channel("flair"), expected)


def test_sizes_within_compressed_images() -> None:
    assert codestream_size(b"no image") is None
    jpeg = b"\xff\xd8\xff\xe0\x00\x04ab\xff\xc3\x00\x0b\x0c\x01\x02\x03\x04\x01"
    assert codestream_size(jpeg) == (0x0102, 0x0304)
    assert codestream_size(b"\xff\xd8\xff") is None


# --- without the extra ------------------------------------------------------------------------


def test_without_the_extra_the_pip_line_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    series(tmp_path / "p1", volume())

    def missing() -> None:
        from glioseg.errors import require_extra

        require_extra("dicom", "a_module_that_is_not_there")

    monkeypatch.setattr(detect, "require_dicom", missing)
    monkeypatch.setattr("glioseg.io.find.require_dicom", missing)
    monkeypatch.setattr("glioseg.io.dicom.reader.require_dicom", missing)
    with pytest.raises(InputError, match=r"pip install .*\[dicom\]"):
        read_scan(tmp_path / "p1")
    with pytest.raises(InputError, match=r"pip install .*\[dicom\]"):
        read_scan(flair=tmp_path / "p1")
    with pytest.raises(InputError, match=r"pip install .*\[dicom\]"):
        read_segmentation(next((tmp_path / "p1").iterdir()))
    assert not detect.has_dicom()


def test_help_imports_nothing_of_dicom() -> None:
    code = (
        "import sys, glioseg, glioseg.cli; print([m for m in ('pydicom', 'highdicom') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def opened(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Counts how often each file is opened for reading from now on."""
    counts: Counter[str] = Counter()
    real = builtins.open

    def counting(file: Any, *args: Any, **kwargs: Any) -> Any:
        counts[str(file)] += 1
        return real(file, *args, **kwargs)

    monkeypatch.setattr(builtins, "open", counting)
    return counts


@pytest.mark.parametrize("suffix", [".dcm", ""])
def test_a_file_is_opened_once_for_its_header_and_once_for_its_pixels(
    suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    used = series(tmp_path / "p1" / "1", volume(), suffix=suffix)
    used += series(tmp_path / "p1" / "2", volume(seed=2), name="AX T1", suffix=suffix)
    aside = series(tmp_path / "p1" / "3", volume(seed=3), name="AX T2", suffix=suffix)
    counts = opened(monkeypatch)
    ((source,), faults) = find_scans([tmp_path / "p1"])
    assert not faults
    scan = source.read()
    write_segmentation(some(scan), tmp_path / "out")
    looks = 0 if suffix else 1  # at the first bytes of a file whose name says nothing
    assert {counts[str(path)] for path in used} == {2 + looks}
    assert {counts[str(path)] for path in aside} == {1 + looks}
    counts.clear()
    read_scan(tmp_path / "p1")
    assert {counts[str(path)] for path in used} == {2}


def test_a_seg_is_opened_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    series(tmp_path / "p1", volume())
    scan = read_scan(tmp_path / "p1")
    (path,) = write_segmentation(some(scan), tmp_path / "out")
    counts = opened(monkeypatch)
    read_segmentation(path, scan)
    assert counts[str(path)] == 1

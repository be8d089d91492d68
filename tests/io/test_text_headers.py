"""NRRD and MetaImage: the same scan as NIfTI has, and no header gets at other files or at all the memory."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
from support.sound_scans import AFFINE, nifti, volume
from support.text_volumes import metaimage, nrrd

import glioseg
from glioseg.dataset.find import find_cases, read_case
from glioseg.dataset.pack import pack
from glioseg.errors import InputError
from glioseg.io import find_scans, read_scan, read_segmentation, write_segmentation
from glioseg.io.nifti_file import with_other_parts
from glioseg.results.record import content_of
from glioseg.samples import SAMPLES

OBLIQUE = np.array([[-0.98, 0.2, 0.6, 40], [0.19, 0.95, -1.1, -30], [-0.08, 0.21, 4.8, 10], [0, 0, 0, 1]])


def check_same(found: glioseg.Scan, expected: glioseg.Scan) -> None:
    np.testing.assert_array_equal(found.voxels, expected.voxels)
    np.testing.assert_allclose(found.grid.affine, expected.grid.affine, atol=1e-5)
    np.testing.assert_allclose(found.grid.spacing, expected.grid.spacing, rtol=1e-6)
    assert (found.notes, found.filled) == (expected.notes, expected.filled)


@pytest.mark.parametrize("affine", [AFFINE, OBLIQUE], ids=["straight", "oblique"])
def test_every_way_to_store_a_volume_gives_the_same_scan(affine: np.ndarray, tmp_path: Path) -> None:
    expected = read_scan(nifti(tmp_path / "a.nii", volume(), affine))
    swapped = volume().astype(">i2")
    big = metaimage(tmp_path / "big.mha", volume(), affine, BinaryDataByteOrderMSB="True")
    big.write_bytes(big.read_bytes()[: -swapped.nbytes] + swapped.tobytes("F"))
    members = nrrd(tmp_path / "members.nrrd", volume(), affine)
    voxels = volume().astype("<i2").tobytes("F")
    header = members.read_bytes().partition(b"\n\n")[0]
    members.write_bytes(header + b"\n\n" + gzip.compress(voxels[:999]) + gzip.compress(voxels[999:]))
    at_the_end = nrrd(tmp_path / "end.nhdr", volume(), affine, deflated=False, byte_skip=-1)
    (tmp_path / "end.raw").write_bytes(bytes(7) + (tmp_path / "end.raw").read_bytes())
    ras = nrrd(
        tmp_path / "ras.nrrd", volume(), np.diag([-1, -1, 1, 1]) @ affine, space="right-anterior-superior"
    )
    paths = [
        nrrd(tmp_path / "a.nrrd", volume(), affine),
        nrrd(tmp_path / "b.nrrd", volume(), affine, deflated=False, old_min="0"),
        nrrd(tmp_path / "c.nhdr", volume(), affine),
        nrrd(tmp_path / "d.nhdr", volume(), affine, deflated=False),
        metaimage(tmp_path / "e.mha", volume(), affine),
        metaimage(tmp_path / "f.mha", volume(), affine, deflated=True),
        metaimage(tmp_path / "g.mhd", volume(), affine),
        metaimage(tmp_path / "h.mhd", volume(), affine, deflated=True),
        big,
        members,
        at_the_end,
        ras,
    ]
    for path in paths:
        check_same(read_scan(path), expected)
    scan = read_scan(paths[0])
    mask = scan.segmentation(scan.channel("flair") > 300)
    (written,) = write_segmentation(mask, tmp_path / "out")
    assert written.name == "a_mask.nii.gz"
    np.testing.assert_array_equal(read_segmentation(written, expected).mask, mask.mask)


def test_a_patient_gives_the_same_mask_in_every_kind(tmp_path: Path) -> None:
    stored = read_scan(SAMPLES / "TCGA_HT_7692_19960724").channel("flair")[13:].transpose(2, 1, 0)
    affine = np.diag([-1.0, -1.0, 5.0, 1.0])
    paths = [
        nifti(tmp_path / "1" / "flair.nii.gz", stored, affine),
        nrrd(tmp_path / "2" / "flair.nrrd", stored, affine),
        metaimage(tmp_path / "3" / "flair.mha", stored, affine, deflated=True),
    ]
    masks = [glioseg.segment(path).segmentation for path in paths]
    assert masks[0].mask.any()
    for mask in masks[1:]:
        np.testing.assert_array_equal(mask.mask, masks[0].mask)


def test_sequences_masks_and_fourth_axes_are_found_as_in_nifti(tmp_path: Path) -> None:
    nrrd(tmp_path / "p1" / "p1_flair.nrrd", volume())
    metaimage(tmp_path / "p1" / "p1_t1c.mhd", volume(seed=2))
    nrrd(tmp_path / "p1" / "p1.seg.nrrd", (volume() > 400).astype(np.uint8))
    (source,), faults = find_scans([tmp_path / "p1"])
    assert (source.id, source.sequences, faults) == ("p1", ("flair", "post"), [])
    scan = source.read()
    truth = source.read_truth(scan)
    assert truth is not None
    np.testing.assert_array_equal(truth.mask, scan.channel("flair") > 400)
    four = np.stack([volume(seed=seed) for seed in range(3)], axis=-1)
    expected = read_scan(nifti(tmp_path / "four.nii", four))
    of_slicer = {"space_directions": "(1,0,0) (0,-1,0) (0,0,5) none", "kinds": "domain domain domain list"}
    stored = nrrd(tmp_path / "four.nrrd", four, **of_slicer)
    np.testing.assert_array_equal(read_scan(stored).voxels, expected.voxels)


def test_a_header_without_sizes_gives_none(tmp_path: Path) -> None:
    bare = {"space": None, "space_directions": None, "space_origin": None, "kinds": None}
    path = nrrd(tmp_path / "a.nrrd", volume(), **bare)
    other = metaimage(tmp_path / "b.mha", volume(), ElementSpacing=None)
    for scan in (read_scan(path), read_scan(other)):
        assert scan.grid.spacing is None
        assert scan.notes == ("size_unknown",)
    spaced = read_scan(nrrd(tmp_path / "c.nrrd", volume(), **bare, spacings="2 1 5"))
    assert spaced.grid.spacing == (5, 1, 2)


def test_a_header_and_its_voxels_are_one_scan_and_the_voxels_tell_whether_it_was_done(tmp_path: Path) -> None:
    path = metaimage(tmp_path / "1" / "p1" / "flair.mhd", volume())
    other = metaimage(tmp_path / "2" / "p1" / "flair.mhd", volume(seed=1))
    assert path.read_bytes() == other.read_bytes()
    (source, second), faults = find_scans([tmp_path])
    assert (source.files, second.files, faults) == ((path,), (other,), [])
    assert with_other_parts(source.files) == [path, path.with_suffix(".raw")]
    before = content_of(source)
    path.with_suffix(".raw").write_bytes(volume(seed=2).tobytes("F"))
    assert content_of(source) != before


REFUSED = {
    "another folder": ({"data_file": "../secret.raw"}, "secret.raw"),
    "an absolute path": ({"data_file": "/etc/passwd"}, "one file beside the header"),
    "a drive": ({"data_file": "C:secret.raw"}, "one file beside the header"),
    "several files": ({"data_file": "slice%03d.raw 1 6 1"}, "one file beside the header"),
    "a list of files": ({"data_file": "LIST"}, "one file beside the header"),
    "no such file": ({"data_file": "gone.raw"}, "Put gone.raw beside it"),
    "a folder": ({"data_file": "folder"}, "folder"),
    "bzip2": ({"encoding": "bzip2"}, "encoding bzip2"),
    "vectors": (
        {"dimension": 4, "sizes": "3 20 24 6", "space_directions": "none (1,0,0) (0,1,0) (0,0,5)"},
        "3 values",
    ),
    "other axes": ({"dimension": 4, "sizes": "20 24 6 1"}, "3 axes where there are 4"),
    "blocks": ({"type": "block"}, "block"),
    "too many axes": ({"dimension": 16}, "16 axes"),
    "other sizes": ({"sizes": "20 24"}, "axes of sizes"),
    "negative sizes": ({"sizes": "20 -24 -6"}, "axes of sizes"),
    "no voxels": ({"sizes": "0 24 6"}, "0"),
    "absurd sizes": ({"sizes": "900000 900000 900000"}, "no brain scan|at most"),
    "more than there is": ({"sizes": "2000 2000 200"}, "too short"),
    "no place": ({"space_directions": "(1,0,0) (2,0,0) (0,0,5)"}, "no place"),
    "no numbers": ({"space_directions": "(nan,0,0) (0,1,0) (0,0,5)"}, "no place"),
    "no sizes": ({"sizes": None}, "no field sizes"),
    "words": ({"sizes": "a b c"}, "invalid literal"),
    "before the file": ({"byte_skip": -5}, "bytes to skip"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_hostile_headers_are_refused_with_a_reason(name: str, tmp_path: Path) -> None:
    fields, reason = REFUSED[name]
    (tmp_path / "secret.raw").write_bytes(volume().tobytes())
    path = nrrd(tmp_path / "scan" / "a.nhdr", volume(), deflated=False, **fields)
    (tmp_path / "scan" / "folder").mkdir()
    with pytest.raises(InputError, match=reason):
        read_scan(path)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"ElementDataFile": "../secret.raw"}, "one file beside the header"),
        ({"ElementDataFile": "LIST"}, "one file beside the header"),
        ({"ElementNumberOfChannels": "3"}, "3 values"),
        ({"BinaryData": "False"}, "encoding text"),
        ({"ElementType": "MET_STRING"}, "MET_STRING"),
        ({"NDims": "9"}, "9 axes"),
        ({"DimSize": None}, "no field dimsize"),
        ({"TransformMatrix": "1 0 0 1"}, "reshape"),
        ({"HeaderSize": "99999999"}, "outside of the file"),
    ],
)
def test_hostile_metaimages_are_refused_with_a_reason(
    fields: dict[str, str], reason: str, tmp_path: Path
) -> None:
    (tmp_path / "secret.raw").write_bytes(volume().tobytes())
    with pytest.raises(InputError, match=reason):
        read_scan(metaimage(tmp_path / "scan" / "a.mhd", volume(), **fields))


def test_files_that_are_cut_or_damaged_are_refused(tmp_path: Path) -> None:
    for path in (
        nrrd(tmp_path / "a.nrrd", volume()),
        nrrd(tmp_path / "b.nrrd", volume(), deflated=False),
        metaimage(tmp_path / "c.mha", volume(), deflated=True),
    ):
        sound = path.read_bytes()
        for damaged in (sound[:-2], sound[:-900], sound[:60], b"", b"\0" * 400):
            path.write_bytes(damaged)
            with pytest.raises(InputError):
                read_scan(path)
    path.write_bytes(sound[:-3] + bytes([sound[-3] ^ 1]) + sound[-2:])
    with pytest.raises(InputError, match="incorrect data check"):
        read_scan(path)


def test_a_pack_holds_the_voxels_beside_a_header_too(tmp_path: Path) -> None:
    metaimage(tmp_path / "data" / "p1" / "flair.mhd", volume())
    metaimage(tmp_path / "data" / "p1" / "flair_mask.mhd", (volume() > 400).astype(np.uint8))
    assert pack(tmp_path / "data", tmp_path / "packed", 1 << 20).files == 4
    (case,) = find_cases(tmp_path / "packed", cache=tmp_path / "cache")
    scan, truth = read_case(case)
    np.testing.assert_array_equal(truth.mask, scan.channel("flair") > 400)

"""DICOM: series told apart, sorted and matched, voxels placed, masks as SEG, no patient in what is said."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import dicom_kit
import highdicom
import nibabel
import numpy as np
import pydicom
import pytest
from damage_table import DAMAGED
from damaged_dicom import shipped
from dicom_kit import AXIAL, enhanced, rotated, series
from sound_scans import volume

from glioseg.errors import InputError
from glioseg.io import (
    anonymised,
    find_scans,
    read_labels,
    read_mask,
    read_scan,
    write_labels,
    write_mask,
)
from glioseg.io.dicom import detect
from glioseg.io.dicom.find import parse_series
from glioseg.io.dicom.headers import read_frames
from glioseg.io.dicom.match import sequence_of
from glioseg.io.dicom.pixels import codestream_size
from glioseg.io.dicom.series import Series, find_series
from glioseg.scan import Grid, LabelMap, Mask, Scan

SECRETS = ("Mustermann", "Erika", "MRN-0815", "19700102", "Irgendwo", "Doktor", "Fritz")

ORIENTATIONS = {
    "axial": AXIAL,
    "axial downwards": AXIAL @ np.array([[1.0, 0, 0, 0], [0, -1, 0, 23], [0, 0, -1, 6], [0, 0, 0, 1]]),
    "oblique": rotated(AXIAL, (12, -8, 10)),
    "sagittal": np.array([[0, 0, -3.0, 9], [-1, 0, 0, 5], [0, -1.2, 0, 7], [0, 0, 0, 1]]),
    "coronal": np.array([[-1.1, 0, 0, 3], [0, 0, 4.0, -5], [0, -1.0, 0, 7], [0, 0, 0, 1]]),
}


def values_in_place(scan: Scan, affine: np.ndarray, voxels: np.ndarray) -> np.ndarray:
    """What a series holds at the place of each voxel of a scan."""
    places = np.argwhere(np.ones(scan.grid.shape, bool))
    assert scan.grid.affine is not None
    ras = places @ scan.grid.affine[:3, :3].T + scan.grid.affine[:3, 3]
    stored = (ras - affine[:3, 3]) @ np.linalg.inv(affine[:3, :3]).T
    assert np.abs(stored - np.rint(stored)).max() < 1e-4
    return voxels[tuple(np.rint(stored).astype(int).T)].reshape(scan.grid.shape)


def some(scan: Scan, seed: int = 1) -> Mask:
    return Mask(np.random.default_rng(seed).random(scan.grid.shape) < 0.1, scan.grid, scan.id)


# --- where voxels lie -------------------------------------------------------------------------


@pytest.mark.parametrize("name", ORIENTATIONS)
@pytest.mark.parametrize("make", [series, enhanced], ids=["series", "enhanced"])
def test_every_voxel_lands_where_it_was(name: str, make: Any, tmp_path: Path) -> None:
    affine, voxels = ORIENTATIONS[name], volume((20, 24, 7))
    make(tmp_path / "p1" / "a.dcm" if make is enhanced else tmp_path / "p1", voxels, affine)
    scan = read_scan(tmp_path / "p1")
    np.testing.assert_array_equal(scan.channel("flair"), values_in_place(scan, affine, voxels))
    mask = some(scan)
    (path,) = write_mask(mask, tmp_path / "out")
    np.testing.assert_array_equal(read_mask(path, scan.grid).voxels, mask.voxels)

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
    (path,) = write_mask(Mask(mask.voxels, other.grid, "p1"), tmp_path / "nifti")
    np.testing.assert_array_equal(read_mask(path, scan.grid).voxels, mask.voxels)
    (path,) = write_mask(mask, tmp_path / "dicom")
    np.testing.assert_array_equal(read_mask(path, other.grid).voxels, mask.voxels)


def test_a_real_scan_survives_the_way_through_dicom(
    labelled: dict[str, tuple[Scan, Mask]], tmp_path: Path
) -> None:
    scan, truth = next(iter(labelled.values()))
    for name, words in (("flair", "Ax T2 FLAIR"), ("pre", "Ax T1"), ("post", "Ax T1 POST")):
        series(tmp_path / "p1" / name, scan.channel(name).transpose(2, 1, 0).astype(np.uint16), name=words)
    again = read_scan(tmp_path / "p1")
    np.testing.assert_array_equal(again.voxels, scan.voxels)
    (path,) = write_mask(Mask(truth.voxels, again.grid, "p1"), tmp_path / "out")
    np.testing.assert_array_equal(read_mask(path).voxels, truth.voxels)


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


# --- which series is which --------------------------------------------------------------------

WORDS = {
    "AX T2 FLAIR": "flair",
    "t2_tirm_tra_dark-fluid_4mm": "flair",
    "Sag 3D FLAIR Cube": "flair",
    "AX FLAIR POST": "flair",
    "FLAIR_longTR": "flair",
    "T1 FLAIR": "pre",
    "AX T1 FLAIR +C": "post",
    "t1_mpr_tra_p2_iso": "pre",
    "AX T1": "pre",
    "AX T1 w/o": "pre",
    "T1 SE pre Gd": "pre",
    "T1 non-contrast": "pre",
    "AX T1 -C": "pre",
    "AX T1+C": "post",
    "AX T1 +C FS": "post",
    "AX C+ T1": "post",
    "t1_se_tra_KM": "post",
    "MPRAGE POST": "post",
    "3D BRAVO Gd": "post",
    "AX POST CONTRAST": "post",
    "AX T2 TSE": "other",
    "T2* GRE": "other",
    "ep2d_diff_3scan_trace_ADC": "other",
    "DWI b1000": "other",
    "SWI_Images": "other",
    "3-plane localizer": "other",
    "AAHead_Scout": "other",
    "TOF MRA": "other",
    "PD axial": "other",
}


@pytest.mark.parametrize("words", WORDS)
def test_words_say_which_sequence_it_is(words: str, tmp_path: Path) -> None:
    path = series(tmp_path, volume((8, 8, 1)), name=words)[0]
    assert sequence_of(Series(tuple(read_frames(path)[0]))) == WORDS[words]


PARAMETERS: list[tuple[dict[str, Any], str | None]] = [
    ({"RepetitionTime": 9000, "EchoTime": 120, "InversionTime": 2500}, "flair"),
    ({"RepetitionTime": 4500, "EchoTime": 95}, "other"),
    ({"RepetitionTime": 550, "EchoTime": 12}, "pre"),
    ({"RepetitionTime": 550, "EchoTime": 12, "ContrastBolusAgent": "Gadovist"}, "post"),
    ({"RepetitionTime": 550, "EchoTime": 12, "ContrastBolusAgent": "none"}, "pre"),
    ({"RepetitionTime": 2300, "EchoTime": 3, "InversionTime": 900}, "pre"),
    ({"RepetitionTime": 25, "EchoTime": 4, "AngioFlag": "Y"}, "other"),
    ({"RepetitionTime": 4000, "EchoTime": 90, "ScanningSequence": ["EP"]}, "other"),
    ({"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}, "other"),
    ({"ProtocolName": "FLAIR tra"}, "flair"),
    ({}, None),
]


@pytest.mark.parametrize(("values", "expected"), PARAMETERS)
def test_without_words_parameters_say_it(
    values: dict[str, Any], expected: str | None, tmp_path: Path
) -> None:
    path = series(tmp_path, volume((8, 8, 1)), name="", **values)[0]
    assert sequence_of(Series(tuple(read_frames(path)[0]))) == expected


def test_a_contrast_agent_tells_two_t1_of_one_description_apart(tmp_path: Path) -> None:
    series(tmp_path / "p1" / "1", volume(), name="AX T2 FLAIR")
    series(tmp_path / "p1" / "2", volume(seed=2), name="AX T1", SeriesInstanceUID=dicom_kit.uid("a"))
    series(
        tmp_path / "p1" / "3",
        volume(seed=3),
        name="AX T1",
        ContrastBolusAgent="Gd-DTPA",
        SeriesInstanceUID=dicom_kit.uid("b"),
        # series() makes UIDs of names, and these two share theirs
        study="1",
    )
    for number, path in enumerate(sorted((tmp_path / "p1" / "3").iterdir())):
        dataset = pydicom.dcmread(path)
        dataset.SOPInstanceUID = dicom_kit.uid("post", number)
        dataset.save_as(path)
    scan = read_scan(tmp_path / "p1")
    assert scan.filled == ()
    np.testing.assert_array_equal(scan.channel("post"), volume(seed=3).transpose(2, 1, 0))


def test_original_axial_images_go_first(tmp_path: Path) -> None:
    series(tmp_path / "p1", volume(seed=1), name="FLAIR axial")
    series(tmp_path / "p1", volume(seed=2), ORIENTATIONS["sagittal"], name="FLAIR sag")
    series(tmp_path / "p1", volume(seed=3), name="FLAIR reformat", ImageType=["DERIVED", "SECONDARY", "MPR"])
    np.testing.assert_array_equal(
        read_scan(tmp_path / "p1").channel("flair"), volume(seed=1).transpose(2, 1, 0)
    )


@pytest.mark.parametrize("by", ["description", "uid"])
def test_a_series_can_be_named(by: str, tmp_path: Path) -> None:
    for seed, name in enumerate(("FLAIR A", "FLAIR B", "AX T1")):
        series(tmp_path / "p1", volume(seed=seed), name=name)
    wanted = "flair b" if by == "description" else dicom_kit.uid("series", "1", "FLAIR B")
    scan = read_scan(tmp_path / "p1", series={"flair": wanted, "pre": "none"})
    np.testing.assert_array_equal(scan.channel("flair"), volume(seed=1).transpose(2, 1, 0))
    assert scan.filled == ("pre", "post")
    sources, faults = find_scans([tmp_path / "p1"], {"flair": "FLAIR C", "pre": "none"})
    assert sources == []
    assert any("a series of that name" in fault.expected for fault in faults)


def test_series_options_are_checked() -> None:
    assert parse_series(["flair=a=b", " Post = none"]) == {"flair": "a=b", "post": "none"}
    for wrong in (["flair"], ["t2=x"], ["flair="], ["flair=a", "flair=b"]):
        with pytest.raises(InputError, match="--series"):
            parse_series(wrong)


def test_series_of_other_kinds_cannot_be_chosen(tmp_path: Path) -> None:
    nibabel.save(nibabel.Nifti1Image(volume(), AXIAL), tmp_path / "a.nii")
    _, faults = find_scans([tmp_path], {"flair": "x"})
    assert "DICOM" in str(faults[0])


@pytest.mark.parametrize(
    "values",
    [
        ({"EchoTime": 90, "EchoNumbers": 1}, {"EchoTime": 120, "EchoNumbers": 2}),
        ({"TemporalPositionIdentifier": 1}, {"TemporalPositionIdentifier": 2}),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "M"]}, {"ImageType": ["ORIGINAL", "PRIMARY", "P"]}),
    ],
    ids=["echoes", "times", "magnitude and phase"],
)
def test_images_at_one_place_are_told_apart(values: tuple[dict[str, Any], ...], tmp_path: Path) -> None:
    for seed, own in enumerate(values):
        paths = series(tmp_path / f"p{seed}", volume(seed=seed), **own)
        for number, path in enumerate(paths):
            dataset = pydicom.dcmread(path)
            dataset.SOPInstanceUID = dicom_kit.uid(seed, number)
            dataset.save_as(path)
    frames = [frame for path in sorted(tmp_path.rglob("*.dcm")) for frame in read_frames(path)[0]]
    found = find_series(frames)
    assert [len(each.frames) for each in found] == [6, 6]
    assert not any(each.faults for each in found)
    with pytest.raises(InputError, match="one flair series") as caught:
        read_scan(tmp_path)
    choice = str(caught.value).split('flair="')[1].split('"')[0]
    scan = read_scan(tmp_path, series={"flair": choice})
    np.testing.assert_array_equal(scan.channel("flair"), volume(seed=0).transpose(2, 1, 0))


def test_studies_are_scans_of_their_own(tmp_path: Path) -> None:
    for name in ("p1", "p2"):
        series(tmp_path / name / "FLAIR", volume(), study=name)
        series(tmp_path / name / "T1", volume(), study=name, name="AX T1")
    series(tmp_path / "p3" / "DICOM", volume(), study="p3", suffix="")
    sources, faults = find_scans([tmp_path])
    assert not faults
    assert [source.id for source in sources] == ["p1", "p2", "p3"]
    assert "'AX FLAIR' as flair" in str(sources[0])
    assert "'AX T1' as pre" in str(sources[0])
    assert sources[0].read().filled == ("post",)


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
    (written,) = write_mask(mask, tmp_path)
    np.testing.assert_array_equal(read_mask(written, scan.grid).voxels, mask.voxels)


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


# --- SEG --------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [series, enhanced], ids=["series", "enhanced"])
def test_each_frame_refers_to_the_image_at_its_place(make: Any, tmp_path: Path) -> None:
    affine = rotated(AXIAL, (12, -8, 10))
    make(tmp_path / "p1" / "a.dcm" if make is enhanced else tmp_path / "p1", volume(), affine)
    scan = read_scan(tmp_path / "p1")
    (path,) = write_mask(some(scan), tmp_path / "out")
    places = {}
    for file in (tmp_path / "p1").rglob("*.dcm"):
        source = pydicom.dcmread(file)
        for number, group in enumerate(source.get("PerFrameFunctionalGroupsSequence", [None]), 1):
            holder = source if group is None else group.PlanePositionSequence[0]
            key = (source.SOPInstanceUID, 1 if group is None else number)
            places[key] = [float(value) for value in holder.ImagePositionPatient]
    stored = pydicom.dcmread(path)
    assert stored.StudyInstanceUID == source.StudyInstanceUID
    assert stored.FrameOfReferenceUID == source.FrameOfReferenceUID
    assert stored.PatientName == dicom_kit.PATIENT
    assert len(stored.PerFrameFunctionalGroupsSequence) == len(places)
    for group in stored.PerFrameFunctionalGroupsSequence:
        image = group.DerivationImageSequence[0].SourceImageSequence[0]
        place = places.pop((image.ReferencedSOPInstanceUID, int(image.get("ReferencedFrameNumber", 1))))
        np.testing.assert_allclose(group.PlanePositionSequence[0].ImagePositionPatient, place, atol=1e-6)
    assert not places


def test_an_empty_mask_is_a_seg_too(tmp_path: Path) -> None:
    series(tmp_path / "p1", volume())
    scan = read_scan(tmp_path / "p1")
    (path,) = write_mask(Mask(np.zeros(scan.grid.shape, bool), scan.grid, "p1"), tmp_path / "out")
    assert not read_mask(path, scan.grid).voxels.any()
    assert read_mask(path).grid.shape == scan.grid.shape


def test_labels_keep_their_values(tmp_path: Path) -> None:
    series(tmp_path / "p1", volume(), ORIENTATIONS["coronal"])
    scan = read_scan(tmp_path / "p1")
    values = np.random.default_rng(0).choice([0, 1, 4, 200], scan.grid.shape).astype(np.uint8)
    (path,) = write_labels(LabelMap(values, scan.grid, "p1"), tmp_path / "out")
    np.testing.assert_array_equal(read_labels(path, scan.grid).voxels, values)
    np.testing.assert_array_equal(read_labels(path, values=(1, 4, 200)).voxels, values)
    with pytest.raises(InputError):
        read_labels(path, scan.grid, (1, 4))
    with pytest.raises(InputError, match="3 values"):
        read_mask(path, scan.grid)
    empty = LabelMap(np.zeros_like(values), scan.grid, "none")
    (path,) = write_labels(empty, tmp_path / "out")
    assert not read_labels(path, scan.grid).voxels.any()


def test_a_seg_of_other_programs_is_placed(tmp_path: Path) -> None:
    """Frames in the other order, and empty ones left out."""
    series(tmp_path / "p1", volume((20, 24, 9)), rotated(AXIAL, (12, -8, 10)))
    scan = read_scan(tmp_path / "p1")
    voxels = np.zeros(scan.grid.shape, bool)
    voxels[2, 3:9, 4:7] = voxels[3, 5, 5] = voxels[6, 1:3, 2] = True
    (path,) = write_mask(Mask(voxels, scan.grid, "p1"), tmp_path / "out")
    stored = pydicom.dcmread(path)
    pixels, groups = stored.pixel_array, list(stored.PerFrameFunctionalGroupsSequence)
    kept = [number for number in reversed(range(len(pixels))) if pixels[number].any()]
    stored.NumberOfFrames = len(kept)
    stored.PerFrameFunctionalGroupsSequence = [groups[number] for number in kept]
    bits = np.packbits(pixels[kept].reshape(-1), bitorder="little").tobytes()
    stored.PixelData = bits + bytes(len(bits) % 2)
    stored.save_as(tmp_path / "other.dcm")
    np.testing.assert_array_equal(read_mask(tmp_path / "other.dcm", scan.grid).voxels, voxels)
    alone = read_mask(tmp_path / "other.dcm")
    assert alone.grid.shape == (5, *scan.grid.shape[1:])
    np.testing.assert_array_equal(alone.voxels, voxels[2:7])
    highest = max(kept, key=lambda at: groups[at].PlanePositionSequence[0].ImagePositionPatient[2])
    kept = [highest]
    stored.NumberOfFrames, stored.PerFrameFunctionalGroupsSequence = 1, [groups[kept[0]]]
    bits = np.packbits(pixels[kept].reshape(-1), bitorder="little").tobytes()
    stored.PixelData = bits + bytes(len(bits) % 2)
    stored.save_as(tmp_path / "one.dcm")
    voxels[:6] = False
    np.testing.assert_array_equal(read_mask(tmp_path / "one.dcm", scan.grid).voxels, voxels)


def test_a_seg_of_another_scan_is_refused(tmp_path: Path) -> None:
    series(tmp_path / "p1", volume())
    series(tmp_path / "p2", volume(), rotated(AXIAL, (12, 0, 0)), study="2")
    one, other = read_scan(tmp_path / "p1"), read_scan(tmp_path / "p2")
    (path,) = write_mask(some(one), tmp_path / "out")
    with pytest.raises(InputError, match="the grid of its scan"):
        read_mask(path, other.grid)
    with pytest.raises(InputError, match="a mask as DICOM SEG"):
        read_mask(next((tmp_path / "p1").iterdir()))
    with pytest.raises(InputError, match="DICOM SEG"):
        read_mask(shipped("rtstruct.dcm"))
    with pytest.raises(InputError, match="the place of each of 1 frames"):
        read_mask(shipped("liver_1frame.dcm"))  # it was cut to one frame and describes three


@pytest.mark.parametrize("keyword", ["NumberOfFrames", "Rows"])
def test_a_seg_that_promises_too_much_is_refused(keyword: str, tmp_path: Path) -> None:
    series(tmp_path / "p1", volume())
    (path,) = write_mask(some(read_scan(tmp_path / "p1")), tmp_path)
    stored = pydicom.dcmread(path)
    setattr(stored, keyword, 60_000)
    stored.save_as(path)
    with pytest.raises(InputError):
        read_mask(path)


def test_a_mask_of_no_dicom_is_not_written_as_one(tmp_path: Path) -> None:
    grid = Grid((2, 3, 4), format="dicom")
    with pytest.raises(InputError, match="Write it as NIfTI"):
        write_mask(Mask(np.ones((2, 3, 4), bool), grid, "a"), tmp_path)
    assert list(tmp_path.iterdir()) == []


# --- the patient ------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [series, enhanced], ids=["series", "enhanced"])
def test_an_anonymised_seg_holds_nothing_of_the_patient(make: Any, tmp_path: Path) -> None:
    make(tmp_path / "p1" / "a.dcm" if make is enhanced else tmp_path / "p1", volume())
    scan = read_scan(tmp_path / "p1")
    mask = some(scan)
    (path,) = write_mask(replace(mask, grid=anonymised(scan.grid)), tmp_path / "out")
    content, stored = path.read_bytes(), pydicom.dcmread(path)
    for secret in (*SECRETS, "20200304"):
        assert secret.encode() not in content
    for element in stored.iterall():  # random UIDs may hold any six digits
        assert element.VR == "UI" or "101112" not in str(element.value)
    for file in (tmp_path / "p1").rglob("*.dcm"):
        source = pydicom.dcmread(file)
        for name in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "FrameOfReferenceUID"):
            assert getattr(source, name).encode() not in content
    assert stored.PatientIdentityRemoved == "YES"
    referred = stored.ReferencedSeriesSequence[0].ReferencedInstanceSequence
    assert len({item.ReferencedSOPInstanceUID for item in referred}) == (1 if make is enhanced else 6)
    np.testing.assert_array_equal(read_mask(path, scan.grid).voxels, mask.voxels)
    (again,) = write_mask(replace(mask, grid=anonymised(scan.grid)), tmp_path / "again")
    assert pydicom.dcmread(again).StudyInstanceUID != stored.StudyInstanceUID, "nothing leads back"


def test_descriptions_that_hold_the_patient_are_not_shown(tmp_path: Path) -> None:
    series(tmp_path / "p1", volume(), name="FLAIR mustermann")
    series(tmp_path / "p1", volume(), name="FLAIR again", SeriesNumber=5)
    with pytest.raises(InputError) as caught:
        read_scan(tmp_path / "p1")
    assert "mustermann" not in str(caught.value).casefold()


@pytest.mark.parametrize(
    "row", [row for row in DAMAGED if row.make.__module__ == "damaged_dicom"], ids=lambda row: row.name
)
def test_no_refusal_names_the_patient(row: Any, tmp_path: Path) -> None:
    _, *paths = row.make(tmp_path)
    sources, faults = find_scans(paths)
    for source in sources:
        try:
            source.read()
        except InputError as error:
            faults += error.faults
    text = "\n".join(map(str, faults))
    assert text
    for secret in SECRETS:
        assert secret not in text


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "glioseg", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_predict_from_a_study_to_seg_and_nifti(
    labelled: dict[str, tuple[Scan, Mask]], shipped_model: Path, tmp_path: Path
) -> None:
    scan, _ = next(iter(labelled.values()))
    for name, words in (("flair", "Ax T2 FLAIR"), ("post", "Ax T1 POST")):
        voxels = scan.channel(name)[4:12].transpose(2, 1, 0).astype(np.uint16)
        series(tmp_path / "p1" / name, voxels, rotated(AXIAL, (12, -8, 10)), name=words)
    options = ("--no-outlines", "--no-gif", "--threads", "1")
    done = run("predict", tmp_path / "p1", "-o", tmp_path / "out", "--anonymise", *options)
    assert done.returncode == 0, done.stderr
    assert "'Ax T2 FLAIR' as flair" in done.stdout
    assert "no pre, FLAIR instead" in done.stdout
    masks = tmp_path / "out" / "masks"
    assert sorted(path.name for path in masks.iterdir()) == ["p1_mask.dcm", "p1_mask.nii.gz"]
    grid = read_scan(tmp_path / "p1").grid
    lesion = read_mask(masks / "p1_mask.dcm", grid).voxels
    assert lesion.any()
    np.testing.assert_array_equal(read_mask(masks / "p1_mask.nii.gz", grid).voxels, lesion)
    for path in (tmp_path / "out").rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert not any(secret.encode() in content for secret in SECRETS), path
    record = json.loads((tmp_path / "out" / "scans" / "p1.json").read_text(encoding="utf-8"))
    assert record["filled"] == ["pre"]
    again = run("predict", tmp_path / "p1", "-o", tmp_path / "out", "--anonymise", *options)
    assert "done before" in again.stdout


# --- without the extra ------------------------------------------------------------------------


def test_without_the_extra_the_pip_line_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    series(tmp_path / "p1", volume())

    def missing() -> None:
        from glioseg.errors import require_extra

        require_extra("dicom", "a_module_that_is_not_there")

    monkeypatch.setattr(detect, "require_dicom", missing)
    monkeypatch.setattr("glioseg.io.sources.require_dicom", missing)
    monkeypatch.setattr("glioseg.io.dicom.reader.require_dicom", missing)
    with pytest.raises(InputError, match=r"pip install 'glioseg\[dicom\]'"):
        read_scan(tmp_path / "p1")
    with pytest.raises(InputError, match=r"pip install 'glioseg\[dicom\]'"):
        read_scan(flair=tmp_path / "p1")
    with pytest.raises(InputError, match=r"pip install 'glioseg\[dicom\]'"):
        read_mask(next((tmp_path / "p1").iterdir()))
    assert not detect.has_dicom()


def test_help_imports_nothing_of_dicom() -> None:
    code = (
        "import sys, glioseg, glioseg.cli; print([m for m in ('pydicom', 'highdicom') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

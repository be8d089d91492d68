"""DICOM SEG: frames that refer to images and lie where they lie, and no patient where none may be."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from support import dicom_kit
from support.damage_table import DAMAGED
from support.damaged_dicom import shipped
from support.dicom_kit import AXIAL, ORIENTATIONS, SECRETS, enhanced, rotated, series, some
from support.sound_scans import volume

from glioseg.errors import InputError
from glioseg.grid import Grid
from glioseg.io import (
    find_scans,
    read_scan,
    read_segmentation,
    write_segmentation,
)
from glioseg.scan import Scan, Segmentation, Storage


@pytest.mark.parametrize("make", [series, enhanced], ids=["series", "enhanced"])
def test_each_frame_refers_to_the_image_at_its_place(make: Any, tmp_path: Path) -> None:
    affine = rotated(AXIAL, (12, -8, 10))
    make(tmp_path / "p1" / "a.dcm" if make is enhanced else tmp_path / "p1", volume(), affine)
    scan = read_scan(tmp_path / "p1")
    (path,) = write_segmentation(some(scan), tmp_path / "out")
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
    (path,) = write_segmentation(
        scan.segmentation(np.zeros(scan.grid.shape, bool), id="p1"), tmp_path / "out"
    )
    assert not read_segmentation(path, scan).voxels.any()
    assert read_segmentation(path).grid.shape == scan.grid.shape


NAMES = {1: "oedema", 4: "core", 200: "cavity"}


def test_labels_keep_their_values(tmp_path: Path) -> None:
    series(tmp_path / "p1", volume(), ORIENTATIONS["coronal"])
    scan = read_scan(tmp_path / "p1")
    values = np.random.default_rng(0).choice([0, 1, 4, 200], scan.grid.shape).astype(np.uint8)
    (path,) = write_segmentation(scan.segmentation(values, NAMES), tmp_path / "out")
    np.testing.assert_array_equal(read_segmentation(path, scan, None).voxels, values)
    np.testing.assert_array_equal(read_segmentation(path, labels=NAMES).voxels, values)
    with pytest.raises(InputError):
        read_segmentation(path, scan, {1: "a", 4: "b"})
    with pytest.raises(InputError, match="3 values"):
        read_segmentation(path, scan)
    empty = scan.segmentation(np.zeros_like(values), NAMES, id="none")
    (path,) = write_segmentation(empty, tmp_path / "out")
    assert not read_segmentation(path, scan, None).voxels.any()


def test_a_seg_of_other_programs_is_placed(tmp_path: Path) -> None:
    """Frames in the other order, and empty ones left out."""
    series(tmp_path / "p1", volume((20, 24, 9)), rotated(AXIAL, (12, -8, 10)))
    scan = read_scan(tmp_path / "p1")
    voxels = np.zeros(scan.grid.shape, bool)
    voxels[2, 3:9, 4:7] = voxels[3, 5, 5] = voxels[6, 1:3, 2] = True
    (path,) = write_segmentation(scan.segmentation(voxels, id="p1"), tmp_path / "out")
    stored = pydicom.dcmread(path)
    pixels, groups = stored.pixel_array, list(stored.PerFrameFunctionalGroupsSequence)
    kept = [number for number in reversed(range(len(pixels))) if pixels[number].any()]
    stored.NumberOfFrames = len(kept)
    stored.PerFrameFunctionalGroupsSequence = [groups[number] for number in kept]
    bits = np.packbits(pixels[kept].reshape(-1), bitorder="little").tobytes()
    stored.PixelData = bits + bytes(len(bits) % 2)
    stored.save_as(tmp_path / "other.dcm")
    np.testing.assert_array_equal(read_segmentation(tmp_path / "other.dcm", scan).voxels, voxels)
    alone = read_segmentation(tmp_path / "other.dcm")
    assert alone.grid.shape == (5, *scan.grid.shape[1:])
    np.testing.assert_array_equal(alone.voxels, voxels[2:7])
    highest = max(kept, key=lambda at: groups[at].PlanePositionSequence[0].ImagePositionPatient[2])
    kept = [highest]
    stored.NumberOfFrames, stored.PerFrameFunctionalGroupsSequence = 1, [groups[kept[0]]]
    bits = np.packbits(pixels[kept].reshape(-1), bitorder="little").tobytes()
    stored.PixelData = bits + bytes(len(bits) % 2)
    stored.save_as(tmp_path / "one.dcm")
    voxels[:6] = False
    np.testing.assert_array_equal(read_segmentation(tmp_path / "one.dcm", scan).voxels, voxels)


@pytest.mark.parametrize("between", [None, "4.9", "100"])
def test_a_seg_of_slices_that_are_not_quite_even_is_read(between: str | None, tmp_path: Path) -> None:
    """The step in its header may be the mean step, one that is slightly wrong, or nonsense."""
    moved = (0, 0.3, 0, 0.25, 0, -0.25, 0) if between is None else (0,) * 7
    for path, aside in zip(series(tmp_path / "p1", volume((20, 24, 7))), moved, strict=True):
        dataset = pydicom.dcmread(path)
        dataset.ImagePositionPatient[2] += aside
        dataset.save_as(path)
    scan = read_scan(tmp_path / "p1")
    mask = some(scan)
    (path,) = write_segmentation(mask, tmp_path / "out")
    stored = pydicom.dcmread(path)
    measures = stored.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]
    measures.SpacingBetweenSlices = between or measures.SpacingBetweenSlices
    stored.save_as(path)
    np.testing.assert_array_equal(read_segmentation(path, scan).voxels, mask.voxels)
    assert read_segmentation(path).grid.lies_on(scan.grid)


def test_a_seg_of_another_scan_is_refused(tmp_path: Path) -> None:
    series(tmp_path / "p1", volume())
    series(tmp_path / "p2", volume(), rotated(AXIAL, (12, 0, 0)), study="2")
    one, other = read_scan(tmp_path / "p1"), read_scan(tmp_path / "p2")
    (path,) = write_segmentation(some(one), tmp_path / "out")
    with pytest.raises(InputError, match="the grid of its scan"):
        read_segmentation(path, other)
    with pytest.raises(InputError, match="a mask as DICOM SEG"):
        read_segmentation(next((tmp_path / "p1").iterdir()))
    with pytest.raises(InputError, match="DICOM SEG"):
        read_segmentation(shipped("rtstruct.dcm"))
    with pytest.raises(InputError, match="the place of each of 1 frames"):
        read_segmentation(shipped("liver_1frame.dcm"))  # it was cut to one frame and describes three


@pytest.mark.parametrize("keyword", ["NumberOfFrames", "Rows"])
def test_a_seg_that_promises_too_much_is_refused(keyword: str, tmp_path: Path) -> None:
    series(tmp_path / "p1", volume())
    (path,) = write_segmentation(some(read_scan(tmp_path / "p1")), tmp_path)
    stored = pydicom.dcmread(path)
    setattr(stored, keyword, 60_000)
    stored.save_as(path)
    with pytest.raises(InputError):
        read_segmentation(path)


def test_a_mask_of_no_dicom_is_not_written_as_one(tmp_path: Path) -> None:
    mask = Segmentation(np.ones((2, 3, 4), np.uint8), Grid((2, 3, 4)), "a", storage=Storage("dicom"))
    with pytest.raises(InputError, match="Write it as NIfTI"):
        write_segmentation(mask, tmp_path)
    assert list(tmp_path.iterdir()) == []


# --- the patient ------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [series, enhanced], ids=["series", "enhanced"])
def test_an_anonymised_seg_holds_nothing_of_the_patient(make: Any, tmp_path: Path) -> None:
    make(tmp_path / "p1" / "a.dcm" if make is enhanced else tmp_path / "p1", volume())
    scan = read_scan(tmp_path / "p1")
    mask = some(scan)
    (path,) = write_segmentation(mask, tmp_path / "out", anonymise=True)
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
    np.testing.assert_array_equal(read_segmentation(path, scan).voxels, mask.voxels)
    (again,) = write_segmentation(mask, tmp_path / "again", anonymise=True)
    assert pydicom.dcmread(again).StudyInstanceUID != stored.StudyInstanceUID, "nothing leads back"


def test_a_size_of_the_patient_that_is_no_number_is_left_out(tmp_path: Path) -> None:
    for path in series(tmp_path / "p1", volume(), PatientSize="1.75", PatientWeight="1234"):
        path.write_bytes(path.read_bytes().replace(b"1.75", b"1,75").replace(b"1234", b"X   "))
    scan = read_scan(tmp_path / "p1")
    (path,) = write_segmentation(some(scan), tmp_path / "out")
    stored = pydicom.dcmread(path)
    assert "PatientSize" not in stored
    assert "PatientWeight" not in stored
    series(tmp_path / "p2", volume(), PatientSize="1.75", PatientWeight="70")
    (path,) = write_segmentation(some(read_scan(tmp_path / "p2")), tmp_path / "out")
    assert (pydicom.dcmread(path).PatientSize, pydicom.dcmread(path).PatientWeight) == (1.75, 70)


def test_descriptions_that_hold_the_patient_are_not_shown(tmp_path: Path) -> None:
    series(tmp_path / "p1", volume(), name="FLAIR mustermann")
    series(tmp_path / "p1", volume(), name="FLAIR again", SeriesNumber=5)
    with pytest.raises(InputError) as caught:
        read_scan(tmp_path / "p1")
    assert "mustermann" not in str(caught.value).casefold()


@pytest.mark.parametrize(
    "row",
    [row for row in DAMAGED if row.make.__module__ == "support.damaged_dicom"],
    ids=lambda row: row.name,
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
    labelled: dict[str, tuple[Scan, Segmentation]], shipped_model: Path, tmp_path: Path
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
    names = ["p1_mask.dcm", "p1_mask.nii.gz", "p1_measurements.dcm"]
    assert sorted(path.name for path in masks.iterdir()) == names
    again = read_scan(tmp_path / "p1")
    lesion = read_segmentation(masks / "p1_mask.dcm", again).voxels
    assert lesion.any()
    np.testing.assert_array_equal(read_segmentation(masks / "p1_mask.nii.gz", again).voxels, lesion)
    for path in (tmp_path / "out").rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert not any(secret.encode() in content for secret in SECRETS), path
    record = json.loads((tmp_path / "out" / "scans" / "p1.json").read_text(encoding="utf-8"))
    assert record["filled"] == ["pre"]
    again = run("predict", tmp_path / "p1", "-o", tmp_path / "out", "--anonymise", *options)
    assert "done before" in again.stdout

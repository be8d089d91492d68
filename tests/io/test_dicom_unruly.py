"""DICOM as faulty programs write it: UIDs that repeat, bits beside the values, missing attributes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

pydicom = pytest.importorskip("pydicom")
pytest.importorskip("highdicom")

from support.dicom_kit import AXIAL, rotated, series, some, uid  # noqa: E402

from glioseg.errors import InputError  # noqa: E402
from glioseg.io import find_scans, read_scan, read_segmentation, write_segmentation  # noqa: E402
from glioseg.scan import Scan  # noqa: E402
from glioseg.words import said  # noqa: E402


def volume(seed: int = 0, slices: int = 6, most: int = 4000) -> np.ndarray:
    return np.random.default_rng(seed).integers(1, most, (11, 9, slices)).astype(np.uint16)


def changed(paths: list[Path], change: Callable[[pydicom.Dataset, int], None]) -> None:
    """Write each file anew with something changed; files are counted in the order of their slices."""
    for number, path in enumerate(paths):
        dataset = pydicom.dcmread(path)
        change(dataset, number)
        dataset.save_as(path)


def sound(folder: Path, voxels: np.ndarray) -> Scan:
    series(folder, voxels)
    return read_scan(folder)


def check_same(folder: Path, expected: Scan, tmp_path: Path) -> None:
    """The scan reads as the sound one, and a mask of it comes back from its SEG."""
    scan = read_scan(folder)
    np.testing.assert_array_equal(scan.channel("flair"), expected.channel("flair"))
    np.testing.assert_allclose(scan.grid.affine, expected.grid.affine)
    mask = some(scan)
    (path,) = write_segmentation(mask, tmp_path / "out")
    np.testing.assert_array_equal(read_segmentation(path, scan).voxels, mask.voxels)


@pytest.mark.parametrize("same", [range(6), (0, 5), (2, 3, 4)], ids=["all", "first and last", "three"])
def test_images_of_one_uid_at_different_places_are_different_images(same: object, tmp_path: Path) -> None:
    expected = sound(tmp_path / "sound", volume())
    paths = series(tmp_path / "p1", volume())

    def change(dataset: pydicom.Dataset, number: int) -> None:
        if number in same:  # type: ignore[operator]
            dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = uid("one")

    changed(paths, change)
    check_same(tmp_path / "p1", expected, tmp_path)


def test_a_file_that_is_there_twice_counts_once(tmp_path: Path) -> None:
    paths = series(tmp_path / "p1" / "a", volume())
    (tmp_path / "p1" / "b").mkdir()
    (tmp_path / "p1" / "b" / "copy.dcm").write_bytes(paths[2].read_bytes())
    assert len(read_scan(tmp_path / "p1").voxels) == 6


@pytest.mark.parametrize("first", ["AX FLAIR", "AX T1"])
def test_uids_may_begin_anew_in_each_series(first: str, tmp_path: Path) -> None:
    names = sorted(["AX FLAIR", "AX T1"], key=lambda name: name != first)
    for place, name in enumerate(names):
        paths = series(tmp_path / "p1" / f"{place}", volume(len(name)), name=name)
        changed(paths, lambda dataset, number: setattr(dataset, "SOPInstanceUID", uid("image", number)))
    scan = read_scan(tmp_path / "p1")
    assert scan.filled == ("post",)
    np.testing.assert_array_equal(np.sort(scan.channel("pre").ravel()), np.sort(volume(5).ravel()))


@pytest.mark.parametrize("shared", ["", uid("all series")], ids=["blank", "shared"])
@pytest.mark.parametrize("above", [0.0, 2.5], ids=["at the same places", "between"])
def test_series_of_one_uid_are_told_apart_by_number_and_description(
    shared: str, above: float, tmp_path: Path
) -> None:
    flair, t1 = volume(), volume(1)
    moved = AXIAL.copy()
    moved[2, 3] += above
    for name, voxels, affine in (("AX FLAIR", flair, AXIAL), ("AX T1", t1, moved)):
        paths = series(tmp_path / "p1" / name[3:], voxels, affine, name=name)
        changed(paths, lambda dataset, _: setattr(dataset, "SeriesInstanceUID", shared))
    expected = sound(tmp_path / "sound", flair)
    scan = read_scan(tmp_path / "p1")
    np.testing.assert_array_equal(scan.channel("flair"), expected.channel("flair"))
    assert "pre" not in scan.filled


def test_each_patient_of_a_study_is_a_scan_of_its_own(tmp_path: Path) -> None:
    for patient in ("A", "B"):
        for name in ("AX FLAIR", "AX T1"):
            values = {"PatientID": patient, "SeriesInstanceUID": uid(patient, name)}
            paths = series(tmp_path / "all" / patient, volume(), name=name, **values)
            changed(
                paths,
                lambda dataset, number, values=values: setattr(
                    dataset, "SOPInstanceUID", uid(number, *values.values())
                ),
            )
    sources, faults = find_scans([tmp_path / "all"])
    assert faults == []
    assert [source.id for source in sources] == ["A", "B"]
    for source in sources:
        assert {path.parent.name for path in source.files} == {source.id}


def test_images_with_uids_of_their_own_are_one_scan_and_it_is_said(tmp_path: Path) -> None:
    expected = sound(tmp_path / "sound", volume())
    paths = series(tmp_path / "p1", volume())

    def change(dataset: pydicom.Dataset, number: int) -> None:
        dataset.StudyInstanceUID, dataset.SeriesInstanceUID = uid("study", number), uid("series", number)

    changed(paths, change)
    (source,), faults = find_scans([tmp_path / "p1"])
    assert faults == []
    assert "each image names a study of its own" in str(source)
    check_same(tmp_path / "p1", expected, tmp_path)


@pytest.mark.parametrize(("stored", "high"), [(12, 15), (12, 13), (12, 11), (16, 15)])
@pytest.mark.parametrize("signed", [False, True])
def test_values_are_taken_from_the_bits_that_the_header_names(
    stored: int, high: int, signed: bool, tmp_path: Path
) -> None:
    """Bits beside them hold something else, such as an overlay."""
    values = volume(most=2000).astype(np.int32) - (1000 if signed else 0)
    shift = high + 1 - stored
    rest = 0xFFFF ^ (((1 << stored) - 1) << shift)
    noise = np.random.default_rng(3).integers(0, 1 << 16, values.shape) & rest
    words = ((values & ((1 << stored) - 1)) << shift | noise).astype(np.uint16)
    paths = series(tmp_path / "p1", words)

    def change(dataset: pydicom.Dataset, number: int) -> None:
        dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = stored, high, int(signed)

    changed(paths, change)
    expected = sound(tmp_path / "sound", values.astype(np.int16))
    np.testing.assert_array_equal(read_scan(tmp_path / "p1").channel("flair"), expected.channel("flair"))


def test_padding_is_background(tmp_path: Path) -> None:
    voxels = volume(most=500)
    padded = voxels.copy()
    padded[:3] = 65535
    series(tmp_path / "p1", padded, PixelPaddingValue=65535)
    found = read_scan(tmp_path / "p1").channel("flair")
    assert found.max() < 500
    assert (found == 0).sum() == 3 * 9 * 6
    series(tmp_path / "p2", padded)  # no header says that 65535 is none
    assert read_scan(tmp_path / "p2").channel("flair").max() == 65535


@pytest.mark.parametrize(
    "words",
    [
        ("SamplesPerPixel", "PhotometricInterpretation"),
        ("BitsStored", "HighBit"),
        ("PixelRepresentation",),
    ],
)
def test_missing_attributes_have_the_values_of_grey_images(words: tuple[str, ...], tmp_path: Path) -> None:
    expected = sound(tmp_path / "sound", volume())
    paths = series(tmp_path / "p1", volume())

    def change(dataset: pydicom.Dataset, number: int) -> None:
        for word in words:
            delattr(dataset, word)

    changed(paths, change)
    check_same(tmp_path / "p1", expected, tmp_path)


@pytest.mark.parametrize("meta", [False, True], ids=["nothing before the header", "no TransferSyntaxUID"])
@pytest.mark.parametrize("implicit", [False, True], ids=["explicit", "implicit"])
def test_files_need_not_say_how_they_are_encoded(meta: bool, implicit: bool, tmp_path: Path) -> None:
    expected = sound(tmp_path / "sound", volume())
    for path in series(tmp_path / "p1", volume()):
        dataset = pydicom.dcmread(path)
        plain = pydicom.Dataset(dataset)
        if meta:
            plain.file_meta = pydicom.dataset.FileMetaDataset()
            plain.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
            plain.preamble = b"\0" * 128
        plain.save_as(path, implicit_vr=implicit, little_endian=True, enforce_file_format=False)
    check_same(tmp_path / "p1", expected, tmp_path)


def test_pixels_may_be_floating_point(tmp_path: Path) -> None:
    expected = sound(tmp_path / "sound", volume())
    paths = series(tmp_path / "p1", volume())

    def change(dataset: pydicom.Dataset, number: int) -> None:
        values = np.frombuffer(dataset.PixelData, np.uint16).astype(np.float32)
        del dataset.PixelData, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation
        dataset.BitsAllocated, dataset.FloatPixelData = 32, values.tobytes()

    changed(paths, change)
    check_same(tmp_path / "p1", expected, tmp_path)


def test_images_computed_of_the_others_are_left_aside(tmp_path: Path) -> None:
    expected = sound(tmp_path / "sound", volume())
    series(tmp_path / "p1", volume())
    away = AXIAL.copy()
    away[2, 3] += 97
    shared = {"SeriesInstanceUID": uid("series", "1", "AX FLAIR"), "SeriesDescription": "AX FLAIR"}
    derived = {"ImageType": ["DERIVED", "PRIMARY", "PROJECTION IMAGE"], "SeriesNumber": 8}
    series(tmp_path / "p1", volume(9, slices=1), away, name="MIP", **shared, **derived)
    (source,), faults = find_scans([tmp_path / "p1"])
    assert faults == []
    assert "left aside: series 8 'AX FLAIR' (DERIVED)" in str(source)
    check_same(tmp_path / "p1", expected, tmp_path)


def test_a_mosaic_is_refused_by_name(tmp_path: Path) -> None:
    series(tmp_path / "p1", volume(slices=1), ImageType=["ORIGINAL", "PRIMARY", "M", "MOSAIC"])
    with pytest.raises(InputError, match="mosaic"):
        read_scan(tmp_path / "p1")


def test_pixel_spacings_of_one_series_may_be_rounded_differently(tmp_path: Path) -> None:
    expected = sound(tmp_path / "sound", volume())
    paths = series(tmp_path / "p1", volume())

    def change(dataset: pydicom.Dataset, number: int) -> None:
        if number % 2:
            dataset.PixelSpacing = [1.002, 1.002]

    changed(paths, change)
    scan = read_scan(tmp_path / "p1")
    np.testing.assert_array_equal(scan.channel("flair"), expected.channel("flair"))


@pytest.mark.parametrize(
    "half", [lambda number: number % 2, lambda number: number // 3], ids=["every other", "top"]
)
def test_two_halves_of_a_volume_are_one_series(half: Callable[[int], int], tmp_path: Path) -> None:
    expected = sound(tmp_path / "sound", volume())
    paths = series(tmp_path / "p1", volume())

    def change(dataset: pydicom.Dataset, number: int) -> None:
        dataset.SeriesInstanceUID = uid("half", half(number))

    changed(paths, change)
    check_same(tmp_path / "p1", expected, tmp_path)


def test_two_acquisitions_of_one_volume_are_not_joined(tmp_path: Path) -> None:
    """Slices of 5 mm every 5 mm, and again between them: nobody can tell which one is meant."""
    moved = AXIAL.copy()
    moved[2, 3] += 2.5
    for place, affine in enumerate((AXIAL, moved)):
        series(tmp_path / "p1" / f"{place}", volume(place), affine, SeriesInstanceUID=uid("series", place))
    with pytest.raises(InputError, match="expected one flair series"):
        read_scan(tmp_path / "p1")


def test_a_t1_that_cannot_be_used_is_left_out_and_said(tmp_path: Path) -> None:
    away = AXIAL.copy()
    away[:3, 3] += 500
    turned = rotated(AXIAL, (5, 0, 0))
    for case, note, words in (
        ("elsewhere", "left_out_elsewhere", "covers 0% of FLAIR"),
        ("moved", "left_out_moved", "frame of reference"),
        ("missing slice", "left_out_unread", "missing slice"),
    ):
        folder = tmp_path / case
        series(folder, volume())
        other = {"FrameOfReferenceUID": uid("moved")} if case == "moved" else {}
        affine = {"elsewhere": away, "moved": turned}.get(case, AXIAL)
        files = series(folder, volume(), affine, name="AX T1", **other)
        if case == "missing slice":
            files[2].unlink()
        (source,), faults = find_scans([folder])
        assert not faults
        scan = source.read()
        assert scan.notes == (note,)
        assert scan.filled == ("pre", "post")
        assert "AX T1" in said(scan.notes[0])
        assert words in said(scan.notes[0])

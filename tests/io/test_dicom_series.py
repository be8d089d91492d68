"""DICOM: which series is which, by words, by parameters, or because a person says so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pydicom
import pytest
from support import dicom_kit
from support.dicom_kit import AXIAL, ORIENTATIONS, series
from support.sound_scans import volume

from glioseg.errors import InputError
from glioseg.io import (
    find_scans,
    read_scan,
)
from glioseg.io.dicom.find import parse_series
from glioseg.io.dicom.headers import read_frames
from glioseg.io.dicom.match import sequence_of
from glioseg.io.dicom.series import Series, find_series

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

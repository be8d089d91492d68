"""One table of words for file names and DICOM: the same name means the same sequence in both."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import dicom_kit
from support.sound_scans import volume

from glioseg.io import names
from glioseg.io.dicom.headers import read_frames
from glioseg.io.dicom.match import sequence_of
from glioseg.io.dicom.series import Series
from glioseg.io.vocabulary import named, without_sequence

MEANS: dict[str, tuple[str, ...]] = {
    "flair": (
        "FLAIR", "AX T2 FLAIR", "t2_flair", "T2-FLAIR", "t2f", "p1-t2f", "3DFLAIR", "Sag 3D FLAIR Cube",
        "dark-fluid", "dark fluid", "t2_tirm_tra_dark-fluid_4mm", "AX_FLAIR_POST", "flair_to_t1",
        "patient_b10_flair", "1_FLAIR", "FLAIR_2", "Locke_FLAIR", "sub_01_FLAIR", "phase1_FLAIR",
    ),
    "pre": (
        "T1", "T1w", "t1n", "AX_T1_without_contrast", "t1_noncon", "T1 non-contrast", "AX T1 w-o", "T1 wo Gd",
        "AX T1 -C", "T1 SE pre Gd", "T1_pre_contrast", "noncontrastT1", "MPRAGE", "SPGR", "FSPGR 3D", "BRAVO",
        "MP2RAGE", "t1_mpr_tra_p2_iso", "T1 FLAIR", "p1_pre", "native", "T1 post-op", "3DT1", "axT1",
        "T1_1mm",
    ),
    "post": (
        "T1_+C", "T1+C", "t1c", "t1ce", "t1gd", "t1post", "p1-t1c", "ce-gadolinium_T1w", "AX C+ T1", "T1_C+",
        "AX T1 +C FS", "MPRAGE POST", "3D BRAVO Gd", "t1_se_tra_KM", "T1WKS", "T1wCE", "cT1", "ceT1w",
        "T1_wo_fs_Gd",
        "postContrastT1", "AX POST CONTRAST", "AX T1 FLAIR +C", "T1 preop Gd", "contrast-enhanced T1",
    ),
    "other": (
        "localizer", "scout", "3-plane", "3-plane localizer", "AAHead_Scout", "survey", "T2", "t2w",
        "AX T2 TSE", "T2_post", "T2star", "DWI b1000", "ADC", "ep2d_diff_3scan_trace_ADC", "dti",
        "SWI_Images", "swan", "T1map", "T1 map", "B0 map", "TOF MRA", "PD axial", "perfusion", "CBV", "MIP",
        "T1 SUB", "STIR", "asl",
    ),
}  # fmt: skip
UNKNOWN = ("brain", "Flaird_Smith", "scan 12", "T12", "b10", "W WO CONTRAST", "Postma", "head without")


def test_a_name_means_the_same_as_a_file_and_as_a_series(tmp_path: Path) -> None:
    expected: dict[str, str | None] = {name: what for what, those in MEANS.items() for name in those}
    expected.update(dict.fromkeys(UNKNOWN))
    assert len(expected) >= 40
    as_file = {name: names.sequence_of(Path(f"{name}.nii.gz")) for name in expected}
    assert as_file == expected
    as_series = {}
    for number, name in enumerate(expected):
        (path,) = dicom_kit.series(tmp_path / str(number), volume((8, 8, 1)), name=name)
        as_series[name] = sequence_of(Series(tuple(read_frames(path)[0])))
    assert as_series == expected


@given(
    st.sampled_from([(name, what) for what, those in MEANS.items() for name in those]),
    st.sampled_from(["{}", "p7_{}", "{}_3", "case-004_{}", "20200101.{}", "brain {}"]),
    st.sampled_from([str.upper, str.lower, str.title]),
)
def test_what_stands_around_the_words_changes_nothing(
    case: tuple[str, str], around: str, capitals: object
) -> None:
    name, what = case
    assert callable(capitals)
    assert named(around.format(capitals(name))).sequence == what


def test_contrast_is_unsaid_where_no_word_says_it() -> None:
    assert named("MPRAGE").contrast is None
    assert named("T1 W WO contrast").contrast is None
    assert named("T1 w/o contrast").contrast is False
    assert named("T1 post").contrast is True
    assert named("localizer").kind == "localizer"


@pytest.mark.parametrize(
    ("name", "rest", "loosely"),
    [
        ("BraTS_001_t1ce", "BraTS_001", "BraTS_001"),
        ("sub-01_ce-gadolinium_T1w", "sub-01", "sub-01"),
        ("AX_T1_without_contrast", "AX", ""),
        ("Head_AX_T1_POST_20200101101010_8", "Head_AX_20200101101010_8", "Head_20200101101010"),
        ("3_t2_tirm_tra_dark-fluid", "3_tra", ""),
        ("FLAIR", "", ""),
        ("Flaird_Smith", "Flaird_Smith", "Flaird_Smith"),
        ("p1.T1+C", "p1", "p1"),
    ],
)
def test_what_is_left_names_the_scan(name: str, rest: str, loosely: str) -> None:
    assert without_sequence(name) == rest
    assert without_sequence(name, loosely=True) == loosely


@pytest.mark.parametrize("stem", ["W39_Segm", "sub-01_space-T1w_dseg", "roi", "case_groundtruth", "x_seg_2"])
def test_masks_by_the_words_of_data_sets(stem: str) -> None:
    assert names.is_mask(Path(f"{stem}.nii.gz"))

"""T2 is left aside, unless a network asks for it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.dicom_kit import series
from support.layouts_kit import LAYOUTS, Layout, pieces

from glioseg.io import find_scans, read_scan
from glioseg.io.vocabulary import is_t2
from glioseg.scan import CHANNELS, SEQUENCES

WITH_T2 = {
    name: layout
    for name, layout in LAYOUTS.items()
    if "post" in layout.sequences and layout.name != "kaggle_3m"  # which has three sequences alone
}


@pytest.mark.parametrize("layout", WITH_T2.values(), ids=WITH_T2)
def test_t2_is_read_of_every_layout_that_has_it_when_it_is_asked_for(layout: Layout, tmp_path: Path) -> None:
    (piece,) = pieces(1)
    layout.make(tmp_path, [piece])
    (source,), faults = find_scans([tmp_path])
    assert faults == []
    assert source.read().channels == CHANNELS
    scan = source.with_sequences(["flair", "t2"]).read()
    assert scan.channels == SEQUENCES
    assert scan.filled == ()
    np.testing.assert_array_equal(scan.channel("t2"), piece.sequences["t2"])
    np.testing.assert_array_equal(scan.voxels[..., :3], source.read().voxels)
    assert source.with_sequences(["flair", "post"]).read().channels == CHANNELS


def test_flair_stands_in_for_a_t2_that_is_not_there(tmp_path: Path) -> None:
    (piece,) = pieces(1)
    LAYOUTS["wmh"].make(tmp_path, [piece])
    (source,), _ = find_scans([tmp_path])
    scan = source.with_sequences(SEQUENCES).read()
    assert (scan.channels, scan.filled) == (SEQUENCES, ("post", "t2"))
    np.testing.assert_array_equal(scan.channel("t2"), scan.channel("flair"))


def test_one_of_several_t2_is_not_guessed(tmp_path: Path) -> None:
    (piece,) = pieces(1)
    LAYOUTS["brats_2020"].make(tmp_path, [piece])
    file = next(tmp_path.rglob("*_t2.nii.gz"))
    file.with_name(file.name.replace("_t2", "_t2_fs")).write_bytes(file.read_bytes())
    (source,), _ = find_scans([tmp_path])
    assert source.with_sequences(["t2"]).read().filled == ("t2",)


def test_t2_of_a_study_in_dicom(tmp_path: Path) -> None:
    (piece,) = pieces(1)
    images = {
        "AX FLAIR": piece.voxels[..., 1],
        "AX T2 TSE": piece.sequences["t2"],
        "AX T2*": piece.voxels[..., 0],
    }
    for number, (name, voxels) in enumerate(images.items()):
        series(tmp_path / str(number), voxels.T.astype(np.uint16), name=name)
    (source,), faults = find_scans([tmp_path])
    assert faults == []
    assert source.read().channels == CHANNELS
    scan = source.with_sequences(SEQUENCES).read()
    assert scan.filled == ("pre", "post")
    np.testing.assert_array_equal(scan.channel("t2"), piece.sequences["t2"])


def test_t2_of_a_file_of_its_own(tmp_path: Path) -> None:
    (piece,) = pieces(1)
    LAYOUTS["brats_2023"].make(tmp_path, [piece])
    flair, second = (next(tmp_path.rglob(f"*-{name}.nii.gz")) for name in ("t2f", "t2w"))
    scan = read_scan(flair=flair, t2=second)
    assert (scan.channels, scan.filled) == (SEQUENCES, ("pre", "post"))
    np.testing.assert_array_equal(scan.channel("t2"), piece.sequences["t2"])


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("AX T2", True),
        ("t2w", True),
        ("T2_TSE_tra", True),
        ("T2w_SPACE", True),
        ("T2 FLAIR", False),
        ("t2f", False),
        ("T2*", False),
        ("t2_star_gre", False),
        ("T1 post", False),
    ],
)
def test_words_for_t2(name: str, said: bool) -> None:
    assert is_t2(name) is said

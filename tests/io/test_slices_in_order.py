"""Folders of slices named otherwise than ``scan_12``, with missing slices, or with other pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.sound_scans import mask_of, save, slice_rgb

from glioseg.dataset.check import check
from glioseg.io import find_scans, read_scan, read_segmentation, write_segmentation
from glioseg.results.record import origin_of

WAYS = {
    "brackets": [f"scan ({number}).png" for number in range(1, 13)],
    "places": [f"z_{-29.5 + 5 * number}.png" for number in range(12)],
    "in front": [f"{number:02}_axial.png" for number in range(1, 13)],
}


@pytest.mark.parametrize("way", WAYS)
def test_one_scan_in_the_order_of_its_numbers(way: str, tmp_path: Path) -> None:
    names = WAYS[way]
    for number, name in enumerate(names):
        save(tmp_path / "data" / "p" / name, slice_rgb(number, 16))
        save(tmp_path / "data" / "p" / f"{name.removesuffix('.png')}_mask.png", mask_of(number, 16))
    (source,), faults = find_scans([tmp_path / "data"])
    assert faults == []
    assert source.id == "p"
    assert [file.name for file in source.files] == names
    assert source.slice_numbers == tuple(range(1, 13))
    assert source.note == f"12 slices in the order from {names[0]} to {names[-1]}"
    scan = source.read()
    np.testing.assert_array_equal(scan.voxels, [slice_rgb(number, 16) for number in range(12)])
    np.testing.assert_array_equal(read_scan(tmp_path / "data" / "p").voxels, scan.voxels)
    truth = source.read_truth(scan)
    assert truth is not None
    np.testing.assert_array_equal(truth.mask, [mask_of(number, 16) > 0 for number in range(12)])
    written = write_segmentation(truth, tmp_path / "out")
    np.testing.assert_array_equal(read_segmentation(tmp_path / "out" / "p").mask, truth.mask)
    assert [path.name for path in written] == [f"{name.removesuffix('.png')}_mask.png" for name in names]
    census = check(tmp_path / "data")
    assert census.faults == ()
    assert census.patients == 1


def test_where_a_scan_comes_from_stays_the_same_when_a_slice_is_added(tmp_path: Path) -> None:
    for names in WAYS.values():
        folder = tmp_path / names[0]
        for name in names[1:]:
            save(folder / name, slice_rgb(size=8))
        before = origin_of(find_scans([folder])[0][0])
        save(folder / names[0], slice_rgb(size=8))
        assert origin_of(find_scans([folder])[0][0]) == before


def test_slices_that_are_missing_are_said_and_the_rest_is_read(tmp_path: Path) -> None:
    for number in (1, 2, 4, 5, 9):
        save(tmp_path / "all" / "p" / f"p_{number}.png", slice_rgb(number))
        save(tmp_path / "all" / "p" / f"p_{number}_mask.png", mask_of(number))
    (source,), faults = find_scans([tmp_path / "all"])
    assert faults == []
    assert str(source) == "p: 5 slices from p_1.png to p_9.png, among which are missing: 3, 6, 7, 8"
    scan = source.read()
    assert scan.notes == ("missing_slices",)
    assert scan.grid.slice_numbers == (1, 2, 4, 5, 9)
    (fault,) = check(tmp_path / "all").faults
    assert fault.code == "dataset.gaps"
    assert "3, 6, 7, 8" in fault.text()
    (tmp_path / "all" / "p").rename(tmp_path / "all" / "q")  # a layout in which slices may be chosen
    census = check(tmp_path / "all")
    assert census.faults == ()
    assert any("missing: 3, 6, 7, 8" in note for note in census.notes)


def test_every_second_slice_is_a_choice_and_nothing_is_missing(tmp_path: Path) -> None:
    for number in (10, 12, 14, 16):
        save(tmp_path / "p" / f"p_{number}.png", slice_rgb(number))
    (source,), _ = find_scans([tmp_path / "p"])
    assert source.note == ""
    assert source.read().notes == ()


def test_a_single_picture_among_slices_is_said(tmp_path: Path) -> None:
    for number in range(1, 6):
        save(tmp_path / "p" / f"p_{number}.png", slice_rgb(number))
    save(tmp_path / "p" / "overview.png", slice_rgb())
    sources, faults = find_scans([tmp_path / "p"])
    assert faults == []
    assert {source.id: len(source.files) for source in sources} == {"p": 5, "overview": 1}
    (single,) = [source for source in sources if source.id == "overview"]
    assert str(single).endswith("overview.png: a picture of its own beside the slices of p")
    for name in ("left", "right", "top", "low", "axial", "coronal"):  # most are single: nothing is astray
        save(tmp_path / "p" / f"{name}.png", slice_rgb())
    assert not any(source.note for source in find_scans([tmp_path / "p"])[0])


def test_pictures_whose_numbers_are_ids_or_dates_stay_scans_of_their_own(tmp_path: Path) -> None:
    for name in ("3_axial", "71_axial", "140_axial", "20190105_axial", "a_2019-01-05", "a_2020-02-07"):
        save(tmp_path / "all" / f"{name}.png", slice_rgb(size=8))
    sources, faults = find_scans([tmp_path / "all"])
    assert faults == []
    assert len(sources) == 6

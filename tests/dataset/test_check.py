"""The census, and that a data set's faults come all at once (each kind is in test_damaged_input)."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.layouts_kit import brats_2020, pieces
from support.sound_scans import labelled, mask_of, patient, save, slice_rgb
from typer.testing import CliRunner

from glioseg.cli import app
from glioseg.dataset.check import check
from glioseg.errors import FEW, Fault, InputError, shared
from glioseg.recipe import Labels


def test_census_of_a_sound_data_set(tmp_path: Path) -> None:
    data = labelled(tmp_path)
    seen: list[tuple[int, int]] = []
    census = check(data, progress=lambda done, total: seen.append((done, total)))
    assert census.faults == ()
    assert (census.patients, census.slices) == (2, 8)
    masks = [mask_of(number) for number in (1, 2, 3, 4)] * 2
    assert census.lesion_slices == sum(bool(mask.any()) for mask in masks)
    assert census.lesion_voxels == sum(int((mask > 0).sum()) for mask in masks)
    assert census.sites == {"CS": 1, "DU": 1}
    assert census.kinds == {"32 x 32 RGB uint8": 2}
    assert census.missing == {"post": (), "pre": ()}
    assert seen == [(1, 2), (2, 2)]
    assert census.summary().splitlines() == [
        f"{data}: 2 patients, 8 slices (4 a patient)",
        "layout: kaggle_3m (a folder for each patient, with slices and their masks (_mask), as in kaggle_3m)",
        "images: 32 x 32 RGB uint8",
        f"lesion: {census.lesion_slices} slices (75%), {census.lesion_voxels} voxels",
        "sites: CS 1, DU 1",
        "no fault",
    ]


def test_sequences_that_were_filled_in_are_counted(tmp_path: Path) -> None:
    for id, order in {"a": [0, 1, 2], "b": [0, 1, 1], "c": [1, 1, 1]}.items():
        for number in (1, 2):
            pixels = slice_rgb(number + ord(id))[..., order]
            save(tmp_path / id / f"{id}_{number}.tif", pixels)
            save(tmp_path / id / f"{id}_{number}_mask.tif", np.zeros((32, 32), np.uint8))
    census = check(tmp_path)
    assert census.missing == {"post": ("b", "c"), "pre": ("c",)}
    assert census.without_lesion == ("a", "b", "c")
    assert "no post sequence of their own (it equals FLAIR): 2 patients" in census.summary()
    assert "3 patients without" in census.summary()


def test_one_differing_voxel_is_a_sequence_of_its_own(tmp_path: Path) -> None:
    for number in (1, 2, 3):
        pixels = slice_rgb(number)[..., [1, 1, 1]]
        pixels[0, 0, 2] ^= number == 3
        save(tmp_path / "a" / f"a_{number}.tif", pixels)
        save(tmp_path / "a" / f"a_{number}_mask.tif", mask_of())
    assert check(tmp_path).missing == {"post": (), "pre": ("a",)}


def test_faults_of_every_file_come_in_one_pass(tmp_path: Path) -> None:
    data = labelled(tmp_path)
    first, second = sorted(data.iterdir())
    (first / f"{first.name}_1.tif").write_bytes(b"")
    (first / f"{first.name}_2.tif").write_text("nothing", encoding="utf-8")
    save(first / f"{first.name}_3_mask.tif", np.full((32, 32), 7, np.uint8))
    save(second / f"{second.name}_1_mask.tif", mask_of(1, 20))
    save(second / f"{second.name}_4.tif", slice_rgb(4)[..., 0])
    (second / f"{second.name}_2_mask.tif").unlink()
    (data / "empty").mkdir()
    census = check(data)
    assert len(census.faults) == 7
    assert len({str(fault.where) for fault in census.faults}) == 7
    assert census.summary().endswith("7 faults")
    assert census.patients == 2


def test_a_scan_without_anything_in_it_is_a_fault(tmp_path: Path) -> None:
    piece, other = pieces(2)
    black = replace(piece, voxels=np.zeros_like(piece.voxels), lacks=("pre", "post", "t2"))
    brats_2020(tmp_path, [black, other])
    (fault,) = check(tmp_path, labels=Labels(lesion=(1, 2, 4))).faults
    assert "FLAIR has the same value everywhere" in str(fault)
    assert piece.id in str(fault.where)


def test_a_patient_under_two_names_with_other_numbers(tmp_path: Path) -> None:
    """Half of the slices suffice, in any order; an all-black slice is nobody's."""
    patient(tmp_path, "a", 6)
    for number, same in enumerate((5, 2, 4), 1):
        save(tmp_path / "b" / f"b_{number}.tif", slice_rgb(same))
        save(tmp_path / "b" / f"b_{number}_mask.tif", mask_of())
    for id in ("c", "d"):
        for number in (1, 2, 3, 4):
            pixels = slice_rgb(ord(id) + number) if number == 1 else np.zeros((32, 32, 3), np.uint8)
            save(tmp_path / id / f"{id}_{number}.tif", pixels)
            save(tmp_path / id / f"{id}_{number}_mask.tif", mask_of())
    (fault,) = check(tmp_path).faults
    assert Path(fault.where).name == "b"
    assert "3 slices that are those of a" in fault.found


def test_patients_alike_but_not_the_same(tmp_path: Path) -> None:
    """One pixel between the rows that are looked at first tells two patients apart."""
    patient(tmp_path, "a", 3)
    for number in (1, 2, 3):
        pixels = slice_rgb(number)
        pixels[3, 3, 0] ^= 1
        save(tmp_path / "b" / f"b_{number}.tif", pixels)
        save(tmp_path / "b" / f"b_{number}_mask.tif", mask_of())
    assert check(tmp_path).faults == ()


def test_kinds_may_differ_between_patients_of_a_generic_set(tmp_path: Path) -> None:
    save(tmp_path / "images" / "a.png", slice_rgb(1, 40)[..., 0])
    save(tmp_path / "masks" / "a.png", mask_of(1, 40))
    save(tmp_path / "images" / "b.png", slice_rgb(2))
    save(tmp_path / "masks" / "b.png", mask_of(2))
    census = check(tmp_path)
    assert census.faults == ()
    assert census.missing == {"post": ("a",), "pre": ("a",)}
    assert "40 x 40 grey uint8 in 1 patient, 32 x 32 RGB uint8 in 1 patient" in census.summary()


def test_one_patient_alone_is_worth_a_note(tmp_path: Path) -> None:
    for number in (1, 2):
        save(tmp_path / "images" / f"case_{number}.png", slice_rgb(number))
        save(tmp_path / "masks" / f"case_{number}.png", mask_of(number))
    assert "note: all images belong to one patient (case)" in check(tmp_path).summary()


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nothing of that name"):
        check(tmp_path / "gone")


@pytest.mark.skipif("GLIOSEG_DATA" not in os.environ, reason="GLIOSEG_DATA names no kaggle_3m folder")
def test_the_public_data_set_has_no_fault() -> None:
    census = check(os.environ["GLIOSEG_DATA"])
    assert census.faults == ()
    assert census.kinds == {"256 x 256 RGB uint8": census.patients}
    assert census.without_lesion == ()
    full = census.patients == 110
    assert (census.slices, census.lesion_slices) == ((3929, 1373) if full else (3528, 1216))
    assert (len(census.missing["post"]), len(census.missing["pre"])) == ((10, 6) if full else (8, 4))


def test_the_command_says_once_what_36_files_share(tmp_path: Path) -> None:
    grey = mask_of(1).copy()
    grey[0, 0] = 7
    for number in range(1, 37):
        save(tmp_path / "images" / f"a_{number}.png", slice_rgb(number))
        save(tmp_path / "masks" / f"a_{number}.png", grey)
    census = check(tmp_path)
    assert len(census.faults) == 36
    done = CliRunner().invoke(app, ["check", str(tmp_path)])
    assert done.exit_code == 2
    errors = [line for line in done.stderr.splitlines() if line.startswith("error:")]
    assert len(errors) == 1
    assert "a_1.png and 35 more places: expected" in errors[0]
    assert "36 faults" in done.stdout


def test_faults_of_different_kinds_stand_apart() -> None:
    same = [Fault("pictures.empty", f"a_{number}.png") for number in range(36)]
    few = [Fault("dataset.gaps", f"p{number}", last=number, numbers=number) for number in range(FEW)]
    many = [Fault("dataset.mask_twice", f"p{number}", image=number, other=0) for number in range(FEW + 1)]
    lines = [str(fault) for fault in shared([*same, *few, *many])]
    assert len(lines) == 1 + FEW + 1
    assert lines[0].startswith("a_0.png and 35 more places:")
    assert lines[1].startswith("p0: expected slices 1 to 0")
    assert lines[-1].startswith(f"p0 and {FEW} more places: expected one mask for 0")
    assert shared([]) == []

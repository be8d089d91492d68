"""The masks that an evaluation stored are found again, however their scans were stored, and the scans too."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from support.dicom_kit import AXIAL, rotated, series, some
from support.layouts_kit import brats_2020, pieces
from support.run_kit import store
from support.sound_scans import AFFINE, patient, volume

from glioseg.io import read_scan, write_segmentation
from glioseg.runs.patients import find_patient, read_patient, stored_mask


def slices(folder: Path) -> Path:
    return patient(folder)


def nifti(folder: Path) -> Path:
    folder.mkdir()
    nib.save(nib.Nifti1Image(volume(), AFFINE), folder / "case[1].nii.gz")
    return folder / "case[1].nii.gz"


def dicom(folder: Path) -> Path:
    series(folder / "p1", volume(), rotated(AXIAL, (12, -8, 10)))
    return folder / "p1"


@pytest.mark.parametrize("make", [slices, nifti, dicom])
def test_a_stored_mask_is_found(make: Callable[[Path], Path], tmp_path: Path) -> None:
    run = store(tmp_path / "run", np.linspace(0.7, 0.9, 3).tolist())
    scan = read_scan(make(tmp_path / "data"))
    assert stored_mask(run, scan) is None
    mask = some(scan)
    write_segmentation(mask, run.evaluation / "masks", scan.id)
    found = stored_mask(run, scan)
    assert found is not None
    assert (found.id, found.origin) == (scan.id, "automatic")
    assert mask.mask.any()
    assert np.array_equal(found.mask, mask.mask)


def test_a_patient_is_shown_from_the_data_that_was_scored(tmp_path: Path) -> None:
    learned, scored = (replace(piece, id="p0") for piece in pieces(2))
    brats_2020(tmp_path / "learned", [learned])
    brats_2020(tmp_path / "scored", [scored])
    run = store(tmp_path / "run", [0.7, 0.8])
    run.note(data=str(tmp_path / "learned"))
    assert np.array_equal(
        read_patient(run, find_patient(run, "p0"))[0].channel("flair"), learned.sequences["flair"]
    )
    content = json.loads(run.metrics.read_text())
    content["place"] = {"data": str(tmp_path / "scored"), "lesion": [1, 2, 4]}
    run.metrics.write_text(json.dumps(content))
    scan, truth = read_patient(run, find_patient(run, "p0"))
    assert np.array_equal(scan.channel("flair"), scored.sequences["flair"])
    assert truth is not None
    assert np.array_equal(truth.mask, scored.mask > 0)


def test_a_patient_is_shown_with_the_sequences_of_the_network(tmp_path: Path) -> None:
    (piece,) = pieces(1)
    brats_2020(tmp_path / "data", [piece])
    run = store(tmp_path / "run", [0.7], 'input.sequences=["flair", "t2"]')
    run.note(data=str(tmp_path / "data"))
    scan, _ = read_patient(run, find_patient(run, piece.id))
    assert np.array_equal(scan.channel("t2"), piece.sequences["t2"])

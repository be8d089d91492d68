"""The masks that an evaluation stored are found again, however their scans were stored."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from support.dicom_kit import AXIAL, rotated, series, some
from support.run_kit import store
from support.sound_scans import AFFINE, patient, volume

from glioseg.io import read_scan, write_segmentation
from glioseg.runs.patients import stored_mask


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

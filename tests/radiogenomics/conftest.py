"""Patients that all tests of this folder measure."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from support.cohort_kit import PATIENTS, SHAPE, lesion

from glioseg.dataset.find import find_cases, read_case
from glioseg.io import write_segmentation


@pytest.fixture(scope="session")
def data(tmp_path_factory):
    """Twelve made-up patients in the layout of the public data set; the odd ones are cluster 2."""
    folder = tmp_path_factory.mktemp("data") / "kaggle_3m"
    random = np.random.default_rng(0)
    rows = ["Patient,RNASeqCluster,COCCluster,age"]
    for number in range(PATIENTS):
        key = f"TCGA_XX_{number:04d}"
        patient = folder / f"{key}_19990101"
        patient.mkdir(parents=True)
        voxels = lesion(number)
        for position in range(SHAPE[0]):
            stem = f"{patient.name}_{position + 1}"
            picture = random.integers(60, 90, (*SHAPE[1:], 3), dtype=np.uint8)
            picture[voxels[position]] += 100
            Image.fromarray(picture).save(patient / f"{stem}.tif")
            Image.fromarray(voxels[position].astype(np.uint8) * 255).save(patient / f"{stem}_mask.tif")
        if number:  # the first patient has no row
            rows.append(f"{key},{2 if number % 2 else 1},{'' if number == 3 else number % 3},{number + 30}")
    (folder / "data.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def predicted(data, tmp_path_factory):
    """The true masks, a column wider, as a network might give them: one empty, one absent."""
    run = tmp_path_factory.mktemp("run") / "run-1"
    for number, case in enumerate(find_cases(data)):
        if number == 5:
            continue
        scan, truth = read_case(case)
        wider = truth.mask | np.roll(truth.mask, 1, axis=2)
        write_segmentation(scan.segmentation(wider & (number != 4), id=case.id), run / "masks")
    return run

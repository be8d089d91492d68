"""A model whose answer is known, and a scan as volumes."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import pytest
from support.known_models import known_model

from glioseg.model.predictor import Predictor, load_model
from glioseg.scan import CHANNELS


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return known_model(tmp_path_factory.mktemp("model") / "model.onnx")


@pytest.fixture(scope="module")
def predictor(model: Path) -> Predictor:
    return load_model(model, threads=1)


@pytest.fixture(scope="module")
def sequences(labelled, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The sequences of a sample as NIfTI files in the usual orientation: x to the left, y back, z up."""
    scan, _ = labelled["TCGA_CS_4944_20010208"]
    folder = tmp_path_factory.mktemp("nifti")
    affine = np.diag([-0.9, -0.9, 5.0, 1.0])
    affine[:3, 3] = 100, 120, -30
    files = {}
    for name in CHANNELS:
        image = nibabel.Nifti1Image(scan.channel(name).transpose(2, 1, 0), affine)
        files[name] = folder / f"{name}.nii.gz"
        nibabel.save(image, files[name])
    return files

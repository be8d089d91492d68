"""A model that looks at slices along the axis along which a scan was made."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from glioseg.grid import Grid
from glioseg.model.predictor import Predictor, load_model
from glioseg.prepare.frame import turned, turned_back
from glioseg.samples import sample_cases
from glioseg.scan import Scan


@pytest.mark.parametrize("axis", [1, 2])
def test_a_scan_in_thick_slices_of_another_plane_is_seen_in_them(axis: int) -> None:
    upright = sample_cases()[0].source.read()
    axial = load_model(threads=1)
    prepare = axial.description.prepare.model_copy(update={"slices": "thickest"})
    along = Predictor(axial.runtime, axial.description.model_copy(update={"prepare": prepare}))
    stored = turned_back(upright.voxels, axis)
    spacing = [1.0, 1.0, 1.0]
    spacing[axis] = 6.0
    scan = Scan(stored, Grid(stored.shape[:3], tuple(spacing)), "thick", filled=("pre",))
    np.testing.assert_array_equal(turned(scan.voxels, axis), upright.voxels)

    seen = along(scan)
    same = axial(replace(upright, grid=Grid(upright.grid.shape, (6.0, 1.0, 1.0)), filled=("pre",)))
    np.testing.assert_array_equal(seen.probability, turned_back(same.probability, axis))
    assert same.segmentation.mask.sum() > 5000
    assert "thick_slices" not in seen.doubts

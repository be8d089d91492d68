"""A long scan is prepared a few slices at a time, and gives what it gives as a whole."""

from __future__ import annotations

import numpy as np
import pytest
from support.phantom import HEAD, PREPARATIONS, head, scan_of, stepped

from glioseg.grid import Grid
from glioseg.prepare import Preparation
from glioseg.prepare.banded import Banded
from glioseg.prepare.shading import learn_shading
from glioseg.prepare.tissue import learn_tissue
from glioseg.scan import CHANNELS, Scan


@pytest.mark.parametrize("name", PREPARATIONS)
def test_slices_that_are_not_kept_are_made_again_as_they_were(name, monkeypatch) -> None:
    preparation = Preparation(name=name, size=64)
    scan = scan_of(head(40))
    images = preparation(scan).images
    monkeypatch.setattr("glioseg.prepare.head.KEPT", 0)
    prepared = preparation(scan)
    assert len(prepared) == 40
    for start, stop in ((0, 40), (0, 1), (15, 17), (3, 39), (39, 40)):
        np.testing.assert_array_equal(prepared.some(start, stop), images[start:stop])
        np.testing.assert_array_equal(prepared.flair[start:stop], images[start:stop, ..., 1])
    np.testing.assert_array_equal(prepared.images, images)


@pytest.mark.parametrize("spacing", [(5.0, 1.0, 1.0), (1.0, 5.0, 1.0), (1.0, 1.0, 5.0)])
def test_some_slices_of_the_scan_show_the_flair_that_all_show(spacing) -> None:
    voxels = head(20, 24, 28)
    scan = Scan(voxels, Grid(voxels.shape[:3], spacing), "thick", CHANNELS)
    prepared = HEAD.model_copy(update={"size": 32, "slices": "thickest", "drop_ends": True})(scan)
    assert prepared.frame.axis == int(np.argmax(spacing))
    whole = prepared.frame.restore(prepared.images[..., 1])
    for some in (slice(0, 20), slice(0, 2), slice(5, 6), slice(18, 20)):
        np.testing.assert_array_equal(prepared.flair_on_scan(some), whole[some])


def test_a_step_is_learned_from_what_the_steps_before_made() -> None:
    values = head(20, 96, 96, 1)[..., 0]
    together = stepped(values, learn_shading, learn_tissue)
    np.testing.assert_array_equal(stepped(stepped(values, learn_shading), learn_tissue), together)
    assert not np.array_equal(stepped(values, learn_tissue), together)


@pytest.mark.parametrize("shape", [(160, 256), (256, 160), (7, 30), (33, 5), (16, 16)])
def test_a_banded_matrix_multiplies_as_the_whole_one(shape) -> None:
    random = np.random.default_rng(0)
    distance = np.abs(np.arange(shape[0])[:, None] * shape[1] / shape[0] - np.arange(shape[1]))
    matrix = np.clip(2 - distance, 0, None).astype(np.float32)
    matrix[: shape[0] // 3] = 0
    values = random.random((2, 3, shape[1], 9)).astype(np.float32)
    np.testing.assert_allclose(Banded(matrix).rows(values), matrix @ values, rtol=1e-5)
    turned = values.swapaxes(-1, -2).copy()
    np.testing.assert_allclose(Banded(matrix).columns(turned), turned @ matrix.T, rtol=1e-5)

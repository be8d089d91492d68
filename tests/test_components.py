"""Connected parts, sigmoid and diameters are those of SciPy, which they are made without."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage
from scipy.spatial.distance import pdist
from scipy.special import expit, softmax

from glioseg.components import Components
from glioseg.measure.size import diameters
from glioseg.postprocess import class_probabilities, fill_holes, probabilities

IN_PLANE = np.zeros((3, 3, 3))
IN_PLANE[1] = ndimage.generate_binary_structure(2, 1)


def random_masks(count):
    rng = np.random.default_rng(5)
    for _ in range(count):
        yield rng.random(rng.integers(1, 10, 3)) < rng.random()


@pytest.mark.parametrize("each_slice", [False, True])
@pytest.mark.parametrize("at_a_time", [1, 150, 1 << 24])
def test_parts_have_the_numbers_boxes_and_sizes_that_scipy_gives_them(each_slice, at_a_time, monkeypatch):
    monkeypatch.setattr("glioseg.components.MOST_AT_A_TIME", at_a_time)
    for mask in random_masks(150):
        found = Components(mask, each_slice)
        labels, count = ndimage.label(mask, IN_PLANE if each_slice else None)
        assert found.count == count
        np.testing.assert_array_equal(found.labels, labels)
        parts = [found.labels_of(some) for some in found.portions]
        np.testing.assert_array_equal(np.concatenate(parts), labels)
        assert found.boxes == ndimage.find_objects(labels)
        np.testing.assert_array_equal(found.sizes, np.bincount(labels.ravel(), minlength=count + 1)[1:])


def test_a_part_that_winds_through_the_whole_volume_is_one():
    mask = np.zeros((3, 41, 41), bool)
    mask[:, ::2] = True  # rows, joined at alternate ends
    mask[:, 1::4, -1], mask[:, 3::4, 0] = True, True
    mask[1] = False
    mask[1, 0, 0] = True
    assert Components(mask).count == 1
    assert Components(mask, each_slice=True).count == 3


def test_holes_are_filled_as_scipy_fills_them():
    for mask in random_masks(150):
        expected = np.stack([ndimage.binary_fill_holes(one) for one in mask])
        np.testing.assert_array_equal(fill_holes(mask), expected)


def test_probabilities_are_the_nearest_that_float32_has():
    logits = np.concatenate([np.random.default_rng(0).normal(0, 8, 20000), [0, 200, -200, 1e9, -1e9]])
    logits = logits.astype(np.float32)
    with np.errstate(all="raise", under="ignore"):
        found = probabilities(logits)
    exact = expit(logits.astype(np.float64))
    assert found.dtype == np.float32
    np.testing.assert_array_max_ulp(found, exact.astype(np.float32), 1)
    assert found[-5] == 0.5
    each = logits[:20000].reshape(10, 5, 20, 20)
    np.testing.assert_allclose(class_probabilities(each), softmax(each, axis=1), rtol=1e-6)


def test_the_longest_diameter_joins_the_farthest_corners():
    rng = np.random.default_rng(3)
    for _ in range(100):
        region = rng.random(rng.integers(1, 12, 2)) < rng.random()
        region.flat[0] = True
        spacing = tuple(rng.uniform(0.5, 3, 2))
        corners = [
            (row + down, column + right)
            for row, column in np.argwhere(region)
            for down in (0, 1)
            for right in (0, 1)
        ]
        longest, across = diameters(region, spacing)
        assert longest == pytest.approx(pdist(np.array(corners) * spacing).max())
        assert 0 < across <= longest * (1 + 1e-9)

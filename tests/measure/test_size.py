"""Each lesion of a mask with its volume and diameters."""

from __future__ import annotations

import numpy as np
import pytest

from glioseg.grid import Grid
from glioseg.measure.size import largest_diameter, lesions
from glioseg.scan import Segmentation


def segmentation(mask: np.ndarray, spacing: tuple[float, float, float] | None = None) -> Segmentation:
    grid = Grid(mask.shape) if spacing is None else Grid(mask.shape, spacing=spacing)
    return Segmentation.from_mask(mask, grid)


def two_lesions() -> np.ndarray:
    mask = np.zeros((6, 40, 50), bool)
    mask[2, 10:14, 20:23] = True  # 4 x 3
    mask[3, 10:18, 20:26] = True  # 8 x 6, joined to it
    mask[5, 30:33, 40:41] = True  # 3 x 1
    return mask


def test_lesions_are_listed_from_the_largest_with_two_diameters_each() -> None:
    found, count = lesions(segmentation(two_lesions()))
    assert count == 2
    assert [each.voxels for each in found] == [60, 3]
    assert [each.volume for each in found] == [None, None]
    # corner to corner of 8 x 6 is 10, and the corners beside it lie 48 / 10 from it on each side
    assert found[0].diameters == (10.0, 9.6)
    assert found[0].place[0] == 3
    for each in found:
        assert two_lesions()[each.place]
    assert found[0].diameters[0] == largest_diameter(segmentation(two_lesions()))[0]


def test_volumes_and_diameters_are_in_millimetres_where_the_spacing_is_known() -> None:
    found, _ = lesions(segmentation(two_lesions(), (5.0, 2.0, 2.0)))
    assert [each.volume for each in found] == [1200.0, 60.0]
    assert found[0].diameters == (20.0, 19.2)


def test_of_many_the_largest_are_measured_and_all_are_counted() -> None:
    mask = np.zeros((3, 40, 40), bool)
    mask[1, ::2, ::2] = True
    mask[1, 0, 0:3] = True
    found, count = lesions(segmentation(mask), most=7)
    assert (len(found), count) == (7, 399)
    assert found[0].voxels == 3


@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 4, 5)])
def test_an_empty_mask_has_none_and_a_full_one_has_one(shape: tuple[int, int, int]) -> None:
    assert lesions(segmentation(np.zeros(shape, bool))) == ([], 0)
    found, count = lesions(segmentation(np.ones(shape, bool)))
    assert (count, found[0].voxels) == (1, int(np.prod(shape)))

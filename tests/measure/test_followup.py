"""Two masks of one patient: what the expected DSC says of their difference, what became of each lesion."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glioseg.errors import InputError
from glioseg.grid import Grid
from glioseg.measure import dice
from glioseg.measure.followup import Bounded, bounded, follow_up
from glioseg.scan import Segmentation

UPRIGHT = np.diag([2.0, 1.0, 1.0, 1.0])
GRID = Grid((10, 40, 40), (2.0, 1.0, 1.0), UPRIGHT)


def mask(*boxes: tuple[slice, slice, slice], grid: Grid = GRID) -> Segmentation:
    voxels = np.zeros(grid.shape, np.uint8)
    for box in boxes:
        voxels[box] = 1
    return Segmentation(voxels, grid)


BIG = np.s_[2:6, 5:15, 5:15]
SMALL = np.s_[7:9, 30:34, 30:34]


@given(st.integers(0, 2**32), st.floats(0.02, 0.98), st.floats(0, 0.4))
def test_the_true_volume_lies_within_the_bounds_of_the_dsc(seed: int, share: float, wrong: float) -> None:
    random = np.random.default_rng(seed)
    true = random.random((25, 20)) < share
    found = true ^ (random.random((25, 20)) < wrong)
    overlap = dice(found, true)
    if not overlap > 0:
        return
    volume = bounded(float(found.sum()), overlap)
    assert volume.low is not None
    assert volume.high is not None
    assert volume.low - 1e-6 <= true.sum() <= volume.high + 1e-6


def test_a_perfect_mask_has_its_own_volume_and_nothing_known_has_no_bounds() -> None:
    assert bounded(10.0, 1.0) == Bounded(10.0, 10.0, 10.0)
    assert bounded(10.0, None) == Bounded(10.0)


def test_one_grows_one_is_new_one_is_gone_and_one_stays() -> None:
    other = np.s_[1:3, 20:25, 2:8]
    before = mask(BIG, SMALL, other)
    after = mask(np.s_[2:6, 5:15, 5:20], np.s_[0:1, 35:39, 2:6], other)
    found = follow_up(before, after, 0.9, 0.9)
    assert found.unit == "mm3"
    assert (found.before.value, found.after.value) == (2 * (400 + 32 + 60), 2 * (600 + 16 + 60))
    assert found.difference.value == pytest.approx(2 * 184)
    assert found.share == pytest.approx(184 / 492)
    fates = {each.fate: each for each in found.lesions}
    assert set(fates) == {"larger", "new", "gone", "alike"}
    assert (fates["larger"].before, fates["larger"].after) == (800, 1200)
    assert fates["new"].slice_before is None
    assert fates["new"].slice_after == 0
    assert fates["gone"].slice_before in (7, 8)
    assert found.slices == tuple(range(10))


def test_a_change_is_certain_only_beyond_what_the_masks_leave_open() -> None:
    before = mask(BIG)
    twice = follow_up(before, mask(np.s_[2:6, 5:15, 5:25]), 0.95, 0.95)
    assert twice.certain is True
    assert follow_up(before, mask(np.s_[2:6, 5:15, 5:16]), 0.95, 0.95).certain is False
    assert follow_up(before, mask(np.s_[2:6, 5:15, 5:25]), 0.95, None).certain is None
    assert follow_up(mask(np.s_[2:6, 5:15, 5:25]), before, 0.95, 0.95).certain is True


def test_lesions_that_grew_together_or_fell_apart_are_one() -> None:
    apart = mask(np.s_[2:4, 5:10, 5:10], np.s_[2:4, 5:10, 14:20])
    joined = mask(np.s_[2:4, 5:10, 5:20])
    for before, after in ((apart, joined), (joined, apart)):
        (only,) = follow_up(before, after).lesions
        assert only.fate in ("larger", "smaller")
    # a slight shift is no new lesion
    (moved,) = follow_up(mask(SMALL), mask(np.s_[7:9, 35:39, 30:34])).lesions
    assert moved.fate == "alike"
    assert {each.fate for each in follow_up(mask(SMALL), mask(np.s_[7:9, 5:9, 30:34])).lesions} == {
        "new",
        "gone",
    }


def test_scans_on_other_grids_are_laid_on_each_other_by_their_headers() -> None:
    before = mask(BIG, SMALL)
    affine = np.array([[1.0, 0, 0, 2], [0, 0, 2.0, 0], [0, 2.0, 0, 0], [0, 0, 0, 1]])  # finer slices, turned
    grid = Grid((18, 20, 20), (1.0, 2.0, 2.0), affine)
    voxels = np.zeros(grid.shape, np.uint8)
    for place in np.argwhere(np.ones(grid.shape)):
        z, y, x = (affine[:3, :3] @ place + affine[:3, 3]) / (2.0, 1.0, 1.0)
        if int(z) < 10 and before.voxels[int(z), int(y), int(x)]:
            voxels[tuple(place)] = 1
    found = follow_up(before, Segmentation(voxels, grid))
    assert found.placed
    assert [each.fate for each in found.lesions] == ["alike", "alike"]
    assert found.after.value == pytest.approx(found.before.value, rel=0.1)
    assert found.slices == tuple(np.clip(np.rint((np.arange(18) + 2) / 2), 0, 9).astype(int))


def test_without_a_spacing_voxels_are_counted_and_other_sizes_refused() -> None:
    grid = Grid((10, 40, 40))
    found = follow_up(mask(BIG, grid=grid), mask(BIG, SMALL, grid=grid))
    assert (found.unit, found.placed, found.difference.value) == ("voxels", False, 32)
    with pytest.raises(InputError, match="10 slices of 40 x 40 and 9 slices"):
        follow_up(mask(BIG, grid=grid), mask(BIG, grid=Grid((9, 40, 40))))


def test_scans_that_do_not_meet_are_refused() -> None:
    away = UPRIGHT.copy()
    away[0, 3] = 400
    with pytest.raises(InputError, match="Register"):
        follow_up(mask(BIG), mask(BIG, grid=Grid((10, 40, 40), (2.0, 1.0, 1.0), away)))


def test_nothing_before_and_nothing_after() -> None:
    nothing = follow_up(mask(), mask())
    assert (nothing.lesions, nothing.share, nothing.difference.value) == ((), None, 0)
    assert [each.fate for each in follow_up(mask(), mask(BIG)).lesions] == ["new"]
    assert [each.fate for each in follow_up(mask(BIG), mask()).lesions] == ["gone"]

"""NaN and infinity in a scan are background or single voxels that went wrong; they seldom refuse it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.sound_scans import save, slice_rgb

from glioseg.errors import InputError
from glioseg.io import read_scan
from glioseg.io.finite import made_finite

WHERE = Path("scan.nii")


def image(dtype: type = np.float32) -> np.ndarray:
    pixels = slice_rgb()[..., 1].astype(dtype)
    pixels[-1] = 0
    return pixels


def test_finite_values_and_whole_numbers_are_left_alone() -> None:
    for values in (image(), image(np.uint8), image(np.float64)):
        mended, notes = made_finite(WHERE, values)
        assert mended is values
        assert notes == ()


@pytest.mark.parametrize("gap", [np.nan, -np.inf])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_gaps_become_background(gap: float, dtype: type) -> None:
    """0 where that is dark; the smallest value where 0 lies outside, or in the midst as in z-scores."""
    head = image(dtype)
    centred = (head - head.mean()) / head.std()
    ringing = head.copy()
    ringing[5, :9] = -3
    for values, background in (
        (head, 0),
        (ringing, 0),
        (head + 100, 100),
        (centred, centred.min()),
    ):
        holed = values.copy()
        holed[:2] = gap
        mended, notes = made_finite(WHERE, holed)
        assert mended.dtype == dtype
        assert (mended[:2] == background).all()
        np.testing.assert_array_equal(mended[2:], values[2:])
        assert notes == (() if np.isnan(gap) else ("infinite_values",))


def test_a_few_infinities_become_the_largest_value_and_are_noted() -> None:
    values = image()
    values[20, 20:24] = np.inf
    mended, notes = made_finite(WHERE, values)
    assert notes == ("infinite_values",)
    assert (mended[20, 20:24] == mended.max()).all()
    assert np.isfinite(mended).all()


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (np.full((4, 4), np.nan), "NaN in all voxels"),
        (np.full((4, 4), np.inf), "infinity in all voxels"),
        (np.where(np.eye(8) > 0, np.inf, 1.0), "infinity in 8 of 64 voxels"),
    ],
)
def test_what_is_mostly_no_number_is_refused(values: np.ndarray, said: str) -> None:
    with pytest.raises(InputError, match=said):
        made_finite(WHERE, values)


def test_pictures_with_nan_around_the_head_are_read(tmp_path: Path) -> None:
    """Also a slice that holds nothing else, as at the ends of a masked volume."""
    slices = [image() for _ in range(3)]
    slices[0][:] = np.nan
    for pixels in slices[1:]:
        pixels[:, :4] = np.nan
    slices[2][16, 16] = np.inf
    for number, pixels in enumerate(slices):
        save(tmp_path / "p" / f"p_{number}.tif", pixels)
    scan = read_scan(tmp_path / "p")
    assert scan.notes == ("infinite_values",)
    assert not scan.voxels[0].any()
    assert not scan.voxels[:, :, :4].any()
    np.testing.assert_array_equal(scan.voxels[1, :, 4:, 1], image()[:, 4:])
    one = read_scan(tmp_path / "p" / "p_1.tif")
    assert one.notes == ()
    np.testing.assert_array_equal(one.voxels[0], scan.voxels[1])
    with pytest.raises(InputError, match="NaN in all voxels"):
        read_scan(tmp_path / "p" / "p_0.tif")

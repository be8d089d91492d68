"""The reference protocol to the pixel."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from support.phantom import head, scan_of

from glioseg.dataset.find import find_cases, read_case
from glioseg.prepare import Preparation
from glioseg.prepare.reference import percentiles

REFERENCE = Preparation(name="reference", size=256, drop_ends=True)

GOLDEN = {  # patient: crop (slices, height, width), lesion pixels before and after the resize
    "TCGA_HT_7616_19940813": ((28, 247, 189), 30881, 33076),
    "TCGA_CS_6668_20011025": ((26, 244, 193), 7223, 7938),
    "TCGA_CS_4944_20010208": ((18, 240, 199), 28110, 31988),
    "TCGA_HT_7879_19981009": ((26, 240, 206), 11654, 13141),
    "TCGA_DU_7014_19860618": ((58, 256, 213), 68295, 68295),
    "TCGA_DU_6408_19860521": ((54, 226, 245), 82464, 90022),
    "TCGA_DU_6404_19850629": ((51, 225, 244), 18399, 20245),
    "TCGA_DU_5851_19950428": ((35, 225, 255), 16446, 16847),
    "TCGA_CS_6667_20011105": ((18, 245, 216), 8017, 8752),
    "TCGA_HT_7692_19960724": ((18, 230, 188), 2875, 3567),
}
SAMPLES = ("TCGA_CS_4944_20010208", "TCGA_CS_6667_20011105", "TCGA_HT_7692_19960724")


def check_golden(id, scan, truth):
    (slices, height, width), before, after = GOLDEN[id]
    frame = REFERENCE.frame(scan)
    assert frame.last - frame.first == slices
    assert frame.side == max(height, width), "the square has the longer side of the crop"
    padding = frame.side - min(height, width)
    start = frame.left if width < height else frame.top
    # The shorter side is padded: floor of half before it, the rest after.
    inner = np.any(scan.voxels[1:-1] >= 0.1 * scan.voxels[1:-1].max(), axis=(0, -1))
    extents = [np.flatnonzero(inner.any(axis=axis)) for axis in (1, 0)]
    assert [places[-1] + 1 - places[0] for places in extents] == [height, width]
    assert start == extents[int(width < height)][0] - padding // 2
    # All lesion of the ten patients lies inside the crop, so "before" can be counted on the scan's grid.
    assert int(truth.mask[1:-1].sum()) == before
    assert int(frame.to_prepared(truth.mask).sum()) == after
    assert REFERENCE.target(truth.mask, frame).sum(dtype=np.float64) == after


@pytest.mark.parametrize("id", SAMPLES)
def test_golden_values_of_the_bundled_patients(id, labelled) -> None:
    check_golden(id, *labelled[id])


def test_golden_values_of_all_ten_patients(data_folder) -> None:
    cases = {case.id: case for case in find_cases(data_folder) if case.id in GOLDEN}
    assert len(cases) == 10
    for id, case in cases.items():
        check_golden(id, *read_case(case))


# What the original program (scikit-image 0.26: resize, rescale_intensity; NumPy) makes of the samples:
# least, greatest and mean-over-the-lesion of each channel, then single pixels (slice, row, column).
ORIGINAL = {
    "TCGA_CS_4944_20010208": (
        ((-0.81111, -0.82178, -0.86974), (3.05649, 3.04099, 3.3254), (0.56076, 2.02578, 0.44809)),
        {
            (2, 64, 100): (-0.60166, 1.19383, 0.54403),
            (2, 128, 128): (1.42845, 1.19822, 1.45814),
            (2, 150, 90): (0.33892, 0.16967, 0.16059),
            (2, 201, 140): (0.50669, 0.92516, 0.1835),
            (9, 64, 100): (0.67279, 1.01728, 0.71275),
            (9, 128, 128): (0.65453, 1.66657, 0.80541),
            (9, 150, 90): (0.39977, 2.19392, 0.38063),
            (15, 150, 90): (0.92966, 0.80687, 0.67665),
        },
    ),
    "TCGA_CS_6667_20011105": (
        ((-0.75693, -0.77107, -0.84313), (3.29895, 3.23521, 3.81077), (0.6155, 2.30434, 0.94589)),
        {
            (2, 64, 100): (-0.75347, -0.57051, -0.83863),
            (2, 150, 90): (-0.29328, -0.77107, 0.45641),
            (9, 128, 128): (1.04995, 0.98677, 1.39745),
            (15, 64, 100): (0.9927, 0.38971, 0.15732),
            (15, 201, 140): (0.2056, 0.15968, 1.22379),
        },
    ),
    "TCGA_HT_7692_19960724": (
        ((-0.69453, -0.66784, -0.73218), (3.23049, 3.68846, 2.98587), (1.22443, 2.30843, 0.82431)),
        {
            (2, 150, 90): (-0.14687, -0.66784, 2.98587),
            (9, 64, 100): (2.42176, 1.76928, 1.47433),
            (15, 64, 100): (1.52619, 0.752, 2.593),
            (15, 201, 140): (1.1842, 0.82709, 0.95408),
        },
    ),
}


@pytest.mark.parametrize("id", SAMPLES)
def test_reference_images_are_those_of_the_original(id, labelled) -> None:
    scan, truth = labelled[id]
    prepared = REFERENCE(scan)
    images, lesion = prepared.images, prepared.frame.to_prepared(truth.mask)
    statistics, pixels = ORIGINAL[id]
    found = images.min(axis=(0, 1, 2)), images.max(axis=(0, 1, 2)), images[lesion].mean(axis=0)
    np.testing.assert_allclose(found, statistics, atol=1e-3)
    for place, values in pixels.items():
        np.testing.assert_allclose(images[place], values, atol=1e-3, err_msg=str(place))
    np.testing.assert_allclose(images.mean(axis=(0, 1, 2), dtype=np.float64), 0, atol=1e-3)
    np.testing.assert_allclose(images.std(axis=(0, 1, 2), dtype=np.float64), 1, atol=1e-3)


def test_the_reference_of_a_scan_that_fills_its_256_pixels_keeps_every_pixel() -> None:
    voxels = head(4, 256, 256)
    voxels[:, ::255, :] = voxels[:, :, ::255] = 90
    prepared = Preparation(name="reference", size=256)(scan_of(voxels))
    frame = prepared.frame
    assert (frame.first, frame.last, frame.top, frame.left, frame.side) == (0, 4, 0, 0, 256)
    low, high = np.percentile(voxels, (10, 99))
    expected = (np.clip(voxels, low, high) - low) / (high - low)
    expected = (expected - expected.mean(axis=(0, 1, 2))) / expected.std(axis=(0, 1, 2))
    np.testing.assert_allclose(prepared.images, expected, atol=1e-4)


def test_the_reference_crops_slices_without_head() -> None:
    voxels = head(6)
    voxels[[0, 5]] = 2  # below a tenth of the maximum
    frame = Preparation(name="reference", size=64).frame(scan_of(voxels))
    assert (frame.first, frame.last) == (1, 5)
    inner = Preparation(name="reference", size=64, drop_ends=True).frame(scan_of(voxels))
    assert (inner.first, inner.last) == (1, 5)
    restored = frame.restore(np.ones((4, 64, 64), np.float32))
    assert not restored[[0, 5]].any()
    assert restored[1:5].any(axis=(1, 2)).all()


@given(arrays(np.float32, st.integers(1, 60), elements=st.sampled_from([0, 0, 0, 0.5, 1, 7, 90])))
def test_percentiles_without_the_zeros_are_those_of_all(values) -> None:
    np.testing.assert_allclose(percentiles(values, (10, 99)), np.percentile(values, (10, 99)), atol=1e-5)

"""All shape features at once: IBSI's digital phantom, units, and what is not defined."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from support.shapes import a_mask, box, disc, ellipsoid, in_one_slice

from glioseg.grid import Grid
from glioseg.measure.shape import (
    FEATURES,
    NotDefined,
    angular_standard_deviation,
    margin_fluctuation,
    measure_lesion,
    outline,
)
from glioseg.scan import Scan, Segmentation

few = settings(max_examples=30, deadline=None)


# ---------------------------------------------------------------- all features


# The digital phantom of the Image Biomarker Standardisation Initiative (A. Zwanenburg, CC BY 4.0); 0 lies
# outside the region. Reference values and tolerances: the IBSI reference manual.
PHANTOM = np.array(
    [
        [[1, 4, 4, 1, 1], [1, 4, 6, 1, 1], [4, 1, 6, 4, 1], [4, 4, 6, 4, 1]],
        [[1, 4, 4, 1, 1], [1, 1, 6, 1, 1], [0, 1, 3, 1, 1], [4, 4, 6, 1, 1]],
        [[1, 4, 4, 0, 0], [1, 1, 1, 1, 1], [1, 1, 0, 1, 1], [1, 1, 6, 1, 1]],
        [[1, 4, 4, 0, 0], [1, 1, 1, 1, 1], [1, 1, 1, 1, 1], [1, 1, 6, 1, 1]],
    ],
    np.uint8,
)


@pytest.mark.parametrize(
    ("feature", "value", "tolerance"),
    [
        ("mesh_volume_mm3", 556, 4),
        ("volume_mm3", 592, 4),
        ("surface_area_mm2", 388, 3),
        ("compactness_1", 0.0411, 0.0003),
        ("compactness_2", 0.599, 0.004),
        ("sphericity", 0.843, 0.005),
        ("maximum_3d_diameter_mm", 13.1, 0.1),
        ("elongation", 0.816, 0.005),
        ("flatness", 0.749, 0.005),
        ("intensity_mean", 2.15, 0.005),
        ("intensity_variance", 3.05, 0.005),
        ("intensity_skewness", 1.08, 0.005),
        ("intensity_kurtosis", -0.355, 0.0005),
        ("intensity_median", 1, 0),
        ("intensity_minimum", 1, 0),
        ("intensity_10th_percentile", 1, 0),
        ("intensity_90th_percentile", 4, 0),
        ("intensity_maximum", 6, 0),
        ("intensity_interquartile_range", 3, 0),
    ],
)
def test_the_reference_values_of_ibsi(feature, value, tolerance):
    where = Grid(PHANTOM.shape, spacing=(2.0, 2.0, 2.0))
    scan = Scan(PHANTOM[..., None], where, "phantom", ("flair",))
    assert measure_lesion(Segmentation.from_mask(PHANTOM > 0, where), scan)[feature] == pytest.approx(
        value, abs=tolerance
    )


def test_every_feature_has_a_value_a_unit_and_a_source():
    voxels = ellipsoid(4, 8, 9)
    where = Grid(voxels.shape, spacing=(3.0, 1.0, 1.0), affine=np.diag([3.0, 1.0, 1.0, 1.0])[[2, 1, 0, 3]])
    scan = Scan(np.random.default_rng(0).random((*voxels.shape, 3)), where, "someone")
    values = measure_lesion(Segmentation.from_mask(voxels, where), scan)
    assert list(values) == list(FEATURES)
    assert not [name for name, value in values.items() if isinstance(value, NotDefined)]
    assert all(feature.title and feature.source for feature in FEATURES.values())
    assert all(feature.unit for name, feature in FEATURES.items() if name != "side")


def test_without_spacing_only_what_needs_none():
    values = measure_lesion(a_mask(ellipsoid(4, 8, 9)))
    defined = {name for name, value in values.items() if not isinstance(value, NotDefined)}
    assert {name for name in FEATURES if FEATURES[name].unit in ("mm", "mm2", "mm3")}.isdisjoint(defined)
    assert {"bounding_ellipsoid_volume_ratio", "volume_voxels", "longest_diameter_pixels", "side"} <= defined
    assert values["sphericity"] == NotDefined("the voxel spacing is unknown")
    assert values["intensity_mean"] == NotDefined("no scan was given with the mask")


def test_sizes_in_mm_are_those_in_voxels_times_the_spacing():
    values = measure_lesion(a_mask(box(3, 6, 8), (2.0, 0.5, 0.5)))
    assert values["volume_voxels"] == 144
    assert values["volume_mm3"] == 72
    assert values["longest_diameter_pixels"] == pytest.approx(10)
    assert values["longest_diameter_mm"] == pytest.approx(5)
    assert values["perpendicular_diameter_mm"] == pytest.approx(4.8)
    assert values["bidirectional_product_mm2"] == pytest.approx(24)


@pytest.mark.parametrize(
    ("columns", "affine", "side"),
    [
        (slice(2, 5), None, "image left"),
        (slice(25, 28), None, "image right"),
        # x = -column: the last columns are the patient's left, as radiologists look at slices.
        (slice(2, 5), [[0, 0, -1, 0], [0, -1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1]], "right"),
        (slice(25, 28), [[0, 0, -1, 0], [0, -1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1]], "left"),
        (slice(25, 28), [[0, 0, 1, 0], [0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1]], "right"),
    ],
)
def test_the_side_follows_the_affine_and_without_one_the_picture(columns, affine, side):
    voxels = np.zeros((4, 30, 30), bool)
    voxels[1:3, 10:14, columns] = True
    found = measure_lesion(a_mask(voxels, affine=None if affine is None else np.array(affine, float)))
    assert found["side"] == side


def test_the_side_is_that_of_the_head_and_not_of_the_image():
    voxels = np.zeros((4, 30, 40), bool)
    voxels[1:3, 10:14, 14:17] = True  # left of the image's middle, right of the head's
    where = Grid(voxels.shape)
    image = np.zeros((*voxels.shape, 3))
    image[:, 5:25, 2:20] = 1
    assert (
        measure_lesion(Segmentation.from_mask(voxels, where), Scan(image, where, "someone"))["side"]
        == "image right"
    )


# ---------------------------------------------------------------- where nothing is defined


def one_voxel():
    mask = np.zeros((3, 4, 5), bool)
    mask[1, 2, 3] = True
    return mask


THREE_DIMENSIONAL = (
    "bounding_ellipsoid_volume_ratio",
    "sphericity",
    "surface_area_mm2",
    "elongation",
    "flatness",
)


@pytest.mark.parametrize(
    ("voxels", "reason"),
    [
        (np.zeros((3, 4, 5), bool), "empty"),
        (one_voxel(), "one plane"),
        (in_one_slice(disc(10)), "one plane"),
        (np.pad(np.ones((6, 1, 7), bool), 1), "one plane"),
        (np.pad(np.ones((6, 7, 1), bool), 1), "one plane"),
        (np.pad(np.ones((1, 1, 7), bool), 1), "one plane"),
    ],
    ids=["empty", "one voxel", "one slice", "flat row", "flat column", "line"],
)
def test_no_solid_no_three_dimensional_shape(voxels, reason):
    values = measure_lesion(a_mask(voxels, (1.0, 1.0, 1.0)))
    for name in THREE_DIMENSIONAL:
        value = values[name]
        assert isinstance(value, NotDefined)
        assert reason in value.reason
        assert math.isnan(float(value))


@pytest.mark.parametrize(
    ("voxels", "reason"),
    [
        (np.zeros((3, 4, 5), bool), "empty"),
        (one_voxel(), "one line"),
        (np.pad(np.ones((4, 1, 40), bool), 1), "one line"),
        (np.pad(np.ones((4, 3, 4), bool), 1), "10 pixels"),
    ],
    ids=["empty", "one voxel", "line", "too small"],
)
def test_no_region_no_outline(voxels, reason):
    for value in (outline(voxels), angular_standard_deviation(voxels), margin_fluctuation(voxels)):
        assert isinstance(value, NotDefined)
        assert reason in value.reason


def test_an_empty_mask_has_no_components_and_no_other_number():
    values = measure_lesion(a_mask(np.zeros((2, 3, 4), bool), (1.0, 1.0, 1.0)))
    assert values.pop("number_of_components") == 0
    assert set(values.values()) == {NotDefined("the mask is empty")}


def test_one_slice_still_has_an_outline_and_a_size():
    values = measure_lesion(a_mask(in_one_slice(disc(10)), (1.0, 1.0, 1.0)))
    for name in ("angular_standard_deviation", "margin_fluctuation", "volume_mm3", "longest_diameter_mm"):
        assert values[name] > 0


@few
@given(arrays(bool, (2, 3, 4)), st.booleans())
def test_any_mask_gives_numbers_or_reasons(voxels, spaced):
    """No crash, no NaN and no infinite number, whatever the mask."""
    values = measure_lesion(a_mask(voxels, (3.0, 1.0, 1.0) if spaced else None))
    for value in values.values():
        assert isinstance(value, (str, NotDefined)) or math.isfinite(value)

"""Shape features against closed forms, IBSI's digital phantom and PyRadiomics, and their invariances."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from glioseg.errors import WrongKindError
from glioseg.radiomics import (
    FEATURES,
    NotDefined,
    angular_standard_deviation,
    bounding_ellipsoid_volume_ratio,
    largest_component,
    margin_fluctuation,
    measure_lesion,
    minimum_volume_ellipsoid,
    outline,
)
from glioseg.radiomics.ellipsoid import TOLERANCE, corners
from glioseg.radiomics.mesh import area, enclosed_volume, surface_triangles
from glioseg.radiomics.outline import boundary, diameters
from glioseg.scan import Grid, Mask, Scan

few = settings(max_examples=30, deadline=None)


def grid(shape):
    """Voxel centres of a box of this shape, from its middle."""
    return np.stack(np.meshgrid(*(np.arange(n) - (n - 1) / 2 for n in shape), indexing="ij"), axis=0)


def ellipsoid(*semi_axes, shape=None):
    shape = shape or tuple(2 * math.ceil(axis) + 3 for axis in semi_axes)
    scaled = grid(shape) / np.reshape(semi_axes, (3, 1, 1, 1))
    return (scaled**2).sum(axis=0) <= 1


def box(*size, margin=2):
    return np.pad(np.ones(size, bool), margin)


def in_one_slice(region, slices=3):
    mask = np.zeros((slices, *region.shape), bool)
    mask[1] = region
    return mask


def disc(radius):
    side = 2 * radius + 5
    return (grid((side, side)) ** 2).sum(axis=0) <= radius**2


def a_mask(voxels, spacing=None, affine=None):
    return Mask(voxels, Grid(voxels.shape, spacing=spacing, affine=affine), "someone")


# ---------------------------------------------------------------- the ellipsoid


@few
@given(
    arrays(np.float64, (12, 3), elements=st.floats(-5, 5, width=32)),
    arrays(np.float64, (3, 3), elements=st.floats(-3, 3, width=32)),
    arrays(np.float64, 3, elements=st.floats(-100, 100, width=32)),
)
def test_an_affine_map_takes_the_ellipsoid_along(points, matrix, shift):
    assume(np.linalg.cond(matrix) < 50)
    assume(np.linalg.cond(np.cov(points.T)) < 1e4)
    before = minimum_volume_ellipsoid(points)
    after = minimum_volume_ellipsoid(points @ matrix.T + shift)
    assert after.volume == pytest.approx(before.volume * abs(np.linalg.det(matrix)), rel=1e-5)
    assert after.centre == pytest.approx(
        matrix @ before.centre + shift, abs=1e-2 * (1 + np.abs(matrix).max())
    )


@few
@given(arrays(np.float64, (15, 3), elements=st.floats(-5, 5, width=32)))
def test_holds_every_point_and_touches_one(points):
    assume(np.linalg.cond(np.cov(points.T)) < 1e6)
    distance = minimum_volume_ellipsoid(points).distance(points)
    assert distance.max() == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize("tolerance", [1e-1, 1e-3, TOLERANCE])
def test_the_tolerance_bounds_the_volume(tolerance):
    points = np.random.default_rng(0).normal(size=(60, 3))
    rough, exact = minimum_volume_ellipsoid(points, tolerance), minimum_volume_ellipsoid(points, 1e-10)
    assert exact.volume * (1 - 1e-9) <= rough.volume <= exact.volume * (1 + tolerance) ** 2
    assert rough.distance(points).max() <= 1 + 1e-9


def test_the_ellipsoid_of_a_box_a_simplex_and_a_disc_of_points():
    cube = np.array(np.meshgrid(*[(0, 1)] * 3)).reshape(3, -1).T * (2, 4, 6)
    found = minimum_volume_ellipsoid(cube)
    lengths, _ = found.semi_axes
    assert lengths == pytest.approx(np.array([1, 2, 3]) * math.sqrt(3), rel=1e-6)
    assert found.centre == pytest.approx([1, 2, 3], abs=1e-6)
    corner = minimum_volume_ellipsoid(np.vstack((np.zeros(3), np.eye(3))))
    assert corner.centre == pytest.approx([0.25] * 3, abs=1e-6)
    turn = np.linspace(0, 2 * math.pi, 60, endpoint=False)
    ring = np.column_stack((3 * np.cos(turn), 5 * np.sin(turn)))
    assert minimum_volume_ellipsoid(ring).volume == pytest.approx(15 * math.pi, rel=1e-6)


@pytest.mark.parametrize(
    "points", [np.zeros((1, 3)), np.eye(3)[:2], np.random.default_rng(0).random((9, 3)) * (1, 1, 0)]
)
def test_points_in_a_plane_have_no_ellipsoid(points):
    with pytest.raises(ValueError, match="hyperplane"):
        minimum_volume_ellipsoid(points)


# ---------------------------------------------------------------- bounding ellipsoid volume ratio


@pytest.mark.parametrize("size", [(2, 2, 2), (3, 5, 7), (10, 12, 14)])
def test_a_box_fills_two_over_pi_root_three_of_its_ellipsoid(size):
    assert bounding_ellipsoid_volume_ratio(box(*size)) == pytest.approx(
        2 / (math.pi * math.sqrt(3)), rel=1e-6
    )


@pytest.mark.parametrize("axes", [(20, 20, 20), (8, 20, 30)])
def test_an_ellipsoid_fills_its_ellipsoid_but_for_the_corners_of_its_voxels(axes):
    # Every corner lies within half a voxel's diagonal of the surface, which bounds the ratio from below.
    ratio = bounding_ellipsoid_volume_ratio(ellipsoid(*axes))
    outer = np.prod([axis + math.sqrt(3) / 2 for axis in axes])
    assert ellipsoid(*axes).sum() / (4 / 3 * math.pi * outer) <= ratio < 1


def test_two_arms_fill_less_than_one():
    corner = box(4, 12, 4, margin=0)
    bent = np.zeros((4, 12, 12), bool)
    bent[:, :, :4] = corner
    bent[:, :4, :] = True
    assert bounding_ellipsoid_volume_ratio(bent) < bounding_ellipsoid_volume_ratio(corner)


@few
@given(
    arrays(bool, (3, 4, 4)),
    st.tuples(*[st.integers(1, 3)] * 3),
    st.permutations((0, 1, 2)),
    st.tuples(*[st.booleans()] * 3),
)
def test_the_ratio_does_not_change_under_affine_maps_of_the_grid(voxels, scale, order, mirrored):
    """Thicker slices, turned and mirrored grids: so the unknown spacing does not matter."""
    before = bounding_ellipsoid_volume_ratio(voxels)
    mapped = voxels
    for axis, factor in enumerate(scale):
        mapped = np.repeat(mapped, factor, axis=axis)
    mapped = np.flip(mapped.transpose(order), [axis for axis in range(3) if mirrored[axis]])
    # The first of several largest components depends on the order of the voxels.
    sizes = _component_sizes(voxels)
    assume(len(sizes) < 2 or sizes[-1] > sizes[-2])
    after = bounding_ellipsoid_volume_ratio(mapped)
    if isinstance(before, NotDefined):
        # A flat lesion of thick voxels is only known to be flat by its own voxels.
        assume(scale == (1, 1, 1))
        assert after == before
    else:
        assert 0 < before <= 1
        assert after == pytest.approx(before, rel=1e-6)


def _component_sizes(voxels):
    from scipy.ndimage import label

    labels, _ = label(voxels)
    return sorted(np.bincount(labels.ravel())[1:])


def test_the_hull_of_the_corners_is_that_of_all_voxels():
    voxels = np.random.default_rng(1).random((5, 6, 7)) < 0.2
    from scipy.spatial import ConvexHull

    every = np.concatenate([np.argwhere(voxels) + np.array(step) for step in np.ndindex(2, 2, 2)])
    assert ConvexHull(corners(voxels)).volume == pytest.approx(ConvexHull(every).volume)


# ---------------------------------------------------------------- components


def test_components_are_connected_through_faces_and_the_largest_counts():
    mask = np.zeros((4, 9, 9), bool)
    mask[0, 0, 0] = mask[1, 1, 1] = True  # joined at a corner only
    mask[2, 4:8, 4:8] = True
    lesion = largest_component(mask)
    assert lesion.components == 3
    assert lesion.offset == (2, 4, 4)
    assert lesion.voxels.shape == (1, 4, 4)
    assert lesion.voxels.all()


@few
@given(arrays(bool, (3, 5, 5)))
def test_the_box_of_a_component_puts_it_back_where_it_was(voxels):
    lesion = largest_component(voxels)
    if lesion is None:
        assert not voxels.any()
        return
    there = tuple(
        slice(start, start + n) for start, n in zip(lesion.offset, lesion.voxels.shape, strict=True)
    )
    assert (voxels[there] >= lesion.voxels).all()
    assert lesion.voxels.sum() == max(_component_sizes(voxels))


def test_only_boolean_volumes_are_taken():
    with pytest.raises(WrongKindError, match="boolean"):
        largest_component(np.full((2, 2, 2), 255, np.uint8))
    with pytest.raises(ValueError, match="slices, height, width"):
        largest_component(np.ones((2, 2), bool))


# ---------------------------------------------------------------- the outline


def test_the_walk_goes_once_around_and_passes_holes():
    ring = np.pad(np.ones((4, 5), bool), 1)
    ring[2:4, 2:4] = False
    walked = boundary(ring)
    assert len(walked) == 2 * (4 + 5) - 4
    steps = np.abs(np.diff(np.vstack((walked, walked[:1])), axis=0))
    assert steps.max() == 1
    assert len(np.unique(walked, axis=0)) == len(walked)


def test_the_walk_passes_a_line_on_both_sides():
    line = np.zeros((3, 6), bool)
    line[1, 1:5] = True
    assert [column for _, column in boundary(line)] == [1, 2, 3, 4, 3, 2]
    assert boundary(np.ones((1, 1), bool)).tolist() == [[0, 0]]


@pytest.mark.parametrize("radius", [8, 20, 60])
def test_a_disc_is_even_and_smooth(radius):
    # Boundary pixels of a disc lie within a pixel's diagonal of the circle.
    mask = in_one_slice(disc(radius))
    assert 0 < angular_standard_deviation(mask) < math.sqrt(2) / radius
    assert 0 < margin_fluctuation(mask) < math.sqrt(2) / radius


def test_a_large_square_has_the_deviation_of_its_formula():
    half = 200
    mask = in_one_slice(np.pad(np.ones((2 * half + 1, 2 * half + 1), bool), 1))
    # Boundary points of a square are spread evenly along its sides: distance sqrt(1 + t^2) at tangent t.
    t = (np.arange(200_000) + 0.5) / 100_000 - 1
    mean = np.sqrt(1 + t**2).mean()
    sides = [np.column_stack((t, np.ones_like(t))), np.column_stack((-np.ones_like(t), t))]
    points = np.concatenate([side * sign for side in sides for sign in (1, -1)])
    angles = np.arctan2(points[:, 0], points[:, 1])
    distances = np.hypot(points[:, 0], points[:, 1]) / mean
    bins = np.floor((angles + math.pi) / (2 * math.pi) * 10).astype(int)
    expected = np.mean([distances[bins == each].std() for each in range(10)])
    assert angular_standard_deviation(mask) == pytest.approx(expected, rel=0.01)


def test_a_wave_on_a_circle_gives_its_amplitude_as_margin_fluctuation():
    radius, waves, height = 150, 20, 0.05
    rows, columns = grid((400, 400))
    turn = np.arctan2(rows, columns)
    region = np.hypot(rows, columns) <= radius * (1 + height * np.sin(waves * turn))
    # The average over a tenth of the boundary holds two whole waves and is flat.
    assert margin_fluctuation(in_one_slice(region)) == pytest.approx(height / math.sqrt(2), rel=0.1)


@few
@given(st.integers(0, 2**32 - 1), st.integers(2, 3))
def test_outline_features_do_not_change_when_the_image_is_mirrored(seed, smooth):
    from scipy.ndimage import gaussian_filter

    noise = gaussian_filter(np.random.default_rng(seed).normal(size=(1, 40, 40)), (0, smooth, smooth))
    voxels = noise > np.quantile(noise, 0.6)
    sizes = _component_sizes(voxels)
    assume(len(sizes) < 2 or sizes[-1] > sizes[-2])
    for feature in (angular_standard_deviation, margin_fluctuation):
        before, upside_down = feature(voxels), feature(voxels[:, ::-1])
        if isinstance(before, NotDefined):
            assert before == upside_down
        elif feature is margin_fluctuation:
            assert upside_down == pytest.approx(before, rel=1e-9)
        else:
            # The bins are the same; a pixel exactly between two of them changes from one to the other.
            assert upside_down == pytest.approx(before, rel=0.1)


def test_known_spacing_is_used_in_the_slice():
    stretched = in_one_slice(np.repeat(disc(20), 2, axis=1))
    square = angular_standard_deviation(largest_component(stretched))
    true = angular_standard_deviation(largest_component(stretched, (5.0, 1.0, 0.5)))
    assert true < 0.06 < square


@pytest.mark.parametrize(("size", "spacing"), [((3, 4), (1, 1)), ((6, 8), (0.5, 0.5)), ((1, 10), (2, 0.1))])
def test_the_diameters_of_a_rectangle(size, spacing):
    height, width = size[0] * spacing[0], size[1] * spacing[1]
    diagonal = math.hypot(height, width)
    assert diameters(np.ones(size, bool), spacing) == pytest.approx((diagonal, 2 * height * width / diagonal))


def test_the_diameters_of_an_ellipse():
    rows, columns = grid((60, 120))
    longest, across = diameters((rows / 20) ** 2 + (columns / 50) ** 2 <= 1)
    assert longest == pytest.approx(100, abs=2)
    assert across == pytest.approx(40, abs=2)


# ---------------------------------------------------------------- the mesh


def test_the_mesh_of_one_voxel_is_an_octahedron():
    triangles = surface_triangles(np.ones((1, 1, 1), bool), (1.0, 2.0, 3.0))
    assert len(triangles) == 8
    assert enclosed_volume(triangles) == pytest.approx(1 * 2 * 3 / 6)


@pytest.mark.parametrize("size", [(2, 2, 2), (4, 5, 6), (10, 12, 14)])
def test_the_mesh_of_a_box_is_the_box_without_its_edges_and_corners(size):
    triangles = surface_triangles(box(*size))
    # Edges lose a prism of 1/8 a length, corners what three such edges leave: 1/48 more than the cuts.
    inner = [n - 1 for n in size]
    a, b, c = inner
    faces = 2 * (a * b + b * c + c * a)
    edges = 4 * (a + b + c)
    volume = a * b * c + faces / 2 + edges / 8 + 8 / 48
    surface = faces + edges * math.sqrt(0.5) + 8 * math.sqrt(3) / 8
    assert enclosed_volume(triangles) == pytest.approx(volume)
    assert area(triangles) == pytest.approx(surface)


@few
@example(np.array([[[1, 0], [0, 1]], [[0, 1], [1, 0]]], bool))
@given(arrays(bool, (3, 4, 4)))
def test_the_mesh_is_closed_and_turns_outwards(voxels):
    triangles = surface_triangles(voxels)
    edges = np.concatenate([triangles[:, [i, (i + 1) % 3]] for i in range(3)]).reshape(-1, 6)
    forth = sorted(map(tuple, edges.tolist()))
    back = sorted(map(tuple, edges[:, [3, 4, 5, 0, 1, 2]].tolist()))
    assert forth == back
    normals = np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])
    signed = np.einsum("ij,ij->", triangles[:, 0], normals) / 6
    assert (signed > 0) == voxels.any()
    assert signed <= voxels.sum() + 1e-9


# PyRadiomics 3.0.1 (SimpleITK 2.5.7, Python 3.11), spacing (slice, row, column) in mm.
PYRADIOMICS = {
    ("ball", (1.0, 1.0, 1.0)): (3051.1666666666665, 1106.295717463509, 0.919581404914729, 1.0, 1.0, 19.0),
    ("ball", (3.0, 1.0, 1.0)): (9153.5, 2700.987967315036, 0.7834649983888761, 1 / 3, 1 / 3, 57.0),
    ("ellipsoid", (1.0, 1.0, 1.0)): (
        2126.5,
        969.3173872244987,
        0.8250147494451088,
        0.6176009965349422,
        0.3810268259542726,
        27.0,
    ),
    ("ellipsoid", (3.0, 1.0, 1.0)): (
        6379.5,
        1963.0185406521057,
        0.8473915925692733,
        0.8748290425444667,
        0.5402952884731718,
        33.0,
    ),
    ("box", (1.0, 1.0, 1.0)): (
        1662.6666666666667,
        813.0701459241873,
        0.8347560387474694,
        0.856348838577676,
        0.7125253031944253,
        19.949937343260004,
    ),
    ("box", (3.0, 1.0, 1.0)): (
        4988.0,
        1814.5157589997582,
        0.77805030382801,
        0.46781964351149147,
        0.400616808384888,
        34.49637662132068,
    ),
}


@pytest.mark.parametrize(("shape", "spacing"), PYRADIOMICS)
def test_mesh_and_axes_agree_with_pyradiomics(shape, spacing):
    voxels = {"ball": ellipsoid(9, 9, 9), "ellipsoid": ellipsoid(5, 8, 13), "box": box(10, 12, 14)}[shape]
    values = measure_lesion(a_mask(voxels, spacing))
    names = (
        "mesh_volume_mm3",
        "surface_area_mm2",
        "sphericity",
        "elongation",
        "flatness",
        "maximum_3d_diameter_mm",
    )
    assert [values[name] for name in names] == pytest.approx(PYRADIOMICS[shape, spacing], rel=1e-9)


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
    assert measure_lesion(Mask(PHANTOM > 0, where), scan)[feature] == pytest.approx(value, abs=tolerance)


def test_every_feature_has_a_value_a_unit_and_a_source():
    voxels = ellipsoid(4, 8, 9)
    where = Grid(voxels.shape, spacing=(3.0, 1.0, 1.0), affine=np.diag([3.0, 1.0, 1.0, 1.0])[[2, 1, 0, 3]])
    scan = Scan(np.random.default_rng(0).random((*voxels.shape, 3)), where, "someone")
    values = measure_lesion(Mask(voxels, where), scan)
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
    assert measure_lesion(Mask(voxels, where), Scan(image, where, "someone"))["side"] == "image right"


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

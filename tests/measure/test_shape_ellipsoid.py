"""The bounding ellipsoid and the component it is of: closed forms and invariances."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from support.shapes import box, component_sizes, ellipsoid

from glioseg.errors import WrongKindError
from glioseg.measure.shape import (
    NotDefined,
    bounding_ellipsoid_volume_ratio,
    largest_component,
    minimum_volume_ellipsoid,
)
from glioseg.measure.shape.ellipsoid import TOLERANCE, corners

few = settings(max_examples=30, deadline=None)


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
    sizes = component_sizes(voxels)
    assume(len(sizes) < 2 or sizes[-1] > sizes[-2])
    after = bounding_ellipsoid_volume_ratio(mapped)
    if isinstance(before, NotDefined):
        # A flat lesion of thick voxels is only known to be flat by its own voxels.
        assume(scale == (1, 1, 1))
        assert after == before
    else:
        assert 0 < before <= 1
        assert after == pytest.approx(before, rel=1e-6)


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
    assert lesion.voxels.sum() == max(component_sizes(voxels))


def test_only_boolean_volumes_are_taken():
    with pytest.raises(WrongKindError, match="boolean"):
        largest_component(np.full((2, 2, 2), 255, np.uint8))
    with pytest.raises(ValueError, match="slices, height, width"):
        largest_component(np.ones((2, 2), bool))

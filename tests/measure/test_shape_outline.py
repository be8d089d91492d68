"""Features of the outline: closed forms and invariances."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from support.shapes import component_sizes, disc, grid, in_one_slice

from glioseg.measure.shape import (
    NotDefined,
    angular_standard_deviation,
    largest_component,
    margin_fluctuation,
)
from glioseg.measure.shape.outline import boundary
from glioseg.measure.size import diameters

few = settings(max_examples=30, deadline=None)


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
    sizes = component_sizes(voxels)
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

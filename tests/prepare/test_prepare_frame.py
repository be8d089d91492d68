"""The square that a scan is cut to, and an exact way back from it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from support.phantom import HEAD, PREPARATIONS, ellipse, scan_of

from glioseg.errors import WrongKindError
from glioseg.grid import Grid
from glioseg.measure import dice
from glioseg.prepare import Frame, Preparation
from glioseg.scan import Scan

sides = st.integers(8, 90)


@st.composite
def any_frames(draw) -> Frame:
    height, width = draw(sides), draw(sides)
    side, aspect = draw(st.floats(8, 120)), draw(st.sampled_from((1.0, 0.2, 0.7, 3.0)))
    top = draw(st.floats(-0.5 * side, height - 0.5 * side))
    left = draw(st.floats(-0.5 * side * aspect, width - 0.5 * side * aspect))
    return Frame((1, height, width), 0, 1, top, left, side, draw(st.integers(16, 80)), aspect)


@given(any_frames())
def test_probabilities_stay_probabilities_and_end_with_the_frame(frame: Frame) -> None:
    restored = frame.restore(np.ones((1, frame.size, frame.size), np.float32))
    rows = np.arange(frame.shape[1]) + 0.5
    columns = np.arange(frame.shape[2]) + 0.5
    inside = ((rows > frame.top) & (rows < frame.top + frame.side))[:, None] & (
        (columns > frame.left) & (columns < frame.left + frame.across)
    )
    np.testing.assert_array_equal(restored[0][inside], 1)
    margin = 1e-6 * max(
        frame.side, frame.across
    )  # where a pixel's centre lies on the very edge, rounding decides
    outside = ((rows < frame.top - margin) | (rows > frame.top + frame.side + margin))[:, None] | (
        (columns < frame.left - margin) | (columns > frame.left + frame.across + margin)
    )
    assert not restored[0][outside].any()


@settings(max_examples=30)
@given(any_frames(), st.integers(0, 2**32 - 1))
def test_nearest_neighbour_takes_the_pixel_under_each_centre(frame: Frame, seed: int) -> None:
    mask = np.random.default_rng(seed).random(frame.shape) < 0.5
    expected = np.zeros((frame.size, frame.size), bool)
    for i in range(frame.size):
        for j in range(frame.size):
            row, column = (
                int(np.floor(start + (place + 0.5) * (length / frame.size)))
                for start, length, place in ((frame.top, frame.side, i), (frame.left, frame.across, j))
            )
            if 0 <= row < frame.shape[1] and 0 <= column < frame.shape[2]:
                expected[i, j] = mask[0, row, column]
    np.testing.assert_array_equal(frame.to_prepared(mask)[0], expected)


@given(any_frames())
def test_no_position_is_shifted(frame: Frame) -> None:
    """A ramp of positions comes out as the positions of the new pixels' centres, there and back."""
    _, height, width = frame.shape
    pixels = np.arange(height) + 0.5, np.arange(width) + 0.5
    starts, lengths = (frame.top, frame.left), (frame.side, frame.across)
    places, there_inner, back_inner = [], [], []
    for start, length, own in zip(starts, lengths, pixels, strict=True):
        step = length / frame.size
        centres = start + (np.arange(frame.size) + 0.5) * step
        places.append(centres)
        # Prepared pixels that the scan's edge does not reach, and scan pixels that the frame's does not.
        reach, edge = max(step, 1.0) + 0.5, step / 2 + 1e-3
        there_inner.append((centres > reach) & (centres < len(own) - reach))
        back_inner.append((own > start + edge) & (own < start + length - edge))
    shape = frame.size, frame.size
    for axis in (0, 1):
        own = np.meshgrid(*pixels, indexing="ij")[axis].astype(np.float32)
        prepared = np.meshgrid(*places, indexing="ij")[axis]
        step = lengths[axis] / frame.size
        there = frame.coverage(own[None])[0]
        assert there.shape == shape
        inner = np.ix_(*there_inner)
        # Where the filter is wide its sampled triangle is not quite symmetric, and long columns stay steps:
        # within half a scan pixel.
        steps = axis == 1 and frame.aspect < 1
        np.testing.assert_allclose(there[inner], prepared[inner], atol=0.5 if steps or step > 1 else 1e-3)
        back = frame.restore(prepared[None].astype(np.float32))[0]
        inner = np.ix_(*back_inner)
        np.testing.assert_allclose(back[inner], own[inner], atol=1e-3)


@given(
    sides, sides, st.integers(16, 80), st.integers(-40, 40), st.integers(-40, 40), st.integers(0, 2**32 - 1)
)
def test_pixels_of_the_same_size_come_back_as_they_were(height, width, size, top, left, seed) -> None:
    frame = Frame((2, height, width), 0, 2, top, left, size, size)
    mask = np.random.default_rng(seed).random(frame.shape) < 0.5
    inside = np.zeros(frame.shape, bool)
    inside[:, max(top, 0) : max(top + size, 0), max(left, 0) : max(left + size, 0)] = True
    np.testing.assert_array_equal(frame.coverage(mask), frame.to_prepared(mask))
    np.testing.assert_array_equal(frame.restore(frame.coverage(mask)), mask & inside)


@settings(max_examples=60)
@given(
    height=st.integers(40, 300),
    width=st.integers(40, 300),
    slices=st.integers(1, 3),
    size=st.sampled_from((64, 128, 256)),
    head_share=st.tuples(st.floats(0.3, 0.5), st.floats(0.3, 0.5)),
    lesion=st.tuples(st.floats(0.15, 0.7), st.floats(0.15, 0.7), st.floats(-0.3, 0.3), st.floats(-0.3, 0.3)),
)
def test_a_perfect_network_comes_back_to_the_grid_of_the_scan(
    height, width, slices, size, head_share, lesion
) -> None:
    middle = height / 2, width / 2
    radii = height * head_share[0], width * head_share[1]
    voxels = np.zeros((slices, height, width, 3), np.uint8)
    voxels[:, ellipse((height, width), middle, radii)] = 100
    own_radii = radii[0] * lesion[0], radii[1] * lesion[1]
    centre = middle[0] + lesion[2] * radii[0], middle[1] + lesion[3] * radii[1]
    truth = np.broadcast_to(ellipse((height, width), centre, own_radii), voxels.shape[:3])
    scan = scan_of(voxels)
    preparation = Preparation(size=size)
    frame = preparation.frame(scan)
    # Large enough: a quarter of the pixels of either grid that the outline runs through is a percent or so.
    assume(min(own_radii) >= 7 * max(1.0, frame.side / size))
    restored = frame.restore(preparation.target(truth, frame))
    assert dice(restored >= 0.5, truth) >= 0.98


@settings(max_examples=20)
@given(st.sampled_from((2, 3, 5)), st.booleans(), st.sampled_from(("head", "tissue", "even_tissue")))
def test_pixels_of_any_shape_show_the_same_square_of_the_patient(times, across, name) -> None:
    """Rows or columns that stand for several: the network sees the same, but for the blur."""
    voxels = np.zeros((3, 120, 120, 3), np.float32)
    voxels[:, ellipse((120, 120), (60, 58), (48, 40))] = 100
    voxels[:, ellipse((120, 120), (50, 62), (15, 15))] = 160
    axis = 2 if across else 1
    spacing = [5.0, 1.0, 1.0]
    fine = Preparation(name=name, size=64)(Scan(voxels, Grid((3, 120, 120), tuple(spacing)), "fine"))
    spacing[axis] = float(times)
    shape = [3, 120, 120]
    shape[axis] //= times
    thick = voxels.reshape(*shape[:axis], shape[axis], times, *shape[axis + 1 :], 3).mean(axis + 1)
    coarse = Preparation(name=name, size=64)(Scan(thick, Grid(tuple(shape), tuple(spacing)), "coarse"))
    # In pixels of the coarse scan: the square was found on pixels that the edge of the head runs through.
    assert coarse.frame.side * spacing[1] == pytest.approx(fine.frame.side, abs=3 * times)
    assert coarse.frame.across * spacing[2] == pytest.approx(coarse.frame.side * spacing[1])
    assert np.corrcoef(coarse.images.ravel(), fine.images.ravel())[0, 1] > 0.9
    lesion = thick[..., 1] > 130
    assert dice(coarse.frame.restore(coarse.frame.coverage(lesion)) >= 0.5, lesion) > 0.95


def test_a_large_scan_comes_back(labelled) -> None:
    scan, truth = labelled["TCGA_CS_4944_20010208"]
    large = Scan(
        np.ascontiguousarray(scan.voxels[8:10].repeat(4, 1).repeat(4, 2)), Grid((2, 1024, 1024)), "x"
    )
    mask = truth.mask[8:10].repeat(4, 1).repeat(4, 2)
    prepared = HEAD(large)
    assert prepared.images.shape == (2, 128, 128, 3)
    assert dice(prepared.frame.restore(prepared.frame.coverage(mask)) >= 0.5, mask) > 0.98


@pytest.mark.parametrize("name", PREPARATIONS)
def test_a_frame_alone_is_that_of_the_prepared_scan(name, labelled) -> None:
    for drop_ends in (False, True):
        preparation = Preparation(name=name, size=96, drop_ends=drop_ends)
        for scan, _ in labelled.values():
            prepared = preparation(scan)
            frame = preparation.frame(scan)
            assert frame == prepared.frame
            assert frame.shape == scan.grid.shape
            assert prepared.images.shape == (frame.last - frame.first, 96, 96, 3)


def test_a_frame_refuses_what_is_not_on_its_grid() -> None:
    frame = Frame((3, 20, 30), 1, 3, 0, 0, 30, 16)
    with pytest.raises(ValueError, match=r"\(3, 20, 31\) for a scan of \(3, 20, 30\)"):
        frame.to_prepared(np.zeros((3, 20, 31), bool))
    with pytest.raises(ValueError, match=r"\(2, 20, 30\) for a scan of \(3, 20, 30\)"):
        frame.coverage(np.zeros((2, 20, 30), bool))
    with pytest.raises(ValueError, match=r"\(3, 16, 16\) for a frame of \(2, 16, 16\)"):
        frame.restore(np.zeros((3, 16, 16), np.float32))
    with pytest.raises(WrongKindError, match="must be boolean, not uint8"):
        frame.to_prepared(np.full((3, 20, 30), 255, np.uint8))
    for name in PREPARATIONS:
        with pytest.raises(WrongKindError, match="must be boolean, not uint8"):
            Preparation(name=name).target(np.full((3, 20, 30), 255, np.uint8), frame)

"""Logits to probabilities to masks: each step refuses the wrong kind, components are counted as by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from glioseg.errors import WrongKindError
from glioseg.postprocess import fill_holes, keep_components, probabilities, to_labels, to_mask
from glioseg.recipe import PostprocessChoice

shapes = array_shapes(min_dims=3, max_dims=3, min_side=1, max_side=5)
masks = arrays(bool, shapes)
maps = arrays(np.float32, shapes, elements=st.floats(0, 1, width=32))


def components(mask) -> list[set[tuple[int, ...]]]:
    """Face-connected components, found voxel by voxel."""
    left = {tuple(place) for place in np.argwhere(mask).tolist()}
    found = []
    while left:
        component: set[tuple[int, ...]] = set()
        front = {min(left)}
        while front:
            component |= front
            front = {
                near
                for place in front
                for axis in range(3)
                for step in (-1, 1)
                if (near := (*place[:axis], place[axis] + step, *place[axis + 1 :])) in left
            } - component
        left -= component
        found.append(component)
    return found


def from_places(places, shape):
    mask = np.zeros(shape, bool)
    for place in places:
        mask[place] = True
    return mask


# ---------------------------------------------------------------- probabilities


def test_probabilities_are_the_sigmoid() -> None:
    logits = np.array([-1000, -30, -1, 0, 1, 30, 1000], np.float32)
    with np.errstate(over="ignore"):
        expected = 1 / (1 + np.exp(-logits.astype(np.float64)))
    found = probabilities(logits)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-7)
    assert found[3] == 0.5
    assert probabilities(logits.astype(np.float16)).dtype == np.float32


@given(arrays(np.float32, shapes, elements=st.floats(-(2.0**100), 2.0**100, width=32)))
def test_any_logits_give_probabilities(logits) -> None:
    found = probabilities(logits)
    assert found.shape == logits.shape
    assert ((found >= 0) & (found <= 1)).all()
    assert (found[logits >= 0] >= 0.5).all()
    assert (found[logits < -1e-6] < 0.5).all()
    np.testing.assert_allclose(found + probabilities(-logits), 1, atol=1e-6)


# ---------------------------------------------------------------- thresholds


@given(maps, st.floats(0.01, 0.99))
def test_a_voxel_is_lesion_from_the_threshold_on(probability, threshold) -> None:
    mask = to_mask(probability, PostprocessChoice(threshold=threshold))
    assert mask.dtype == np.bool_
    np.testing.assert_array_equal(mask, probability >= np.float32(threshold))


def test_a_probability_of_exactly_one_half_is_lesion() -> None:
    assert to_mask(np.full((1, 1, 1), 0.5, np.float32), PostprocessChoice()).all()


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.zeros((2, 2, 2), bool), "not bool"),
        (np.full((2, 2, 2), 255, np.uint8), "not uint8"),
        (np.ones((2, 2, 2), np.int64), "not int64"),
        (np.full((2, 2, 2), 255, np.float32), "logits"),
        (np.full((2, 2, 2), -0.5, np.float32), "logits"),
        (np.array([[[0.2, 1.5]]], np.float64), "logits"),
        (np.array([[[0.2, np.nan]]], np.float32), "NaN"),
    ],
)
def test_what_is_no_probability_is_refused(array, words) -> None:
    with pytest.raises(WrongKindError, match=words):
        to_mask(array, PostprocessChoice())


def test_no_voxel_at_all() -> None:
    for choice in (PostprocessChoice(), PostprocessChoice(largest_component=True, minimum_voxels=5)):
        assert to_mask(np.zeros((0, 4, 4), np.float32), choice).shape == (0, 4, 4)
        assert not to_mask(np.zeros((2, 4, 4), np.float32), choice).any()


# ---------------------------------------------------------------- components


@given(masks)
def test_the_largest_component(mask) -> None:
    kept = keep_components(mask, largest=True)
    found = components(mask)
    if not found:
        assert not kept.any()
        return
    size = max(map(len, found))
    largest = [from_places(component, mask.shape) for component in found if len(component) == size]
    assert any(np.array_equal(kept, component) for component in largest)


@given(masks, st.integers(0, 12))
def test_components_of_a_least_size(mask, minimum) -> None:
    expected = np.zeros(mask.shape, bool)
    for component in components(mask):
        if len(component) >= minimum:
            expected |= from_places(component, mask.shape)
    before = mask.copy()
    np.testing.assert_array_equal(keep_components(mask, minimum_voxels=minimum), expected)
    np.testing.assert_array_equal(mask, before)


@given(masks, st.booleans(), st.integers(0, 12))
def test_cleaning_up_again_changes_nothing(mask, largest, minimum) -> None:
    once = keep_components(mask, largest, minimum)
    assert (once <= mask).all()
    np.testing.assert_array_equal(keep_components(once, largest, minimum), once)


def test_corners_and_edges_do_not_connect() -> None:
    mask = np.zeros((2, 3, 3), bool)
    mask[0, 0, :2] = True
    mask[0, 1, 2] = mask[1, 1, 1] = True
    expected = np.zeros_like(mask)
    expected[0, 0, :2] = True
    np.testing.assert_array_equal(keep_components(mask, largest=True), expected)


def test_slices_connect() -> None:
    mask = np.ones((3, 1, 1), bool)
    np.testing.assert_array_equal(keep_components(mask, minimum_voxels=3), mask)


@given(maps, st.booleans(), st.integers(0, 9), st.floats(0, 1), st.floats(0.05, 0.95))
def test_a_mask_is_thresholded_and_then_cleaned_by_all_its_rules(
    map_, largest, minimum, share, threshold
) -> None:
    choice = PostprocessChoice(
        threshold=threshold, largest_component=largest, minimum_voxels=minimum, minimum_share=share
    )
    mask = to_mask(map_, choice)
    assert (mask <= (map_ >= np.float32(threshold))).all()
    sizes = [len(component) for component in components(mask)]
    whole = [len(component) for component in components(map_ >= np.float32(threshold))]
    assert sorted(sizes)[-1:] == [size for size in sorted(whole)[-1:] if size >= minimum]
    assert all(size >= max(minimum, share * max(whole)) for size in sizes)
    if largest:
        assert len(sizes) <= 1


PIECES = np.zeros((1, 3, 9), bool)
PIECES[0, :, :4] = PIECES[0, :, 5:7] = PIECES[0, 0, 8] = True
"""Three pieces in a row: 12, 6 and 1 voxels."""


def flair_of(*brightness) -> np.ndarray:
    """FLAIR of these pieces, from left to right; elsewhere brighter than any of them."""
    flair = np.full(PIECES.shape, 99.0, np.float32)
    for columns, value in zip((slice(0, 4), slice(5, 7), slice(8, 9)), brightness, strict=True):
        flair[:, :, columns] = value
    return np.where(PIECES, flair, 99)


@pytest.mark.parametrize(
    ("brightness", "kept"),
    [
        ((2, 1, 0.9), (True, True, False)),
        ((2, 0.9, 1), (True, False, True)),
        ((2, -1, 9), (True, False, True)),
        ((0, 5, -5), (True, True, True)),  # the largest does not stand out: nothing to compare with
        ((-1, -2, 0.1), (True, True, True)),
    ],
)
def test_pieces_much_fainter_than_the_largest_are_dropped(brightness, kept) -> None:
    choice = PostprocessChoice(minimum_contrast=0.5)
    mask = to_mask(PIECES.astype(np.float32), choice, lambda some: flair_of(*brightness)[some])
    assert (mask[0, 0, 0], mask[0, 0, 5], mask[0, 0, 8]) == kept
    assert (mask <= PIECES).all()
    np.testing.assert_array_equal(
        to_labels(PIECES[None].astype(np.float32), choice, [7], lambda some: flair_of(*brightness)[some])
        == 7,
        mask,
    )


def test_the_rule_is_named_in_what_a_score_says_of_itself() -> None:
    choice = PostprocessChoice(minimum_share=0.1, minimum_contrast=0.5, fill_holes=True)
    assert choice.describe() == (
        "3-D components of at least 0.1 of the largest and with at least 0.5 of the largest one's "
        "contrast; holes filled in each slice"
    )


def test_flair_is_asked_for_only_where_it_decides() -> None:
    def never(some: slice) -> np.ndarray:
        raise AssertionError

    faint = PostprocessChoice(minimum_contrast=0.5)
    one = np.ones((2, 3, 3), np.float32)
    assert to_mask(one, faint, never).all()
    assert not to_mask(one * 0, faint, never).any()
    alone = faint.model_copy(update={"largest_component": True})
    assert to_mask(PIECES.astype(np.float32), alone, never).sum() == 12
    with pytest.raises(ValueError, match="FLAIR"):
        to_mask(PIECES.astype(np.float32), faint)


# ---------------------------------------------------------------- holes


@given(masks)
def test_a_hole_is_what_no_path_joins_to_the_border(mask) -> None:
    filled = fill_holes(mask)
    for before, after in zip(mask, filled, strict=True):
        # One pixel of outside all around joins everything that is not enclosed.
        around = components(np.pad(~before, 1, constant_values=True)[None])
        outside = from_places(next(one for one in around if (0, 0, 0) in one), (1, *np.add(before.shape, 2)))
        np.testing.assert_array_equal(after, ~outside[0, 1:-1, 1:-1])


def test_holes_are_filled_after_components_are_dropped() -> None:
    ring = np.zeros((1, 5, 5), bool)
    ring[0, ::4] = ring[0, :, ::4] = True
    inner = ring.copy()
    inner[0, 2, 2] = True
    choice = PostprocessChoice(fill_holes=True, largest_component=True)
    for mask in (ring, inner):
        assert to_mask(mask.astype(np.float32), choice).all()
    assert not to_mask(ring.astype(np.float32), PostprocessChoice(largest_component=True)).all()


def test_a_class_within_another_is_no_hole() -> None:
    probability = np.zeros((2, 1, 5, 5), np.float32)
    probability[0] = 0.9
    probability[:, 0, 2, 2] = 0, 0.9
    probability[0, 0, 1, 1] = 0
    labels = to_labels(probability, PostprocessChoice(fill_holes=True), (1, 4))
    expected = np.ones((1, 5, 5))
    expected[0, 2, 2] = 4
    np.testing.assert_array_equal(labels, expected)

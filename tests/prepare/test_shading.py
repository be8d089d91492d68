"""The shading of coils: what was put in comes out, and lesions stay."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.phantom import TISSUE, ellipse, stepped

from glioseg.prepare.shading import DEGREE, POWERS, STRONGEST, learn_shading

SIZE = 96
HEAD = ellipse((SIZE, SIZE), (48, 48), (42, 36))
LESION = ellipse((SIZE, SIZE), (40, 58), (12, 14))
VENTRICLE = ellipse((SIZE, SIZE), (52, 44), (10, 4))


def places(slices):
    along = np.linspace(-1, 1, slices) if slices > 1 else np.zeros(1)
    side = (np.arange(SIZE) + 0.5) / SIZE * 2 - 1
    return np.meshgrid(along, side, side, indexing="ij")


def even_head(slices=12, noise=0.03, seed=0):
    """Tissue of 100 with a lesion of 150 in half of the slices and a dark ventricle, on air of 0."""
    voxels = np.zeros((slices, SIZE, SIZE), np.float32)
    voxels[:, HEAD] = 100
    voxels[:, VENTRICLE] = 30
    voxels[slices // 4 : -slices // 4 or None, LESION] = 150
    texture = np.random.default_rng(seed).normal(1, noise, voxels.shape)
    return (voxels * texture).astype(np.float32)


def corrected(voxels):
    return stepped(voxels, learn_shading)


strengths = st.lists(st.floats(-0.12, 0.12), min_size=len(POWERS), max_size=len(POWERS))


@settings(max_examples=25, deadline=None)
@given(strengths)
def test_shading_that_was_put_in_comes_out(coefficients) -> None:
    even = even_head()
    along, down, across = places(len(even))
    logs = sum(
        value * along**i * down**j * across**k for value, (i, j, k) in zip(coefficients, POWERS, strict=True)
    )
    found = corrected(even * np.exp(logs).astype(np.float32))
    tissue = even > 80
    share = np.log(found[tissue] / even[tissue])
    assert share.std() < 0.03 + 0.1 * logs[tissue].std()


@pytest.mark.parametrize("slices", [1, 2, 3, 20])
def test_a_head_without_shading_stays_as_it_is(slices) -> None:
    even = even_head(slices)
    np.testing.assert_allclose(corrected(even)[even > 0] / even[even > 0], 1, atol=0.05)


def test_a_lesion_keeps_its_contrast() -> None:
    even = even_head()
    ring = ellipse((SIZE, SIZE), (40, 58), (16, 18)) & ~LESION & HEAD & ~VENTRICLE
    _, _, across = places(len(even))
    found = corrected(even * np.exp(0.4 * across).astype(np.float32))[6]
    assert found[LESION].mean() / found[ring].mean() == pytest.approx(1.5, rel=0.04)


@settings(max_examples=15, deadline=None)
@given(st.floats(1e-3, 1e3))
def test_the_unit_does_not_matter_and_tissue_stays_where_it_was(factor) -> None:
    shaded = even_head() * np.exp(0.3 * places(12)[1]).astype(np.float32)
    found = corrected(shaded)
    np.testing.assert_allclose(corrected(shaded * np.float32(factor)), found * factor, rtol=1e-3)
    assert np.median(found[found > 0]) == pytest.approx(100, rel=0.1)


def test_left_and_right_are_alike() -> None:
    shaded = even_head() * np.exp(0.3 * places(12)[2]).astype(np.float32)
    mirrored = corrected(shaded[..., ::-1].copy())[..., ::-1]
    np.testing.assert_allclose(mirrored, corrected(shaded), rtol=0.02, atol=1e-3)


def test_no_more_than_the_strongest_shading_is_taken_out() -> None:
    shaded = even_head() * np.exp(2 * places(12)[1] ** DEGREE).astype(np.float32)
    change = np.log(shaded[shaded > 0] / corrected(shaded)[shaded > 0])
    assert np.abs(change).max() <= STRONGEST + 1e-5
    assert np.abs(change).max() > 0.9 * STRONGEST


def test_slices_beyond_the_brain_are_shaded_as_the_last_that_shows_it() -> None:
    even = even_head(14)
    vertex = ellipse((SIZE, SIZE), (48, 48), (16, 12))
    even[-3:, ~vertex] = 0
    coil = np.exp(0.5 * places(14)[0] ** 3).astype(np.float32)
    change = np.log((even * coil)[:, vertex] / corrected(even * coil)[:, vertex]).mean(axis=1)
    np.testing.assert_allclose(change[-3:], change[-4], atol=1e-3)


@pytest.mark.parametrize("size", [8, 32, 96])
def test_with_too_little_tissue_nothing_happens(size) -> None:
    empty = np.zeros((2, size, size), np.float32)
    speck = empty.copy()
    speck[:, :4, :4] = 1
    for voxels in (empty, speck):
        np.testing.assert_array_equal(corrected(voxels), voxels)


def test_a_real_scan_looks_the_same_from_under_another_coil(labelled) -> None:
    for scan, _ in labelled.values():
        flair = TISSUE.model_copy(update={"size": SIZE}).frame(scan).coverage(scan.channel("flair") / 255)
        along, down, across = places(len(flair))
        shaded = flair * np.exp(0.25 * across - 0.2 * down + 0.15 * across**2 + 0.1 * along).astype(
            np.float32
        )
        brain = ellipse((SIZE, SIZE), (48, 48), (32, 24)) & (flair > 0.05)
        brain[: len(flair) // 4] = False  # at the neck shading is cut off
        change = np.log(corrected(shaded)[brain] / corrected(flair)[brain])
        assert change.std() < 0.4 * np.log(shaded[brain] / flair[brain]).std()

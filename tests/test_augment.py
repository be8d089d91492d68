"""Augmentation: what is drawn, and what no kind of it may do."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from support.augment_kit import GEOMETRY, INTENSITY, disc, draws_of

from glioseg.augment import Augmentation
from glioseg.recipe import AugmentChoice, load_recipe, recipe_names

few = settings(max_examples=20, deadline=None)

EVERYTHING = AugmentChoice(
    scale=0.2,
    rotation=30,
    shear=0.1,
    shift=0.1,
    flip=0.5,
    elastic=0.02,
    gamma=0.4,
    gain=0.2,
    offset=0.2,
    bias_field=0.3,
    noise=0.1,
    blur=0.5,
    missing=0.5,
)


# ---------------------------------------------------------------- draws


@few
@given(
    seed=st.integers(0, 2**31 - 1),
    epoch=st.integers(0, 10_000),
    positions=st.lists(st.integers(0, 10**6), min_size=1, max_size=8, unique=True),
    data=st.data(),
)
def test_draws_depend_on_seed_epoch_and_position_alone(seed, epoch, positions, data):
    augmentation = Augmentation(EVERYTHING)
    whole = augmentation.draw(seed, epoch, positions)
    shuffled = data.draw(st.permutations(range(len(positions))))
    cut = data.draw(st.integers(1, len(positions)))
    for part in (shuffled[:cut], shuffled[cut:]):
        if part:
            again = Augmentation(EVERYTHING).draw(seed, epoch, [positions[place] for place in part])
            assert torch.equal(again.uniform, whole.uniform[part])
            assert torch.equal(again.elastic, whole.elastic[part])
            assert again.seeds == tuple(whole.seeds[place] for place in part)
    assert whole.uniform.min() >= 0
    assert whole.uniform.max() < 1


def test_draws_differ_between_seeds_epochs_and_positions():
    augmentation = Augmentation(EVERYTHING)
    rows = [
        augmentation.draw(seed, epoch, [position])
        for seed in (0, 1, 2**31 - 1)
        for epoch in (0, 1, 99)
        for position in (0, 1, 2, 1000)
    ]
    assert len({tuple(row.uniform[0].tolist()) for row in rows}) == len(rows)
    assert len({row.seeds for row in rows}) == len(rows)


def test_draws_are_uniform_and_normal():
    draws = Augmentation(EVERYTHING).draw(7, 3, range(4000))
    np.testing.assert_allclose(draws.uniform.mean(0), 0.5, atol=0.03)
    np.testing.assert_allclose(draws.uniform.std(0), 12**-0.5, atol=0.02)
    correlation = np.corrcoef(draws.uniform.numpy().T) - np.eye(draws.uniform.shape[1])
    assert abs(correlation).max() < 0.1
    assert abs(float(draws.elastic.mean())) < 0.02
    assert float(draws.elastic.std()) == pytest.approx(1, abs=0.02)


def test_draws_leave_the_global_generators_alone(lesion_batch):
    torch.manual_seed(5)
    np.random.seed(5)  # noqa: NPY002 - the global generator is what must stay untouched
    expected = torch.rand(3), np.random.rand(3)  # noqa: NPY002
    torch.manual_seed(5)
    np.random.seed(5)  # noqa: NPY002
    augmentation = Augmentation(EVERYTHING)
    augmentation(*lesion_batch, augmentation.draw(1, 2, range(6)))
    assert torch.equal(torch.rand(3), expected[0])
    assert np.array_equal(np.random.rand(3), expected[1])  # noqa: NPY002


# ---------------------------------------------------------------- whatever is on


def test_an_image_does_not_depend_on_its_batch(lesion_batch):
    images, targets = lesion_batch
    augmentation = Augmentation(EVERYTHING)
    whole = augmentation(images, targets, augmentation.draw(3, 4, range(6)))
    for order in ([5, 0, 3], [2]):
        part = augmentation(images[order], targets[order], augmentation.draw(3, 4, order))
        for ours, theirs in zip(part, whole, strict=True):
            torch.testing.assert_close(ours, theirs[order], rtol=1e-5, atol=1e-5)


def test_nothing_on_changes_nothing(lesion_batch):
    augmentation = Augmentation(AugmentChoice())
    images, targets = augmentation(*lesion_batch, augmentation.draw(0, 0, range(6)))
    assert torch.equal(images, lesion_batch[0])
    assert torch.equal(targets, lesion_batch[1])


@pytest.mark.parametrize("kind", [*GEOMETRY, *INTENSITY, "missing"])
def test_each_kind_alone_changes_the_image_and_leaves_its_input(lesion_batch, kind):
    images, targets = (tensor.clone() for tensor in lesion_batch)
    value = {**GEOMETRY, **INTENSITY, "missing": 1.0, "flip": 1.0}[kind]
    augmentation = Augmentation(AugmentChoice(**{kind: value}))
    moved, moved_targets = augmentation(images, targets, augmentation.draw(1, 1, range(6)))
    assert torch.equal(images, lesion_batch[0])
    assert torch.equal(targets, lesion_batch[1])
    assert moved.shape == images.shape
    changed = (moved - images).abs().amax(dim=(1, 2, 3)) > 1e-4
    assert changed.all()
    assert torch.equal(moved_targets, targets) == (kind not in GEOMETRY)


@few
@given(seed=st.integers(0, 2**20), mode=st.sampled_from(["linear", "nearest"]))
def test_values_stay_what_they_are(lesion_batch, seed, mode):
    images, targets = lesion_batch
    augmentation = Augmentation(EVERYTHING.model_copy(update={"targets": mode}))
    moved, moved_targets = augmentation(images, targets, augmentation.draw(seed, 0, range(6)))
    assert moved.dtype == images.dtype
    assert moved_targets.dtype == targets.dtype
    assert moved.shape == images.shape
    assert moved_targets.shape == targets.shape
    assert torch.isfinite(moved).all()
    assert moved_targets.min() >= 0
    assert moved_targets.max() <= 1


@few
@given(seed=st.integers(0, 2**20))
def test_nearest_keeps_a_hard_mask_hard_and_linear_makes_it_soft(seed):
    targets = (disc(row=5, column=-7) > 0.5).float()
    images = targets.repeat(1, 3, 1, 1)
    for mode in ("nearest", "linear"):
        augmentation = Augmentation(AugmentChoice(**{**GEOMETRY, "flip": 0.0}, targets=mode))
        moved = augmentation(images, targets, augmentation.draw(seed, 1, [0]))[1]
        assert bool(((moved == 0) | (moved == 1)).all()) == (mode == "nearest")
        assert moved.sum() > 0


@few
@given(seed=st.integers(0, 2**20))
def test_image_and_target_move_together(seed):
    targets = torch.cat([disc(row=6, column=-8), disc(radius=8, row=-4), disc(radius=15)])
    # An image that is its target, brighter and on another background in each channel.
    images = torch.cat([3 * targets - 1, targets + 2, 5 * targets], dim=1)
    augmentation = Augmentation(AugmentChoice(**GEOMETRY))
    moved, moved_targets = augmentation(images, targets, augmentation.draw(seed, 2, range(3)))
    torch.testing.assert_close(moved[:, 0:1], 3 * moved_targets - 1, rtol=0, atol=1e-4)
    torch.testing.assert_close(moved[:, 1:2], moved_targets + 2, rtol=0, atol=1e-4)
    torch.testing.assert_close(moved[:, 2:3], 5 * moved_targets, rtol=0, atol=1e-4)


def test_what_comes_in_from_outside_is_background(lesion_batch):
    images, targets = lesion_batch[0] + 7, torch.ones_like(lesion_batch[1])
    augmentation = Augmentation(AugmentChoice(shift=0.9))
    # Everything is shifted out but a strip.
    moved, moved_targets = augmentation(images, targets, draws_of(6, shift=[1.0, 0.5]))
    outside = slice(10, None)
    darkest = images.amin(dim=(2, 3), keepdim=True)
    torch.testing.assert_close(moved[..., outside], darkest.expand_as(moved[..., outside]))
    assert not moved_targets[..., outside].any()
    assert moved_targets[..., :4].all()


def test_corners_of_a_rotated_image_are_background():
    images = torch.full((1, 3, 32, 32), 4.0)
    images[..., 12:20, 12:20] = torch.tensor([-1.0, -2.0, -3.0]).view(3, 1, 1)
    augmentation = Augmentation(AugmentChoice(rotation=45))
    moved, _ = augmentation(images, disc(32, 32), draws_of(rotation=1.0))
    for row, column in ((0, 0), (0, -1), (-1, 0), (-1, -1)):
        assert moved[0, :, row, column].tolist() == [-1.0, -2.0, -3.0]


def test_classes_stay_whole_and_what_comes_in_is_the_first_class():
    lesion = torch.cat([disc(row=6), disc(radius=5, column=-9)], dim=1)
    targets = torch.cat([1 - lesion.amax(1, keepdim=True), lesion[:, :1], lesion[:, 1:]], dim=1)
    targets = targets / targets.sum(1, keepdim=True)
    images = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    for mode in ("linear", "nearest"):
        augmentation = Augmentation(AugmentChoice(rotation=40, shift=0.3, targets=mode))
        moved = augmentation(images, targets, draws_of(rotation=0.9, shift=[0.95, 0.5]))[1]
        torch.testing.assert_close(moved.sum(1), torch.ones(1, 64, 64))
        assert moved[0, :, 0, -1].tolist() == [1.0, 0.0, 0.0]
        assert (moved.sum(dim=(0, 2, 3)) > 20).all()


# ---------------------------------------------------------------- recipes


@pytest.mark.parametrize("name", recipe_names())
def test_every_recipe_augments_real_slices(lesion_batch, name):
    augmentation = Augmentation(load_recipe(name).augment)
    images, targets = augmentation(*lesion_batch, augmentation.draw(0, 0, range(6)))
    assert torch.isfinite(images).all()
    # Lesions stay in the picture and about as large.
    assert 0.5 < float(targets.sum() / lesion_batch[1].sum()) < 2

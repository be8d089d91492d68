"""Augmentation: what is drawn, what each kind does, and what none of them may do."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from glioseg.augment import LATE_UNIFORMS, UNIFORMS, Augmentation, Draws
from glioseg.prepare import Preparation, stack_neighbours
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
GEOMETRY = {"scale": 0.2, "rotation": 30, "shear": 0.1, "shift": 0.1, "flip": 0.5, "elastic": 0.02}
INTENSITY = {"gamma": 0.4, "gain": 0.2, "offset": 0.2, "bias_field": 0.3, "noise": 0.1, "blur": 1.0}


@pytest.fixture(scope="module")
def batch(labelled):
    """Six slices of a real scan with their neighbours' FLAIR, and the share of lesion."""
    scan, truth = labelled["TCGA_CS_4944_20010208"]
    preparation = Preparation(size=48)
    prepared = preparation(scan)
    chosen = np.flatnonzero(truth.voxels.any(axis=(1, 2)))[:6]
    targets = preparation.target(truth.voxels, prepared.frame)[chosen, None].clip(0, 1)
    return torch.from_numpy(stack_neighbours(prepared.images, chosen, 1)), torch.from_numpy(targets)


def disc(height=64, width=64, radius=12, row=0.0, column=0.0):
    """A soft disc, off the middle by (row, column) pixels: a target that any interpolation keeps nearly."""
    y, x = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij")
    distance = torch.hypot(y - height / 2 - row, x - width / 2 - column)
    return ((radius - distance) / 4 + 0.5).clamp(0, 1)[None, None]


def centre(target):
    """Centre of mass in pixels from the middle, (row, column)."""
    height, width = target.shape[-2:]
    mass = target[0, 0] / target.sum()
    y, x = torch.arange(height) + 0.5 - height / 2, torch.arange(width) + 0.5 - width / 2
    return float((mass.sum(1) * y).sum()), float((mass.sum(0) * x).sum())


def draws_of(count=1, grid=5, **uniform):
    """Draws in the middle of their range (which change nothing), but for those named by place."""
    values = torch.full((count, UNIFORMS + LATE_UNIFORMS), 0.5)
    for place, value in uniform.items():
        values[:, int(place.removeprefix("u"))] = value
    return Draws(values, torch.zeros(count, 2, grid, grid), tuple(range(count)))


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
    correlation = np.corrcoef(draws.uniform.numpy().T) - np.eye(UNIFORMS + LATE_UNIFORMS)
    assert abs(correlation).max() < 0.1
    assert abs(float(draws.elastic.mean())) < 0.02
    assert float(draws.elastic.std()) == pytest.approx(1, abs=0.02)


def test_draws_leave_the_global_generators_alone(batch):
    torch.manual_seed(5)
    np.random.seed(5)  # noqa: NPY002 - the global generator is what must stay untouched
    expected = torch.rand(3), np.random.rand(3)  # noqa: NPY002
    torch.manual_seed(5)
    np.random.seed(5)  # noqa: NPY002
    augmentation = Augmentation(EVERYTHING)
    augmentation(*batch, augmentation.draw(1, 2, range(6)))
    assert torch.equal(torch.rand(3), expected[0])
    assert np.array_equal(np.random.rand(3), expected[1])  # noqa: NPY002


# ---------------------------------------------------------------- whatever is on


def test_an_image_does_not_depend_on_its_batch(batch):
    images, targets = batch
    augmentation = Augmentation(EVERYTHING)
    whole = augmentation(images, targets, augmentation.draw(3, 4, range(6)))
    for order in ([5, 0, 3], [2]):
        part = augmentation(images[order], targets[order], augmentation.draw(3, 4, order))
        for ours, theirs in zip(part, whole, strict=True):
            torch.testing.assert_close(ours, theirs[order], rtol=1e-5, atol=1e-5)


def test_nothing_on_changes_nothing(batch):
    augmentation = Augmentation(AugmentChoice())
    images, targets = augmentation(*batch, augmentation.draw(0, 0, range(6)))
    assert torch.equal(images, batch[0])
    assert torch.equal(targets, batch[1])


@pytest.mark.parametrize("kind", [*GEOMETRY, *INTENSITY, "missing"])
def test_each_kind_alone_changes_the_image_and_leaves_its_input(batch, kind):
    images, targets = (tensor.clone() for tensor in batch)
    value = {**GEOMETRY, **INTENSITY, "missing": 1.0, "flip": 1.0}[kind]
    augmentation = Augmentation(AugmentChoice(**{kind: value}))
    moved, moved_targets = augmentation(images, targets, augmentation.draw(1, 1, range(6)))
    assert torch.equal(images, batch[0])
    assert torch.equal(targets, batch[1])
    assert moved.shape == images.shape
    changed = (moved - images).abs().amax(dim=(1, 2, 3)) > 1e-4
    assert changed.all()
    assert torch.equal(moved_targets, targets) == (kind not in GEOMETRY)


@few
@given(seed=st.integers(0, 2**20), mode=st.sampled_from(["linear", "nearest"]))
def test_values_stay_what_they_are(batch, seed, mode):
    images, targets = batch
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


def test_what_comes_in_from_outside_is_background(batch):
    images, targets = batch[0] + 7, torch.ones_like(batch[1])
    augmentation = Augmentation(AugmentChoice(shift=0.9))
    # Everything is shifted out but a strip.
    moved, moved_targets = augmentation(images, targets, draws_of(6, u4=1.0))
    outside = slice(10, None)
    darkest = images.amin(dim=(2, 3), keepdim=True)
    torch.testing.assert_close(moved[..., outside], darkest.expand_as(moved[..., outside]))
    assert not moved_targets[..., outside].any()
    assert moved_targets[..., :4].all()


def test_corners_of_a_rotated_image_are_background():
    images = torch.full((1, 3, 32, 32), 4.0)
    images[..., 12:20, 12:20] = torch.tensor([-1.0, -2.0, -3.0]).view(3, 1, 1)
    augmentation = Augmentation(AugmentChoice(rotation=45))
    moved, _ = augmentation(images, disc(32, 32), draws_of(u1=1.0))
    for row, column in ((0, 0), (0, -1), (-1, 0), (-1, -1)):
        assert moved[0, :, row, column].tolist() == [-1.0, -2.0, -3.0]


def test_classes_stay_whole_and_what_comes_in_is_the_first_class():
    lesion = torch.cat([disc(row=6), disc(radius=5, column=-9)], dim=1)
    targets = torch.cat([1 - lesion.amax(1, keepdim=True), lesion[:, :1], lesion[:, 1:]], dim=1)
    targets = targets / targets.sum(1, keepdim=True)
    images = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    for mode in ("linear", "nearest"):
        augmentation = Augmentation(AugmentChoice(rotation=40, shift=0.3, targets=mode))
        moved = augmentation(images, targets, draws_of(u1=0.9, u4=0.95))[1]
        torch.testing.assert_close(moved.sum(1), torch.ones(1, 64, 64))
        assert moved[0, :, 0, -1].tolist() == [1.0, 0.0, 0.0]
        assert (moved.sum(dim=(0, 2, 3)) > 20).all()


# ---------------------------------------------------------------- geometry, one by one


def test_another_size_shows_the_same_image():
    rows, columns = torch.meshgrid(torch.linspace(-1, 1, 96), torch.linspace(-1, 1, 96), indexing="ij")
    disc = ((rows - 0.2) ** 2 + (columns + 0.3) ** 2 < 0.25).float()[None, None]
    images = torch.cat((disc, rows[None, None], columns[None, None]), dim=1)
    augmentation = Augmentation(AugmentChoice())
    small, target = augmentation(images, disc, augmentation.draw(0, 0, [0]), 48)
    assert small.shape == (1, 3, 48, 48)
    expected = torch.nn.functional.interpolate(images, (48, 48), mode="area")
    assert (small - expected).abs()[:, 1:].max() < 0.02
    assert float(target.mean()) == pytest.approx(float(disc.mean()), abs=0.01)
    whole, _ = augmentation(images, disc, augmentation.draw(0, 0, [0]))
    assert torch.equal(whole, images)


def test_flip_mirrors_left_and_right(batch):
    images, targets = batch
    augmentation = Augmentation(AugmentChoice(flip=0.5))
    mirrored = augmentation(images, targets, draws_of(6, u2=0.49))
    same = augmentation(images, targets, draws_of(6, u2=0.5))
    for original, other, flipped in zip(batch, same, mirrored, strict=True):
        torch.testing.assert_close(other, original, rtol=0, atol=1e-4)
        torch.testing.assert_close(flipped, original.flip(-1), rtol=0, atol=1e-4)


def test_flip_happens_as_often_as_it_says():
    targets = disc(16, 16, radius=3, column=4).expand(2000, -1, -1, -1)
    augmentation = Augmentation(AugmentChoice(flip=0.3))
    moved = augmentation(targets, targets, augmentation.draw(0, 0, range(2000)))[1]
    share = float((moved[..., :8].sum(dim=(1, 2, 3)) > moved[..., 8:].sum(dim=(1, 2, 3))).float().mean())
    assert share == pytest.approx(0.3, abs=0.03)


@pytest.mark.parametrize(("uniform", "factor"), [(1.0, 1.5), (0.0, 0.5)])
def test_scale_zooms_in_and_out(uniform, factor):
    augmentation = Augmentation(AugmentChoice(scale=0.5))
    moved = augmentation(disc(), disc(), draws_of(u0=uniform))[1]
    assert float(moved.sum() / disc().sum()) == pytest.approx(factor**2, rel=0.03)


@pytest.mark.parametrize(("height", "width"), [(64, 64), (48, 80), (80, 48)])
@pytest.mark.parametrize("uniform", [1.0, 0.75, 0.0])
def test_rotation_turns_by_its_angle_and_keeps_shapes(height, width, uniform):
    target = disc(height, width, radius=6, column=12)
    augmentation = Augmentation(AugmentChoice(rotation=90))
    moved = augmentation(target, target, draws_of(u1=uniform))[1]
    angle = np.pi / 2 * (2 * uniform - 1)
    row, column = centre(moved)
    assert column == pytest.approx(12 * np.cos(angle), abs=0.1)
    assert abs(row) == pytest.approx(abs(12 * np.sin(angle)), abs=0.1)
    assert np.sign(round(row, 3)) == -np.sign(angle)
    # The disc is a disc still.
    there = disc(height, width, radius=6, row=row, column=column)
    torch.testing.assert_close(moved, there, rtol=0, atol=0.1)


@pytest.mark.parametrize(("place", "axis"), [("u4", 1), ("u5", 0)])
def test_shift_is_a_share_of_the_side(place, axis):
    augmentation = Augmentation(AugmentChoice(shift=0.25))
    moved = augmentation(disc(96, 64), disc(96, 64), draws_of(**{place: 0.75}))[1]
    expected = [0.0, 0.0]
    expected[axis] = -0.125 * (96, 64)[axis]
    assert centre(moved) == pytest.approx(expected, abs=0.05)


def test_shear_leans_and_keeps_the_area():
    target = disc(radius=8, row=12)
    augmentation = Augmentation(AugmentChoice(shear=0.5))
    moved = augmentation(target, target, draws_of(u3=1.0))[1]
    row, column = centre(moved)
    assert abs(column) == pytest.approx(0.5 * 12, abs=0.2)
    assert row == pytest.approx(12, abs=0.2)
    assert float(moved.sum() / target.sum()) == pytest.approx(1, rel=0.03)


def test_elastic_bends_by_its_share_of_the_side():
    target = disc(radius=10).expand(400, -1, -1, -1)
    augmentation = Augmentation(AugmentChoice(elastic=0.05, elastic_grid=2))
    moved = augmentation(target, target, augmentation.draw(0, 0, range(400)))[1]
    # In the middle of a 2 x 2 grid four draws of deviation 1 are averaged: deviation 1/2.
    columns = torch.tensor([centre(one[None])[1] for one in moved])
    assert float(columns.std()) == pytest.approx(0.05 * 64 / 2, rel=0.25)
    assert abs(float(columns.mean())) < 0.5


# ---------------------------------------------------------------- intensity, one by one


def two_discs():
    """Two images that are 1 and 2 everywhere, with a lesion of 5 in the second, left of the middle."""
    target = torch.cat((torch.zeros(1, 1, 64, 64), (disc(radius=6, column=-16) > 0.5).float()))
    images = torch.tensor([1.0, 2.0])[:, None, None, None] * torch.ones(2, 3, 64, 64)
    return torch.where(target > 0, 5.0, images), target


@pytest.mark.parametrize(("chance", "column"), [(0.3, -16), (0.1, 16)])
def test_a_carved_lesion_comes_whole_with_its_surroundings(chance, column):
    images, targets = two_discs()
    draws = draws_of(2, **{"22": chance})
    mixed, target = Augmentation(AugmentChoice(carve_mix=0.4))(images, targets, draws)
    lesion = (disc(radius=6, column=column) > 0.5).float()
    torch.testing.assert_close(target[:1], lesion)
    torch.testing.assert_close(mixed[0, :, lesion[0, 0] > 0], torch.full((3, int(lesion.sum())), 5.0))
    assert mixed[0].unique().min() == 1
    around = (disc(radius=8, column=column) > 0.5) & (lesion == 0)
    torch.testing.assert_close(mixed[0, 0, around[0, 0]], torch.full((int(around.sum()),), 2.0))
    far = disc(radius=16, column=column) < 0.01
    torch.testing.assert_close(mixed[0, 0, far[0, 0]], torch.full((int(far.sum()),), 1.0))
    # The first image has no lesion to give.
    torch.testing.assert_close(mixed[1], images[1])


def test_lesions_are_carved_as_often_as_it_says_and_never_from_the_image_itself(batch):
    images, targets = batch
    augment = Augmentation(AugmentChoice(carve_mix=0.4))
    changed = 0
    for epoch in range(60):
        mixed, target = augment(images, targets, augment.draw(0, epoch, np.arange(len(images))))
        different = (mixed != images).flatten(1).any(1)
        assert torch.equal(different, (target != targets).flatten(1).any(1))
        changed += int(different.sum())
    assert changed / (60 * len(images)) == pytest.approx(0.4, abs=0.08)


def test_a_carved_class_keeps_its_class():
    images, target = two_discs()
    classes = torch.cat((1 - target, torch.zeros_like(target), target), dim=1)
    draws = draws_of(2, **{"22": 0.3})
    _, mixed = Augmentation(AugmentChoice(carve_mix=0.4))(images, classes, draws)
    torch.testing.assert_close(mixed.sum(1), torch.ones(2, 64, 64))
    torch.testing.assert_close(mixed[0, 2], target[1, 0])
    assert not mixed[0, 1].any()


def test_an_image_alone_has_nobody_to_get_a_lesion_from(batch):
    augment = Augmentation(AugmentChoice(carve_mix=1))
    one = batch[0][:1], batch[1][:1]
    for before, after in zip(one, augment(*one, augment.draw(0, 0, [0])), strict=True):
        assert torch.equal(before, after)


@pytest.mark.parametrize(("draw", "left"), [(1.0, 0.2), (0.75, 0.6), (0.5, 1.0), (0.1, 1.0)])
def test_a_faded_lesion_keeps_its_place_and_loses_contrast_to_tissue(draw, left):
    images, targets = two_discs()
    images = images - torch.tensor([1.0, 2.0])[:, None, None, None]
    faded, after = Augmentation(AugmentChoice(fade=0.8))(images, targets, draws_of(2, **{"24": draw}))
    assert torch.equal(after, targets)
    lesion = targets[1, 0] > 0
    torch.testing.assert_close(faded[1, :, lesion], left * images[1, :, lesion])
    assert not faded[:, :, disc(radius=10, column=-16)[0, 0] < 0.01].any()
    assert torch.equal(faded[0], images[0])


def test_every_other_image_is_faded(batch):
    images, targets = batch
    count = len(images)
    augment = Augmentation(AugmentChoice(fade=0.7))
    with_lesion = targets.flatten(1).any(1)
    changed = [
        (augment(images, targets, augment.draw(0, epoch, np.arange(count)))[0] != images).flatten(1).any(1)
        for epoch in range(100)
    ]
    share = torch.stack(changed).float().mean(0)
    assert (share[~with_lesion] == 0).all()
    assert with_lesion.any()
    assert float(share[with_lesion].mean()) == pytest.approx(0.5, abs=0.08)


def test_missing_sequences_are_filled_with_flair_one_or_both(batch):
    images, targets = batch
    images = images[:1].expand(600, -1, -1, -1)
    augmentation = Augmentation(AugmentChoice(missing=0.5))
    moved, _ = augmentation(images, targets[:1].expand(600, -1, -1, -1), augmentation.draw(0, 0, range(600)))
    pre, post = ((moved[:, channel] == moved[:, 1]).all(dim=(1, 2)) for channel in (0, 2))
    assert torch.equal(moved[:, 1], images[:, 1])
    assert torch.equal(moved[:, 3:], images[:, 3:])
    kept = (moved == images).all(dim=(1, 2, 3))
    assert torch.equal(kept, ~(pre | post))
    for share, expected in ((kept, 1 / 2), (pre & ~post, 1 / 6), (post & ~pre, 1 / 6), (pre & post, 1 / 6)):
        assert float(share.float().mean()) == pytest.approx(expected, abs=0.06)


def test_a_single_channel_has_nothing_to_go_missing(batch):
    augmentation = Augmentation(AugmentChoice(missing=1.0, gamma=0.5))
    flair = batch[0][:, 1:2]
    moved, _ = augmentation(flair, batch[1], augmentation.draw(0, 0, range(6)))
    assert moved.shape == flair.shape


@pytest.mark.parametrize("kind", ["gamma", "gain", "offset", "bias_field"])
def test_flair_of_other_slices_changes_as_flair_does(batch, kind):
    images, targets = batch
    same = images[:, [0, 1, 2, 1, 1]]
    augmentation = Augmentation(AugmentChoice(**{kind: 0.3}))
    moved, _ = augmentation(same, targets, augmentation.draw(4, 0, range(6)))
    assert torch.equal(moved[:, 3], moved[:, 1])
    assert torch.equal(moved[:, 4], moved[:, 1])
    assert not torch.allclose(moved[:, 1], same[:, 1])


def test_gamma_keeps_range_and_order(batch):
    images, targets = batch
    augmentation = Augmentation(AugmentChoice(gamma=0.6))
    moved, _ = augmentation(images, targets, augmentation.draw(2, 0, range(6)))
    torch.testing.assert_close(moved.amin(dim=(2, 3)), images.amin(dim=(2, 3)), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(moved.amax(dim=(2, 3)), images.amax(dim=(2, 3)), rtol=1e-4, atol=1e-4)
    for one, other in zip(images.flatten(2).flatten(0, 1), moved.flatten(2).flatten(0, 1), strict=True):
        assert (other[one.argsort()].diff() >= -1e-4).all()


@pytest.mark.parametrize("kind", [*INTENSITY, *GEOMETRY, "missing"])
def test_a_constant_image_is_no_trouble(kind):
    value = {**GEOMETRY, **INTENSITY, "missing": 1.0}[kind]
    augmentation = Augmentation(AugmentChoice(**{kind: value}))
    moved, _ = augmentation(torch.full((2, 3, 16, 16), 2.0), torch.zeros(2, 1, 16, 16), draws_of(2, u6=0.9))
    assert torch.isfinite(moved).all()
    if kind not in ("noise", "gain", "offset"):
        torch.testing.assert_close(moved, torch.full_like(moved, 2.0))


def test_gain_and_offset_are_linear(batch):
    images, targets = batch
    augmentation = Augmentation(AugmentChoice(gain=0.2, offset=0.3))
    moved, _ = augmentation(images, targets, draws_of(6, u12=1.0, u13=0.0, u18=1.0))
    torch.testing.assert_close(moved[:, 0], 1.2 * images[:, 0] + 0.3)
    torch.testing.assert_close(moved[:, 1], 0.8 * images[:, 1])
    torch.testing.assert_close(moved[:, 2], images[:, 2])


def test_noise_has_the_deviation_that_was_drawn(batch):
    images = torch.zeros(3, 5, 48, 48)
    augmentation = Augmentation(AugmentChoice(noise=0.4))
    moved, _ = augmentation(images, batch[1][:3], draws_of(3, u15=0.5))
    np.testing.assert_allclose(moved.std(dim=(1, 2, 3)), 0.2, rtol=0.05)
    assert not torch.equal(moved[0], moved[1])


def test_blur_softens(batch):
    images, targets = batch
    augmentation = Augmentation(AugmentChoice(blur=0.5))
    blurred, _ = augmentation(images, targets, draws_of(6, u21=0.4))
    same, _ = augmentation(images, targets, draws_of(6, u21=0.6))
    assert torch.equal(same, images)
    roughness = [tensor.diff(dim=-1).square().mean(dim=(1, 2, 3)) for tensor in (blurred, images)]
    assert (roughness[0] < roughness[1]).all()
    torch.testing.assert_close(blurred.mean(dim=(2, 3)), images.mean(dim=(2, 3)), rtol=0, atol=0.05)


# ---------------------------------------------------------------- recipes


@pytest.mark.parametrize("name", recipe_names())
def test_every_recipe_augments_real_slices(batch, name):
    augmentation = Augmentation(load_recipe(name).augment)
    images, targets = augmentation(*batch, augmentation.draw(0, 0, range(6)))
    assert torch.isfinite(images).all()
    # Lesions stay in the picture and about as large.
    assert 0.5 < float(targets.sum() / batch[1].sum()) < 2

"""Augmentation: each change of intensity, and missing sequences."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from support.augment_kit import GEOMETRY, INTENSITY, draws_of

from glioseg.augment import Augmentation
from glioseg.recipe import AugmentChoice


def test_missing_sequences_are_filled_with_flair_one_or_both(lesion_batch):
    images, targets = lesion_batch
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


def test_a_single_channel_has_nothing_to_go_missing(lesion_batch):
    augmentation = Augmentation(AugmentChoice(missing=1.0, gamma=0.5))
    flair = lesion_batch[0][:, 1:2]
    moved, _ = augmentation(flair, lesion_batch[1], augmentation.draw(0, 0, range(6)))
    assert moved.shape == flair.shape


@pytest.mark.parametrize("kind", ["gamma", "gain", "offset", "bias_field"])
def test_flair_of_other_slices_changes_as_flair_does(lesion_batch, kind):
    images, targets = lesion_batch
    same = images[:, [0, 1, 2, 1, 1]]
    augmentation = Augmentation(AugmentChoice(**{kind: 0.3}))
    moved, _ = augmentation(same, targets, augmentation.draw(4, 0, range(6)))
    assert torch.equal(moved[:, 3], moved[:, 1])
    assert torch.equal(moved[:, 4], moved[:, 1])
    assert not torch.allclose(moved[:, 1], same[:, 1])


def test_gamma_keeps_range_and_order(lesion_batch):
    images, targets = lesion_batch
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
    moved, _ = augmentation(
        torch.full((2, 3, 16, 16), 2.0), torch.zeros(2, 1, 16, 16), draws_of(2, gamma=0.9)
    )
    assert torch.isfinite(moved).all()
    if kind not in ("noise", "gain", "offset"):
        torch.testing.assert_close(moved, torch.full_like(moved, 2.0))


def test_gain_and_offset_are_linear(lesion_batch):
    images, targets = lesion_batch
    augmentation = Augmentation(AugmentChoice(gain=0.2, offset=0.3))
    moved, _ = augmentation(images, targets, draws_of(6, gain=[1.0, 0.0, 0.5], offset=[1.0, 0.5, 0.5]))
    torch.testing.assert_close(moved[:, 0], 1.2 * images[:, 0] + 0.3)
    torch.testing.assert_close(moved[:, 1], 0.8 * images[:, 1])
    torch.testing.assert_close(moved[:, 2], images[:, 2])


def test_noise_has_the_deviation_that_was_drawn(lesion_batch):
    images = torch.zeros(3, 5, 48, 48)
    augmentation = Augmentation(AugmentChoice(noise=0.4))
    moved, _ = augmentation(images, lesion_batch[1][:3], draws_of(3, noise=0.5))
    np.testing.assert_allclose(moved.std(dim=(1, 2, 3)), 0.2, rtol=0.05)
    assert not torch.equal(moved[0], moved[1])


def test_blur_softens(lesion_batch):
    images, targets = lesion_batch
    augmentation = Augmentation(AugmentChoice(blur=0.5))
    blurred, _ = augmentation(images, targets, draws_of(6, blur=0.4))
    same, _ = augmentation(images, targets, draws_of(6, blur=0.6))
    assert torch.equal(same, images)
    roughness = [tensor.diff(dim=-1).square().mean(dim=(1, 2, 3)) for tensor in (blurred, images)]
    assert (roughness[0] < roughness[1]).all()
    torch.testing.assert_close(blurred.mean(dim=(2, 3)), images.mean(dim=(2, 3)), rtol=0, atol=0.05)

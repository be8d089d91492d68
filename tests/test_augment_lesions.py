"""Augmentation: lesions that are carved in, or fade."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from support.augment_kit import disc, draws_of

from glioseg.augment import Augmentation
from glioseg.recipe import AugmentChoice


def two_discs():
    """Two images that are 1 and 2 everywhere, with a lesion of 5 in the second, left of the middle."""
    target = torch.cat((torch.zeros(1, 1, 64, 64), (disc(radius=6, column=-16) > 0.5).float()))
    images = torch.tensor([1.0, 2.0])[:, None, None, None] * torch.ones(2, 3, 64, 64)
    return torch.where(target > 0, 5.0, images), target


@pytest.mark.parametrize(("chance", "column"), [(0.3, -16), (0.1, 16)])
def test_a_carved_lesion_comes_whole_with_its_surroundings(chance, column):
    images, targets = two_discs()
    draws = draws_of(2, carve_mix=chance)
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


def test_lesions_are_carved_as_often_as_it_says_and_never_from_the_image_itself(lesion_batch):
    images, targets = lesion_batch
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
    draws = draws_of(2, carve_mix=0.3)
    _, mixed = Augmentation(AugmentChoice(carve_mix=0.4))(images, classes, draws)
    torch.testing.assert_close(mixed.sum(1), torch.ones(2, 64, 64))
    torch.testing.assert_close(mixed[0, 2], target[1, 0])
    assert not mixed[0, 1].any()


def test_an_image_alone_has_nobody_to_get_a_lesion_from(lesion_batch):
    augment = Augmentation(AugmentChoice(carve_mix=1))
    one = lesion_batch[0][:1], lesion_batch[1][:1]
    for before, after in zip(one, augment(*one, augment.draw(0, 0, [0])), strict=True):
        assert torch.equal(before, after)


@pytest.mark.parametrize(("draw", "left"), [(1.0, 0.2), (0.75, 0.6), (0.5, 1.0), (0.1, 1.0)])
def test_a_faded_lesion_keeps_its_place_and_loses_contrast_to_tissue(draw, left):
    images, targets = two_discs()
    images = images - torch.tensor([1.0, 2.0])[:, None, None, None]
    faded, after = Augmentation(AugmentChoice(fade=0.8))(images, targets, draws_of(2, fade=draw))
    assert torch.equal(after, targets)
    lesion = targets[1, 0] > 0
    torch.testing.assert_close(faded[1, :, lesion], left * images[1, :, lesion])
    assert not faded[:, :, disc(radius=10, column=-16)[0, 0] < 0.01].any()
    assert torch.equal(faded[0], images[0])


def test_every_other_image_is_faded(lesion_batch):
    images, targets = lesion_batch
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

"""Augmentation: lesions that are carved in, or fade."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from support.augment_kit import disc, draws_of

from glioseg.augment import Augmentation
from glioseg.augment.elsewhere import hollow, strip, where_chosen
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


def head_with_lesion():
    """A head of tissue (0) in air (-2) with a bright lesion (1.5), alike in three sequences."""
    head, target = disc(radius=28)[0, 0] > 0.5, (disc(radius=12) > 0.5).float()
    image = torch.where(head, 0.0, -2.0)
    return torch.where(target > 0, 1.5, image).repeat(1, 3, 1, 1), target


def test_a_hollowed_lesion_has_a_dark_core_and_a_rim_that_takes_up_contrast():
    images, target = head_with_lesion()
    draws = draws_of(1, core=0.1, core_depth=0.5, core_shade=0.9)
    hollow, after = Augmentation(AugmentChoice(core=0.2))(images, target, draws)
    pre, flair, post = hollow[0]
    assert torch.equal(after, target)
    assert torch.equal(hollow[0][:, target[0, 0] == 0], images[0][:, target[0, 0] == 0])
    middle = (32, 32)
    assert flair[middle] < -0.5
    assert post[middle] < -0.5
    assert pre[middle] < 0
    lesion = target[0, 0] > 0
    assert post[lesion].max() > 2.5
    brightest = lesion & (post > 2.5)
    assert flair[brightest].max() < 1.2


def test_a_stripped_head_keeps_its_lesion_and_loses_its_outline():
    images, target = head_with_lesion()
    border = (disc(radius=12, column=-18) > 0.5).float() * (images[:, :1] > -1)
    images = torch.where(border > 0, 1.5, images)
    target = torch.maximum(target, border)
    stripped, after = Augmentation(AugmentChoice(strip=0.2))(images, target, draws_of(1, strip=0.1))
    assert torch.equal(after, target)
    torch.testing.assert_close(stripped[0, :, target[0, 0] > 0], images[0, :, target[0, 0] > 0])
    right = stripped[0, :, 32]
    assert (right[:, 57:] < -1.9).all()
    torch.testing.assert_close(right[:, 32:50], images[0, :, 32, 32:50])


@pytest.mark.parametrize("side", range(4))
def test_a_cut_field_of_view_has_neither_tissue_nor_lesion_on_one_side(side):
    images, target = head_with_lesion()
    draws = draws_of(1, cut=0.1, cut_side=(side + 0.5) / 4, cut_depth=0.999)
    cut, after = Augmentation(AugmentChoice(cut=0.2))(images, target, draws)
    # Turned until what is cut off is at the top.
    turns = {0: 0, 1: 2, 2: 3, 3: 1}[side]
    cut, after, images, target = (torch.rot90(x, turns, (2, 3)) for x in (cut, after, images, target))
    assert (cut[:, :, :28] == -2).all()
    assert not after[:, :, :28].any()
    assert torch.equal(cut[:, :, 29:], images[:, :, 29:])
    assert torch.equal(after[:, :, 29:], target[:, :, 29:])


def test_a_cut_class_is_background():
    images, target = head_with_lesion()
    classes = torch.cat((1 - target, torch.zeros_like(target), target), dim=1)
    draws = draws_of(1, cut=0.1, cut_side=0.1, cut_depth=0.999)
    after = Augmentation(AugmentChoice(cut=0.2))(images, classes, draws)[1]
    torch.testing.assert_close(after.sum(1), torch.ones(1, 64, 64))
    assert (after[0, 0, :28] == 1).all()


@pytest.mark.parametrize("kind", ["core", "strip", "cut"])
def test_it_happens_as_often_as_it_says(kind):
    images, target = head_with_lesion()
    images, target = images.repeat(8, 1, 1, 1), target.repeat(8, 1, 1, 1)
    augment = Augmentation(AugmentChoice(**{kind: 0.3}))
    changed = [
        (augment(images, target, augment.draw(0, epoch, np.arange(8)))[0] != images).flatten(1).any(1)
        for epoch in range(40)
    ]
    assert float(torch.stack(changed).float().mean()) == pytest.approx(0.3, abs=0.08)


@pytest.mark.parametrize("change", [hollow, strip])
def test_to_compute_only_the_chosen_images_changes_nothing(change, lesion_batch):
    images, targets = lesion_batch
    draws = Augmentation(AugmentChoice()).draw(1, 2, range(len(images)))
    chosen = torch.arange(len(images)) % 2 == 1
    some = where_chosen(chosen, change, images, targets, draws)
    assert torch.equal(some, torch.where(chosen.view(-1, 1, 1, 1), change(images, targets, draws), images))
    assert not torch.equal(some, images)
    assert where_chosen(chosen & False, change, images, targets, draws) is images

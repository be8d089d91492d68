"""Augmentation: each change of place."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from support.augment_kit import centre, disc, draws_of

from glioseg.augment import Augmentation
from glioseg.recipe import AugmentChoice


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


def test_flip_mirrors_left_and_right(lesion_batch):
    images, targets = lesion_batch
    augmentation = Augmentation(AugmentChoice(flip=0.5))
    mirrored = augmentation(images, targets, draws_of(6, flip=0.49))
    same = augmentation(images, targets, draws_of(6, flip=0.5))
    for original, other, flipped in zip(lesion_batch, same, mirrored, strict=True):
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
    moved = augmentation(disc(), disc(), draws_of(scale=uniform))[1]
    assert float(moved.sum() / disc().sum()) == pytest.approx(factor**2, rel=0.03)


@pytest.mark.parametrize(("height", "width"), [(64, 64), (48, 80), (80, 48)])
@pytest.mark.parametrize("uniform", [1.0, 0.75, 0.0])
def test_rotation_turns_by_its_angle_and_keeps_shapes(height, width, uniform):
    target = disc(height, width, radius=6, column=12)
    augmentation = Augmentation(AugmentChoice(rotation=90))
    moved = augmentation(target, target, draws_of(rotation=uniform))[1]
    angle = np.pi / 2 * (2 * uniform - 1)
    row, column = centre(moved)
    assert column == pytest.approx(12 * np.cos(angle), abs=0.1)
    assert abs(row) == pytest.approx(abs(12 * np.sin(angle)), abs=0.1)
    assert np.sign(round(row, 3)) == -np.sign(angle)
    # The disc is a disc still.
    there = disc(height, width, radius=6, row=row, column=column)
    torch.testing.assert_close(moved, there, rtol=0, atol=0.1)


@pytest.mark.parametrize(("draw", "axis"), [([0.75, 0.5], 1), ([0.5, 0.75], 0)])
def test_shift_is_a_share_of_the_side(draw, axis):
    augmentation = Augmentation(AugmentChoice(shift=0.25))
    moved = augmentation(disc(96, 64), disc(96, 64), draws_of(shift=draw))[1]
    expected = [0.0, 0.0]
    expected[axis] = -0.125 * (96, 64)[axis]
    assert centre(moved) == pytest.approx(expected, abs=0.05)


def test_shear_leans_and_keeps_the_area():
    target = disc(radius=8, row=12)
    augmentation = Augmentation(AugmentChoice(shear=0.5))
    moved = augmentation(target, target, draws_of(shear=1.0))[1]
    row, column = centre(moved)
    assert abs(column) == pytest.approx(0.5 * 12, abs=0.2)
    assert row == pytest.approx(12, abs=0.2)
    assert float(moved.sum() / target.sum()) == pytest.approx(1, rel=0.03)


def test_shear_in_degrees_leans_by_the_tangent():
    target = disc(radius=8, row=12)
    augmentation = Augmentation(AugmentChoice(shear_degrees=30))
    moved = augmentation(target, target, draws_of(shear=0.75))[1]
    row, column = centre(moved)
    assert abs(column) == pytest.approx(np.tan(np.radians(15)) * 12, abs=0.2)
    assert row == pytest.approx(12, abs=0.2)


@pytest.mark.parametrize("targets", ["linear", "nearest"])
@pytest.mark.parametrize("fill", ["background", "nearest"])
def test_what_comes_in_from_beyond_the_image(fill, targets):
    columns = torch.linspace(1, 2, 32).expand(1, 3, 32, 32)
    # Lesion at the right border; the image moves to the left by a quarter.
    target = (columns[:, :1] > 1.9).float()
    augmentation = Augmentation(AugmentChoice(shift=0.25, fill=fill, targets=targets))
    moved, lesion = augmentation(columns, target, draws_of(shift=[1.0, 0.5]))
    new = slice(25, None)
    if fill == "nearest":
        torch.testing.assert_close(moved[..., new], torch.full((1, 3, 32, 7), 2.0))
        assert lesion[..., new].eq(1).all()
    else:
        torch.testing.assert_close(moved[..., new], torch.full((1, 3, 32, 7), 1.0))
        assert lesion[..., new].eq(0).all()


def test_elastic_bends_by_its_share_of_the_side():
    target = disc(radius=10).expand(400, -1, -1, -1)
    augmentation = Augmentation(AugmentChoice(elastic=0.05, elastic_grid=2))
    moved = augmentation(target, target, augmentation.draw(0, 0, range(400)))[1]
    # In the middle of a 2 x 2 grid four draws of deviation 1 are averaged: deviation 1/2.
    columns = torch.tensor([centre(one[None])[1] for one in moved])
    assert float(columns.std()) == pytest.approx(0.05 * 64 / 2, rel=0.25)
    assert abs(float(columns.mean())) < 0.5

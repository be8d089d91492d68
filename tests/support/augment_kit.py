"""Targets and draws that tests of augmentation are made from."""

from __future__ import annotations

import torch

from glioseg.augment import COLUMNS, LATE_STREAMS, STREAMS, Draws

GEOMETRY = {"scale": 0.2, "rotation": 30, "shear": 0.1, "shift": 0.1, "flip": 0.5, "elastic": 0.02}
INTENSITY = {"gamma": 0.4, "gain": 0.2, "offset": 0.2, "bias_field": 0.3, "noise": 0.1, "blur": 1.0}


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


def draws_of(count=1, grid=5, **streams):
    """Draws in the middle of their range, which change nothing, but for the kinds that are named."""
    draws = Draws(
        torch.full((count, sum(STREAMS.values()) + sum(LATE_STREAMS.values())), 0.5),
        torch.zeros(count, 2, grid, grid),
        tuple(range(count)),
    )
    for kind, value in streams.items():
        draws.uniform[:, COLUMNS[kind]] = torch.as_tensor(value)
    return draws

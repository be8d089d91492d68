"""The random numbers of an augmentation: a function of (seed, epoch, position in the epoch) alone."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

STREAMS = {
    "scale": 1,
    "rotation": 1,
    "flip": 1,
    "shear": 1,
    "shift": 2,
    "gamma": 3,
    "bias_field": 3,
    "gain": 3,
    "noise": 1,
    "missing": 1,
    "missing_which": 1,
    "offset": 3,
    "blur": 1,
    "carve_mix": 1,
    "carve_mix_partner": 1,
}
"""How many uniform numbers each kind has for an image, in the order in which they are drawn."""
LATE_STREAMS = {
    "fade": 1,
    "gamma_t2": 1,
    "gain_t2": 1,
    "offset_t2": 1,
    "missing_t2": 1,
    "core": 1,
    "core_depth": 1,
    "core_shade": 2,
    "strip": 1,
    "strip_depth": 1,
    "cut": 1,
    "cut_side": 1,
    "cut_depth": 1,
}
"""Kinds that are drawn after all else: a new kind comes here, so that old runs stay the same."""


def _columns() -> dict[str, slice]:
    counts = {**STREAMS, **LATE_STREAMS}
    ends = np.cumsum(list(counts.values())).tolist()
    return {kind: slice(end - count, end) for (kind, count), end in zip(counts.items(), ends, strict=True)}


COLUMNS = _columns()
"""Where the numbers of each kind stand in :attr:`Draws.uniform`."""


@dataclass(frozen=True)
class Draws:
    """Random numbers of a batch, drawn on the CPU.

    Attributes:
        uniform: ``(batch, numbers)`` in 0..1, the kinds side by side (:data:`COLUMNS`).
        elastic: ``(batch, 2, grid, grid)`` standard normal.
        seeds: ``(batch,)`` for noise that has the size of the image.
    """

    uniform: Tensor
    elastic: Tensor
    seeds: tuple[int, ...]

    def of(self, kind: str) -> Tensor:
        """Numbers of a kind in 0..1: ``(batch,)``, or ``(batch, count)`` where it has several."""
        numbers = self.uniform[:, COLUMNS[kind]]
        return numbers[:, 0] if numbers.shape[1] == 1 else numbers

    def signed(self, kind: str) -> Tensor:
        """The same in -1..1."""
        return 2 * self.of(kind) - 1

    def rows(self, rows: Tensor) -> Draws:
        """Those of some images."""
        return Draws(self.uniform[rows], self.elastic[rows], tuple(self.seeds[row] for row in rows.tolist()))

    def pin_memory(self) -> Draws:
        """The same in memory that a device can read while the host goes on."""
        return replace(self, uniform=self.uniform.pin_memory(), elastic=self.elastic.pin_memory())

    def to(self, device: torch.device) -> Draws:
        """The same on a device."""
        uniform = self.uniform.to(device, non_blocking=True)
        return Draws(uniform, self.elastic.to(device, non_blocking=True), self.seeds)

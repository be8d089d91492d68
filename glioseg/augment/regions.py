"""Where lesions are in a batch, and how deep a pixel lies in something."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

SOFT_EDGE = 0.015
"""Half width of the border in which a lesion passes into what is around it, as a share of the side."""


def lesion_of(targets: Tensor) -> Tensor:
    """Share of lesion, of any class, in each pixel."""
    return targets if targets.shape[1] == 1 else 1 - targets[:, :1]


def soft_region(lesion: Tensor, margin: float, edge: float) -> Tensor:
    """1 on the lesion and ``margin`` around it, falling to 0 across twice ``edge``; shares of the side."""
    around, half = (max(1, round(share * lesion.shape[-1])) for share in (margin, edge))
    region = greatest((lesion > 0).to(lesion.dtype), around)
    return F.avg_pool2d(region, 2 * half + 1, 1, half, count_include_pad=False)


def greatest(values: Tensor, around: int) -> Tensor:
    """Greatest value in a square, one side after the other: a fraction of the comparisons."""
    width = 2 * around + 1
    return F.max_pool2d(F.max_pool2d(values, (width, 1), 1, (around, 0)), (1, width), 1, (0, around))


def box_mean(values: Tensor, half: float) -> Tensor:
    """Mean over a square, one side after the other."""
    around = max(1, round(half))
    width = 2 * around + 1
    values = F.avg_pool2d(values, (width, 1), 1, (around, 0))
    return F.avg_pool2d(values, (1, width), 1, (0, around))

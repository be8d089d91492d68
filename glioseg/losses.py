"""Losses. All take logits, never probabilities, and targets in 0..1.

Shapes: logits and targets are ``(batch, 1, height, width)``. A target may be soft (the share of a pixel that
is lesion). Overlap losses pool over the whole batch, as the original program does, or per sample
and then average.
"""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from glioseg.errors import Fault, InputError, WrongKindError

Pooling = Literal["batch", "sample"]


class DiceLoss(nn.Module):
    """One minus the soft Dice coefficient (Milletari et al. 2016).

    ``1 - (2 sum(p t) + s) / (sum(p) + sum(t) + s)``.

    Args:
        smooth: ``s``; with 1, as in the original program, an empty mask with an empty prediction costs 0.
        pooling: sum over the ``"batch"`` or over each ``"sample"``.
    """

    def __init__(self, smooth: float = 1.0, pooling: Pooling = "batch") -> None:
        super().__init__()
        self.smooth, self.pooling = smooth, pooling

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Loss in 0..1, a scalar."""
        intersection, predicted, true = overlap_sums(logits, targets, self.pooling)
        return (1 - (2 * intersection + self.smooth) / (predicted + true + self.smooth)).mean()


class BCEDiceLoss(nn.Module):
    """Weighted sum of binary cross-entropy and Dice loss.

    Args:
        bce_weight: share of the cross-entropy, 0..1; the rest is Dice.
        smooth, pooling: of the Dice loss.
    """

    def __init__(self, bce_weight: float = 0.5, smooth: float = 1.0, pooling: Pooling = "batch") -> None:
        super().__init__()
        self.bce_weight = bce_weight
        self.dice = DiceLoss(smooth, pooling)

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Loss, a scalar of at least 0."""
        bce = F.binary_cross_entropy_with_logits(logits, targets)
        dice: Tensor = self.dice(logits, targets)
        return self.bce_weight * bce + (1 - self.bce_weight) * dice


REGISTRY: dict[str, Callable[..., nn.Module]] = {
    "dice": DiceLoss,
    "bce_dice": BCEDiceLoss,
}


def build_loss(name: str, **arguments: Any) -> nn.Module:
    """Build a loss by name.

    Raises:
        InputError: the name or an argument is not known.
    """
    if name not in REGISTRY:
        near = get_close_matches(name, REGISTRY, n=1)
        cure = f"Did you mean '{near[0]}'?" if near else "Choose one of them."
        raise InputError(Fault("loss.name", f"one of {', '.join(REGISTRY)}", f"'{name}'", cure))
    try:
        return REGISTRY[name](**arguments)
    except TypeError as error:
        raise InputError(
            Fault(f"loss '{name}'", "its own arguments", str(error), "Mend [loss.arguments].")
        ) from error


def overlap_sums(logits: Tensor, targets: Tensor, pooling: Pooling) -> tuple[Tensor, Tensor, Tensor]:
    """Sums of ``p t``, ``p`` and ``t``, over the batch (scalars) or per sample ``(batch,)``.

    Raises:
        WrongKindError: targets outside 0..1 (a mask of 0/255, for instance).
    """
    check_targets(logits, targets)
    probability = torch.sigmoid(logits).float()
    dims = tuple(range(0 if pooling == "batch" else 1, probability.dim()))
    return (probability * targets).sum(dims), probability.sum(dims), targets.sum(dims)


def check_targets(logits: Tensor, targets: Tensor) -> None:
    """Refuse targets of another shape or outside 0..1.

    Raises:
        WrongKindError: says what was found.
    """
    if logits.shape != targets.shape:
        raise WrongKindError(f"logits of {tuple(logits.shape)} but targets of {tuple(targets.shape)}")
    low, high = torch.aminmax(targets.detach())
    if not (low >= 0 and high <= 1):
        raise WrongKindError(
            f"targets must lie in 0..1, found {float(low):g} to {float(high):g}: "
            "divide a mask of 0/255 by 255"
        )

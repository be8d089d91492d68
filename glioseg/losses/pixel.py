"""Losses that are a mean over pixels, and their sum with Dice."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from glioseg.losses.base import Pooling, SegmentationLoss
from glioseg.losses.overlap import DiceLoss


class BCELoss(SegmentationLoss):
    """Binary cross-entropy, the mean over all pixels of the batch.

    Args:
        lesion_weight: how many times a lesion pixel counts.
    """

    def __init__(self, lesion_weight: float = 1.0) -> None:
        super().__init__()
        self.lesion_weight = lesion_weight

    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Loss of at least 0."""
        return F.binary_cross_entropy_with_logits(
            logits, targets, pos_weight=logits.new_tensor(self.lesion_weight)
        )


class BCEDiceLoss(SegmentationLoss):
    """Weighted sum of binary cross-entropy and Dice loss.

    Args:
        bce_weight: share of the cross-entropy, 0..1; the rest is Dice.
        smooth, pooling: of the Dice loss.
    """

    def __init__(self, bce_weight: float = 0.5, smooth: float = 1.0, pooling: Pooling = "batch") -> None:
        super().__init__()
        self.bce_weight = bce_weight
        self.dice = DiceLoss(smooth, pooling)

    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Loss of at least 0."""
        bce = F.binary_cross_entropy_with_logits(logits, targets)
        return self.bce_weight * bce + (1 - self.bce_weight) * self.dice.loss(logits, targets)


class FocalLoss(SegmentationLoss):
    """Focal loss (Lin et al. 2017, eq. 5), the mean over all pixels of the batch.

    ``-alpha (1 - p)^gamma log(p)`` for lesion, ``-(1 - alpha) p^gamma log(1 - p)`` for the rest.

    Args:
        gamma: how much pixels that are right already are played down; 0 is cross-entropy.
        alpha: weight of lesion against the rest, 0..1.
    """

    def __init__(self, gamma: float = 2.0, alpha: float = 0.25) -> None:
        super().__init__()
        self.gamma, self.alpha = gamma, alpha

    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Loss of at least 0."""
        log_lesion, log_rest = F.logsigmoid(logits), F.logsigmoid(-logits)
        # Powers through the logarithm: no slope becomes infinite where a probability is 0.
        lesion = self.alpha * targets * torch.exp(self.gamma * log_rest) * log_lesion
        rest = (1 - self.alpha) * (1 - targets) * torch.exp(self.gamma * log_lesion) * log_rest
        return -(lesion + rest).mean()


class CategoricalCrossEntropyLoss(SegmentationLoss):
    """Cross-entropy of classes that exclude each other (softmax), the mean over all pixels of the batch.

    Args:
        weights: how many times a pixel of each class counts; all once by default. The mean is not
            divided by them.
    """

    categorical = True

    def __init__(self, weights: tuple[float, ...] | list[float] | None = None) -> None:
        super().__init__()
        self.weights = None if weights is None else tuple(weights)

    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Loss of at least 0."""
        weights = None if self.weights is None else logits.new_tensor(self.weights)
        return F.cross_entropy(logits, targets, weights)

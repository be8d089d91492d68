"""Losses made of overlaps: Dice, soft IoU, Tversky, Lovász and their kin.

They pool over the whole batch, as the original program does, or per sample and then average. Pooled per
sample, each empty slice weighs as much as a slice with a lesion.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from glioseg.losses.base import Pooling, SegmentationLoss, overlap_sums


class DiceLoss(SegmentationLoss):
    """One minus the soft Dice coefficient (Milletari et al. 2016).

    ``1 - (2 sum(p t) + s) / (sum(p) + sum(t) + s)``, in 0..1.

    Args:
        smooth: ``s``; with 1, as in the original program, an empty mask with an empty prediction costs 0.
        pooling: sum over the ``"batch"`` or over each ``"sample"``.
    """

    def __init__(self, smooth: float = 1.0, pooling: Pooling = "batch") -> None:
        super().__init__()
        self.smooth, self.pooling = smooth, pooling

    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Loss in 0..1."""
        return self._of(torch.sigmoid(logits), targets)

    def _of(self, probability: Tensor, targets: Tensor) -> Tensor:
        intersection, predicted, true = overlap_sums(probability, targets, self.pooling)
        return (1 - (2 * intersection + self.smooth) / (predicted + true + self.smooth)).mean()


class CategoricalDiceLoss(DiceLoss):
    """Dice loss of classes that exclude each other: softmax, then the mean over the classes.

    Args:
        smooth, pooling: as for :class:`DiceLoss`.
        background: whether class 0 counts too.
    """

    categorical = True

    def __init__(self, smooth: float = 1.0, pooling: Pooling = "batch", background: bool = False) -> None:
        super().__init__(smooth, pooling)
        self.first = 0 if background else 1

    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Loss in 0..1."""
        return self._of(torch.softmax(logits, dim=1)[:, self.first :], targets[:, self.first :])


class SoftIoULoss(SegmentationLoss):
    """One minus the soft intersection over union (Rahman and Wang 2016, eq. 3).

    ``1 - (sum(p t) + s) / (sum(p) + sum(t) - sum(p t) + s)``, in 0..1.

    Args:
        smooth: ``s``.
        pooling: sum over the ``"batch"`` or over each ``"sample"``.
    """

    def __init__(self, smooth: float = 1.0, pooling: Pooling = "batch") -> None:
        super().__init__()
        self.smooth, self.pooling = smooth, pooling

    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Loss in 0..1."""
        intersection, predicted, true = overlap_sums(torch.sigmoid(logits), targets, self.pooling)
        union = predicted + true - intersection
        return (1 - (intersection + self.smooth) / (union + self.smooth)).mean()


class TverskyLoss(SegmentationLoss):
    """One minus the Tversky index (Salehi et al. 2017, eq. 3), in 0..1. Weights of 0.5 give Dice.

    Args:
        false_positives: weight of what is predicted and not true.
        false_negatives: weight of what is true and not predicted.
        smooth: added to numerator and denominator.
        pooling: sum over the ``"batch"`` or over each ``"sample"``.
    """

    def __init__(
        self,
        false_positives: float = 0.3,
        false_negatives: float = 0.7,
        smooth: float = 1.0,
        pooling: Pooling = "batch",
    ) -> None:
        super().__init__()
        self.false_positives, self.false_negatives = false_positives, false_negatives
        self.smooth, self.pooling = smooth, pooling

    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Loss in 0..1."""
        return self._missed(logits, targets).mean()

    def _missed(self, logits: Tensor, targets: Tensor) -> Tensor:
        """One minus the index, of the batch or of each sample."""
        common, predicted, true = overlap_sums(torch.sigmoid(logits), targets, self.pooling)
        wrong = self.false_positives * (predicted - common) + self.false_negatives * (true - common)
        return wrong / (common + wrong + self.smooth)


class FocalTverskyLoss(TverskyLoss):
    """Tversky loss to the power ``1 / gamma`` (Abraham and Khan 2019, eq. 4): hard cases weigh more.

    Args:
        gamma: 1..3; the paper's best is 4/3.
        false_positives, false_negatives, smooth, pooling: as for :class:`TverskyLoss`.
    """

    def __init__(
        self,
        gamma: float = 4 / 3,
        false_positives: float = 0.3,
        false_negatives: float = 0.7,
        smooth: float = 1.0,
        pooling: Pooling = "batch",
    ) -> None:
        super().__init__(false_positives, false_negatives, smooth, pooling)
        self.gamma = gamma

    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Loss in 0..1."""
        # A root has no finite slope at 0: below the floor the loss is flat.
        return self._missed(logits, targets).clamp_min(1e-7).pow(1 / self.gamma).mean()


class GeneralisedDiceLoss(SegmentationLoss):
    """Generalised Dice loss of lesion and background (Sudre et al. 2017, eq. 3), in 0..1.

    Each of the two weighs one over its squared size, so that a small lesion counts as much as all the rest. A
    size is taken to be at least one pixel.

    Args:
        pooling: sum over the ``"batch"`` or over each ``"sample"``.
    """

    def __init__(self, pooling: Pooling = "batch") -> None:
        super().__init__()
        self.pooling = pooling

    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Loss in 0..1."""
        probability = torch.cat((torch.sigmoid(logits), torch.sigmoid(-logits)), dim=1)
        common, predicted, true = overlap_sums(
            probability, torch.cat((targets, 1 - targets), 1), self.pooling
        )
        weight = true.clamp_min(1).pow(-2)
        return (1 - 2 * (weight * common).sum(-1) / (weight * (predicted + true)).sum(-1)).mean()


class LovaszLoss(SegmentationLoss):
    """Lovász hinge (Berman et al. 2018, eq. 11): a convex surrogate of one minus the IoU.

    At least 0, and 0 once every pixel is right by a logit of 1. Soft targets are cut at 0.5.

    Args:
        pooling: over the pixels of the ``"batch"`` or of each ``"sample"``.
    """

    def __init__(self, pooling: Pooling = "batch") -> None:
        super().__init__()
        self.pooling = pooling

    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Loss of at least 0."""
        rows = 1 if self.pooling == "batch" else len(logits)
        true = (targets >= 0.5).float().reshape(rows, -1)
        errors, order = (1 - logits.reshape(rows, -1) * (2 * true - 1)).sort(dim=1, descending=True)
        true = true.gather(1, order)
        size = true.sum(dim=1, keepdim=True)
        # Algorithm 1 of the paper: what the IoU loses with each further pixel that is wrong.
        loss = 1 - (size - true.cumsum(1)) / (size + (1 - true).cumsum(1))
        slope = torch.diff(loss, dim=1, prepend=torch.zeros_like(size))
        return (F.relu(errors) * slope).sum(dim=1).mean()

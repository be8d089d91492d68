"""Losses that weigh a wrong pixel by its distance from the lesion's edge, on top of Dice.

Both compute distance transforms on the CPU, slice by slice, in every step.
"""

from __future__ import annotations

import torch
from torch import Tensor

from glioseg.errors import require_extra
from glioseg.losses.base import Pooling, SegmentationLoss
from glioseg.losses.overlap import DiceLoss


class BoundaryDiceLoss(SegmentationLoss):
    """Dice loss plus boundary loss (Kervadec et al. 2019, eq. 5 and 6; distances of MONAI's BoundaryLoss).

    The boundary loss is the mean over the pixels of probability times signed distance to the true edge, in
    pixels. It is negative for a good prediction; here its least value, which no training can change, is
    taken off, so that a perfect prediction costs 0. A slice with an empty or full mask has no edge.

    Args:
        weight: of the boundary loss; the paper begins with 0.01.
        smooth, pooling: of the Dice loss.
    """

    def __init__(self, weight: float = 0.01, smooth: float = 1.0, pooling: Pooling = "batch") -> None:
        require_extra("train", "monai")
        from monai.losses import BoundaryLoss

        super().__init__()
        self.weight, self.dice, self.boundary = weight, DiceLoss(smooth, pooling), BoundaryLoss()

    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Loss of at least 0."""
        hard = (targets > 0.5).float()
        distance = self.boundary.compute_distance_map(hard)
        boundary = (distance * (torch.sigmoid(logits) - hard)).mean()
        return self.dice.loss(logits, targets) + self.weight * boundary


class HausdorffDiceLoss(SegmentationLoss):
    """Dice loss plus the logarithm of the Hausdorff loss (Karimi and Salcudean 2019, eq. 8; MONAI's).

    ``log(1 + h)``, where ``h`` is the mean over pixels of the squared error times the sum of the
    distances to the true and to the predicted edge, in pixels, each to the power ``alpha``.

    Args:
        weight: of the Hausdorff part.
        alpha: power of the distances.
        smooth: of the Dice loss.
        pooling: both parts over the ``"batch"`` or over each ``"sample"``.
    """

    def __init__(
        self, weight: float = 0.1, alpha: float = 2.0, smooth: float = 1.0, pooling: Pooling = "batch"
    ) -> None:
        require_extra("train", "monai")
        from monai.losses import HausdorffDTLoss

        super().__init__()
        self.weight, self.dice = weight, DiceLoss(smooth, pooling)
        self.hausdorff = HausdorffDTLoss(
            alpha=alpha, include_background=True, sigmoid=True, reduction="none", batch=pooling == "batch"
        )

    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Loss of at least 0."""
        hausdorff: Tensor = self.hausdorff(logits, targets)
        return self.dice.loss(logits, targets) + self.weight * torch.log1p(hausdorff).mean()

"""FAULTY ON PURPOSE: three losses of a published write-up of this task, with their bugs kept.

The write-up found that soft IoU "does not suit the task" and that U-Net++ is "too complex". Its networks
and losses disagreed about who applies the sigmoid. These classes repeat that on networks that return
logits, so that a report can show what the bugs do. Never use them for anything else: the
losses of the same name in :mod:`glioseg.losses` are the mended ones, and differ in nothing but the bug.
"""

from __future__ import annotations

import torch
from torch import Tensor

from glioseg.losses.overlap import DiceLoss, SoftIoULoss
from glioseg.losses.pixel import BCEDiceLoss


class DoubleSigmoidSoftIoULoss(SoftIoULoss):
    """FAULTY: soft IoU with a sigmoid on top of a network that ends in one.

    What it takes for probabilities lies in 0.5..0.731: background never falls below a half, lesion never
    rises above 0.731. Where a share ``f`` of the pixels is lesion, even a perfect prediction costs
    ``1 - 0.731 f / (f + 0.5 (1 - f))``: 0.97 for 2 %.
    """

    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Loss in 0..1 that stays far from 0."""
        return super().loss(torch.sigmoid(logits), targets)


class DoubleSigmoidBCEDiceLoss(BCEDiceLoss):
    """FAULTY: cross-entropy and Dice ("calc loss") with a sigmoid on top of a network that ends in one."""

    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Loss that stays far from 0."""
        return super().loss(torch.sigmoid(logits), targets)


class NoSigmoidDiceLoss(DiceLoss):
    """FAULTY: Dice of raw logits, as the write-up trained its U-Net++, which ended without a sigmoid.

    The sums have no bounds: numerator and denominator may be negative or near zero, and the loss can fall
    without end while the prediction gets no better.
    """

    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """A number without bounds."""
        return self._of(logits, targets)

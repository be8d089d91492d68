"""What every loss does before it computes anything: refuse wrong kinds, average over heads."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from glioseg.errors import WrongKindError

Pooling = Literal["batch", "sample"]

Heads = tuple[Tensor, ...] | list[Tensor]


class SegmentationLoss(nn.Module):
    """Base of all losses.

    A loss takes logits, never probabilities, and targets in 0..1 of the same shape. It also takes a tuple of
    logits, one a head of a network with deep supervision (Lee et al. 2015), and then is the mean over the
    heads; a head of a smaller size is compared with the target averaged down to that size.

    Attributes:
        categorical: whether it reads the channels as classes that exclude each other (softmax, one-hot
            targets; see :func:`one_hot`) instead of one channel (sigmoid).
    """

    categorical = False
    _looked = False

    def forward(self, logits: Tensor | Heads, targets: Tensor) -> Tensor:
        """Loss, a scalar of at least 0.

        Args:
            logits: ``(batch, classes, height, width)``, or a tuple of such.
            targets: the same shape, in 0..1; soft ones say which share of a pixel is lesion.

        Raises:
            WrongKindError: targets outside 0..1 or of another shape, or a wrong number of classes.
        """
        if isinstance(logits, (tuple, list)):
            parts = [self(head, _at_size(targets, head)) for head in logits]
            return torch.stack(parts).mean()
        # On an accelerator the values are looked at once: each look waits for the device.
        look = targets.device.type == "cpu" or not self._looked
        self._looked = True
        check_targets(logits, targets, look)
        targets = targets.float()
        if self.categorical:
            _check_categorical(logits, targets, look)
        elif logits.shape[1] != 1:
            raise WrongKindError(
                f"{type(self).__name__} takes one channel, lesion or not, and was given {logits.shape[1]}: "
                "use a categorical loss for classes that exclude each other"
            )
        return self.loss(logits.float(), targets)

    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """The loss itself, of float32 tensors that have been checked."""
        raise NotImplementedError


def check_targets(logits: Tensor, targets: Tensor, look: bool = True) -> None:
    """Refuse targets of another shape or outside 0..1.

    Args:
        logits, targets: of the same shape.
        look: whether the values are looked at too, not only the shape.

    Raises:
        WrongKindError: says what was found.
    """
    if logits.shape != targets.shape:
        raise WrongKindError(
            f"logits of {tuple(logits.shape)} but targets of {tuple(targets.shape)}; "
            "labels 0..N-1 become targets with glioseg.losses.one_hot"
        )
    if not look:
        return
    low, high = torch.aminmax(targets.detach())
    if not (low >= 0 and high <= 1):
        raise WrongKindError(
            f"targets must lie in 0..1, found {float(low):g} to {float(high):g}: "
            "divide a mask of 0/255 by 255"
        )


def one_hot(labels: Tensor, classes: int) -> Tensor:
    """Targets of a categorical loss.

    Args:
        labels: whole numbers 0..classes-1, ``(batch, 1, height, width)``.
        classes: how many there are, background included.

    Returns:
        float32 ``(batch, classes, height, width)``, one 1 a pixel.

    Raises:
        WrongKindError: another shape, or labels out of range.
    """
    if labels.dim() != 4 or labels.shape[1] != 1 or labels.is_floating_point():
        raise WrongKindError(
            "labels must be whole numbers (batch, 1, height, width), "
            f"not {labels.dtype} {tuple(labels.shape)}"
        )
    low, high = torch.aminmax(labels)
    if not (low >= 0 and high < classes):
        raise WrongKindError(f"labels must lie in 0..{classes - 1}, found {int(low)} to {int(high)}")
    return F.one_hot(labels[:, 0].long(), classes).movedim(-1, 1).float()


def overlap_sums(probability: Tensor, targets: Tensor, pooling: Pooling) -> tuple[Tensor, Tensor, Tensor]:
    """Sums of ``p t``, ``p`` and ``t`` over the batch ``(classes,)`` or per sample ``(batch, classes)``."""
    dims = (0, 2, 3) if pooling == "batch" else (2, 3)
    return (probability * targets).sum(dims), probability.sum(dims), targets.sum(dims)


def _check_categorical(logits: Tensor, targets: Tensor, look: bool) -> None:
    if logits.shape[1] < 2:
        raise WrongKindError("a categorical loss needs at least two classes: background is one of them")
    if not look:
        return
    off = float((targets.sum(dim=1) - 1).abs().max())
    if off > 1e-3:
        raise WrongKindError(
            f"the targets of each pixel must sum to 1 over the classes, and are off by {off:g}: "
            "make them with glioseg.losses.one_hot"
        )


def _at_size(targets: Tensor, head: Tensor) -> Tensor:
    if targets.shape[-2:] == head.shape[-2:]:
        return targets
    return F.adaptive_avg_pool2d(targets.float(), (head.shape[-2], head.shape[-1]))

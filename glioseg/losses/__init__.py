"""Losses. All take logits, never probabilities, and targets in 0..1 of the same shape.

``build_loss(name, **arguments)`` gives any of :data:`REGISTRY`. Each takes logits ``(batch, 1, height,
width)``, the categorical ones ``(batch, classes, height, width)``, and each takes the tuple of heads that a
network with deep supervision returns while it trains (see :class:`SegmentationLoss`).
"""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches
from typing import Any

from glioseg.errors import Fault, InputError
from glioseg.losses import as_published
from glioseg.losses.base import Pooling, SegmentationLoss, check_targets, one_hot, overlap_sums
from glioseg.losses.boundary import BoundaryDiceLoss, HausdorffDiceLoss
from glioseg.losses.overlap import (
    CategoricalDiceLoss,
    DiceLoss,
    FocalTverskyLoss,
    GeneralisedDiceLoss,
    LovaszLoss,
    SoftIoULoss,
    TverskyLoss,
)
from glioseg.losses.pixel import BCEDiceLoss, BCELoss, CategoricalCrossEntropyLoss, FocalLoss
from glioseg.settings import check_arguments
from glioseg.words import Joined

__all__ = [
    "FAULTY",
    "REGISTRY",
    "BCEDiceLoss",
    "BCELoss",
    "BoundaryDiceLoss",
    "CategoricalCrossEntropyLoss",
    "CategoricalDiceLoss",
    "DiceLoss",
    "FocalLoss",
    "FocalTverskyLoss",
    "GeneralisedDiceLoss",
    "HausdorffDiceLoss",
    "LovaszLoss",
    "Pooling",
    "SegmentationLoss",
    "SoftIoULoss",
    "TverskyLoss",
    "as_published",
    "build_loss",
    "check_targets",
    "one_hot",
    "overlap_sums",
]

FAULTY: dict[str, Callable[..., SegmentationLoss]] = {
    "as_published.soft_iou": as_published.DoubleSigmoidSoftIoULoss,
    "as_published.bce_dice": as_published.DoubleSigmoidBCEDiceLoss,
    "as_published.dice_without_sigmoid": as_published.NoSigmoidDiceLoss,
}
"""Losses that keep a published bug, to show what it does."""

REGISTRY: dict[str, Callable[..., SegmentationLoss]] = {
    "dice": DiceLoss,
    "soft_iou": SoftIoULoss,
    "bce": BCELoss,
    "bce_dice": BCEDiceLoss,
    "focal": FocalLoss,
    "tversky": TverskyLoss,
    "focal_tversky": FocalTverskyLoss,
    "lovasz": LovaszLoss,
    "generalised_dice": GeneralisedDiceLoss,
    "boundary_dice": BoundaryDiceLoss,
    "hausdorff_dice": HausdorffDiceLoss,
    "categorical_cross_entropy": CategoricalCrossEntropyLoss,
    "categorical_dice": CategoricalDiceLoss,
    **FAULTY,
}


def build_loss(name: str, **arguments: Any) -> SegmentationLoss:
    """Build a loss by name.

    Raises:
        InputError: the name or an argument is not known.
    """
    if name not in REGISTRY:
        near = get_close_matches(name, REGISTRY, n=1)
        if near:
            raise InputError(
                Fault("losses.name_with_nearest", name=name, names=Joined(REGISTRY), nearest=near[0])
            )
        raise InputError(Fault("losses.name", name=name, names=Joined(REGISTRY)))
    check_arguments(REGISTRY[name], arguments, "losses.unknown_argument", name)
    try:
        return REGISTRY[name](**arguments)
    except (TypeError, ValueError) as error:
        raise InputError(Fault("losses.arguments", name=name, reason=error)) from error

"""Metrics of segmentation: they take booleans, and each declares what an empty mask means.

>>> import numpy as np
>>> from glioseg.measure import dice
>>> truth = np.zeros((1, 4, 4), dtype=bool); truth[0, 1:3, 1:3] = True
>>> dice(truth, truth)
1.0
"""

from __future__ import annotations

from collections.abc import Iterable

from glioseg.measure.metrics.overlap import dice, iou, precision, sensitivity, volume_difference
from glioseg.measure.metrics.registry import METRICS, EmptyCases, EmptyRule, Metric, Spacing, Unit
from glioseg.measure.metrics.slices_and_lesions import (
    dice_by_slice,
    lesion_precision,
    lesion_sensitivity,
    slice_dice,
    slice_false_positive_rate,
    slice_sensitivity,
)
from glioseg.measure.metrics.surface import hd95, nsd, surface_distances
from glioseg.scan import BoolArray

__all__ = [
    "METRICS",
    "EmptyCases",
    "EmptyRule",
    "Metric",
    "Unit",
    "dice",
    "dice_by_slice",
    "hd95",
    "iou",
    "lesion_precision",
    "lesion_sensitivity",
    "measure",
    "nsd",
    "precision",
    "sensitivity",
    "slice_dice",
    "slice_false_positive_rate",
    "slice_sensitivity",
    "surface_distances",
    "volume_difference",
]


def measure(
    predicted: BoolArray,
    truth: BoolArray,
    spacing: Spacing | None = None,
    names: Iterable[str] | None = None,
) -> dict[str, float]:
    """Measure one prediction with several metrics.

    Args:
        predicted: boolean array ``(slices, height, width)`` or ``(height, width)``.
        truth: boolean array of the same shape.
        spacing: size of a voxel in mm along each axis, or ``None``: lengths are then in voxels.
        names: keys of :data:`METRICS`; all of them by default.

    Returns:
        Value of each metric by name; NaN where it is undefined.

    Raises:
        WrongKindError: an array is not boolean.
        InputError: the shapes differ.
    """
    return {name: METRICS[name](predicted, truth, spacing) for name in (METRICS if names is None else names)}

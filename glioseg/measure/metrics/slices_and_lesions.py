"""Metrics that count slices or lesions instead of voxels, for one patient."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from glioseg.measure.metrics.registry import EmptyCases, EmptyRule, Spacing, declare
from glioseg.scan import BoolArray, check_boolean

_LESION = "a lesion is a face-connected component, found when one voxel of it is predicted"


def dice_by_slice(
    predicted: BoolArray, truth: BoolArray, empty: EmptyRule = "skip"
) -> npt.NDArray[np.float64]:
    """Dice of each slice.

    Args:
        predicted: boolean array ``(slices, height, width)``.
        truth: boolean array of the same shape.
        empty: what a slice counts as where neither mask holds a voxel: 1, 0 or NaN.

    Returns:
        Array ``(slices,)`` in [0, 1]. Where most slices are lesion-free their mean says more about
        the choice of ``empty`` than about the prediction, hence ``slice_dice`` leaves those out.

    Raises:
        WrongKindError: an array is not boolean.
    """
    check_boolean(predicted, "the predicted mask")
    check_boolean(truth, "the true mask")
    total = predicted.sum(axis=(1, 2)) + truth.sum(axis=(1, 2))
    overlap = (predicted & truth).sum(axis=(1, 2))
    rule = {"perfect": 1.0, "worst": 0.0, "skip": np.nan}[empty]
    return np.where(total > 0, 2.0 * overlap / np.maximum(total, 1), rule)


@declare(
    "slice_dice",
    title="Dice per lesion slice",
    meaning="Mean Dice over the slices that hold true lesion; slices without true lesion are not counted.",
    unit="slice",
    low=0.0,
    high=1.0,
    higher_is_better=True,
    symmetric=False,
    empty=EmptyCases(both_empty="skip", no_prediction="worst", no_truth="skip"),
    source="Dice 1945, doi 10.2307/1932409, slice by slice",
)
def slice_dice(predicted: BoolArray, truth: BoolArray, spacing: Spacing | None) -> float:
    """Mean of the Dice of all slices with true lesion."""
    predicted, truth = _stack(predicted), _stack(truth)
    there = truth.any(axis=(1, 2))
    return float(dice_by_slice(predicted[there], truth[there]).mean())


@declare(
    "slice_sensitivity",
    title="Lesion slices found",
    meaning="Share of the slices with true lesion in which any lesion was predicted.",
    unit="slice",
    low=0.0,
    high=1.0,
    higher_is_better=True,
    symmetric=False,
    empty=EmptyCases(both_empty="skip", no_prediction="worst", no_truth="skip"),
    source="sensitivity of the slice as a yes-or-no finding",
)
def slice_sensitivity(predicted: BoolArray, truth: BoolArray, spacing: Spacing | None) -> float:
    """Lesion slices with a predicted voxel over lesion slices."""
    found, there = _slices(predicted), _slices(truth)
    return float(found[there].mean())


@declare(
    "slice_false_positive_rate",
    title="False-positive slices",
    meaning="Share of the lesion-free slices with predicted lesion; undefined when there are none.",
    unit="slice",
    low=0.0,
    high=1.0,
    higher_is_better=False,
    symmetric=False,
    empty=EmptyCases(both_empty="perfect", no_prediction="formula", no_truth="formula"),
    source="false-positive rate of the slice as a yes-or-no finding",
)
def slice_false_positive_rate(predicted: BoolArray, truth: BoolArray, spacing: Spacing | None) -> float:
    """Lesion-free slices with a predicted voxel over lesion-free slices; NaN when there are none."""
    found, there = _slices(predicted), _slices(truth)
    return float("nan") if there.all() else float(found[~there].mean())


@declare(
    "lesion_sensitivity",
    title="Lesions found",
    meaning="Share of the separate true lesions that the prediction touches.",
    unit="lesion",
    low=0.0,
    high=1.0,
    higher_is_better=True,
    symmetric=False,
    empty=EmptyCases(both_empty="skip", no_prediction="worst", no_truth="skip"),
    source=_LESION,
)
def lesion_sensitivity(predicted: BoolArray, truth: BoolArray, spacing: Spacing | None) -> float:
    """True lesions with a predicted voxel over true lesions."""
    return _touched(truth, predicted)


@declare(
    "lesion_precision",
    title="Predicted lesions that are true",
    meaning="Share of the separate predicted lesions that touch a true one.",
    unit="lesion",
    low=0.0,
    high=1.0,
    higher_is_better=True,
    symmetric=False,
    empty=EmptyCases(both_empty="skip", no_prediction="skip", no_truth="worst"),
    source=_LESION,
)
def lesion_precision(predicted: BoolArray, truth: BoolArray, spacing: Spacing | None) -> float:
    """Predicted lesions with a true voxel over predicted lesions."""
    return _touched(predicted, truth)


def _stack(mask: BoolArray) -> BoolArray:
    return mask[None] if mask.ndim == 2 else mask


def _slices(mask: BoolArray) -> BoolArray:
    """Which slices hold a voxel."""
    return np.asarray(_stack(mask).any(axis=(1, 2)))


def _touched(lesions: BoolArray, other: BoolArray) -> float:
    """Share of the face-connected components of ``lesions`` that share a voxel with ``other``."""
    from scipy.ndimage import label

    labels, count = label(lesions)
    return float(len(np.unique(labels[lesions & other])) / count)

"""Metrics that count voxels."""

from __future__ import annotations

from glioseg.measure.metrics.registry import EmptyCases, Spacing, declare
from glioseg.scan import BoolArray

_TAHA = "Taha and Hanbury 2015, doi 10.1186/s12880-015-0068-x"


@declare(
    "dice",
    title="Dice (DSC)",
    meaning="Twice the overlap of prediction and truth over the sum of their sizes: 1 perfect, 0 no overlap.",
    unit="volume",
    low=0.0,
    high=1.0,
    higher_is_better=True,
    symmetric=True,
    empty=EmptyCases(both_empty="perfect", no_prediction="worst", no_truth="worst"),
    source="Dice 1945, doi 10.2307/1932409",
)
def dice(predicted: BoolArray, truth: BoolArray, spacing: Spacing | None) -> float:
    """2 |P and T| / (|P| + |T|)."""
    return 2.0 * (predicted & truth).sum() / (predicted.sum() + truth.sum())


@declare(
    "iou",
    title="IoU (Jaccard)",
    meaning="Overlap of prediction and truth over their union: 1 perfect, 0 no overlap.",
    unit="volume",
    low=0.0,
    high=1.0,
    higher_is_better=True,
    symmetric=True,
    empty=EmptyCases(both_empty="perfect", no_prediction="worst", no_truth="worst"),
    source="Jaccard 1912, doi 10.1111/j.1469-8137.1912.tb05611.x",
)
def iou(predicted: BoolArray, truth: BoolArray, spacing: Spacing | None) -> float:
    """|P and T| / |P or T|."""
    return (predicted & truth).sum() / (predicted | truth).sum()


@declare(
    "sensitivity",
    title="Sensitivity (recall)",
    meaning="Share of the true lesion that was found. Undefined, and skipped, when there is no true lesion.",
    unit="volume",
    low=0.0,
    high=1.0,
    higher_is_better=True,
    symmetric=False,
    empty=EmptyCases(both_empty="skip", no_prediction="worst", no_truth="skip"),
    source=_TAHA,
)
def sensitivity(predicted: BoolArray, truth: BoolArray, spacing: Spacing | None) -> float:
    """|P and T| / |T|."""
    return (predicted & truth).sum() / truth.sum()


@declare(
    "precision",
    title="Precision",
    meaning="Share of the predicted lesion that is true. Undefined, and skipped, when nothing was predicted.",
    unit="volume",
    low=0.0,
    high=1.0,
    higher_is_better=True,
    symmetric=False,
    empty=EmptyCases(both_empty="skip", no_prediction="skip", no_truth="worst"),
    source=_TAHA,
)
def precision(predicted: BoolArray, truth: BoolArray, spacing: Spacing | None) -> float:
    """|P and T| / |P|."""
    return (predicted & truth).sum() / predicted.sum()


@declare(
    "volume_difference",
    title="Relative volume difference",
    meaning="Predicted minus true volume over true volume: 0 perfect, -1 nothing found, above 0 too large.",
    unit="volume",
    low=-1.0,
    high=float("inf"),
    higher_is_better=None,
    symmetric=False,
    empty=EmptyCases(both_empty="perfect", no_prediction="formula", no_truth="worst"),
    source="Heimann et al. 2009, doi 10.1109/TMI.2009.2013851 (as a fraction, not in percent)",
)
def volume_difference(predicted: BoolArray, truth: BoolArray, spacing: Spacing | None) -> float:
    """(|P| - |T|) / |T|."""
    return predicted.sum() / truth.sum() - 1.0

"""What is measured of masks: metrics, sizes, shapes, and the statistics and the protocol of scores.

>>> import numpy as np
>>> from glioseg.measure import dice
>>> truth = np.zeros((1, 4, 4), dtype=bool); truth[0, 1:3, 1:3] = True
>>> dice(truth, truth)
1.0
"""

from __future__ import annotations

from glioseg.measure.metrics import (
    METRICS,
    EmptyCases,
    EmptyRule,
    Metric,
    Unit,
    dice,
    dice_by_slice,
    hd95,
    iou,
    lesion_precision,
    lesion_sensitivity,
    measure,
    nsd,
    precision,
    sensitivity,
    slice_dice,
    slice_false_positive_rate,
    slice_sensitivity,
    surface_distances,
    volume_difference,
)
from glioseg.measure.protocol import Protocol, Scores, check_same_protocol
from glioseg.measure.statistics import Interval, bootstrap_interval

__all__ = [
    "METRICS",
    "EmptyCases",
    "EmptyRule",
    "Interval",
    "Metric",
    "Protocol",
    "Scores",
    "Unit",
    "bootstrap_interval",
    "check_same_protocol",
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

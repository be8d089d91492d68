"""What is measured of masks: metrics, sizes, shapes, and the statistics and the protocol of scores.

>>> import numpy as np
>>> from glioseg.measure import dice
>>> truth = np.zeros((1, 4, 4), dtype=bool); truth[0, 1:3, 1:3] = True
>>> dice(truth, truth)
1.0
"""

from __future__ import annotations

from glioseg.measure import metrics
from glioseg.measure.metrics import *  # noqa: F403  what the metrics export stands there once
from glioseg.measure.protocol import Protocol, Scores, check_same_protocol
from glioseg.measure.statistics import Interval, bootstrap_interval

__all__ = [
    "Interval",
    "Protocol",
    "Scores",
    "bootstrap_interval",
    "check_same_protocol",
    *metrics.__all__,
]

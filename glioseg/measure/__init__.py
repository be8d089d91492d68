"""What is measured of masks: metrics, sizes, shapes, and the statistics and the protocol of scores.

>>> import numpy as np
>>> from glioseg.measure import dice
>>> truth = np.zeros((1, 4, 4), dtype=bool); truth[0, 1:3, 1:3] = True
>>> dice(truth, truth)
1.0
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from glioseg.measure.metrics import *  # noqa: F403  what the metrics export stands there once
    from glioseg.measure.protocol import Protocol, Scores, check_same_protocol  # noqa: F401
    from glioseg.measure.statistics import Interval, bootstrap_interval  # noqa: F401

# Names are looked up on first use: who needs the length of a lesion does not load what compares scores.
_HOMES = {
    "Interval": "statistics",
    "Protocol": "protocol",
    "Scores": "protocol",
    "bootstrap_interval": "statistics",
    "check_same_protocol": "protocol",
}


def __getattr__(name: str) -> Any:
    if name == "__path__":
        raise AttributeError(name)
    if name in _HOMES:
        return getattr(import_module(f"glioseg.measure.{_HOMES[name]}"), name)
    metrics = import_module("glioseg.measure.metrics")
    if name == "__all__":
        return [*_HOMES, *metrics.__all__]
    if name not in metrics.__all__:
        raise AttributeError(f"module 'glioseg.measure' has no attribute {name!r}")
    return getattr(metrics, name)

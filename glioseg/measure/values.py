"""What a feature can be: a number, or a reason why there is none."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class NotDefined:
    """Stands where a feature has no value. It is never zero: ``float()`` gives NaN.

    Attributes:
        reason: why there is no value, as a sentence without a full stop.
    """

    reason: str

    def __float__(self) -> float:
        return math.nan

    def __bool__(self) -> bool:
        return False


EMPTY = NotDefined("the mask is empty")
FLAT = NotDefined("the lesion lies in one plane, which has no three-dimensional shape")
NO_SPACING = NotDefined("the voxel spacing is unknown")
NO_AFFINE = NotDefined("the source gives no position in the body")
NO_SCAN = NotDefined("no scan was given with the mask")

Value = float | str | NotDefined
"""A feature's value; ``str`` only for the side."""
Number = float | NotDefined
"""The value of a feature that is a number."""

"""Shape features of lesions.

>>> from glioseg.measure.shape import measure_lesion                       # doctest: +SKIP
>>> measure_lesion(mask)["bounding_ellipsoid_volume_ratio"]            # doctest: +SKIP
"""

from __future__ import annotations

from glioseg.measure.shape.ellipsoid import (
    Ellipsoid,
    bounding_ellipsoid_volume_ratio,
    minimum_volume_ellipsoid,
)
from glioseg.measure.shape.features import FEATURES, Feature, measure_lesion
from glioseg.measure.shape.lesion import Lesion, largest_component
from glioseg.measure.shape.outline import angular_standard_deviation, margin_fluctuation, outline
from glioseg.measure.values import NotDefined

__all__ = [
    "FEATURES",
    "Ellipsoid",
    "Feature",
    "Lesion",
    "NotDefined",
    "angular_standard_deviation",
    "bounding_ellipsoid_volume_ratio",
    "largest_component",
    "margin_fluctuation",
    "measure_lesion",
    "minimum_volume_ellipsoid",
    "outline",
]

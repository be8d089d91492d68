"""Shape features of lesions and their association with genomic and clinical categories.

>>> from glioseg.radiomics import measure_lesion                       # doctest: +SKIP
>>> measure_lesion(mask)["bounding_ellipsoid_volume_ratio"]            # doctest: +SKIP
"""

from __future__ import annotations

from glioseg.radiomics.ellipsoid import Ellipsoid, bounding_ellipsoid_volume_ratio, minimum_volume_ellipsoid
from glioseg.radiomics.features import FEATURES, Feature, measure_lesion
from glioseg.radiomics.lesion import Lesion, largest_component
from glioseg.radiomics.outline import angular_standard_deviation, margin_fluctuation, outline
from glioseg.radiomics.values import NotDefined

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

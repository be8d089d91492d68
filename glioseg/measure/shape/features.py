"""All features of a lesion: their names, units and sources, and one function that measures them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from glioseg.grid import Grid
from glioseg.measure.shape import mesh
from glioseg.measure.shape.ellipsoid import bounding_ellipsoid_volume_ratio
from glioseg.measure.shape.lesion import Lesion, largest_component
from glioseg.measure.shape.outline import angular_standard_deviation, margin_fluctuation, outline
from glioseg.measure.size import diameters
from glioseg.measure.values import (
    EMPTY,
    FLAT,
    NO_AFFINE,
    NO_SCAN,
    NO_SPACING,
    NotDefined,
    Number,
    Value,
)
from glioseg.scan import Scan, Segmentation
from glioseg.words import Phrase

Group = Literal["paper", "size", "shape", "intensity", "place"]

_BUDA = "Buda et al. 2019"
_RANO = "RANO, Wen et al. 2010"


@dataclass(frozen=True)
class Feature:
    """What a feature is. ``source`` is a paper or the name and code in the IBSI reference manual.

    Attributes:
        name: name of the column in ``features.csv``.
        unit: ``"1"`` for ratios and counts.
        group: ``"paper"`` for the three of Buda et al. 2019; features of group ``"place"`` say where the
            lesion is in the image and are not tested for association.
        source: where the definition comes from.
    """

    name: str
    unit: str
    group: Group
    source: str

    @property
    def title(self) -> Phrase:
        """What reports and figures call it."""
        return Phrase(f"shape.{self.name}")


_ALL = (
    Feature("bounding_ellipsoid_volume_ratio", "1", "paper", _BUDA),
    Feature("angular_standard_deviation", "1", "paper", _BUDA),
    Feature("margin_fluctuation", "1", "paper", _BUDA),
    Feature("number_of_components", "1", "size", "face-connected, whole mask"),
    Feature("volume_voxels", "voxels", "size", "IBSI volume (voxel counting), YEKZ, in voxels"),
    Feature("volume_mm3", "mm3", "size", "IBSI volume (voxel counting), YEKZ"),
    Feature("mesh_volume_mm3", "mm3", "size", "IBSI volume (mesh), RNU0"),
    Feature("surface_area_mm2", "mm2", "size", "IBSI surface area (mesh), C0JK"),
    Feature("maximum_3d_diameter_mm", "mm", "size", "IBSI maximum 3D diameter, L0JK"),
    Feature("slice_area_pixels", "pixels", "size", "pixel counting"),
    Feature("longest_diameter_pixels", "pixels", "size", _RANO),
    Feature("perpendicular_diameter_pixels", "pixels", "size", _RANO),
    Feature("longest_diameter_mm", "mm", "size", _RANO),
    Feature("perpendicular_diameter_mm", "mm", "size", _RANO),
    Feature("bidirectional_product_mm2", "mm2", "size", _RANO),
    Feature("sphericity", "1", "shape", "IBSI sphericity, QCFX"),
    Feature("compactness_1", "1", "shape", "IBSI compactness 1, SKGS"),
    Feature("compactness_2", "1", "shape", "IBSI compactness 2, BQWJ"),
    Feature("elongation", "1", "shape", "IBSI elongation, Q3CK"),
    Feature("flatness", "1", "shape", "IBSI flatness, N17B"),
    Feature("intensity_mean", "FLAIR value", "intensity", "IBSI mean intensity, Q4LE"),
    Feature("intensity_median", "FLAIR value", "intensity", "IBSI median intensity, Y12H"),
    Feature("intensity_variance", "FLAIR value squared", "intensity", "IBSI ECT3"),
    Feature("intensity_skewness", "1", "intensity", "IBSI skewness, KE2A"),
    Feature("intensity_kurtosis", "1", "intensity", "IBSI kurtosis, IPH6"),
    Feature("intensity_minimum", "FLAIR value", "intensity", "IBSI minimum, 1GSF"),
    Feature("intensity_10th_percentile", "FLAIR value", "intensity", "IBSI QG58"),
    Feature("intensity_90th_percentile", "FLAIR value", "intensity", "IBSI 8DWT"),
    Feature("intensity_maximum", "FLAIR value", "intensity", "IBSI maximum, 84IY"),
    Feature(
        "intensity_interquartile_range",
        "FLAIR value",
        "intensity",
        "IBSI SALO",
    ),
    Feature("centroid_slice", "slices", "place", "position on the grid, from 0"),
    Feature("centroid_row", "pixels", "place", "position on the grid, from 0"),
    Feature("centroid_column", "pixels", "place", "position on the grid, from 0"),
    Feature("centroid_right_mm", "mm", "place", "by the affine"),
    Feature("centroid_anterior_mm", "mm", "place", "by the affine"),
    Feature("centroid_superior_mm", "mm", "place", "by the affine"),
    Feature("side", "", "place", "centroid against the middle of the head"),
)

FEATURES: dict[str, Feature] = {feature.name: feature for feature in _ALL}
"""Every feature by name, in the order of the columns of ``features.csv``."""


def measure_lesion(mask: Segmentation, scan: Scan | None = None) -> dict[str, Value]:
    """Measure every feature of the largest face-connected component of a mask.

    Features in millimetres need the spacing, the place in the body needs the affine, and the
    intensities need the scan; where these are missing, the value is a :class:`NotDefined` that says
    so. Sizes in pixels and voxels, the bounding ellipsoid volume ratio and the two features of the outline
    need nothing but the mask.

    Args:
        mask: the lesion.
        scan: the scan on the same grid, for FLAIR intensities and the middle of the head.

    Returns:
        A value for each name in :data:`FEATURES`, in that order. On an empty mask only the number of
        components has a value, 0.

    Raises:
        ValueError: the scan has another grid than the mask.
    """
    if scan is not None and scan.grid.shape != mask.grid.shape:
        raise ValueError(f"a mask of {mask.grid.shape} on a scan of {scan.grid.shape}")
    lesion = largest_component(mask.mask, mask.grid.spacing)
    if lesion is None:
        return {name: EMPTY if name != "number_of_components" else 0.0 for name in FEATURES}
    line = outline(lesion)
    values: dict[str, Value] = {
        "bounding_ellipsoid_volume_ratio": bounding_ellipsoid_volume_ratio(lesion),
        "angular_standard_deviation": line
        if isinstance(line, NotDefined)
        else angular_standard_deviation(line),
        "margin_fluctuation": line if isinstance(line, NotDefined) else margin_fluctuation(line),
        "number_of_components": float(lesion.components),
        **sizes(lesion),
        **surface(lesion),
        **axes(lesion),
        **intensities(lesion, scan),
        **place(lesion, mask.grid, scan),
    }
    return {name: values[name] for name in FEATURES}


def sizes(lesion: Lesion) -> dict[str, Number]:
    """Sizes by counting, and the diameters of the region of largest area.

    Returns:
        ``volume_voxels``, ``slice_area_pixels``, ``longest_diameter_pixels`` and
        ``perpendicular_diameter_pixels`` (see :func:`glioseg.measure.size.diameters`; pixels taken
        as squares); with known spacing also ``volume_mm3`` (voxels times the volume of one),
        ``longest_diameter_mm``, ``perpendicular_diameter_mm`` and their product
        ``bidirectional_product_mm2``.

    Source:
        IBSI, volume by voxel counting (YEKZ); Wen et al. 2010, doi 10.1200/JCO.2009.26.3541.
    """
    count = float(lesion.voxels.sum())
    longest, across = diameters(lesion.region)
    values: dict[str, Number] = {
        "volume_voxels": count,
        "slice_area_pixels": float(lesion.region.sum()),
        "longest_diameter_pixels": longest,
        "perpendicular_diameter_pixels": across,
    }
    in_mm = ("volume_mm3", "longest_diameter_mm", "perpendicular_diameter_mm", "bidirectional_product_mm2")
    if lesion.spacing is None:
        return values | dict.fromkeys(in_mm, NO_SPACING)
    longest, across = diameters(lesion.region, lesion.spacing[1:])
    volume = count * math.prod(lesion.spacing)
    return values | dict(zip(in_mm, (volume, longest, across, longest * across), strict=True))


def surface(lesion: Lesion) -> dict[str, Number]:
    """Features of the surface mesh, with its volume V and area A.

    Returns:
        ``mesh_volume_mm3`` V, ``surface_area_mm2`` A, ``maximum_3d_diameter_mm`` (longest distance of two
        points of the mesh), ``sphericity`` ``(36 pi V^2)^(1/3) / A``, ``compactness_1``
        ``V / (sqrt(pi) A^(3/2))`` and ``compactness_2`` ``36 pi V^2 / A^3``. A ball has sphericity and
        compactness 2 of 1 and compactness 1 of 1 / (6 pi); the steps between voxels make that of a ball
        of voxels smaller (sphericity 0.92 at a radius of 9). Not defined without spacing, nor for a
        flat lesion.

    Source:
        IBSI, morphological features RNU0, C0JK, L0JK, QCFX, SKGS, BQWJ.
    """
    names = ["mesh_volume_mm3", "surface_area_mm2", "maximum_3d_diameter_mm"]
    names += ["sphericity", "compactness_1", "compactness_2"]
    if lesion.spacing is None:
        return dict.fromkeys(names, NO_SPACING)
    if lesion.flat:
        return dict.fromkeys(names, FLAT)
    triangles = mesh.surface_triangles(lesion.voxels, lesion.spacing)
    volume, area = mesh.enclosed_volume(triangles), mesh.area(triangles)
    return {
        "mesh_volume_mm3": volume,
        "surface_area_mm2": area,
        "maximum_3d_diameter_mm": _longest_distance(triangles.reshape(-1, 3)),
        "sphericity": (36 * math.pi * volume**2) ** (1 / 3) / area,
        "compactness_1": volume / (math.sqrt(math.pi) * area**1.5),
        "compactness_2": 36 * math.pi * volume**2 / area**3,
    }


def axes(lesion: Lesion) -> dict[str, Number]:
    """Ratios of the principal axes of the voxel centres in mm.

    Returns:
        ``elongation`` (second over longest axis) and ``flatness`` (shortest over longest), both in (0, 1],
        1 for a ball. Not defined without spacing, nor for a flat lesion.

    Source:
        IBSI, elongation (Q3CK) and flatness (N17B).
    """
    if lesion.spacing is None:
        return {"elongation": NO_SPACING, "flatness": NO_SPACING}
    if lesion.flat:
        return {"elongation": FLAT, "flatness": FLAT}
    least, minor, major = np.sqrt(np.linalg.eigvalsh(np.cov((lesion.points * lesion.spacing).T)))
    return {"elongation": float(minor / major), "flatness": float(least / major)}


def intensities(lesion: Lesion, scan: Scan | None) -> dict[str, Number]:
    """First-order statistics of FLAIR within the lesion.

    Returns:
        The features of group ``"intensity"``, in the values of the source; these depend on the scanner.
        Variance is that of the population, kurtosis is 0 for a normal distribution. Not defined
        without a scan that has FLAIR; skewness and kurtosis not for constant values.

    Source:
        IBSI, intensity-based statistical features.
    """
    if scan is None or "flair" not in scan.channels:
        names = [feature.name for feature in FEATURES.values() if feature.group == "intensity"]
        return dict.fromkeys(names, NO_SCAN)
    box = tuple(slice(start, start + n) for start, n in zip(lesion.offset, lesion.voxels.shape, strict=True))
    values = scan.channel("flair")[box][lesion.voxels].astype(np.float64)
    low, first, median, third, high = np.percentile(values, (10, 25, 50, 75, 90))
    variance = values.var()
    constant = NotDefined("all FLAIR values of the lesion are equal")
    standard = (values - values.mean()) / math.sqrt(variance) if variance > 0 else None
    return {
        "intensity_mean": float(values.mean()),
        "intensity_median": float(median),
        "intensity_variance": float(variance),
        "intensity_skewness": constant if standard is None else float((standard**3).mean()),
        "intensity_kurtosis": constant if standard is None else float((standard**4).mean() - 3),
        "intensity_minimum": float(values.min()),
        "intensity_10th_percentile": float(low),
        "intensity_90th_percentile": float(high),
        "intensity_maximum": float(values.max()),
        "intensity_interquartile_range": float(third - first),
    }


def place(lesion: Lesion, grid: Grid, scan: Scan | None) -> dict[str, Value]:
    """Where the centroid is, and on which side of the middle of the head (of the image without a scan).

    Returns:
        ``centroid_slice``, ``centroid_row`` and ``centroid_column`` (positions on the grid, from 0); with
        an affine ``centroid_right_mm``, ``centroid_anterior_mm`` and ``centroid_superior_mm``; ``side``:
        ``right`` or ``left`` of the patient by the affine, without one ``image right`` or ``image left`` of
        the picture. Where slices are shown as radiologists do, ``image left`` is the patient's right, which
        files without geometry do not tell.
    """
    centroid = lesion.points.mean(axis=0) + lesion.offset
    middle = _middle_of_head(scan) if scan is not None else (np.array(grid.shape) - 1) / 2
    values: dict[str, Value] = dict(
        zip(("centroid_slice", "centroid_row", "centroid_column"), map(float, centroid), strict=True)
    )
    names = ("centroid_right_mm", "centroid_anterior_mm", "centroid_superior_mm")
    if grid.affine is None:
        side = "image right" if centroid[2] > middle[2] else "image left"
        return values | dict.fromkeys(names, NO_AFFINE) | {"side": side}
    position, centre = (grid.affine[:3, :3] @ point + grid.affine[:3, 3] for point in (centroid, middle))
    side = "right" if position[0] > centre[0] else "left"
    return values | dict(zip(names, map(float, position), strict=True)) | {"side": side}


def _longest_distance(points: npt.NDArray[np.float64]) -> float:
    from scipy.spatial import ConvexHull
    from scipy.spatial.distance import pdist

    return float(pdist(points[ConvexHull(points).vertices]).max())


def _middle_of_head(scan: Scan) -> npt.NDArray[np.float64]:
    """Middle of the box around all that is brighter than a tenth of the range of the first sequence."""
    voxels = scan.voxels[..., 0]
    lowest, highest = float(voxels.min()), float(voxels.max())
    head = voxels > lowest + 0.1 * (highest - lowest)
    if not head.any():
        return (np.array(voxels.shape) - 1) / 2
    others = ((1, 2), (0, 2), (0, 1))
    present = [np.flatnonzero(head.any(axis=other)) for other in others]
    return np.array([(along[0] + along[-1]) / 2 for along in present])

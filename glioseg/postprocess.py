"""The one place that turns logits into probabilities, and the one that turns probabilities into masks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from glioseg.components import Components
from glioseg.errors import WrongKindError
from glioseg.recipe import PostprocessChoice
from glioseg.scan import BoolArray, bounding_box

Flair = Callable[[], npt.NDArray[Any]]
"""Makes the prepared FLAIR ``(slices, height, width)`` on the grid of the mask, 0 for average brain."""


def probabilities(logits: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """Sigmoid of logits, float32 in 0..1, of the same shape."""
    with np.errstate(over="ignore"):  # of the surest background, which is 0 then
        return (1 / (1 + np.exp(-logits.astype(np.float64)))).astype(np.float32)


def class_probabilities(logits: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """Softmax of logits ``(slices, classes, height, width)`` over the classes, float32 in 0..1."""
    shares = np.exp(logits - logits.max(axis=1, keepdims=True), dtype=np.float32)
    result: npt.NDArray[np.float32] = shares / shares.sum(axis=1, keepdims=True)
    return result


def to_labels(
    probability: npt.NDArray[Any],
    choice: PostprocessChoice,
    values: Sequence[int],
    flair: Flair | None = None,
) -> npt.NDArray[np.uint8]:
    """Class of each voxel: the likeliest one where all classes together reach the threshold.

    Args:
        probability: ``(classes, slices, height, width)`` in 0..1, without background.
        choice: threshold; components are kept and holes filled for each class on its own.
        values: label of each class.
        flair: for ``choice.minimum_contrast``; called if there are several components.

    Returns:
        uint8 array ``(slices, height, width)``; 0 is background.
    """
    there = probability.sum(axis=0) >= choice.threshold
    likeliest = probability.argmax(axis=0)
    labels = np.zeros(there.shape, np.uint8)
    for number, value in enumerate(values):
        mask = there & (likeliest == number)
        # A hole of one class may be another: necrosis within a rim.
        labels[_clean(mask, choice, flair) & (mask | ~there)] = value
    return labels


def to_mask(
    probability: npt.NDArray[Any], choice: PostprocessChoice, flair: Flair | None = None
) -> BoolArray:
    """Threshold a probability map and clean it up.

    Args:
        probability: ``(slices, height, width)`` in 0..1.
        choice: threshold, which components are kept, and whether holes are filled.
        flair: for ``choice.minimum_contrast``; called if there are several components.

    Returns:
        Boolean array of the same shape. Components are 3-D and connected through voxel faces.

    Raises:
        WrongKindError: values outside 0..1 (logits, or a mask of 0/255), NaN, or a mask already.
    """
    if probability.dtype == np.bool_ or not np.issubdtype(probability.dtype, np.floating):
        raise WrongKindError(f"expected probabilities as floats, not {probability.dtype}")
    if probability.size and not (probability.min() >= 0 and probability.max() <= 1):
        if np.isnan(probability).any():
            raise WrongKindError("expected probabilities in 0..1, not NaN")
        raise WrongKindError("expected probabilities in 0..1; are these logits? Use probabilities() first")
    return _clean(probability >= choice.threshold, choice, flair)


def _clean(mask: BoolArray, choice: PostprocessChoice, flair: Flair | None) -> BoolArray:
    if not choice.keeps_all_components:
        mask = keep_components(
            mask,
            choice.largest_component,
            choice.minimum_voxels,
            choice.minimum_share,
            choice.minimum_contrast,
            flair,
        )
    return fill_holes(mask) if choice.fill_holes else mask


def keep_components(
    mask: BoolArray,
    largest: bool = False,
    minimum_voxels: int = 0,
    minimum_share: float = 0.0,
    minimum_contrast: float = 0.0,
    flair: Flair | None = None,
) -> BoolArray:
    """Keep the face-connected 3-D components that are large enough, and enough like the largest.

    Args:
        mask: ``(slices, height, width)``.
        largest: only the largest.
        minimum_voxels: at least so many voxels.
        minimum_share: at least this share of the voxels of the largest.
        minimum_contrast: at least this share of the mean FLAIR of the largest, if that is brighter than
            average brain. Healthy tissue taken for a second lesion is seldom as bright as the first.
        flair: wanted for ``minimum_contrast``; called if several components are left.
    """
    if not mask.any():
        return mask
    # Only the box that holds everything: labels and counts of a whole volume would be its largest arrays.
    box = bounding_box(mask)
    found = Components(mask[box])
    sizes = found.sizes
    keep = sizes >= max(minimum_voxels, 1, minimum_share * sizes.max())
    if largest:
        keep[np.arange(found.count) != sizes.argmax()] = False
    if minimum_contrast and keep.sum() > 1:
        if flair is None:
            raise ValueError("minimum_contrast wants the FLAIR that the mask was found in")
        values, sums = flair()[box], np.zeros(found.count)
        for some in found.portions:
            inside = mask[box][some]
            labels = found.labels_of(some)[inside] - 1
            sums += np.bincount(labels, weights=values[some][inside], minlength=found.count)
        contrast = sums / sizes
        if contrast[sizes.argmax()] > 0:
            keep &= contrast >= minimum_contrast * contrast[sizes.argmax()]
    kept: BoolArray = mask.copy()
    if not keep.all():
        stays = np.append(False, keep)
        for some in found.portions:
            kept[box][some] = stays[found.labels_of(some)]
    return kept


def fill_holes(mask: BoolArray) -> BoolArray:
    """Fill what is enclosed in each slice: outlines drawn by hand have no holes.

    Args:
        mask: ``(slices, height, width)``. A hole is what no path through pixel faces joins to the border.
    """
    filled: BoolArray = mask.copy()
    if mask.any():
        box = bounding_box(mask)
        # With a margin, what is outside the mask of a slice and no hole is one part, which has the corner.
        around = np.pad(~mask[box], ((0, 0), (1, 1), (1, 1)), constant_values=True)
        parts = Components(around, each_slice=True)
        for some in parts.portions:
            labels = parts.labels_of(some)
            filled[box][some] = (labels != labels[:, :1, :1])[:, 1:-1, 1:-1]
    return filled

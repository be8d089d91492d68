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

Flair = Callable[[slice], npt.NDArray[Any]]
"""Makes some slices ``(slices, height, width)`` of the prepared FLAIR on the grid of the mask, 0 for average
brain."""

FILLED = 32
"""Slices whose holes are filled together."""


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
    return cleaned(class_numbers(probability, choice.threshold), choice, values, flair)


def class_numbers(probability: npt.NDArray[Any], threshold: float) -> npt.NDArray[np.uint8]:
    """Which class is the likeliest where all together reach the threshold.

    Args:
        probability: ``(classes, slices, height, width)`` in 0..1, without background.
        threshold: of their sum.

    Returns:
        uint8 array ``(slices, height, width)``; 0 is background, 1 the first class.
    """
    if len(probability) == 1:
        return (probability[0] >= threshold).view(np.uint8)
    there = probability.sum(axis=0) >= threshold
    return ((probability.argmax(axis=0) + 1) * there).astype(np.uint8)


def cleaned(
    numbers: npt.NDArray[np.uint8], choice: PostprocessChoice, values: Sequence[int], flair: Flair | None
) -> npt.NDArray[np.uint8]:
    """Labels of what :func:`class_numbers` gave, which is used up; the arguments are those of
    :func:`to_labels`."""
    if len(values) == 1:
        mask = _clean(numbers.view(np.bool_), choice, flair).view(np.uint8)
        return mask if values[0] == 1 else mask * np.uint8(values[0])
    labels = np.zeros(numbers.shape, np.uint8)
    for number, value in enumerate(values, start=1):
        kept = _clean(numbers == number, choice, flair)
        # A hole of one class may be another: necrosis within a rim.
        labels[kept & ((numbers == number) | (numbers == 0))] = value
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
    check_probability(probability)
    return _clean(probability >= choice.threshold, choice, flair)


def check_probability(probability: npt.NDArray[Any]) -> None:
    """Refuse what is no probability.

    Raises:
        WrongKindError: values outside 0..1 (logits, or a mask of 0/255), NaN, or a mask already.
    """
    if probability.dtype == np.bool_ or not np.issubdtype(probability.dtype, np.floating):
        raise WrongKindError(f"expected probabilities as floats, not {probability.dtype}")
    if probability.size and not (probability.min() >= 0 and probability.max() <= 1):
        if np.isnan(probability).any():
            raise WrongKindError("expected probabilities in 0..1, not NaN")
        raise WrongKindError("expected probabilities in 0..1; are these logits? Use probabilities() first")


def _clean(mask: BoolArray, choice: PostprocessChoice, flair: Flair | None) -> BoolArray:
    """Clean up a mask in its own memory."""
    if not choice.keeps_all_components:
        _drop_components(
            mask,
            choice.largest_component,
            choice.minimum_voxels,
            choice.minimum_share,
            choice.minimum_contrast,
            flair,
        )
    if choice.fill_holes:
        _fill_holes(mask)
    return mask


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

    Returns:
        A new array.
    """
    kept = mask.copy()
    _drop_components(kept, largest, minimum_voxels, minimum_share, minimum_contrast, flair)
    return kept


def _drop_components(
    mask: BoolArray,
    largest: bool,
    minimum_voxels: int,
    minimum_share: float,
    minimum_contrast: float,
    flair: Flair | None,
) -> None:
    if not mask.any():
        return
    # Only the box that holds everything: labels and counts of a whole volume would be its largest arrays.
    box = bounding_box(mask)
    within = mask[box]
    found = Components(within)
    sizes = found.sizes
    keep = sizes >= max(minimum_voxels, 1, minimum_share * sizes.max())
    if largest:
        keep[np.arange(found.count) != sizes.argmax()] = False
    if minimum_contrast and keep.sum() > 1:
        if flair is None:
            raise ValueError("minimum_contrast wants the FLAIR that the mask was found in")
        sums = np.zeros(found.count)
        for some in found.portions:
            inside = within[some]
            values = flair(slice(box[0].start + some.start, box[0].start + some.stop))[
                (slice(None), *box[1:])
            ]
            labels = found.labels_of(some)[inside] - 1
            sums += np.bincount(labels, weights=values[inside], minlength=found.count)
        contrast = sums / sizes
        if contrast[sizes.argmax()] > 0:
            keep &= contrast >= minimum_contrast * contrast[sizes.argmax()]
    if not keep.all():
        stays = np.append(False, keep)
        for some in found.portions:
            within[some] = stays[found.labels_of(some)]


def fill_holes(mask: BoolArray) -> BoolArray:
    """Fill what is enclosed in each slice: outlines drawn by hand have no holes.

    Args:
        mask: ``(slices, height, width)``. A hole is what no path through pixel faces joins to the border.
    """
    filled: BoolArray = mask.copy()
    _fill_holes(filled)
    return filled


def _fill_holes(mask: BoolArray) -> None:
    if not mask.any():
        return
    within = mask[bounding_box(mask)]
    for start in range(0, len(within), FILLED):
        some = within[start : start + FILLED]
        # With a margin, what is outside the mask of a slice and no hole is one part, which has the corner.
        around = np.pad(~some, ((0, 0), (1, 1), (1, 1)), constant_values=True)
        labels = Components(around, each_slice=True).labels
        some[:] = (labels != labels[:, :1, :1])[:, 1:-1, 1:-1]

"""The one place that turns logits into probabilities, and the one that turns probabilities into masks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from glioseg.errors import WrongKindError
from glioseg.recipe import PostprocessChoice
from glioseg.scan import BoolArray, bounding_box

Flair = Callable[[slice], npt.NDArray[Any]]
"""Makes some slices ``(slices, height, width)`` of the prepared FLAIR on the grid of the mask, 0 for average
brain."""

MOST_LABELLED = 1 << 21
"""Voxels of a mask whose components are looked for together: labels and FLAIR take four bytes for each."""


def probabilities(logits: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """Sigmoid of logits, float32 in 0..1, of the same shape."""
    from scipy.special import expit

    result: npt.NDArray[np.float32] = expit(logits.astype(np.float32, copy=False))
    return result


def class_probabilities(logits: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """Softmax of logits ``(slices, classes, height, width)`` over the classes, float32 in 0..1."""
    from scipy.special import softmax

    result: npt.NDArray[np.float32] = softmax(logits.astype(np.float32, copy=False), axis=1)
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
    found = _Components(mask)
    sizes = found.added(found.sizes)
    keep = sizes >= max(minimum_voxels, 1, minimum_share * sizes.max())
    if largest:
        keep[np.arange(len(keep)) != sizes.argmax()] = False
    if minimum_contrast and keep.sum() > 1:
        if flair is None:
            raise ValueError("minimum_contrast wants the FLAIR that the mask was found in")
        contrast = found.added(found.sums(flair)) / np.maximum(sizes, 1)
        if contrast[sizes.argmax()] > 0:
            keep &= contrast >= minimum_contrast * contrast[sizes.argmax()]
    if keep.sum() < np.count_nonzero(sizes):
        found.drop(keep)


class _Components:
    """The face-connected 3-D components of a mask, labelled a few slices at a time.

    A component that runs through several portions has a label in each; one of these stands for all.

    Args:
        mask: with at least one voxel.
    """

    def __init__(self, mask: BoolArray) -> None:
        # Only the box that holds everything: labels of a whole volume would be its largest array.
        self.box = bounding_box(mask)
        self.inside = mask[self.box]
        count, step = len(self.inside), max(1, MOST_LABELLED // mask[0].size)
        self.portions = [slice(start, min(start + step, count)) for start in range(0, count, step)]
        self._labelled: dict[int, npt.NDArray[np.int32]] = {}  # the latest portion
        self._stands: list[int] = []  # for each label, its own place in this list or that of an earlier one
        self._first: list[
            int
        ] = []  # what is added to the labels of each portion, which begin at 1, for a place
        sizes, before = [], None
        for portion in self.portions:
            labels = self._labels(portion)
            counts = np.bincount(labels.ravel())
            first = len(self._stands) - 1
            self._first.append(first)
            sizes.append(counts[1:])
            self._stands += range(len(self._stands), len(self._stands) + len(counts) - 1)
            if before is not None:
                touching = (before >= 0) & (labels[0] > 0)
                self._join(before[touching], labels[0][touching] + first)
            before = np.where(labels[-1] > 0, labels[-1] + first, -1)
        self.sizes = np.concatenate(sizes)
        self._stands = [self._root(label) for label in range(len(self._stands))]

    def _labels(self, portion: slice) -> npt.NDArray[np.int32]:
        from scipy import ndimage

        if portion.start not in self._labelled:
            self._labelled = {portion.start: ndimage.label(self.inside[portion])[0]}
        return self._labelled[portion.start]

    def _root(self, label: int) -> int:
        while self._stands[label] != label:
            label = self._stands[label]
        return label

    def _join(self, some: npt.NDArray[np.integer[Any]], others: npt.NDArray[np.integer[Any]]) -> None:
        for one, other in np.unique(np.stack([some, others]), axis=1).T.tolist():
            low, high = sorted((self._root(one), self._root(other)))
            self._stands[high] = low

    def added(self, each: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        """What is known of each label, added up for each component at the place of its first label."""
        places = np.array(self._stands)
        sums: npt.NDArray[np.float64] = np.bincount(places, weights=each, minlength=len(each)).astype(float)
        return sums

    def sums(self, flair: Flair) -> npt.NDArray[np.float64]:
        """Sum of the FLAIR for each label."""
        found = []
        for portion, count in zip(self.portions, self._counts(), strict=True):
            there, labels = self.inside[portion], self._labels(portion)
            start = self.box[0].start
            values = flair(slice(start + portion.start, start + portion.stop))[(slice(None), *self.box[1:])]
            found.append(np.bincount(labels[there], weights=values[there], minlength=count + 1)[1:])
        return np.concatenate(found)

    def drop(self, keep: BoolArray) -> None:
        """Take the components that are not to be kept out of the mask."""
        kept = keep[self._stands]
        for portion, first, count in zip(self.portions, self._first, self._counts(), strict=True):
            labels = self._labels(portion)
            gone = np.append(False, ~kept[first + 1 : first + 1 + count])
            self.inside[portion][gone[labels]] = False

    def _counts(self) -> list[int]:
        return np.diff([*self._first, len(self._stands) - 1]).tolist()


def fill_holes(mask: BoolArray) -> BoolArray:
    """Fill what is enclosed in each slice: outlines drawn by hand have no holes.

    Args:
        mask: ``(slices, height, width)``. A hole is what no path through pixel faces joins to the border.
    """
    filled = mask.copy()
    _fill_holes(filled)
    return filled


def _fill_holes(mask: BoolArray) -> None:
    from scipy import ndimage

    for position in np.flatnonzero(mask.any(axis=(1, 2))):
        box = bounding_box(mask[position])
        mask[position][box] = ndimage.binary_fill_holes(mask[position][box])

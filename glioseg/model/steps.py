"""What is done to a scan before and after the network, whatever computes the network."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from glioseg.model.calibration import Tissue, doubts, judged
from glioseg.model.description import ModelDescription
from glioseg.postprocess import (
    check_probability,
    class_numbers,
    class_probabilities,
    cleaned,
    probabilities,
)
from glioseg.prediction import Prediction
from glioseg.prepare import IN_TISSUE, Frame, Prepared, choose_sequences, stack_neighbours, turned
from glioseg.scan import Scan, bounding_box

Maps = npt.NDArray[np.float32]

MOST_JUDGED = 192
"""Slices by which a scan is judged at most, evenly spread over longer ones: no head has more that differ."""


def network_input(
    description: ModelDescription, images: npt.NDArray[Any], chosen: npt.NDArray[np.intp]
) -> Maps:
    """Slices as the network takes them.

    Args:
        description: of the model.
        images: prepared slices ``(slices, size, size, channels)``.
        chosen: which of them.

    Returns:
        ``(chosen, channels, size, size)``.
    """
    batch: Maps = choose_sequences(
        stack_neighbours(images, chosen, description.neighbours), description.sequences
    )
    return batch


def class_maps(description: ModelDescription, logits: Maps) -> Maps:
    """Probabilities ``(classes, slices, height, width)`` of logits ``(slices, outputs, height, width)``;
    background is left out, lesion or not is one class."""
    if description.labels.given:
        return class_probabilities(logits).swapaxes(0, 1)[1:]
    return probabilities(logits[:, 0])[None]


def of_any(classes: Maps) -> Maps:
    """Probability of any label; those of classes add up."""
    return classes[0] if len(classes) == 1 else np.minimum(classes.sum(axis=0), np.float32(1))


def finished(
    description: ModelDescription,
    scan: Scan,
    prepared: Prepared,
    maps: Iterable[tuple[int, Maps]],
    started: float,
    probability: bool = True,
) -> Prediction:
    """Carry probabilities back to the scan's own grid, make labels of them and judge these.

    Args:
        description: of the model.
        scan: what was segmented.
        prepared: the scan as ``description.prepare`` gave it.
        maps: from :func:`class_maps`, some slices after others, with the number of the first one.
        started: when the work on the scan began, by :func:`time.perf_counter`.
        probability: whether the prediction is to have the probability map.
    """
    labels, choice, frame = description.labels, description.postprocess, prepared.frame
    found = OnScan(scan.grid.shape, frame, choice.threshold, probability)
    for start, some in maps:
        found.add(start, some)
    voxels = cleaned(found.numbers, choice, labels.values or (1,), prepared.flair_on_scan)
    segmentation = scan.segmentation(voxels, labels.named) if labels.given else scan.segmentation(voxels)
    whole, clues = found.probability, judged(found.within(voxels), voxels)
    del found  # what it keeps of each slice is not needed any more
    expected = None if clues is None else description.calibration(clues)
    doubted = doubts_about(description, scan, prepared, voxels, expected)
    seconds = time.perf_counter() - started
    return Prediction(segmentation, whole, seconds, expected, doubted, clues)


def doubts_about(
    description: ModelDescription,
    scan: Scan,
    prepared: Prepared,
    mask: npt.NDArray[Any],
    expected: float | None,
) -> tuple[str, ...]:
    """What to know before trusting a mask of a model.

    Args:
        description: of the model.
        scan: what was segmented.
        prepared: the scan as ``description.prepare`` gave it.
        mask: the lesion ``(slices, height, width)`` on the scan's own grid, 0 outside.
        expected: DSC to expect of the mask; ``None`` when it is empty.
    """
    frame, tissue = prepared.frame, None
    count = len(prepared)
    places = np.linspace(0, count - 1, min(count, MOST_JUDGED)).round().astype(np.intp)
    flair = np.concatenate([prepared.flair[place : place + 1] for place in places])
    if description.prepare.name in IN_TISSUE:
        some = replace(frame, shape=(len(places), *frame.shape[1:]), first=0, last=len(places), axis=0)
        shown = some.to_prepared(turned(mask, frame.axis)[frame.first + places] > 0)
        tissue = Tissue(shown, description.learned_gliomas)
    return doubts(
        scan,
        mask,
        expected,
        description.appearance,
        flair,
        description.sequences,
        scan.grid.turned(frame.axis),
        tissue,
    )


class OnScan:
    """What a network says, on the scan's own grid; no more is kept than what is needed afterwards.

    Args:
        shape: of the scan.
        frame: where the prepared slices lie.
        threshold: from which on a voxel has a class.
        probability: whether the whole probability map is kept.

    Attributes:
        numbers: the class of each voxel before it is cleaned up, see
            :func:`glioseg.postprocess.class_numbers`.
        probability: of any class, float32, if it is kept.
    """

    def __init__(
        self, shape: tuple[int, int, int], frame: Frame, threshold: float, probability: bool
    ) -> None:
        self.numbers = np.zeros(shape, np.uint8)
        self.probability = np.zeros(shape, np.float32) if probability else None
        self._frame, self._back, self._threshold = frame, frame.back(), threshold
        self._near: list[_Near] = []

    def add(self, start: int, maps: Maps) -> None:
        """Take the maps ``(classes, slices, size, size)`` of the prepared slices from ``start`` on.

        Raises:
            WrongKindError: they are no probabilities.
        """
        restored = self._back(maps)
        check_probability(restored)
        numbers, likely = class_numbers(restored, self._threshold), of_any(restored)
        first, axis = self._frame.first + start, self._frame.axis
        if self.probability is not None:
            turned(self.probability, axis)[first : first + len(likely)] = likely
        for place in np.flatnonzero(numbers.any(axis=(1, 2))):
            box = bounding_box(numbers[place])
            shown = numbers[place][box]
            turned(self.numbers, axis)[first + place][box] = shown
            # From the first to the last voxel of each row: a hole that is filled later lies in between.
            row = np.logical_or.accumulate(shown, axis=1)
            row &= np.logical_or.accumulate(shown[:, ::-1], axis=1)[:, ::-1]
            self._near.append(_Near(first + int(place), box, np.packbits(row), likely[place][box][row]))

    def within(self, voxels: npt.NDArray[Any]) -> Maps:
        """The probability of each voxel that is not 0, slice by slice as the network saw them."""
        there = turned(voxels, self._frame.axis)
        found, filled = np.empty(np.count_nonzero(voxels), np.float32), 0
        for near in self._near:
            inside = there[near.place][near.box] > 0
            known = np.unpackbits(near.known, count=inside.size).view(np.bool_).reshape(inside.shape)
            values = near.values[inside[known]]
            found[filled : filled + len(values)] = values
            filled += len(values)
        return found


class _Near(NamedTuple):
    """What is kept of one slice: its number, the box of its voxels, where in that values are known (in bits),
    and these."""

    place: int
    box: tuple[slice, ...]
    known: npt.NDArray[np.uint8]
    values: Maps

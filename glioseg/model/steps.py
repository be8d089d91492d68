"""What is done to a scan before and after the network, whatever computes the network."""

from __future__ import annotations

import time
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from glioseg.model.calibration import Tissue, doubts, evidence
from glioseg.model.description import ModelDescription
from glioseg.postprocess import class_probabilities, probabilities, to_labels, to_mask
from glioseg.prediction import Prediction
from glioseg.prepare import IN_TISSUE, Prepared, choose_sequences, stack_neighbours
from glioseg.scan import FLAIR, BoolArray, Scan

Maps = npt.NDArray[np.float32]


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
    description: ModelDescription, scan: Scan, prepared: Prepared, classes: Maps, started: float
) -> Prediction:
    """Carry probabilities back to the scan's own grid, make labels of them and judge these.

    Args:
        description: of the model.
        scan: what was segmented.
        prepared: the scan as ``description.prepare`` gave it.
        classes: from :func:`class_maps`, of all slices.
        started: when the work on the scan began, by :func:`time.perf_counter`.
    """
    frame = prepared.frame
    flair = prepared.images[..., FLAIR]
    restored = [frame.restore(one) for one in classes]
    # Stacking copies, also one class.
    each = restored[0][None] if len(restored) == 1 else np.stack(restored)
    on_own_grid = partial(frame.restore, flair)
    labels, choice = description.labels, description.postprocess
    if labels.given:
        voxels = to_labels(each, choice, labels.values, on_own_grid)
        found = scan.segmentation(voxels, labels.named)
    else:
        found = scan.segmentation(to_mask(each[0], choice, on_own_grid))
    probability, mask = of_any(each), found.mask
    clues = evidence(probability, mask)
    expected = None if clues is None else description.calibration(clues)
    doubted = doubts_about(description, scan, prepared, mask, expected)
    return Prediction(found, probability, time.perf_counter() - started, expected, doubted, clues)


def doubts_about(
    description: ModelDescription, scan: Scan, prepared: Prepared, mask: BoolArray, expected: float | None
) -> tuple[str, ...]:
    """What to know before trusting a mask of a model.

    Args:
        description: of the model.
        scan: what was segmented.
        prepared: the scan as ``description.prepare`` gave it.
        mask: the lesion ``(slices, height, width)`` on the scan's own grid.
        expected: DSC to expect of the mask; ``None`` when it is empty.
    """
    frame = prepared.frame
    tissue = None
    if description.prepare.name in IN_TISSUE:
        tissue = Tissue(frame.to_prepared(mask), description.learned_gliomas)
    return doubts(
        scan,
        mask,
        expected,
        description.appearance,
        prepared.images[..., FLAIR],
        description.sequences,
        scan.grid.turned(frame.axis),
        tissue,
    )

"""How far a mask can be trusted: the DSC that the probabilities promise, and doubts about the scan."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

from glioseg.inference.appearance import Appearance
from glioseg.scan import BoolArray, Scan

UNCERTAIN_BELOW = 0.8
"""Expected DSC below which a person should look."""

HOUNSFIELD_AIR = -900
"""Values below this are air in CT; no MRI comes near."""

DOUBTS = {
    "filled_sequences": "sequences are missing, FLAIR stands in for them",
    "no_lesion": "no lesion was found",
    "cut_off": "the lesion reaches the first or last slice, it may be cut off",
    "unsure": "the network is unsure",
    "unlike_training": "this does not look like the scans that the network was trained on",
    "turned": "the scan seems to be turned or upside down",
    "other_contrast": "what should be FLAIR looks like another sequence",
    "computed_tomography": "the values are those of CT, not of MRI",
}
"""What a reader should know before trusting a mask."""

HARMLESS = frozenset({"filled_sequences", "no_lesion", "cut_off"})
"""Doubts that alone are no reason to ask a person to look."""


class Calibration(BaseModel):
    """From the DSC that the probabilities promise to the one that patients out of fold had.

    ``expected = sigmoid(intercept + slope * logit(promised))``.

    Attributes:
        intercept, slope: fitted by :func:`glioseg.evaluation.calibration.calibrate`.
        patients: how many it was fitted on.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    intercept: float = 0.0
    slope: float = 1.0
    patients: int = 0

    def __call__(self, promised: float) -> float:
        """DSC to expect, in 0..1, of a promised one."""
        share = min(max(promised, 1e-4), 1 - 1e-4)
        return 1 / (1 + math.exp(-self.intercept - self.slope * math.log(share / (1 - share))))


def promised_dice(probability: npt.NDArray[Any], mask: BoolArray) -> float | None:
    """DSC of a mask if every probability were right: ``2 sum(p in mask) / (voxels of mask + sum(p))``.

    Args:
        probability: in 0..1, of the same shape as ``mask``.
        mask: what was made of it.

    Returns:
        A number in 0..1, or ``None`` for an empty mask.
    """
    voxels = int(mask.sum())
    if not voxels:
        return None
    inside = float(probability[mask].sum(dtype=np.float64))
    return 2 * inside / (voxels + float(probability.sum(dtype=np.float64)))


def doubts(
    scan: Scan,
    mask: BoolArray,
    expected_dice: float | None,
    appearance: Appearance | None,
    flair: npt.NDArray[Any],
) -> tuple[str, ...]:
    """Keys of :data:`DOUBTS` that hold for a prediction.

    Args:
        scan: what was segmented.
        mask: the lesion ``(slices, height, width)``.
        expected_dice: of the mask; ``None`` when it is empty.
        appearance: of the training scans, if the model knows it.
        flair: prepared FLAIR ``(slices, size, size)``.
    """
    found = ["filled_sequences"] if scan.filled else []
    if not mask.any():
        found.append("no_lesion")
    elif len(mask) > 1 and (mask[0].any() or mask[-1].any()):
        found.append("cut_off")
    if expected_dice is not None and expected_dice < UNCERTAIN_BELOW:
        found.append("unsure")
    if scan.voxels.dtype.kind != "u" and scan.voxels.min() <= HOUNSFIELD_AIR:
        return (*found, "computed_tomography")
    return (*found, *(appearance.doubts(flair) if appearance else ()))


def look_again(found: tuple[str, ...]) -> bool:
    """Whether a person should look at this one."""
    return bool(set(found) - HARMLESS)

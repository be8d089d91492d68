"""How far a mask can be trusted: the DSC to expect of it, and doubts about the scan."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

from glioseg.grid import Grid
from glioseg.model.appearance import FEWEST_SLICES, Appearance
from glioseg.model.bright import bright_areas, is_other_disease
from glioseg.model.head import look_at_head
from glioseg.prediction import Evidence
from glioseg.scan import CHANNELS, BoolArray, Scan

UNCERTAIN_BELOW = 0.8
"""Expected DSC below which a person should look."""

HOUNSFIELD_AIR = -900
"""Values below this are air in CT; no MRI comes near."""

LONG_PIXEL = 4.0
"""How many times as long from left to right as from front to back pixels are that cost accuracy.

On two gliomas 3 times cost 0.01 and 0.04 of DSC, 5 times 0.03 and 0.04; pixels as long from front to back
cost no more than 0.02.
"""

DOUBTS = (
    "filled_sequences",
    "no_lesion",
    "cut_off",
    "thick_slices",
    "unsure",
    "unlike_training",
    "turned",
    "other_contrast",
    "bright_areas",
    "computed_tomography",
    "infinite_values",
    "missing_slices",
    "fourth_axis",
    "size_unknown",
    "unit_is_metre",
    "unit_is_micron",
    "size_in_metres",
    "size_in_microns",
    "size_impossible",
    "head_impossible",
    "geometries_differ",
    "orientations_differ",
    "interpolated",
    "left_out_unread",
    "left_out_unplaced",
    "left_out_moved",
    "left_out_mirrored",
    "left_out_elsewhere",
)
"""What a reader should know before trusting a mask: keys of :mod:`glioseg.words`, section ``doubts``."""

IN_NUMBERS = frozenset({"filled_sequences", "no_lesion", "cut_off"})
"""Doubts that the numbers of a scan say already."""

HARMLESS = IN_NUMBERS | {
    "thick_slices",
    "infinite_values",
    "missing_slices",
    "fourth_axis",
    "interpolated",
    "left_out_unread",
    "left_out_unplaced",
    "left_out_moved",
    "left_out_mirrored",
    "left_out_elsewhere",
}
"""Doubts that alone are no reason to ask a person to look."""


SAY_ENOUGH = frozenset({"unlike_training", "turned", "other_contrast"})
"""Doubts beside which bright areas mean nothing: they are not where or what they seem."""


class Calibration(BaseModel):
    """From the evidence to the DSC that patients out of fold had.

    ``expected = sigmoid(intercept + slope * logit(certainty) + border_slope * border)``. Without a
    calibration the certainty stands for itself.

    Attributes:
        intercept, slope, border_slope: fitted by :func:`glioseg.evaluation.reliability.assess`.
        patients: how many it was fitted on.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    intercept: float = 0.0
    slope: float = 1.0
    border_slope: float = 0.0
    patients: int = 0

    def __call__(self, evidence: Evidence) -> float:
        """DSC to expect, in 0..1."""
        score = self.intercept + self.slope * log_odds(evidence.certainty)
        score += self.border_slope * evidence.border
        # Beyond this the exponential leaves the range of a float.
        return 1 / (1 + math.exp(-min(max(score, -700), 700)))


def log_odds(share: float) -> float:
    """``log(p / (1 - p))``, with p kept off 0 and 1."""
    kept = min(max(share, 1e-4), 1 - 1e-4)
    return math.log(kept / (1 - kept))


def evidence(probability: npt.NDArray[Any], mask: BoolArray) -> Evidence | None:
    """What there is to judge a mask by; ``None`` for an empty one.

    Args:
        probability: ``(slices, height, width)`` in 0..1.
        mask: what was made of it, of the same shape.
    """
    there = mask[mask.any(axis=(1, 2))]
    if not len(there):
        return None
    around = np.pad(there, ((0, 0), (1, 1), (1, 1)))
    inner = around[:, :-2, 1:-1] & around[:, 2:, 1:-1] & around[:, 1:-1, :-2] & around[:, 1:-1, 2:]
    border = np.count_nonzero(there & ~inner) / math.sqrt(np.count_nonzero(there) * len(there))
    return Evidence(float(probability[mask].mean(dtype=np.float64)), border)


class Tissue(NamedTuple):
    """What can be judged besides where FLAIR was prepared in units of brain tissue.

    Attributes:
        mask: the lesion on the grid of the prepared FLAIR.
        gliomas: whether the model learned from the gliomas that :mod:`glioseg.model.bright` knows.
    """

    mask: BoolArray
    gliomas: bool


def doubts(
    scan: Scan,
    mask: BoolArray,
    expected_dice: float | None,
    appearance: Appearance | None,
    flair: npt.NDArray[Any],
    sequences: tuple[str, ...] = CHANNELS,
    grid: Grid | None = None,
    tissue: Tissue | None = None,
) -> tuple[str, ...]:
    """Keys of :data:`DOUBTS` that hold for a prediction.

    Args:
        scan: what was segmented.
        mask: the lesion ``(slices, height, width)``.
        expected_dice: of the mask; ``None`` when it is empty.
        appearance: of the training scans, if the model knows it.
        flair: prepared FLAIR ``(slices, size, size)``.
        sequences: which the model takes; it is no doubt that others are missing.
        grid: of the scan as the model looks at it, if that is not as it is shown.
        tissue: what is known where ``flair`` is in units of brain tissue.
    """
    found = [*scan.notes, *(["filled_sequences"] if set(scan.filled) & set(sequences) else [])]
    if not mask.any():
        found.append("no_lesion")
    elif len(mask) > 1 and (mask[0].any() or mask[-1].any()):
        found.append("cut_off")
    if 1 / (grid or scan.grid).pixel_aspect >= LONG_PIXEL:
        found.append("thick_slices")
    if expected_dice is not None and expected_dice < UNCERTAIN_BELOW:
        found.append("unsure")
    if scan.voxels.dtype.kind != "u" and scan.voxels.min() <= HOUNSFIELD_AIR:
        return (*found, "computed_tomography")
    if appearance is not None:
        head = look_at_head(flair) if tissue and len(flair) >= FEWEST_SLICES else None
        found += appearance.doubts(flair, head)
        if head and tissue and tissue.gliomas and not SAY_ENOUGH & set(found):
            bright = bright_areas(flair, tissue.mask, head)
            found += ["bright_areas"] if bright and is_other_disease(bright) else []
    return tuple(found)


def look_again(found: tuple[str, ...]) -> bool:
    """Whether a person should look at this one."""
    return bool(set(found) - HARMLESS)

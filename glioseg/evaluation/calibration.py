"""Is the expected DSC worth anything? Fitted and measured on patients that the networks had not seen."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from glioseg.inference.confidence import UNCERTAIN_BELOW, Calibration
from glioseg.radiomics.statistics import Auc, auc
from glioseg.radiomics.values import NotDefined

FEWEST = 10
"""Patients with a mask below which nothing is fitted."""


@dataclass(frozen=True)
class Reliability:
    """Expected against true DSC.

    Attributes:
        calibration: from promised to expected DSC.
        expected: by patient; 0 where nothing was found.
        true: DSC by patient, all with a lesion.
        area: chance that of a bad case (DSC below 0.8) and a good one, the bad one has the lower
            expected DSC: area under the ROC curve.
    """

    calibration: Calibration
    expected: dict[str, float]
    true: dict[str, float]
    area: Auc | NotDefined

    @property
    def mean_error(self) -> float:
        """Mean absolute difference of expected and true DSC."""
        return float(np.mean([abs(self.expected[patient] - self.true[patient]) for patient in self.true]))

    def flagged(self) -> tuple[int, int, int, int]:
        """Bad cases that are flagged, all bad cases, good cases that are flagged, all good cases."""
        flag = {patient: value < UNCERTAIN_BELOW for patient, value in self.expected.items()}
        bad = [patient for patient, value in self.true.items() if value < UNCERTAIN_BELOW]
        good = [patient for patient in self.true if patient not in set(bad)]
        return sum(flag[p] for p in bad), len(bad), sum(flag[p] for p in good), len(good)

    def sentence(self) -> str:
        """What it is worth, in one line."""
        hits, bad, alarms, good = self.flagged()
        area = (
            f"not defined ({self.area.reason})"
            if isinstance(self.area, NotDefined)
            else f"{self.area.value:.3f} ({self.area.low:.3f} to {self.area.high:.3f})"
        )
        return (
            f"expected DSC is off by {self.mean_error:.3f} on average; AUROC for DSC below "
            f"{UNCERTAIN_BELOW:g}: {area}; flagged: {hits} of {bad} bad cases, {alarms} of {good} good ones"
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        return {
            "calibration": self.calibration.model_dump(),
            "sentence": self.sentence(),
            "by_patient": {p: {"expected": self.expected[p], "true": self.true[p]} for p in self.true},
        }


def assess(promised: Mapping[str, float | None], true: Mapping[str, float]) -> Reliability | None:
    """Fit a calibration and say how well it tells good masks from bad ones.

    Args:
        promised: DSC that the probabilities promise, by patient; ``None`` where nothing was found.
        true: DSC by patient. Patients without a score (NaN) are left out.

    Returns:
        ``None`` for fewer than ten patients with a mask.
    """
    from scipy.optimize import minimize

    true = {patient: value for patient, value in true.items() if patient in promised and value == value}
    pairs = [(promise, true[p]) for p, promise in promised.items() if promise is not None and p in true]
    if len(pairs) < FEWEST:
        return None
    x = np.array([math.log(share / (1 - share)) for share in (min(max(p, 1e-4), 1 - 1e-4) for p, _ in pairs)])
    y = np.array([value for _, value in pairs])

    def loss(parameters: Any) -> float:
        intercept, slope = parameters
        # Cross-entropy of a share; the least bit of it keeps the slope from running off.
        expected = np.clip(1 / (1 + np.exp(-intercept - slope * x)), 1e-9, 1 - 1e-9)
        entropy = -(y * np.log(expected) + (1 - y) * np.log(1 - expected)).mean()
        return float(entropy + 1e-4 * (slope - 1) ** 2)

    intercept, slope = minimize(loss, (0.0, 1.0), method="Nelder-Mead").x
    calibration = Calibration(
        # More certain must never mean worse.
        intercept=round(float(intercept), 4),
        slope=round(max(float(slope), 0.0), 4),
        patients=len(pairs),
    )
    expected = {p: 0.0 if promised[p] is None else calibration(float(promised[p] or 0)) for p in true}
    bad = [-expected[p] for p in true if true[p] < UNCERTAIN_BELOW]
    good = [-expected[p] for p in true if true[p] >= UNCERTAIN_BELOW]
    return Reliability(calibration, expected, true, auc(bad, good))

"""Is the expected DSC worth anything? Fitted and measured on patients that the networks had not seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from glioseg.measure.statistics import Auc, auc
from glioseg.measure.values import NotDefined
from glioseg.model.calibration import UNCERTAIN_BELOW, Calibration, Evidence, log_odds

FEWEST = 10
"""Patients with a mask below which nothing is fitted; also in how many parts they are left out."""


@dataclass(frozen=True)
class Reliability:
    """Expected against true DSC.

    Attributes:
        calibration: from the evidence of a mask to its expected DSC, fitted on all patients.
        expected: by patient, from fits without that patient; 0 where nothing was found.
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


def assess(found: Mapping[str, Evidence | None], true: Mapping[str, float]) -> Reliability | None:
    """Fit a calibration and say how well it tells good masks from bad ones.

    What is said of a patient comes from a fit without that patient: of ten fits, each leaves out a tenth.

    Args:
        found: evidence of the predicted mask, by patient; ``None`` where nothing was found.
        true: DSC by patient. Patients without a score (NaN) are left out.

    Returns:
        ``None`` for fewer than ten patients with a mask.
    """
    true = {patient: value for patient, value in true.items() if patient in found and value == value}
    judged = {p: clues for p, clues in found.items() if clues is not None and p in true}
    if len(judged) < FEWEST:
        return None
    patients = sorted(judged)
    expected = dict.fromkeys(true, 0.0)
    for part in range(FEWEST):
        left_out = patients[part::FEWEST]
        fitted = _fit({p: judged[p] for p in patients if p not in left_out}, true)
        expected |= {p: fitted(judged[p]) for p in left_out}
    bad = [-expected[p] for p in true if true[p] < UNCERTAIN_BELOW]
    good = [-expected[p] for p in true if true[p] >= UNCERTAIN_BELOW]
    return Reliability(_fit(judged, true), expected, true, auc(bad, good))


def _fit(judged: Mapping[str, Evidence], true: Mapping[str, float]) -> Calibration:
    from scipy.optimize import minimize

    x = np.array([(log_odds(clues.certainty), clues.border) for clues in judged.values()])
    y = np.array([true[patient] for patient in judged])

    def loss(parameters: Any) -> float:
        intercept, *slopes = parameters
        # Cross-entropy of a share; the least bit of it keeps the slopes from running off.
        expected = np.clip(1 / (1 + np.exp(-intercept - x @ slopes)), 1e-9, 1 - 1e-9)
        entropy = -(y * np.log(expected) + (1 - y) * np.log(1 - expected)).mean()
        return float(entropy + 1e-4 * ((slopes[0] - 1) ** 2 + slopes[1] ** 2))

    # More certain must never mean worse, nor more ragged better.
    limits = [(None, None), (0, None), (None, 0)]
    intercept, slope, border_slope = minimize(loss, (0.0, 1.0, 0.0), method="L-BFGS-B", bounds=limits).x
    return Calibration(
        intercept=round(float(intercept), 4),
        slope=round(float(slope), 4),
        border_slope=round(float(border_slope), 4),
        patients=len(judged),
    )

"""Conclusions follow from the numbers, whatever these are."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.run_kit import record

from glioseg.report.conclusions import conclusions
from glioseg.report.document import to_markdown
from glioseg.report.page import Headline, Page
from glioseg.report.readings import influence, reading_of
from glioseg.runs.record import RunRecord
from glioseg.runs.rows import group_runs

GOOD = np.linspace(0.7, 0.9, 10)
WORSE = GOOD - np.linspace(0.05, 0.1, 10)
TINY = np.array([0.004, -0.002] * 5)
FAULTY = ["loss.name=as_published.soft_iou", "train.stuck_epochs=0"]
MENDED = ["loss.name=soft_iou"]


def concluded(*records: RunRecord, language: str = "en") -> str:
    """The section as text; rows are called as their runs' folders."""
    rows = group_runs(records, {one.path.name: one.path.name for one in records})
    return to_markdown(conclusions(Page(rows, Path(), language, Headline())))


class TestInfluence:
    def test_one_lost_patient_decides_the_mean(self) -> None:
        one = influence({"a": 0.9, "b": 0.9, "c": 0.0})
        assert one is not None
        assert (one.mean, one.low, one.high) == pytest.approx((0.6, 0.45, 0.9))
        assert (one.patient, one.without) == ("c", pytest.approx(0.9))

    def test_one_patient_alone_has_no_influence(self) -> None:
        assert influence({"a": 0.9}) is None


class TestReading:
    def test_numbers_of_curves(self) -> None:
        dsc = [0.5, 0.81, 0.7, 0.92, 0.85, 0.9, 0.88]
        reading = reading_of(
            {
                "epoch": [float(epoch) for epoch in range(1, 8)],
                "val_dsc": dsc,
                "loss": [0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3],
                "val_loss": [0.9, 0.8, 0.7, 0.6, 0.5, 0.5, 0.45],
                "dsc:a": [0.0, 0.9, 0.9, 0.9, 0.9, 0.8, 0.9],
                "dsc:b": [0.9, 0.9, 0.0, 0.9, 0.9, 0.9, 0.9],
            }
        )
        assert (reading.to_08, reading.to_09) == (2, 4)
        assert reading.ends == (0.7, 0.92)
        assert reading.jumper == ("b", 0.0, 0.9)
        assert (reading.first_loss, reading.loss) == (0.9, 0.3)
        assert reading.distance == pytest.approx(0.15)

    def test_what_was_not_recorded_is_none(self) -> None:
        reading = reading_of({"epoch": [1.0, 2.0], "val_dsc": [math.nan, 0.5], "loss": [math.nan, math.nan]})
        assert (reading.to_08, reading.ends, reading.jumper) == (None, (0.5, 0.5), None)
        assert (reading.loss, reading.distance) == (None, None)


class TestConclusions:
    def test_equal_rows_are_not_told_apart(self) -> None:
        text = concluded(record("a", GOOD), record("b", GOOD + TINY, ["loss.name=bce"]))
        assert "| 1 | b | 0.801 (" in text
        assert "b: no difference from the baseline beyond noise" in text
        assert "None of the 1 comparisons" in text
        assert "what another seed would change was not measured" in text

    @pytest.mark.parametrize(("shift", "said"), [(1, "better than"), (-1, "worse than")])
    def test_what_differs_in_each_patient_is_said_to(self, shift: int, said: str) -> None:
        other = record("b", GOOD + shift * np.linspace(0.03, 0.06, 10), ["loss.name=bce"])
        text = concluded(record("a", GOOD), other)
        assert f"b: {said} the baseline beyond noise" in text
        assert "show a difference beyond noise: 1 of 1" in text

    def test_better_by_several_changes_is_no_merit_of_one(self) -> None:
        changed = ["loss.name=bce", "train.batch_size=4"]
        text = concluded(record("a", WORSE), record("b", GOOD, changed))
        assert "more than one thing changed (loss, train)" in text

    def test_mean_and_median_may_disagree_for_one_patient(self) -> None:
        lost = np.array([*(GOOD[:-1] + 0.05), 0.0])
        text = concluded(record("a", GOOD), record("b", lost, ["loss.name=bce"]))
        assert "a has the highest mean, b the highest median." in text
        assert "Most is done by p9 to b" in text
        assert "Without p9 the means lie between" in text
        assert "the order is another one; b is first" in text

    @pytest.mark.parametrize(
        ("faulty", "said"),
        [
            (WORSE, "faulty: the fault costs DSC: -0.075 against mended, beyond noise."),
            (GOOD, "faulty: DSC does not show the fault: +0.000 against mended, within noise."),
            (GOOD + np.linspace(0.05, 0.09, 10), "faulty: better than mended beyond noise (+0.070)."),
        ],
    )
    def test_a_fault_is_weighed_against_the_mended_row(self, faulty: np.ndarray, said: str) -> None:
        rows = [record("base", GOOD), record("faulty", faulty, FAULTY), record("mended", GOOD, MENDED)]
        assert said in concluded(*rows)

    def test_a_fault_that_collapses_is_seen_at_once(self) -> None:
        full = record("faulty", [0.02] * 10, FAULTY, sensitivity=1.0, precision=0.01)
        text = concluded(record("base", GOOD), full, record("mended", GOOD, MENDED))
        assert "faulty: with the fault the network is useless (DSC 0.020)" in text
        assert "faulty: collapsed." in text

    def test_a_fault_without_its_mended_row_cannot_be_weighed(self) -> None:
        text = concluded(record("base", GOOD), record("faulty", WORSE, FAULTY))
        assert "there is no corrected row to compare it with" in text

    def test_a_collapsed_baseline_proves_nothing(self) -> None:
        full = record("base", [0.02] * 10, sensitivity=1.0, precision=0.01)
        text = concluded(full, record("b", GOOD, ["loss.name=bce"]))
        assert "The baseline, base, collapsed" in text

    def test_a_curve_that_jumps_names_its_patient(self) -> None:
        curves = {
            "epoch": [1.0, 2.0],
            "val_dsc": [0.95, 0.45],
            "loss": [0.5, 0.4],
            "val_loss": [0.5, 0.6],
            "dsc:p1": [0.95, 0.9],
            "dsc:p2": [0.95, 0.0],
        }
        text = concluded(record("a", GOOD, curves=curves))
        assert "| a | 1 | 1 | 0.450–0.950 | 0.500 | 0.200 |" in text
        assert (
            "p2 varies most there, from 0.000 to 0.950; alone this moves a mean over 2 patients by 0.475"
            in text
        )

    def test_protocols_that_disagree_are_named(self) -> None:
        one = record("a", GOOD)
        assert one.evaluation is not None
        own = one.evaluation.own["dice"]
        lost = replace(own, values={**own.values, "p3": 0.0})
        evaluation = replace(one.evaluation, own={**one.evaluation.own, "dice": lost})
        text = concluded(replace(one, evaluation=evaluation))
        assert "scores p3 far apart" in text
        assert "a 0.767 by the reference protocol and 0.000 on the own grid (mean 0.800 and 0.723)" in text
        assert "far apart" not in concluded(one)

    def test_one_row_is_not_ranked(self) -> None:
        assert "there is nothing to rank" in concluded(record("a", GOOD))

    def test_chinese_says_the_same_numbers(self) -> None:
        rows = [record("base", GOOD), record("faulty", WORSE, FAULTY), record("mended", GOOD, MENDED)]
        text = concluded(*rows, language="zh")
        assert "faulty：缺陷使 DSC 下降：与 mended 相差 -0.075，超出噪声。" in text
        assert "faulty：差于基线，超出噪声。" in text

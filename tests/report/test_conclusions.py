"""Conclusions follow from the numbers, whatever these are."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.run_kit import record

from glioseg.networks import REGISTRY
from glioseg.report.conclusions import conclusions
from glioseg.report.document import to_markdown
from glioseg.report.each import reading
from glioseg.report.page import Headline, Page
from glioseg.report.readings import influence, reading_of
from glioseg.runs.record import RunRecord
from glioseg.runs.rows import group_runs
from glioseg.words import LANGUAGES, catalogue

GOOD = np.linspace(0.7, 0.9, 10)
WORSE = GOOD - np.linspace(0.05, 0.1, 10)
TINY = np.array([0.004, -0.002] * 5)
FAULTY = ["loss.name=as_published.soft_iou", "train.stuck_epochs=0"]
MENDED = ["loss.name=soft_iou"]


def concluded(*records: RunRecord, language: str = "en") -> str:
    """The section as text; rows are called as their runs' folders."""
    rows = group_runs(records, {one.path.name: one.path.name for one in records})
    return to_markdown(conclusions(Page(rows, Path(), language, Headline())))


def read(*records: RunRecord, language: str = "en") -> str:
    """What the curves of the last row say beside those of the first."""
    rows = group_runs(records, {one.path.name: one.path.name for one in records})
    return to_markdown(reading(Page(rows, Path(), language, Headline()), rows[-1]))


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
        assert (reading.least, reading.epochs, reading.patients) == ((7, 0.45), 7, 2)
        assert reading.unsettled
        assert reading.still_falls
        assert not reading.hardly_moves
        assert not reading.has_risen

    def test_what_was_not_recorded_is_none(self) -> None:
        reading = reading_of({"epoch": [1.0, 2.0], "val_dsc": [math.nan, 0.5], "loss": [math.nan, math.nan]})
        assert (reading.to_08, reading.ends, reading.jumper) == (None, (0.5, 0.5), None)
        assert (reading.loss, reading.distance, reading.least) == (None, None, None)
        open_ends = (reading.still_falls, reading.has_risen, reading.hardly_moves, reading.unsettled)
        assert not any(open_ends)


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
        one = record("a", GOOD, curves=curves)
        assert "| a | 1 | 1 | 0.450–0.950 | 0.500 | 0.200 |" in concluded(one)
        text = read(one)
        assert (
            "p2 lies between 0.000 and 0.950 there, which alone moves a mean over 2 patients by 0.475" in text
        )
        assert "It has not settled" in text
        # One epoch is no trend.
        assert "has risen since" not in text

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


def ten_epochs(losses: list[float], validation: list[float], dsc: float = 0.9) -> dict[str, list[float]]:
    epochs = [float(epoch) for epoch in range(1, 11)]
    return {"epoch": epochs, "loss": losses, "val_loss": validation, "val_dsc": [0.5] * 4 + [dsc] * 6}


FALLS = [1 - 0.08 * epoch for epoch in range(10)]
LEVEL = [0.9, 0.7, 0.5, *[0.4] * 7]


class TestCurvesInWords:
    def test_each_shape_of_the_losses_is_told_apart(self) -> None:
        for losses, validation, expected in (
            (FALLS, FALLS, "more epochs may still help"),
            (FALLS, LEVEL, "has levelled off (least: 0.400, in epoch 4)"),
            (FALLS, [*LEVEL[:7], 0.43, 0.44, 0.45], "has risen since"),
            (FALLS, [*LEVEL[:9], 0.5], "has levelled off (least: 0.400, in epoch 4)"),
            (FALLS, [*LEVEL[:9], -0.5], "falls below 0 (-0.500 in epoch 10)"),
            ([0.95, *[0.94] * 9], LEVEL, "hardly moves"),
        ):
            text = read(record("a", GOOD, curves=ten_epochs(losses, validation)))
            assert expected in text
            assert "first reaches 0.9 in epoch: 5." in text
            assert "not settled" not in text

    def test_another_row_is_read_beside_the_baseline(self) -> None:
        base = record("a", GOOD, curves=ten_epochs(FALLS, LEVEL))
        other = record("b", GOOD, ["loss.name=bce"], curves=ten_epochs(FALLS, LEVEL, 0.85))
        text = read(base, other)
        assert "first reaches 0.8 in epoch: 5 (baseline: 5)." in text
        assert "first reaches 0.9 in epoch: never (baseline: 5)." in text
        assert "首次达到 0.9 的 epoch：从未（基线：5）" in read(base, other, language="zh")

    def test_every_network_has_a_name_in_both_languages(self) -> None:
        for language in LANGUAGES:
            sentences = catalogue(language)["sentences"]
            assert all(f"report.network.{name}" in sentences for name in REGISTRY)


class TestNext:
    def next_of(self, *records: RunRecord, missing: tuple[str, ...] = ()) -> str:
        rows = group_runs(records, {one.path.name: one.path.name for one in records})
        page = Page(rows, Path(), "en", Headline(missing=missing))
        return to_markdown(conclusions(page)).split("### What to try next")[1]

    def test_names_what_the_numbers_leave_open(self) -> None:
        falling = record("a", GOOD, curves=ten_epochs(FALLS, FALLS))
        text = self.next_of(falling, missing=("U-Net++",))
        assert "Run what is missing: U-Net++." in text
        assert "Experiments with one seed: 1." in text
        assert "least in the last two epochs in a." in text
        assert "10 are few" in text
        assert "Look at" not in text

    def test_a_patient_that_a_mean_hangs_on_and_the_rule_that_lost_it(self) -> None:
        lost = np.array([0.0, *[0.9] * 9])
        kept = record("a", lost, ["postprocess.largest_component=true"])
        assert "Look at p0 slice by slice" in self.next_of(kept)
        assert "minimum_voxels" in self.next_of(kept)
        every = record("a", lost, ["postprocess.largest_component=false"])
        assert "minimum_voxels" not in self.next_of(every)

    def test_says_so_where_nothing_is_open(self) -> None:
        many = np.linspace(0.7, 0.9, 40)
        curves = ten_epochs(FALLS, LEVEL)
        seeds = [record("a", many, curves=curves), record("b", many, ["train.seed=1"], curves=curves)]
        rows = group_runs([*seeds, record("c", many, ["loss.name=bce"], curves=curves)], {"a": "x", "b": "x"})
        page = Page(rows[:1], Path(), "en", Headline())
        assert "leave nothing open" in to_markdown(conclusions(page))

    def test_what_scored_worse_is_left_and_what_scored_better_is_confirmed(self) -> None:
        falling = ten_epochs(FALLS, FALLS)
        bad = record("bad", WORSE, ["loss.name=bce"], curves=falling)
        text = self.next_of(record("base", GOOD), bad)
        assert (
            "Do not go on with what scored worse than the baseline beyond noise, or collapsed: bad." in text
        )
        assert "Train longer" not in text
        good = record("good", GOOD + np.linspace(0.03, 0.06, 10), ["loss.name=bce"])
        assert "Confirm what scored better" in self.next_of(record("base", GOOD), good)

    def test_what_stopped_comes_first(self) -> None:
        stopped = replace(record("b", GOOD, ["loss.name=bce"]), manifest={"status": "running"})
        assert self.next_of(record("a", GOOD), stopped).strip().startswith("* Finish what stopped: b.")

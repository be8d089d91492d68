"""Known answers and properties of the statistics that compare runs."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from glioseg.errors import InputError
from glioseg.measure import Protocol, Scores
from glioseg.measure.comparison import compare_paired, compare_pairs
from glioseg.measure.statistics import bootstrap_interval, holm, paired_bootstrap, wilcoxon

values = st.lists(st.floats(0, 1), min_size=2, max_size=30)
p_values = st.lists(st.floats(0, 1), min_size=1, max_size=12)


def scores(numbers, **changes):
    patients = tuple(f"patient_{index:03d}" for index in range(len(numbers)))
    made = Protocol(**{"metric": "dice", "patients": patients, "checkpoint": "last", **changes})
    return Scores(made, dict(zip(patients, numbers, strict=True)), "")


# ---------------------------------------------------------------- bootstrap


@settings(max_examples=30, deadline=None)
@given(values, st.sampled_from(["mean", "median"]))
def test_the_interval_lies_within_the_values_and_holds_still(numbers, statistic):
    low, high = bootstrap_interval(numbers, statistic, resamples=200)
    assert min(numbers) - 1e-12 <= low <= high <= max(numbers) + 1e-12
    assert bootstrap_interval(numbers, statistic, resamples=200) == (low, high)


@settings(max_examples=20, deadline=None)
@given(values)
def test_more_confidence_is_a_wider_interval(numbers):
    narrow = bootstrap_interval(numbers, confidence=0.5, resamples=500)
    wide = bootstrap_interval(numbers, confidence=0.99, resamples=500)
    assert wide.low <= narrow.low <= narrow.high <= wide.high


def test_the_interval_of_a_normal_sample_is_that_of_theory():
    sample = np.random.default_rng(1).normal(size=400)
    low, high = bootstrap_interval(sample)
    half = 1.96 * sample.std() / 20
    assert low == pytest.approx(sample.mean() - half, abs=0.01)
    assert high == pytest.approx(sample.mean() + half, abs=0.01)


def test_the_interval_equals_scipys():
    sample = np.random.default_rng(2).uniform(size=40)
    theirs = stats.bootstrap((sample,), np.median, method="percentile", n_resamples=20_000, rng=0)
    ours = bootstrap_interval(sample, "median", resamples=20_000)
    assert ours == pytest.approx(tuple(theirs.confidence_interval), abs=0.01)


def test_many_patients_are_resampled_in_blocks():
    sample = np.random.default_rng(3).uniform(size=5_000)
    interval = bootstrap_interval(sample, resamples=1_000)
    assert interval.low < sample.mean() < interval.high
    assert interval.high - interval.low < 0.02


def test_nan_is_left_out_infinity_counts_and_one_value_has_no_spread():
    assert bootstrap_interval([0.2, 0.4, math.nan]) == bootstrap_interval([0.2, 0.4])
    low, high = bootstrap_interval([1.0, 2.0, 3.0, math.inf])
    assert math.isfinite(low)
    assert high == math.inf
    alone = bootstrap_interval([0.5])
    assert math.isnan(alone.low)
    assert math.isnan(alone.high)
    assert str(alone) == "unknown"
    with pytest.raises(ValueError, match="confidence"):
        bootstrap_interval([1, 2], confidence=1)


def test_pairing_removes_the_spread_between_patients():
    patients = np.random.default_rng(4).uniform(0.2, 0.9, size=30)
    interval = paired_bootstrap(patients + 0.05, patients)
    assert interval == pytest.approx((0.05, 0.05))
    with pytest.raises(ValueError, match="no pairs"):
        paired_bootstrap([1, 2], [1])


# ---------------------------------------------------------------- tests


def test_wilcoxon_known_answers():
    assert wilcoxon([1, 2, 3, 4, 5]) == pytest.approx(2 / 32)  # the smallest p of five patients
    assert wilcoxon([0.1, 0.2, -0.3]) == 1.0
    assert wilcoxon([0, 0, 0]) == wilcoxon([]) == 1.0
    # Darwin's maize, in eighths of an inch
    darwin = [49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48]
    assert wilcoxon(darwin) == pytest.approx(stats.wilcoxon(darwin, method="exact").pvalue)
    many = np.random.default_rng(6).normal(0.3, 1, size=110)
    assert wilcoxon(many) == pytest.approx(stats.wilcoxon(many, method="exact").pvalue)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(-5, 5), min_size=1, max_size=9))
def test_wilcoxon_enumerates_small_samples_with_ties(differences):
    kept = np.array([one for one in differences if one])
    if not len(kept):
        assert wilcoxon(differences) == 1
        return
    ranks = stats.rankdata(np.abs(kept))
    centre = ranks.sum() / 2
    signs = (np.arange(2 ** len(kept))[:, None] >> np.arange(len(kept))) & 1
    extreme = np.abs(signs @ ranks - centre) >= abs(ranks[kept > 0].sum() - centre) - 1e-9
    assert wilcoxon(differences) == pytest.approx(extreme.mean())


def test_differences_equal_but_for_the_last_bit_are_ties():
    differences = [0.3 - 0.2, 0.2 - 0.1, 0.1, -0.1, 0.5, 0.6, 0.7, 0.8]
    assert wilcoxon(differences) == wilcoxon(np.round(differences, 6).tolist())


def test_holm_known_answer():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    assert holm([]) == []


@settings(max_examples=50, deadline=None)
@given(p_values)
def test_holm_lies_between_none_and_bonferroni_and_keeps_the_order(raw):
    adjusted = holm(raw)
    for one, corrected in zip(raw, adjusted, strict=True):
        assert one <= corrected <= min(1.0, len(raw) * one) + 1e-12
    order = np.argsort(raw, kind="stable")
    assert np.all(np.diff(np.array(adjusted)[order]) >= 0)


# ---------------------------------------------------------------- comparisons


def test_a_constant_gain_is_larger_than_the_noise():
    base = np.linspace(0.5, 0.9, 12)
    found = compare_paired(scores(base + 0.02), scores(base), ("new", "old"))
    assert found.difference == pytest.approx(0.02)
    assert found.interval == pytest.approx((0.02, 0.02))
    assert found.better == "new"
    assert found.sentence.startswith(
        "new is better than old by more than the noise: mean difference in Dice (DSC) +0.020"
    )
    assert "12 patients" in found.sentence
    assert json.loads(json.dumps(found.to_dict(), allow_nan=False))["better"] == "new"


def test_two_seeds_of_one_recipe_do_not_differ():
    random = np.random.default_rng(5)
    base = random.uniform(0.6, 0.95, size=10)
    found = compare_paired(
        scores(base + random.normal(0, 0.01, 10)), scores(base + random.normal(0, 0.01, 10)), ("a", "b")
    )
    assert not found.larger_than_noise
    assert found.better is None
    assert found.sentence.startswith("No difference beyond noise between a and b")
    same = compare_paired(scores(base), scores(base))
    assert same.difference == 0
    assert same.p == 1


def test_a_distance_that_falls_is_better():
    far = scores(np.arange(10.0, 20.0), metric="hd95", measured_in="mm")
    near = scores(np.arange(8.0, 18.0), metric="hd95", measured_in="mm")
    assert compare_paired(far, near, ("far", "near")).better == "near"


def test_volume_differences_are_compared_by_their_size():
    under = scores(np.linspace(-0.5, -0.4, 10), metric="volume_difference")
    over = scores(np.linspace(0.1, 0.2, 10), metric="volume_difference")
    found = compare_paired(under, over, ("under", "over"))
    assert found.better == "over"
    assert found.difference == pytest.approx(0.3)


def test_a_missed_lesion_does_not_break_the_comparison():
    a = scores([1, 2, 3, 4, 5, 6, 7, math.inf], metric="hd95", measured_in="mm")
    b = scores([2, 3, 4, 5, 6, 7, math.inf, math.inf], metric="hd95", measured_in="mm")
    found = compare_paired(a, b, ("a", "b"))
    assert found.statistic == "median"
    assert found.difference == -1
    assert found.better == "a"
    json.dumps(found.to_dict(), allow_nan=False)


def test_skipped_patients_are_left_out_by_name_and_few_patients_show_nothing():
    found = compare_paired(scores([0.9, math.nan, 0.7, 0.6, 0.9]), scores([0.8, 0.5, 0.6, 0.5, 0.8]))
    assert found.left_out == ("patient_001",)
    assert found.patients == 4
    assert not found.larger_than_noise
    assert "With 4 patients this test cannot show any difference." in found.sentence
    assert "too few to compare" in compare_paired(scores([0.9]), scores([0.8])).sentence


def test_mixed_protocols_are_refused():
    with pytest.raises(InputError, match="protocol field 'grid'"):
        compare_paired(scores([0.9, 0.8]), scores([0.9, 0.8], grid="reference-256"))


def test_comparing_all_corrects_for_all():
    base = np.linspace(0.5, 0.9, 10)
    runs = {"plain": scores(base), "wide": scores(base + 0.02), "deep": scores(base - 0.02)}
    pairs = [("plain", "wide"), ("plain", "deep"), ("wide", "deep")]
    every = compare_pairs(runs, pairs)
    assert [(one.first, one.second) for one in every] == pairs
    assert all(one.adjusted_p == pytest.approx(min(1, 3 * one.p)) for one in every)
    assert "after Holm's correction" in every[0].sentence
    with_plain = compare_pairs(runs, [("wide", "plain"), ("deep", "plain")])
    assert [one.better for one in with_plain] == ["wide", "plain"]

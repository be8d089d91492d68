"""One contract that every metric inherits, then what is particular to each."""

from __future__ import annotations

import math
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from glioseg.errors import InputError, WrongKindError
from glioseg.measure import (
    METRICS,
    dice,
    dice_by_slice,
    hd95,
    iou,
    lesion_precision,
    lesion_sensitivity,
    measure,
    nsd,
    precision,
    sensitivity,
    slice_dice,
    slice_false_positive_rate,
    slice_sensitivity,
    volume_difference,
)

few = settings(max_examples=25, deadline=None)
every_metric = pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)


@st.composite
def pairs(draw, dimensions=(2, 3)):
    """Two boolean masks of one shape, empty ones included."""
    shape = draw(array_shapes(min_dims=min(dimensions), max_dims=max(dimensions), min_side=1, max_side=6))
    return draw(arrays(bool, shape)), draw(arrays(bool, shape))


def block(shape=(4, 8, 8), start=(1, 2, 2), size=(2, 3, 4)):
    mask = np.zeros(shape, dtype=bool)
    mask[tuple(slice(a, a + n) for a, n in zip(start, size, strict=True))] = True
    return mask


# ---------------------------------------------------------------- the contract


@every_metric
def test_declares_itself_in_full(metric):
    assert metric.title
    assert metric.meaning.endswith(".")
    assert metric.source
    assert metric.formula.__doc__
    assert metric.low < metric.high
    assert metric.low <= metric.best <= metric.high
    assert metric.worst in (metric.low, metric.high)


@every_metric
@few
@given(masks=pairs())
def test_stays_in_its_range_or_is_undefined(metric, masks):
    value = metric(*masks)
    assert math.isnan(value) or metric.low <= value <= metric.high


@every_metric
@few
@given(masks=pairs())
def test_is_symmetric_where_declared(metric, masks):
    there, back = metric(*masks), metric(*masks[::-1])
    if metric.symmetric:
        assert there == pytest.approx(back, nan_ok=True)


@every_metric
def test_is_not_symmetric_where_not_declared(metric):
    if not metric.symmetric:
        one, two = block(), block(size=(2, 2, 2))
        two[3, 7, 7] = True  # a second lesion, in a slice of its own
        values = {metric(one, two), metric(two, one)}
        assert len(values) == 2


@every_metric
@few
@given(masks=pairs())
def test_a_perfect_prediction_is_best(metric, masks):
    value = metric(masks[0], masks[0].copy())
    assert math.isnan(value) or value == metric.best
    assert metric(block(), block()) == metric.best


@every_metric
@few
@given(masks=pairs(dimensions=(3,)), data=st.data())
def test_does_not_change_when_both_masks_are_turned(metric, masks, data):
    flipped = data.draw(st.sets(st.sampled_from(range(3))))
    turned = [np.flip(mask, tuple(flipped)).transpose(0, 2, 1) for mask in masks]
    assert metric(*turned) == pytest.approx(metric(*masks), nan_ok=True)


@every_metric
@few
@given(masks=pairs(dimensions=(2,)))
def test_one_slice_is_the_same_as_a_volume_of_one_slice(metric, masks):
    assert metric(*masks) == pytest.approx(metric(masks[0][None], masks[1][None]), nan_ok=True)


@every_metric
def test_each_declared_empty_case(metric):
    empty, lesion = np.zeros((4, 8, 8), dtype=bool), block()
    worth = {"perfect": metric.best, "worst": metric.worst, "skip": math.nan}
    assert metric(empty, empty) == pytest.approx(worth[metric.empty.both_empty], nan_ok=True)
    if metric.empty.no_prediction != "formula":
        assert metric(empty, lesion) == pytest.approx(worth[metric.empty.no_prediction], nan_ok=True)
    if metric.empty.no_truth != "formula":
        assert metric(lesion, empty) == pytest.approx(worth[metric.empty.no_truth], nan_ok=True)
    for rule, value in worth.items():
        assert metric(empty, empty, empty=rule) == pytest.approx(value, nan_ok=True)


@every_metric
@pytest.mark.parametrize("kind", [np.uint8, np.float32, np.int64])
def test_refuses_anything_but_booleans(metric, kind):
    other = block().astype(kind) * (255 if kind == np.uint8 else 1)
    with pytest.raises(WrongKindError, match="predicted mask must be boolean"):
        metric(other, block())
    with pytest.raises(WrongKindError, match="true mask must be boolean"):
        metric(block(), other)


@every_metric
def test_refuses_masks_that_do_not_fit(metric):
    with pytest.raises(InputError, match=r"\(4, 8, 8\) and \(8, 8\)"):
        metric(block(), block()[0])
    with pytest.raises(InputError, match="spacing"):
        metric(block(), block(), (1.0, -1.0, 1.0))
    with pytest.raises(InputError, match="spacing"):
        metric(block(), block(), (1.0, 1.0))
    with pytest.raises(InputError, match="two masks of one shape"):
        metric(np.zeros(3, dtype=bool), np.zeros(3, dtype=bool))
    with pytest.raises(InputError, match="tolerance"):
        metric(block(), block(), tolerance=-1.0)


# ---------------------------------------------------------------- known answers


@few
@given(masks=pairs())
def test_dice_follows_from_iou(masks):
    jaccard = iou(*masks)
    assert dice(*masks) == pytest.approx(2 * jaccard / (1 + jaccard))


@few
@given(masks=pairs())
def test_dice_is_the_harmonic_mean_of_sensitivity_and_precision(masks):
    found, true = sensitivity(*masks), precision(*masks)
    assume(found + true > 0)
    assert dice(*masks) == pytest.approx(2 * found * true / (found + true))


@few
@given(masks=pairs())
def test_precision_is_the_sensitivity_of_exchanged_masks(masks):
    assert precision(*masks) == pytest.approx(sensitivity(*masks[::-1]), nan_ok=True)
    assert lesion_precision(*masks) == pytest.approx(lesion_sensitivity(*masks[::-1]), nan_ok=True)


def test_known_overlap():
    truth, predicted = block(size=(2, 3, 4)), block(start=(1, 2, 4), size=(2, 3, 4))  # 24 voxels, 12 shared
    assert dice(predicted, truth) == 0.5
    assert iou(predicted, truth) == pytest.approx(1 / 3)
    assert sensitivity(predicted, truth) == precision(predicted, truth) == 0.5
    assert volume_difference(predicted, truth) == 0
    assert volume_difference(block(size=(1, 3, 4)), truth) == -0.5
    assert volume_difference(np.zeros_like(truth), truth) == -1


def test_slices_and_lesions_are_counted():
    truth, predicted = np.zeros((5, 6, 6), dtype=bool), np.zeros((5, 6, 6), dtype=bool)
    truth[0, :2, :2] = truth[1, :2, :2] = True  # one lesion over two slices, half of one slice found
    predicted[1, 0, :2] = True
    truth[3, 5, 5] = True  # a second one, touching nothing, missed
    predicted[3, 0, 0] = predicted[4, 5, 5] = (
        True  # two that are false, though one has a true one diagonally above
    )
    assert slice_dice(predicted, truth) == pytest.approx((0 + 2 / 3 + 0) / 3)
    assert slice_sensitivity(predicted, truth) == pytest.approx(2 / 3)
    assert slice_false_positive_rate(predicted, truth) == 0.5
    assert lesion_sensitivity(predicted, truth) == 0.5
    assert lesion_precision(predicted, truth) == pytest.approx(1 / 3)
    np.testing.assert_allclose(dice_by_slice(predicted, truth), [0, 2 / 3, np.nan, 0, 0])
    np.testing.assert_allclose(dice_by_slice(predicted, truth, empty="perfect"), [0, 2 / 3, 1, 0, 0])


def test_false_positive_slices_without_any_lesion_free_slice_are_undefined():
    everywhere = np.ones((2, 3, 3), dtype=bool)
    assert math.isnan(slice_false_positive_rate(everywhere, everywhere))
    assert slice_false_positive_rate(everywhere, np.zeros_like(everywhere)) == 1


def test_the_surface_is_face_connected_and_the_border_of_the_image_is_outside():
    truth = np.ones((5, 5, 5), dtype=bool)
    predicted = truth.copy()
    predicted[2, 2, 2] = (
        False  # now the six face neighbours of the hole are surface too, 1 voxel from the others
    )
    # All 98 outer voxels are surface; the six inner ones lie one voxel from the truth's.
    assert nsd(predicted, truth, tolerance=0) == pytest.approx(196 / 202)
    assert nsd(predicted, truth, tolerance=1) == 1


def test_lengths_are_in_mm_with_a_spacing_and_in_voxels_without():
    truth = np.zeros((3, 3, 20), dtype=bool)
    truth[1, 1, 2] = True
    predicted = np.roll(truth, 7, axis=2)
    assert hd95(predicted, truth) == 7
    assert hd95(predicted, truth, (5.0, 1.0, 0.5)) == 3.5
    assert hd95.length_unit(None) == "voxels"
    assert nsd.length_unit((1, 1, 1)) == "mm"
    assert dice.length_unit((1, 1, 1)) == ""


def test_a_distance_equal_to_the_tolerance_is_within_it():
    truth = np.zeros((1, 9), dtype=bool)
    truth[0, 1] = True
    predicted = np.roll(truth, 3, axis=1)
    assert 3 * 0.4 > 1.2  # in 64 bits
    assert nsd(predicted, truth, (0.4, 0.4), tolerance=1.2) == 1


@few
@given(masks=pairs(), tolerance=st.sampled_from([0.0, 1.0, 1.5]), spaced=st.booleans())
@pytest.mark.filterwarnings("ignore")
def test_distances_equal_monai(masks, tolerance, spaced):
    torch = pytest.importorskip("torch")
    monai = pytest.importorskip("monai.metrics")
    predicted, truth = masks
    assume(predicted.any() and truth.any())
    spacing = (2.5, 0.5, 0.75)[-predicted.ndim :] if spaced else None
    inside = [mask[0] if mask.ndim == 3 and len(mask) == 1 else mask for mask in masks]
    tensors = [torch.from_numpy(mask)[None, None].float() for mask in inside]
    monai_spacing = None if spacing is None else list(spacing[-inside[0].ndim :])
    distance = monai.compute_hausdorff_distance(
        *tensors, include_background=True, percentile=95, spacing=monai_spacing
    )
    share = monai.compute_surface_dice(*tensors, [tolerance], include_background=True, spacing=monai_spacing)
    assert hd95(predicted, truth, spacing) == pytest.approx(distance.item(), abs=1e-5)
    assert nsd(predicted, truth, spacing, tolerance=tolerance) == pytest.approx(share.item(), abs=1e-5)


def test_measure_gives_every_metric_and_tables_begin_with_dice():
    values = measure(block(), block(), (2.0, 1.0, 1.0))
    assert list(values) == list(METRICS)
    assert list(values)[:2] == ["dice", "iou"]
    assert measure(block(), block(), names=["hd95"]) == {"hd95": 0.0}


def test_importing_the_metrics_loads_nothing_heavy():
    heavy = ("torch", "monai", "scipy", "matplotlib")
    code = f"import sys, glioseg.measure; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

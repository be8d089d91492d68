"""One contract that every metric inherits, then what is particular to each, and the protocol of a score."""

from __future__ import annotations

import json
import math
import re
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
    Protocol,
    Scores,
    check_same_protocol,
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
from glioseg.measure.protocol_text import as_phrase
from glioseg.recipe import PostprocessChoice
from glioseg.words import Phrase

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
    assert metric(empty, empty) == pytest.approx(worth[metric.empty.both], nan_ok=True)
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


# ---------------------------------------------------------------- protocol and scores


def protocol(**changes):
    return Protocol(**{"metric": "dice", "patients": ("b", "a", "c"), "checkpoint": "last", **changes})


def test_a_protocol_fills_in_what_follows_from_its_metric():
    assert protocol().unit == "volume"
    assert protocol().empty == "perfect"
    assert protocol(metric="slice_dice").unit == "slice"
    assert protocol(metric="nsd", measured_in="mm").tolerance == 1.0
    assert protocol() == protocol(patients=("a", "b", "c"), empty="perfect", unit="volume")
    assert protocol() != protocol(empty="skip")


def test_a_protocol_names_all_its_faults_at_once():
    with pytest.raises(InputError) as error:
        protocol(patients=("a", "a"), threshold=2, unit="slice", measured_in="mm", tolerance=1.0, empty="one")
    text = str(error.value)
    assert all(
        name in text for name in ("patients", "threshold", "unit", "measured_in", "tolerance", "empty")
    )
    with pytest.raises(InputError, match="Did you mean 'dice'"):
        protocol(metric="dise")
    with pytest.raises(InputError, match="'mm' or 'voxels'"):
        protocol(metric="hd95")


def test_a_protocol_reads_as_a_sentence():
    said = protocol(grid="reference-256", postprocessing="largest component").describe()
    assert said == (
        "Dice (DSC), counted by volume, on grid reference-256, all slices, probability >= 0.5, "
        "postprocessing: largest component, two empty masks count as perfect, 3 patients, checkpoint: last."
    )
    assert (
        "NSD (surface Dice) within 2 mm" in protocol(metric="nsd", measured_in="mm", tolerance=2).describe()
    )
    assert "HD95 in voxels" in protocol(metric="hd95", measured_in="voxels").describe()


def test_a_protocol_survives_json():
    for one in (protocol(), protocol(metric="nsd", measured_in="voxels", tolerance=2.0, empty="skip")):
        assert Protocol.from_dict(json.loads(json.dumps(one.to_dict()))) == one
    content = protocol().to_dict()
    del content["checkpoint"]
    content["treshold"] = 0.4
    with pytest.raises(InputError) as error:
        Protocol.from_dict(content)
    assert "checkpoint" in str(error.value)
    assert "Did you mean 'threshold'?" in str(error.value)


def test_scores_count_what_is_not_skipped():
    scores = Scores(protocol(), {"c": 0.5, "a": 1.0, "b": math.nan}, "glioseg evaluate run data")
    assert scores.mean == scores.median == 0.75
    assert scores.skipped == ["b"]
    assert list(scores.counted) == ["a", "c"]
    assert scores.interval() == (0.5, 1.0)
    assert (
        scores.summary() == "mean 0.750 (95 % interval 0.500 to 1.000), median 0.750, 2 patients, 1 skipped"
    )
    nothing = Scores(protocol(patients=("a",)), {"a": math.nan}, "")
    assert math.isnan(nothing.mean)
    assert "interval unknown" in nothing.summary()


def test_scores_survive_strict_json():
    distances = Scores(
        protocol(metric="hd95", measured_in="mm"), {"a": math.inf, "b": math.nan, "c": 2.0}, "command"
    )
    text = json.dumps(distances.to_dict(), allow_nan=False)
    again = Scores.from_dict(json.loads(text))
    assert again.protocol == distances.protocol
    assert again.values["a"] == math.inf
    assert math.isnan(again.values["b"])
    assert again.mean == math.inf
    with pytest.raises(InputError, match="values"):
        Scores.from_dict({"protocol": {}, "command": ""})


def test_scores_refuse_other_patients_than_the_protocols():
    with pytest.raises(InputError, match="others: c, d"):
        Scores(protocol(), {"a": 1, "b": 1, "d": 1}, "")


def test_different_protocols_are_refused_field_by_field():
    values = {"a": 0.9, "b": 0.8, "c": 0.7}
    ours = Scores(protocol(), values, "")
    check_same_protocol(ours, Scores(protocol(), {"a": 0.1, "b": 0.2, "c": 0.3}, "other"))
    other = Scores(
        protocol(grid="reference-256", checkpoint="given", patients=("a", "b", "d")),
        {"a": 0.9, "b": 0.8, "d": 0.7},
        "",
    )
    with pytest.raises(InputError) as error:
        check_same_protocol(ours, other, ("run-1", "run-2"))
    assert [fault.where for fault in error.value.faults] == [
        "protocol field 'patients'",
        "protocol field 'checkpoint'",
        "protocol field 'grid'",
    ]
    assert "own as in run-1, found reference-256 in run-2" in str(error.value)
    assert "c besides the shared ones as in run-1" in str(error.value)


@pytest.mark.parametrize(
    "choice",
    [
        {},
        {"largest_component": False},
        {"largest_component": False, "fill_holes": True},
        {"fill_holes": True},
        {"largest_component": False, "minimum_voxels": 9},
        {"largest_component": False, "minimum_voxels": 9, "minimum_share": 0.25, "minimum_contrast": 0.5},
        {"minimum_voxels": 9, "fill_holes": True},
    ],
)
def test_what_is_done_to_a_mask_is_said_in_both_languages(choice):
    described = PostprocessChoice(**choice).describe()
    said = as_phrase(described)
    assert said == described
    assert isinstance(said, Phrase)
    assert not re.search("[a-z]{2}", said.text("zh"))


def test_a_chinese_protocol_holds_no_english():
    fields = {
        "checkpoint": ["last", "given", *(f"best {c} on {p}" for c in ("val_dsc", "val_loss") for p in
                       ("the same patients", "other patients"))],
        "grid": ["own", "reference-256"],
        "slices": ["all", "all but first and last"],
        "sequences": ["all", "FLAIR alone"],
        "empty": ["perfect", "worst", "skip"],
    }  # fmt: skip
    for name, values in fields.items():
        for value in values:
            said = protocol(**{name: value}).describe()
            assert not re.search("[a-z]{2}", said.text("zh").replace("Dice", "")), said.text("zh")
    for name, metric in METRICS.items():
        unit = "voxels" if metric.is_length or metric.tolerance is not None else ""
        said = protocol(metric=name, measured_in=unit).describe()
        assert said.startswith(metric.title)
        assert not re.search("(?<!IoU（)[a-z]{3}", said.text("zh").replace("Dice", "").replace("Jaccard", ""))

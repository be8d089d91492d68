"""One contract that every loss inherits, then the value of each by another source, and the faulty ones."""

from __future__ import annotations

import inspect
import warnings
from itertools import pairwise

import monai.losses
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from glioseg.errors import InputError, WrongKindError
from glioseg.losses import FAULTY, REGISTRY, SegmentationLoss, build_loss, one_hot

few = settings(max_examples=15, deadline=None)

SOUND = {name: loss for name, loss in REGISTRY.items() if name not in FAULTY}
POOLED = [name for name, loss in SOUND.items() if "pooling" in inspect.signature(loss).parameters]
BY_DISTANCE = {"boundary_dice", "hausdorff_dice"}
"""Losses that depend on where pixels lie to each other, not just on how many there are."""

CASES = [
    *((name, {}) for name in SOUND if name not in POOLED),
    *((name, {"pooling": pooling}) for name in POOLED for pooling in ("batch", "sample")),
]
NAMES = ["-".join([name, *arguments.values()]) for name, arguments in CASES]
contract = pytest.mark.parametrize(("name", "arguments"), CASES, ids=NAMES)
faulty = pytest.mark.parametrize("name", FAULTY)

SHAPE = (3, 1, 12, 16)


def random(seed, low=-6.0, high=6.0):
    return torch.rand(SHAPE, generator=torch.Generator().manual_seed(seed)) * (high - low) + low


def masks(seed=0):
    """Hard masks: some lesion, none in one slice, none at all, everything."""
    some = (random(seed, 0, 1) > 0.8).float()
    partly = some.clone()
    partly[1] = 0
    square = torch.zeros(SHAPE)
    square[:, :, 3:9, 4:10] = 1
    return {
        "some": some,
        "partly": partly,
        "square": square,
        "none": torch.zeros(SHAPE),
        "all": torch.ones(SHAPE),
    }


def as_taken(loss, logits, mask):
    """What a loss takes: as it is, or as two classes for a categorical one."""
    if not loss.categorical:
        return logits, mask
    return torch.cat((-logits / 2, logits / 2), dim=1), torch.cat((1 - mask, mask), dim=1)


def value(loss, logits, mask):
    return float(loss(*as_taken(loss, logits, mask)))


def perfect(mask):
    return 100 * (2 * mask - 1)


# ---------------------------------------------------------------- the contract


@contract
@pytest.mark.parametrize("kind", masks())
def test_costs_nothing_when_perfect_and_confident(name, arguments, kind):
    mask = masks()[kind]
    loss = build_loss(name, **arguments)
    assert value(loss, perfect(mask), mask) == pytest.approx(0, abs=1e-4)
    # All wrong: it costs, and more than any rounding.
    assert value(loss, -perfect(mask), mask) > 0.1


@contract
@pytest.mark.parametrize("kind", [*masks(), "soft"])
@pytest.mark.parametrize("logits", ["perfect", "wrong", "zero", "random", "huge"])
def test_is_finite_with_finite_gradients(name, arguments, kind, logits):
    mask = random(1, 0, 1) if kind == "soft" else masks()[kind]
    given_logits = {
        "perfect": perfect(mask),
        "wrong": -perfect(mask),
        "zero": torch.zeros(SHAPE),
        "random": random(2),
        "huge": random(3, -1e4, 1e4),
    }[logits].requires_grad_()
    loss = build_loss(name, **arguments)
    result = loss(*as_taken(loss, given_logits, mask))
    assert result.shape == ()
    assert torch.isfinite(result)
    assert result >= -1e-6
    (gradient,) = torch.autograd.grad(result, given_logits)
    assert torch.isfinite(gradient).all()
    if logits == "random" and kind in ("some", "square"):
        assert gradient.abs().sum() > 0


# The distances of hausdorff_dice are those of the prediction too, and may grow while pixels get better.
@pytest.mark.parametrize(("name", "arguments"), [case for case in CASES if case[0] != "hausdorff_dice"])
@few
@given(seed=st.integers(0, 2**20), share=st.floats(0.05, 0.95))
def test_falls_as_every_pixel_gets_better(name, arguments, seed, share):
    mask = (random(seed, 0, 1) < share).float()
    loss = build_loss(name, **arguments)
    start, goal = random(seed + 1, -3, 3), 8 * (2 * mask - 1)
    costs = [value(loss, torch.lerp(start, goal, step), mask) for step in (0.0, 0.3, 0.7, 1.0)]
    assert all(after < before or after == before == 0 for before, after in pairwise(costs))


@contract
def test_falls_as_a_misplaced_lesion_comes_home(name, arguments):
    mask = masks()["square"]
    loss = build_loss(name, **arguments)
    costs = [value(loss, 4 * (2 * torch.roll(mask, shift, dims=-1) - 1), mask) for shift in (5, 3, 1, 0)]
    assert all(after < before for before, after in pairwise(costs))


@contract
def test_descends_to_a_good_prediction(name, arguments):
    mask = masks()["square"]
    loss = build_loss(name, **arguments)
    logits = random(5, -0.1, 0.1).requires_grad_()
    for _ in range(10):
        (gradient,) = torch.autograd.grad(loss(*as_taken(loss, logits, mask)), logits)
        logits = (logits - 0.5 * gradient.sign()).detach().requires_grad_()
    assert torch.equal(logits > 0, mask > 0.5)


@contract
def test_refuses_what_is_not_a_target(name, arguments):
    loss = build_loss(name, **arguments)
    logits, mask = as_taken(loss, random(0), masks()["some"])
    with pytest.raises(WrongKindError, match="divide a mask of 0/255"):
        loss(logits, mask * 255)
    with pytest.raises(WrongKindError, match=r"0\.\.1"):
        loss(logits, mask - 0.5)
    with pytest.raises(WrongKindError, match=r"0\.\.1"):
        loss(logits, mask * float("nan"))
    with pytest.raises(WrongKindError, match="but targets of"):
        loss(logits, mask[:, :, :-1])
    with pytest.raises(WrongKindError, match=r"one channel|at least two classes"):
        loss(*(torch.cat((x, x), 1) if not loss.categorical else x[:, :1] for x in (logits, mask)))


@contract
def test_takes_the_heads_of_deep_supervision(name, arguments):
    loss = build_loss(name, **arguments)
    logits, mask = as_taken(loss, random(0), masks()["square"])
    other = as_taken(loss, random(1), mask)[0]
    both = (float(loss(logits, mask)) + float(loss(other, mask))) / 2
    assert float(loss((logits, other), mask)) == pytest.approx(both, rel=1e-5)
    small = F.avg_pool2d(logits, 2)
    assert float(loss([small], mask)) == pytest.approx(float(loss(small, F.avg_pool2d(mask, 2))), rel=1e-5)


@contract
def test_half_precision_and_boolean_targets_are_as_good(name, arguments):
    loss = build_loss(name, **arguments)
    logits, mask = as_taken(loss, random(0), masks()["square"])
    low = logits.bfloat16()
    assert float(loss(low, mask > 0.5)) == float(loss(low.float(), mask))
    assert loss(low, mask).dtype == torch.float32


@pytest.mark.parametrize("name", POOLED)
@pytest.mark.parametrize("kind", ["some", "partly"])
def test_pools_as_it_says(name, kind):
    mask, logits = masks()[kind], random(7)
    by_sample, by_batch = (build_loss(name, pooling=pooling) for pooling in ("sample", "batch"))
    alone = [value(by_sample, logits[i : i + 1], mask[i : i + 1]) for i in range(len(mask))]
    assert value(by_sample, logits, mask) == pytest.approx(np.mean(alone), rel=1e-4)
    if name not in BY_DISTANCE:
        # The batch as one tall image.
        tall = [x.reshape(1, 1, -1, SHAPE[-1]) for x in (logits, mask)]
        assert value(by_batch, logits, mask) == pytest.approx(value(by_sample, *tall), rel=1e-4)
    assert value(by_batch, logits, mask) != pytest.approx(value(by_sample, logits, mask), rel=1e-4)


def test_every_loss_of_the_registry_is_one():
    for name in REGISTRY:
        loss = build_loss(name)
        assert isinstance(loss, SegmentationLoss)
        assert not list(loss.parameters())
        assert type(loss).loss is not SegmentationLoss.loss


def test_unknown_names_and_arguments_are_refused_with_the_cure():
    with pytest.raises(InputError, match="Did you mean 'tversky'"):
        build_loss("tverski")
    with pytest.raises(InputError, match="smoth"):
        build_loss("dice", smoth=1)


# ---------------------------------------------------------------- values, against another source


def sums(seed, pooling):
    """p t, p and t of a random prediction by NumPy."""
    logits, mask = random(seed), masks(seed)["some"]
    p, t = (1 / (1 + np.exp(-logits.double().numpy())), mask.double().numpy())
    axes = None if pooling == "batch" else (1, 2, 3)
    return logits, mask, (p * t).sum(axes), p.sum(axes), t.sum(axes)


@pytest.mark.parametrize("pooling", ["batch", "sample"])
def test_overlap_formulas(pooling):
    logits, mask, both, p, t = sums(11, pooling)
    expected = {
        ("dice", ()): 1 - (2 * both + 1) / (p + t + 1),
        ("soft_iou", ()): 1 - (both + 1) / (p + t - both + 1),
        ("tversky", ()): 1 - (both + 1) / (both + 0.3 * (p - both) + 0.7 * (t - both) + 1),
        ("focal_tversky", ()): (1 - (both + 1) / (both + 0.3 * (p - both) + 0.7 * (t - both) + 1)) ** 0.75,
    }
    for (name, _), result in expected.items():
        loss = build_loss(name, pooling=pooling)
        assert value(loss, logits, mask) == pytest.approx(float(np.mean(result)), rel=1e-5), name


@pytest.mark.parametrize("pooling", ["batch", "sample"])
def test_agrees_with_monai(pooling):
    logits, mask, *_ = sums(12, pooling)
    batch = pooling == "batch"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = monai.losses.GeneralizedDiceLoss(
            include_background=True, softmax=True, batch=batch, smooth_nr=0, smooth_dr=1e-12
        )
    classes = torch.cat((-logits / 2, logits / 2), 1), torch.cat((1 - mask, mask), 1)
    # The two classes together share one quotient in the paper and here.
    p, t = torch.softmax(classes[0], 1), classes[1]
    dims = (0, 2, 3) if batch else (2, 3)
    w = 1 / t.sum(dims) ** 2
    by_paper = 1 - 2 * (w * (p * t).sum(dims)).sum(-1) / (w * (p + t).sum(dims)).sum(-1)
    ours = value(build_loss("generalised_dice", pooling=pooling), logits, mask)
    assert ours == pytest.approx(float(by_paper.mean()), rel=1e-5)
    assert ours == pytest.approx(float(theirs(*classes)), rel=1e-4)
    focal = monai.losses.FocalLoss(gamma=2.0, alpha=0.25)(logits, mask)
    assert value(build_loss("focal"), logits, mask) == pytest.approx(float(focal), rel=1e-5)


def test_cross_entropies():
    logits, mask, *_ = sums(13, "batch")
    bce = float(F.binary_cross_entropy(torch.sigmoid(logits.double()), mask.double()))
    dice = value(build_loss("dice"), logits, mask)
    assert value(build_loss("bce"), logits, mask) == pytest.approx(bce, rel=1e-5)
    assert value(build_loss("bce_dice"), logits, mask) == pytest.approx(bce / 2 + dice / 2, rel=1e-5)
    assert value(build_loss("bce_dice", bce_weight=0.0), logits, mask) == pytest.approx(dice)
    # Two classes by softmax are one by sigmoid.
    assert value(build_loss("categorical_cross_entropy"), logits, mask) == pytest.approx(bce, rel=1e-5)
    weighted = float(F.binary_cross_entropy_with_logits(logits, mask, pos_weight=torch.tensor(3.0)))
    assert value(build_loss("bce", lesion_weight=3), logits, mask) == pytest.approx(weighted, rel=1e-5)
    both_ways = value(build_loss("categorical_cross_entropy", weights=[1, 3]), logits, mask)
    assert both_ways == pytest.approx(weighted, rel=1e-5)
    assert value(build_loss("focal", gamma=0, alpha=0.5), logits, mask) == pytest.approx(bce / 2, rel=1e-5)


def test_categorical_dice_of_two_classes_is_dice():
    logits, mask, *_ = sums(14, "batch")
    dice = value(build_loss("dice"), logits, mask)
    assert value(build_loss("categorical_dice"), logits, mask) == pytest.approx(dice, rel=1e-5)
    rest = value(build_loss("dice"), -logits, 1 - mask)
    with_background = value(build_loss("categorical_dice", background=True), logits, mask)
    assert with_background == pytest.approx((dice + rest) / 2, rel=1e-5)


@few
@given(seed=st.integers(0, 2**20))
def test_lovasz_of_hard_predictions_is_twice_what_iou_misses(seed):
    predicted, mask = (random(seed, 0, 1) > 0.5).float(), masks(seed)["some"]
    iou = float((predicted * mask).sum() / torch.maximum(predicted, mask).sum())
    # Logits of 1 are wrong by 2 or by 0, and the extension is exact at the corners (prop. 1).
    assert value(build_loss("lovasz"), 2 * predicted - 1, mask) == pytest.approx(2 * (1 - iou), abs=1e-5)


def test_distance_makes_the_same_wrong_pixel_dearer():
    mask = masks()["square"]
    for name in BY_DISTANCE:
        costs = []
        for column in (10, 15):
            logits = 20 * (2 * mask - 1)
            logits[:, :, 5, column] = 20
            costs.append(value(build_loss(name), logits, mask) - value(build_loss("dice"), logits, mask))
        assert 0 < costs[0] < costs[1], name


def test_one_hot_and_categorical_targets():
    labels = torch.tensor([[[[0, 1], [2, 1]]]])
    targets = one_hot(labels, 3)
    assert targets.shape == (1, 3, 2, 2)
    assert torch.equal(targets.argmax(1, keepdim=True), labels)
    for name in ("categorical_cross_entropy", "categorical_dice"):
        loss = build_loss(name)
        assert float(loss(200 * targets - 100, targets)) == pytest.approx(0, abs=1e-4)
        with pytest.raises(WrongKindError, match="one_hot"):
            loss(targets, labels)
        with pytest.raises(WrongKindError, match="sum to 1"):
            loss(targets, targets * (labels > 0))
    with pytest.raises(WrongKindError, match=r"0\.\.2, found 0 to 3"):
        one_hot(labels + (labels == 2), 3)
    with pytest.raises(WrongKindError, match="whole numbers"):
        one_hot(labels.float(), 3)


# ---------------------------------------------------------------- the faulty ones


@faulty
def test_a_published_bug_breaks_the_contract(name):
    mask = masks()["some"]
    assert "FAULTY" in type(build_loss(name)).__doc__
    assert abs(value(build_loss(name), perfect(mask), mask)) > 0.1


def test_double_sigmoid_is_the_formula_that_its_description_gives():
    mask = torch.zeros(1, 1, 50, 200)
    mask[..., :1, :] = 1  # 2 % lesion
    share, ceiling = 0.02, 1 / (1 + np.exp(-1))
    loss = build_loss("as_published.soft_iou", smooth=0)
    least = 1 - ceiling * share / (share + 0.5 * (1 - share))
    assert value(loss, perfect(mask), mask) == pytest.approx(least, rel=1e-5)
    assert least == pytest.approx(0.97, abs=0.005)
    sound = build_loss("soft_iou", smooth=0)
    assert value(sound, perfect(mask), mask) == pytest.approx(0, abs=1e-5)


def test_double_sigmoid_is_what_the_write_up_computes():
    logits, mask = random(1), masks()["some"]
    ends_in_sigmoid = torch.sigmoid(logits)
    for name in ("soft_iou", "bce_dice"):
        faulty_cost = value(build_loss(f"as_published.{name}"), logits, mask)
        assert faulty_cost == pytest.approx(value(build_loss(name), ends_in_sigmoid, mask), rel=1e-6)


def test_dice_without_sigmoid_rewards_nonsense_and_punishes_perfection():
    mask = masks()["some"]
    lesion, rest = float(mask.sum()), float((1 - mask).sum())
    loss = build_loss("as_published.dice_without_sigmoid")
    assert value(loss, perfect(mask), mask) > 1 + lesion / rest
    # No pixel is called lesion, and the denominator is all but 0: the loss has no floor.
    nonsense = -(1 - mask) * (lesion + 1 - 1e-2) / rest
    assert value(loss, nonsense, mask) < -90


def test_an_argument_of_another_loss_is_refused_with_its_own() -> None:
    with pytest.raises(InputError, match=r"\(smooth, pooling\), found alpha\."):
        build_loss("dice", alpha=0.7)

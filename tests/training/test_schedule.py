"""How the learning rate moves over a training."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("pytorch_lightning")

from glioseg.recipe import load_recipe
from glioseg.training.module import SegmentationModule


@pytest.mark.parametrize(
    ("name", "final", "peak"),
    [("one_cycle", 0.0, 20), ("one_cycle", 0.3, 20), ("cosine", 0.0, 0), ("cosine", 0.3, 0)],
)
def test_the_rate_rises_and_falls_as_the_schedule_says(name: str, final: float, peak: int) -> None:
    recipe = load_recipe(
        "default",
        [
            "network.arguments.pretrained=none",
            f"schedule.name={name}",
            f"schedule.final={final}",
            "optimizer.rate=2e-3",
        ],
    )
    steps = 100
    configured: Any = SegmentationModule(recipe, (), steps).configure_optimizers()
    optimizer, schedule = configured["optimizer"], configured["lr_scheduler"]["scheduler"]
    rates = []
    for _ in range(steps):
        rates.append([group["lr"] for group in optimizer.param_groups])
        optimizer.step()
        if len(rates) < steps:
            schedule.step()
    for group, greatest in zip(np.transpose(rates), (5e-4, 5e-4, 2e-3, 2e-3), strict=True):
        assert group.argmax() == pytest.approx(peak, abs=1)
        assert group.max() == pytest.approx(greatest, rel=0.01)
        assert group[-1] == pytest.approx(final * greatest, rel=0.05, abs=2e-6)
        assert (np.diff(group[peak + 1 :]) < 0).all()


@pytest.mark.parametrize("steps", range(1, 9))
def test_one_cycle_fits_into_few_steps(steps: int) -> None:
    recipe = load_recipe("unet_adamw_one_cycle", ["network.arguments.features=2"])
    configured: Any = SegmentationModule(recipe, (), steps).configure_optimizers()
    optimizer, schedule = configured["optimizer"], configured["lr_scheduler"]["scheduler"]
    for step in range(steps):
        assert 0 < optimizer.param_groups[0]["lr"] <= recipe.optimizer.rate
        optimizer.step()
        if step + 1 < steps:
            schedule.step()

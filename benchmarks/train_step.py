"""Seconds an image of a training step: the reference U-Net, the light network, and the augmentation."""

from __future__ import annotations

import argparse
import time
from functools import partial
from statistics import median
from typing import TYPE_CHECKING

from benchmarks.measure import (
    Measured,
    fresh,
    guarded,
    interleaved,
    middle,
    number,
    parser,
    ratio,
    start,
    table,
)
from glioseg.errors import require_extra

if TYPE_CHECKING:
    from torch import Tensor

    from glioseg.recipe import Recipe

WARM_UP = 1
"""Steps before those that count: the first one reserves memory and chooses kernels."""


def main() -> None:
    arguments = _arguments()
    require_extra("train", "torch")
    if arguments.device != "cpu":
        from benchmarks.gpu_step import on_gpu

        recipes = [("reference", arguments.reference_size), ("default", 160)]
        on_gpu(recipes, arguments.batch, 10 * arguments.steps, device=arguments.device)
        return
    start(arguments.threads)
    print(f"batches of {arguments.batch}, {arguments.steps} steps a round, real slices, forward to optimizer")

    whole = arguments.reference_size
    plans = {("reference", whole, False, keep): _settings(whole, False) for keep in (False, True)}
    for size in arguments.sizes:
        for last in (False, True):
            for keep in (False, True):
                plans["default", size, last, keep] = [
                    *_settings(size, last),
                    "network.arguments.pretrained=none",
                ]
    variants = {
        _name(*plan): partial(fresh, step, plan[0], settings, plan[3], arguments.batch, arguments.steps)
        for plan, settings in plans.items()
    }
    results = interleaved(variants, arguments.rounds)

    slow = results[_name("reference", whole, False, False)]
    table(
        ["recipe, pixels, layout, freed memory", "s/image", "U-Net / this", "augment / step", "peak MiB"],
        [
            [
                name,
                number(middle(runs)),
                ratio(slow, runs),
                ratio(runs, runs, "augment", "seconds"),
                number(middle(runs, "peak_mb")),
            ]
            for name, runs in results.items()
        ],
    )
    gains = []
    for size in arguments.sizes:
        plain, laid, kept, both = (
            results[_name("default", size, last, keep)] for keep in (False, True) for last in (False, True)
        )
        gains.append([f"{size} px", ratio(plain, laid), ratio(plain, kept), ratio(plain, both)])
    table(["gain for the light network", "channels last", "memory kept", "both"], gains)


def step(recipe_name: str, settings: list[str], keep: bool, batch: int, steps: int) -> Measured:
    """Median seconds an image of a recipe's training step and of its augmentation, taking turns."""
    from glioseg.training.allocator import keep_freed_memory

    if keep and not keep_freed_memory():
        print("the allocator cannot be told to keep memory on this system: 'kept' means nothing here")
    import numpy as np
    import torch

    from glioseg.augment import Augmentation
    from glioseg.losses import build_loss
    from glioseg.networks import build_network
    from glioseg.prepare import neighbour_channels
    from glioseg.recipe import load_recipe
    from glioseg.scan import CHANNELS

    recipe = load_recipe(recipe_name, settings)
    torch.manual_seed(0)
    channels = len(neighbour_channels(CHANNELS, recipe.input.neighbours))
    network = build_network(recipe.network.name, channels, **recipe.network.arguments).train()
    layout = torch.channels_last if recipe.train.channels_last else torch.contiguous_format
    network = network.to(memory_format=layout)
    loss_of = build_loss(recipe.loss.name, **recipe.loss.arguments)
    kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[recipe.optimizer.name]
    optimizer = kind(network.parameters(), lr=recipe.optimizer.rate)
    augment = Augmentation(recipe.augment)
    slices, masks = _batch(recipe, batch)

    augmenting, stepping = [], []
    for place in range(WARM_UP + steps):
        started = time.perf_counter()
        draws = augment.draw(recipe.train.seed, place, np.arange(batch))
        images, targets = augment(slices, masks, draws)
        augmented = time.perf_counter()
        loss = loss_of(network(images.contiguous(memory_format=layout)), targets)
        optimizer.zero_grad()
        loss.backward()
        if recipe.optimizer.clip_norm:
            torch.nn.utils.clip_grad_norm_(network.parameters(), recipe.optimizer.clip_norm)
        optimizer.step()
        stepping.append(time.perf_counter() - augmented)
        augmenting.append(augmented - started)
    return {
        "seconds": median(stepping[WARM_UP:]) / batch,
        "augment": median(augmenting[WARM_UP:]) / batch,
    }


def _batch(recipe: Recipe, count: int) -> tuple[Tensor, Tensor]:
    """Slices and targets of the scans that ship."""
    import tempfile
    from pathlib import Path

    from glioseg.dataset.cache import prepare_cases
    from glioseg.samples import sample_cases
    from glioseg.training.data import SliceBatches

    with tempfile.TemporaryDirectory() as cache:
        cases = prepare_cases(sample_cases(), recipe.prepare, Path(cache))
        items = [(number, 0, number % len(cases[0].lesion)) for number in range(count)]
        batch = SliceBatches(cases, recipe.input.neighbours).__getitems__(items)
        return batch["image"], batch["target"]


def _settings(size: int, channels_last: bool) -> list[str]:
    return [f"prepare.size={size}", f"train.channels_last={str(channels_last).lower()}"]


def _name(recipe: str, size: int, channels_last: bool, keep: bool) -> str:
    layout = "channels last" if channels_last else "plain"
    return f"{recipe}, {size}, {layout}, {'kept' if keep else 'given back'}"


def _arguments() -> argparse.Namespace:
    made = parser(__doc__)
    made.add_argument(
        "--device", default="cpu", choices=["cpu", "cuda"], help="cuda: on a GPU, with its limits"
    )
    made.add_argument("--sizes", type=int, nargs="+", default=[128, 192, 256], help="of the light network")
    made.add_argument("--reference-size", type=int, default=256, help="of the reference U-Net (256)")
    made.add_argument("--batch", type=int, default=16, help="images a step (16)")
    made.add_argument("--steps", type=int, default=3, help="steps that count, a round (3)")
    return made.parse_args()


if __name__ == "__main__":
    guarded(main)

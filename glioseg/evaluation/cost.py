"""What a network costs: parameters, multiply-accumulates, seconds a slice."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from glioseg.errors import GliosegError
from glioseg.prepare import neighbour_channels
from glioseg.recipe import Recipe

if TYPE_CHECKING:
    from torch import nn

    from glioseg.model.runtime import OnnxRuntime

BATCH = 2
ROUNDS = 5


@dataclass(frozen=True)
class Cost:
    """Cost of one network.

    Attributes:
        parameters: number of trained values.
        gmacs: 10^9 multiply-accumulates of one prepared slice, convolutions and matrix products.
        seconds: best of five, time of one prepared slice in batches of 2 in ONNX Runtime; ``None`` where the
            network cannot be exported. Of one thread it is the processor time, which other work of the
            machine hardly changes; of several it is the wall time.
        threads: CPU threads of that.
    """

    parameters: int
    gmacs: float
    seconds: float | None
    threads: int


def measure_costs(recipes: Sequence[Recipe], threads: int | None = None) -> dict[str, Cost]:
    """Count and time each architecture once, whatever was trained with it.

    The time does not depend on the weights, so that no trained model is needed. All take turns, five times,
    and the least of each counts: a busy moment of the machine then meets no architecture alone.

    Args:
        recipes: name the networks and the sizes of their inputs.
        threads: CPU threads; all by default.

    Returns:
        By :func:`architecture`; without seconds where a network cannot be exported.
    """
    from glioseg.model.export import export_onnx
    from glioseg.model.runtime import OnnxRuntime, usable_cores

    threads = threads or usable_cores()
    chosen = {architecture(recipe): recipe for recipe in recipes}
    counts: dict[str, tuple[int, float]] = {}
    runtimes: dict[str, OnnxRuntime] = {}
    with TemporaryDirectory() as folder:
        for number, (key, recipe) in enumerate(chosen.items()):
            network = build_untrained(recipe)
            counts[key] = _counted(network, recipe)
            try:
                model = Path(folder) / f"{number}.onnx"
                export_onnx(network, model, input_channels(recipe), recipe.prepare.size, {})
            except GliosegError:
                continue
            runtimes[key] = OnnxRuntime(model, threads)
            _timed(runtimes[key], recipe, threads)
        taken: dict[str, list[float]] = {key: [] for key in chosen}
        for _ in range(ROUNDS):
            for key, runtime in runtimes.items():
                taken[key].append(_timed(runtime, chosen[key], threads))
    return {key: Cost(*counts[key], min(taken[key], default=None), threads) for key in chosen}


def architecture(recipe: Recipe) -> str:
    """What the cost of a network depends on, as text: name, arguments, channels and size of its input."""
    arguments = {key: value for key, value in recipe.network.arguments.items() if key != "pretrained"}
    facts = [
        recipe.network.name,
        arguments,
        input_channels(recipe),
        recipe.labels.channels,
        recipe.prepare.size,
    ]
    return json.dumps(facts, sort_keys=True)


def input_channels(recipe: Recipe) -> int:
    """Channels of what the network takes."""
    return len(neighbour_channels(recipe.input.sequences, recipe.input.neighbours))


def build_untrained(recipe: Recipe) -> nn.Module:
    """The network of a recipe, without looking for pretrained weights."""
    from glioseg.networks import build_network, without_pretrained

    arguments: Mapping[str, Any] = without_pretrained(recipe.network.name, recipe.network.arguments)
    arguments = {"out_channels": recipe.labels.channels, **arguments}
    return build_network(recipe.network.name, input_channels(recipe), **arguments).eval()


def _counted(network: nn.Module, recipe: Recipe) -> tuple[int, float]:
    """Parameters and 10^9 multiply-accumulates."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    size = recipe.prepare.size
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), counter:
        network(torch.zeros(1, input_channels(recipe), size, size))
    return sum(parameter.numel() for parameter in network.parameters()), counter.get_total_flops() / 2e9


def _timed(runtime: OnnxRuntime, recipe: Recipe, threads: int) -> float:
    """Seconds a slice of one batch."""
    clock = time.thread_time if threads == 1 else time.perf_counter
    size = recipe.prepare.size
    images = np.zeros((BATCH, input_channels(recipe), size, size), np.float32)
    started = clock()
    runtime(images)
    return (clock() - started) / BATCH

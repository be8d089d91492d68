"""What a network costs: parameters, multiply-accumulates, seconds a slice."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from glioseg.prepare import neighbour_channels
from glioseg.recipe import Recipe

BATCH = 8
ROUNDS = 5


@dataclass(frozen=True)
class Cost:
    """Cost of one network.

    Attributes:
        parameters: number of trained values.
        gmacs: 10^9 multiply-accumulates of one prepared slice, convolutions and matrix products.
        seconds: best of five, wall time of one prepared slice in batches of 8 in ONNX Runtime; ``None``
            where the run has no model yet.
        threads: CPU threads of that.
    """

    parameters: int
    gmacs: float
    seconds: float | None
    threads: int


def measure_cost(recipe: Recipe, model: Path, threads: int | None = None) -> Cost:
    """Count and time the network of a recipe.

    Args:
        recipe: names the network and the size of its input.
        model: its ``model.onnx``, for the time.
        threads: CPU threads; all by default.
    """
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from glioseg.model.runtime import OnnxRuntime, usable_cores
    from glioseg.model.trial import check_model
    from glioseg.networks import build_network, without_pretrained

    channels = len(neighbour_channels(recipe.input.sequences, recipe.input.neighbours))
    arguments = without_pretrained(recipe.network.name, recipe.network.arguments)
    arguments = {"out_channels": recipe.labels.channels, **arguments}
    network = build_network(recipe.network.name, channels, **arguments).eval()
    size = recipe.prepare.size
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), counter:
        network(torch.zeros(1, channels, size, size))
    threads = threads or usable_cores()
    seconds = None
    if model.is_file():
        check_model(model)
        runtime = OnnxRuntime(model, threads)
        images = np.zeros((BATCH, channels, size, size), np.float32)
        runtime(images)
        taken = []
        for _ in range(ROUNDS):
            started = time.perf_counter()
            runtime(images)
            taken.append((time.perf_counter() - started) / BATCH)
        seconds = min(taken)
    parameters = sum(parameter.numel() for parameter in network.parameters())
    return Cost(parameters, counter.get_total_flops() / 2e9, seconds, threads)

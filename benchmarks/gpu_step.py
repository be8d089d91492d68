"""Images a second of a training step on a CUDA GPU, beside what arithmetic and memory would allow.

Called by ``python -m benchmarks.train_step --device cuda``. One process, one card: every row is from one run.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from benchmarks.measure import table

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from glioseg.recipe import Recipe

WAYS = ("eager", "graphed", "compiled")
"""How the network's kernels are started: one by one; as a captured graph; fused by ``torch.compile``."""


def on_gpu(
    names: list[tuple[str, int]], batch: int, steps: int, ways: tuple[str, ...] = WAYS, device: str = "cuda"
) -> None:
    """Print a row for each recipe and way.

    Args:
        names: recipes, and pixels a side.
        batch: images a step.
        steps: steps that are timed, after as many again at half their number to warm up.
        ways: some of :data:`WAYS`.
        device: ``cuda``, or ``cpu`` to try the script.
    """
    import torch

    torch.backends.cudnn.benchmark = True
    where = torch.device(device)
    flops, bandwidth = _ceilings(where)
    card = torch.cuda.get_device_name() if where.type == "cuda" else "CPU"
    print(
        f"{card}, torch {torch.__version__}: {flops / 1e12:.0f} TFLOP/s bf16, {bandwidth / 1e12:.2f} TB/s",
        flush=True,
    )
    rows = []
    for recipe_name, size in names:
        for way in ways:
            try:
                found = _measure(recipe_name, size, batch, steps, way, where)
            except Exception as error:  # one way that does not work must not hide the others
                print(f"{recipe_name} {way}: {type(error).__name__}: {str(error)[:300]}", flush=True)
                continue
            arithmetic, memory = batch * flops / found["flops"], batch * bandwidth / found["bytes"]
            row = [
                f"{recipe_name}, {size} px, {way}",
                f"{batch / found['seconds']:.0f}",
                f"{arithmetic:.0f}",
                f"{memory:.0f}",
                f"{found['start']:.0f}",
                f"{found['peak'] / 2**30:.1f}",
                f"{found['loss']:.4f}",
            ]
            print("  ".join(row), flush=True)
            rows.append(row)
    heads = ["recipe", "images/s", "limit: arithmetic", "limit: bytes", "start s", "peak GiB", "last loss"]
    table(heads, rows)


def _measure(
    recipe_name: str, size: int, batch: int, steps: int, way: str, device: torch.device
) -> dict[str, float]:
    import torch

    from glioseg.augment import Augmentation
    from glioseg.losses import build_loss
    from glioseg.networks import build_network, find_network
    from glioseg.recipe import load_recipe

    recipe = load_recipe(recipe_name, [f"prepare.size={size}"])
    if find_network(recipe.network.name).pretrained:
        recipe = load_recipe(recipe_name, [f"prepare.size={size}", "network.arguments.pretrained=none"])
    gather = _resident(recipe, batch, device)
    torch.manual_seed(0)
    channels = gather(0)[0].shape[1]
    arguments = {"out_channels": recipe.labels.channels, **recipe.network.arguments}
    network = build_network(recipe.network.name, channels, **arguments).train().to(device)
    network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    loss_of = build_loss(recipe.loss.name, **recipe.loss.arguments)
    kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[recipe.optimizer.name]
    optimizer = kind(network.parameters(), lr=recipe.optimizer.rate, fused=device.type == "cuda" or None)
    augment = Augmentation(recipe.augment)
    sample = gather(0)[0].contiguous(memory_format=torch.channels_last)
    cost = _cost(network, sample)
    draws = [augment.draw(1, 0, range(place * batch, (place + 1) * batch)).to(device) for place in range(8)]

    started = time.perf_counter()
    called: Callable[[Tensor], Any] = network
    cached = way != "graphed"
    if way == "graphed":
        with torch.autocast(device.type, torch.bfloat16, cache_enabled=False):
            called = torch.cuda.make_graphed_callables(network, (sample,))
    elif way == "compiled":
        called = torch.compile(network, dynamic=False)

    def step(number: int) -> Tensor:
        images, targets = gather(number)
        images, targets = augment(images, targets, draws[number % len(draws)])
        with torch.autocast(device.type, torch.bfloat16, cache_enabled=cached):
            logits = called(images.contiguous(memory_format=torch.channels_last))
            loss: Tensor = loss_of(logits, targets)
        optimizer.zero_grad()
        loss.backward()
        if recipe.optimizer.clip_norm:
            torch.nn.utils.clip_grad_norm_(network.parameters(), recipe.optimizer.clip_norm)
        optimizer.step()
        return loss

    step(0)
    _wait(device)
    start = time.perf_counter() - started
    for number in range(steps // 2):
        step(number)
    _wait(device)
    began = time.perf_counter()
    for number in range(steps):
        loss = step(number)
    _wait(device)
    seconds = (time.perf_counter() - began) / steps
    peak = torch.cuda.max_memory_allocated() if device.type == "cuda" else 0
    return {"seconds": seconds, "start": start, "peak": peak, "loss": float(loss.detach()), **cost}


def _resident(recipe: Recipe, batch: int, device: torch.device) -> Callable[[int], tuple[Tensor, Tensor]]:
    """Batches of the sample scans, from the memory of the device."""
    import tempfile
    from pathlib import Path

    import torch

    from glioseg.dataset.cache import prepare_cases
    from glioseg.samples import sample_cases
    from glioseg.training.resident import ResidentSlices

    with tempfile.TemporaryDirectory() as cache:
        cases = prepare_cases(sample_cases(), recipe.prepare, Path(cache), labels=recipe.labels)
        slices = ResidentSlices(cases, recipe.input.neighbours, device)
    every = torch.tensor(
        [(number, place) for number, case in enumerate(cases) for place in range(len(case.lesion))]
    )
    every = every.to(device)

    def gather(number: int) -> tuple[Tensor, Tensor]:
        chosen = every[torch.arange(number * batch, (number + 1) * batch, device=device) % len(every)]
        return slices.gather(chosen[:, 0], chosen[:, 1])

    return gather


def _cost(network: nn.Module, sample: Tensor) -> dict[str, float]:
    """Operations of a step, forward and backward, and the fewest bytes that it must move.

    Bytes: each layer reads and writes its features in two bytes a number, once forward, twice backward.
    """
    import torch
    from torch import nn
    from torch.utils.flop_counter import FlopCounterMode

    moved = 0

    def count(_: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        nonlocal moved
        moved += sum(one.numel() for one in inputs) + output.numel()

    trial = copy.deepcopy(network)
    layers = (nn.Conv2d, nn.ConvTranspose2d)
    hooks = [one.register_forward_hook(count) for one in trial.modules() if isinstance(one, layers)]
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        trial(sample)
    for hook in hooks:
        hook.remove()
    return {"flops": 3.0 * counter.get_total_flops(), "bytes": 3.0 * 2 * moved}


def _ceilings(device: torch.device) -> tuple[float, float]:
    """Floating-point operations a second of a large bf16 product, bytes a second of a large copy."""
    import torch

    side = 8192 if device.type == "cuda" else 512
    a, b = (torch.randn(side, side, device=device, dtype=torch.bfloat16) for _ in range(2))
    product = _best(lambda: a @ b, device)
    large = torch.empty(2**30 if device.type == "cuda" else 2**24, dtype=torch.uint8, device=device)
    other = torch.empty_like(large)
    copied = _best(lambda: other.copy_(large), device)
    return 2 * side**3 / product, 2 * large.numel() / copied


def _best(work: Callable[[], object], device: torch.device) -> float:
    times = []
    for _ in range(8):
        _wait(device)
        began = time.perf_counter()
        work()
        _wait(device)
        times.append(time.perf_counter() - began)
    return min(times[2:])


def _wait(device: torch.device) -> None:
    import torch

    if device.type == "cuda":
        torch.cuda.synchronize()

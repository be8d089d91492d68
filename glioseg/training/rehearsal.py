"""What of a recipe can be known to fail before any data are read."""

from __future__ import annotations

import warnings
from typing import Any

import torch
from torch import Tensor

from glioseg.errors import Fault, GliosegError, InputError
from glioseg.losses import build_loss
from glioseg.networks import find_network
from glioseg.recipe import Recipe
from glioseg.training.hardware import memory_bytes
from glioseg.training.module import SegmentationModule
from glioseg.training.start import network_of

BYTES_OF_A_WEIGHT = 16
"""A weight in float32, its gradient, and the two means that Adam keeps of it."""


def recipe_faults(recipe: Recipe) -> list[Fault]:
    """What settings contradict each other, and why the network or the loss cannot be built or does not run.

    The network predicts two empty slices and the loss scores them, so what would go wrong in the first step
    goes wrong here. Pretrained weights are looked for, and fetched where the recipe says so.
    """
    with warnings.catch_warnings():
        # PyTorch warns of a network without features, which is refused here with a reason.
        warnings.simplefilter("ignore")
        return _contradictions(recipe) or _too_large(recipe) or _fails_to_run(recipe)


def _contradictions(recipe: Recipe) -> list[Fault]:
    multiple, size = find_network(recipe.network.name).multiple, recipe.prepare.size
    faults = []
    if size % multiple:
        near = max(multiple, round(size / multiple) * multiple)
        facts = {"multiple": multiple, "network": recipe.network.name, "size": size, "near": near}
        faults.append(Fault("training.prepare_size", "prepare.size", **facts))
    if recipe.split.name == "all" and recipe.train.checkpoint == "best":
        faults.append(Fault("training.nobody_validates", "train.checkpoint"))
    try:
        categorical = build_loss(recipe.loss.name, **recipe.loss.arguments).categorical
    except InputError as error:
        return [*faults, *error.faults]
    if categorical != recipe.labels.given:
        code = "training.loss_of_classes" if recipe.labels.given else "training.loss_of_lesion"
        faults.append(Fault(code, "loss.name", loss=recipe.loss.name))
    return faults


def _too_large(recipe: Recipe) -> list[Fault]:
    """Whether the weights alone would not fit into the memory; nothing is allocated to find out."""
    memory = memory_bytes()
    if memory is None:
        return []
    try:
        with torch.device("meta"):
            network = network_of(recipe, pretrained=False)
    except Exception:  # some networks of MONAI compute while they are built; the rehearsal builds them
        return []
    count = sum(weight.numel() for weight in network.parameters())
    if count * BYTES_OF_A_WEIGHT <= memory:
        return []
    sizes = {"needed": _gigabytes(count * BYTES_OF_A_WEIGHT), "memory": _gigabytes(memory)}
    return [Fault("training.large_network", "network.arguments", count=f"{count:,}", **sizes)]


def _fails_to_run(recipe: Recipe) -> list[Fault]:
    try:
        module = SegmentationModule(recipe, (), 1)
    except InputError as error:
        return list(error.faults)
    size, batch = recipe.prepare.size, min(2, recipe.train.batch_size)
    wanted = (batch, recipe.labels.channels, size, size)
    try:
        with torch.no_grad():
            output: Any = module.network(torch.zeros(batch, module.channels, size, size))
    except Exception as error:  # a network of MONAI may raise anything
        return [_of_network(recipe, error)]
    heads = [output] if isinstance(output, Tensor) else list(output)
    if (
        not heads
        or any(tuple(head.shape[:2]) != wanted[:2] for head in heads)
        or all(tuple(head.shape) != wanted for head in heads)
    ):
        said = {"wanted": _sizes(wanted), "shape": _sizes(tuple(heads[0].shape) if heads else ())}
        return [Fault("training.output", f"network '{recipe.network.name}'", **said)]
    targets = torch.zeros(wanted)
    targets[:, 0] = float(recipe.labels.given)  # with classes the first channel is background
    try:
        module.loss(output, targets)
    except Exception as error:  # arguments of the wrong kind fail in arithmetic
        reason = _first_line(error)
        return [Fault("losses.arguments", name=recipe.loss.name, reason=reason)]
    return []


def _of_network(recipe: Recipe, error: Exception) -> Fault:
    if isinstance(error, GliosegError):
        return Fault("networks.arguments", name=recipe.network.name, reason=error)
    return Fault("networks.arguments", name=recipe.network.name, reason=_first_line(error))


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]


def _gigabytes(count: int) -> str:
    return f"{count / 1e9:.1f}"


def _sizes(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))

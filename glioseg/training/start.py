"""Where a training starts from that goes on from a model: its weights, and the settings that fit them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from glioseg.errors import Fault, InputError
from glioseg.model.recover import recover_network
from glioseg.model.weights import find_model
from glioseg.networks import build_network, without_pretrained
from glioseg.networks.weights import read_weights
from glioseg.prepare import neighbour_channels
from glioseg.recipe import InputChoice, NetworkChoice, PrepareChoice, Recipe
from glioseg.runs.folder import RunFolder

KEPT_TABLES = ("prepare", "input", "network", "labels", "postprocess")
"""Tables of a recipe that belong to a network's weights; a recipe that learns on takes them over."""


@dataclass(frozen=True)
class Start:
    """Weights to begin with.

    Attributes:
        name: the model, run or file, as the person called it.
        fingerprint: hash of the file that the weights were read from, as a model's record has it.
        state: state dict of the network.
        channels: names of the input channels that the weights expect; empty if nothing tells.
        classes: names of the classes that the network tells apart, without background; empty for lesion or
            not.
        tables: the tables :data:`KEPT_TABLES` of a recipe, as plain values; empty if nothing tells.
    """

    name: str
    fingerprint: str
    state: dict[str, Tensor]
    channels: tuple[str, ...]
    classes: tuple[str, ...]
    tables: dict[str, Any]


def read_start(model: str | Path) -> Start:
    """Read the weights of a model that ships, a run folder, an ``.onnx`` file or a ``.safetensors`` file.

    Raises:
        InputError: there is no such model, or the file does not hold weights to learn on from.
    """
    path = Path(model)
    if path.suffix == ".safetensors":
        recipe = RunFolder(path.parent).recipe if (path.parent / "recipe.toml").is_file() else None
        return _of_weights(str(model), path, recipe)
    if (path / "recipe.toml").is_file() and (path / "weights.safetensors").is_file():
        run = RunFolder.open(path)
        return _of_weights(str(model), run.weights, run.recipe)
    file = find_model(model)
    network, description = recover_network(file)
    recipe = Recipe(
        prepare=PrepareChoice(**description.prepare.model_dump()),
        input=InputChoice(sequences=description.sequences, neighbours=description.neighbours),
        network=NetworkChoice(name=description.network, arguments=description.network_arguments),
        labels=description.labels,
        postprocess=description.postprocess,
    )
    return _start(str(model), file, dict(network.state_dict()), recipe)


def _of_weights(name: str, path: Path, recipe: Recipe | None) -> Start:
    try:
        state = read_weights(path)
    except Exception as error:  # safetensors raises errors of its own
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(Fault("training.start_unreadable", path, reason=reason)) from error
    return _start(name, path, state, recipe)


def _start(name: str, file: Path, state: dict[str, Tensor], recipe: Recipe | None) -> Start:
    digest = hashlib.sha256(file.read_bytes()).hexdigest()[:16]
    if recipe is None:
        return Start(name, digest, state, (), (), {})
    tables = recipe.model_dump(include=set(KEPT_TABLES), exclude_none=True)
    tables["network"]["arguments"] = without_pretrained(recipe.network.name, recipe.network.arguments)
    channels = neighbour_channels(recipe.input.sequences, recipe.input.neighbours)
    return Start(name, digest, state, channels, recipe.labels.titles, tables)


def network_of(recipe: Recipe, pretrained: bool = True) -> nn.Module:
    """The network of a recipe as a training begins with it; its first weights follow torch's seed.

    Args:
        recipe: with the tables ``network``, ``input`` and ``labels``.
        pretrained: look for pretrained weights if the recipe asks for them; not needed where other weights
            are loaded afterwards.
    """
    choice = recipe.network
    arguments = choice.arguments if pretrained else without_pretrained(choice.name, choice.arguments)
    channels = neighbour_channels(recipe.input.sequences, recipe.input.neighbours)
    return build_network(choice.name, len(channels), **{"out_channels": recipe.labels.channels, **arguments})


def load_start(network: nn.Module, recipe: Recipe, start: Start) -> list[str]:
    """Give a network the weights to begin with; input channels and classes may be others.

    An input channel that the weights know by name keeps its own; one that they do not know starts from the
    mean of all. A class that they know by name keeps its own; another starts from the mean of their classes,
    and background from zero.

    Returns:
        A sentence for each thing that was not simply taken over.

    Raises:
        InputError: the weights are those of another network.
    """
    own = network.state_dict()
    state = dict(start.state)
    faults = [name for name in (*own, *state) if (name in own) != (name in state)]
    if faults:
        raise InputError(_other(recipe, start, faults[0]))
    said: list[str] = []
    channels = neighbour_channels(recipe.input.sequences, recipe.input.neighbours)
    # Networks begin with the layer that sees the images.
    first = next(name for name, value in own.items() if value.dim() == 4)
    for name, value in own.items():
        given = state[name]
        if given.shape[2:] != value.shape[2:] or given.dim() != value.dim():
            raise InputError(_other(recipe, start, name))
        if name == first and start.channels and start.channels != channels:
            if given.shape[1] != len(start.channels):
                raise InputError(_other(recipe, start, name))
            given = _by_name(given.transpose(0, 1), start.channels, channels, given.mean(1)).transpose(0, 1)
        if given.dim() > 0 and given.shape[0] != value.shape[0]:
            classes, titles = _rows(start.classes), _rows(recipe.labels.titles)
            if (given.shape[0], value.shape[0]) != (len(classes), len(titles)):
                raise InputError(_other(recipe, start, name))
            lesion = [row for row, title in enumerate(classes) if title is not None]
            given = _by_name(given, classes, titles, given[lesion].mean(0))
        if given.shape != value.shape:
            raise InputError(_other(recipe, start, name))
        state[name] = given
    if start.channels and channels != start.channels:
        new = [channel for channel in channels if channel not in start.channels]
        said.append(
            f"Input channels are now {', '.join(channels)}"
            + (f"; {', '.join(new)} start from the mean of the others." if new else ".")
        )
    if recipe.labels.titles != start.classes and start.tables:
        said.append(f"The network now tells apart: {', '.join(recipe.labels.titles) or 'lesion or not'}.")
    network.load_state_dict(state)
    return said


def _rows(titles: tuple[str, ...]) -> tuple[str | None, ...]:
    """What the output channels are: one lesion, or background (``None``) and every class."""
    return (None, *titles) if titles else ("lesion",)


def _by_name(
    given: Tensor, old: tuple[str | None, ...], new: tuple[str | None, ...], otherwise: Tensor
) -> Tensor:
    """Rows of ``given`` in the order of ``new``, taken by the names ``old``."""
    rows = []
    for name in new:
        if name in old:
            rows.append(given[old.index(name)])
        else:
            rows.append(torch.zeros_like(otherwise) if name is None else otherwise)
    return torch.stack(rows)


def _other(recipe: Recipe, start: Start, parameter: str) -> Fault:
    network = recipe.network.name
    return Fault("training.start_other_network", model=start.name, network=network, parameter=parameter)

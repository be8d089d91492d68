"""What a finished training leaves: weights, a model for ONNX Runtime, a last line."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from glioseg.dataset.cache import PreparedCase
from glioseg.networks.weights import read_weights, save_weights
from glioseg.prepare import neighbour_channels
from glioseg.recipe import Recipe
from glioseg.runs.folder import RunFolder
from glioseg.training.start import network_of


def save_result(
    run: RunFolder,
    recipe: Recipe,
    train_cases: Sequence[PreparedCase],
    rows: list[dict[str, float]],
    echo: Callable[[str], None],
) -> None:
    """Write ``weights.safetensors`` and ``model.onnx`` from the chosen checkpoint and say how it went."""
    chosen = run.best if recipe.train.checkpoint == "best" and run.best.is_file() else run.last
    network = trained_network(recipe, chosen)
    if recipe.train.start_share and run.start_weights.is_file():
        mix_in(network, read_weights(run.start_weights), recipe.train.start_share)
    save_weights(network, run.weights)
    export_model(network, run, recipe, train_cases, run.model)
    scored = [row for row in rows if "val_dsc" in row]
    facts: dict[str, Any] = {"status": "finished", "failure": None, "checkpoint": chosen.name}
    facts["training_minutes"] = round(sum(row["seconds"] for row in rows) / 60, 2)
    if scored:
        best = max(scored, key=lambda row: row["val_dsc"])
        facts |= {
            "best_val_dsc": best["val_dsc"],
            "best_epoch": int(best["epoch"]),
            "last_val_dsc": scored[-1]["val_dsc"],
        }
        echo(f"Best validation mean DSC: {best['val_dsc']:.6f} (epoch {int(best['epoch'])})")
        if recipe.train.checkpoint == "best" and recipe.train.monitor == "val_loss":
            kept = min(scored, key=lambda row: row["val_loss"])
            facts |= {"kept_epoch": int(kept["epoch"]), "kept_val_dsc": kept["val_dsc"]}
            echo(
                f"Kept: epoch {int(kept['epoch'])}, with the least validation loss "
                f"({kept['val_loss']:.6f}) and a mean DSC of {kept['val_dsc']:.6f}"
            )
    run.note(**facts)
    echo(f"Run folder: {run.path}")
    echo(f"Next: glioseg evaluate {run.path} {run.manifest['data']}")


def export_model(
    network: nn.Module, run: RunFolder, recipe: Recipe, train_cases: Sequence[PreparedCase], path: Path
) -> None:
    """Write the ONNX file of a run: the network, how to use it, and what its training scans look like."""
    from glioseg.model.appearance import learn_appearance
    from glioseg.model.description import describe
    from glioseg.model.export import export_onnx

    channels = neighbour_channels(recipe.input.sequences, recipe.input.neighbours)
    description = describe(recipe, run.manifest, learn_appearance([case.images for case in train_cases]))
    export_onnx(network, path, len(channels), recipe.prepare.size, description)


def trained_network(recipe: Recipe, checkpoint: Path) -> nn.Module:
    """The network of a checkpoint, on the CPU, ready to predict."""
    state = torch.load(checkpoint, map_location="cpu", weights_only=True)["state_dict"]
    network = network_of(recipe, pretrained=False)
    own = {key.removeprefix("network."): value for key, value in state.items() if key.startswith("network.")}
    network.load_state_dict(own)
    return network.eval()


def mix_in(network: nn.Module, other: Mapping[str, Tensor], share: float) -> None:
    """Move the weights of a network on the straight line towards others of the same architecture.

    Half-way between a model and what it became on few new images lies a network that mostly keeps what the
    one knew and has what the other learned.

    Args:
        network: gets the weights.
        other: the other weights.
        share: 0 keeps the network's own, 1 takes the other ones.

    Source: Wortsman et al. 2022, "Robust fine-tuning of zero-shot models" (WiSE-FT).
    """
    own = network.state_dict()
    mixed = {
        name: torch.lerp(value, other[name].to(value), share) if value.is_floating_point() else value
        for name, value in own.items()
    }
    network.load_state_dict(mixed)

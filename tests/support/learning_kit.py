"""A network that is trained in a moment, to be learned on from."""

from __future__ import annotations

from pathlib import Path


def tiny_run(out: Path) -> Path:
    """Train a small network for two steps."""
    from glioseg.recipe import load_recipe
    from glioseg.samples import SAMPLES
    from glioseg.training.train import Hardware, train

    small = ["network.name=unet", "network.arguments.features=4", "prepare.size=32", "train.epochs=1"]
    small += ["train.steps_per_epoch=2", "train.vis_freq=0", "train.batch_size=2", "split.name=all"]
    small += ["train.checkpoint=last"]
    train(SAMPLES, load_recipe("reference", small), out, hardware=Hardware("cpu"), echo=lambda line: None)
    return out

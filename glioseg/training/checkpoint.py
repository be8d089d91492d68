"""Checkpoints that a training goes on from: read as data and checked whole before anything uses them."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import torch
from torch import nn

from glioseg.errors import Fault, InputError
from glioseg.runs.folder import RunFolder

NEEDED = ("state_dict", "optimizer_states", "lr_schedulers", "callbacks", "loops", "epoch", "global_step")
"""What Lightning restores."""


def check_checkpoint(run: RunFolder, module: nn.Module) -> None:
    """Refuse a ``last.ckpt`` that cannot be gone on from.

    Args:
        run: whose.
        module: what will take its weights.

    Raises:
        InputError: it is damaged or belongs to another network; the fault says if ``best.ckpt`` is whole.
    """
    try:
        _read(run.last, module)
        return
    except ValueError as error:
        reason = str(error)
    try:
        epoch = int(_read(run.best, module)["epoch"]) + 1
    except ValueError:
        raise InputError(Fault("runs.checkpoint", run.last, reason=reason)) from None
    facts = {"reason": reason, "best": run.best, "epoch": epoch}
    raise InputError(Fault("runs.checkpoint_with_best", run.last, **facts))


def step_of(checkpoint: Path) -> int:
    """Optimiser steps before a checkpoint that was checked."""
    content = torch.load(checkpoint, map_location="cpu", weights_only=True, mmap=True)
    return int(content["global_step"])


def _read(path: Path, module: nn.Module) -> dict[str, Any]:
    """Read a checkpoint; ``ValueError`` says why it cannot be used."""
    try:
        if not path.stat().st_size:
            raise ValueError("0 bytes")
        # PyTorch does not look at the checksums of what it maps or streams; these do.
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
        if damaged is not None:
            raise ValueError(f"damaged bytes in {damaged}")
        content: Any = torch.load(path, map_location="cpu", weights_only=True)
        missing = [key for key in NEEDED if key not in content]
        if missing:
            raise ValueError(f"no {', '.join(missing)}")
        own, found = module.state_dict(), content["state_dict"]
        if own.keys() != found.keys() or any(own[key].shape != found[key].shape for key in own):
            raise ValueError("the weights of another network")
        int(content["epoch"]), int(content["global_step"])
    except Exception as error:  # damaged archives fail in many ways
        raise ValueError((str(error) or type(error).__name__).splitlines()[0]) from error
    return dict(content)

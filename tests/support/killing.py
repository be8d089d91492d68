"""Trainings that are killed at random instants, in processes that have PyTorch loaded already."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import numpy as np

from glioseg.runs.folder import RunFolder

SETTINGS = [
    "prepare.size=32",
    "network.arguments.pretrained=none",
    "network.arguments.dropout=0.2",
    "train.epochs=3",
    "train.batch_size=4",
    "train.steps_per_epoch=2",
    "train.vis_freq=1",
]
VARYING = ("time", "command", "training_minutes")
"""Facts of a manifest that differ between two runs of one command."""

SERVER = multiprocessing.get_context("forkserver") if hasattr(os, "fork") else None
if SERVER is not None:
    SERVER.set_forkserver_preload(["support.killing", "glioseg.training.train", "glioseg.model.export"])


def go_on(out: str) -> None:
    """Begin the training of a folder, or go on with it: what a person would type."""
    from glioseg.recipe import load_recipe
    from glioseg.samples import SAMPLES
    from glioseg.training.hardware import Hardware
    from glioseg.training.train import train

    hardware = Hardware("cpu", threads=1)
    if RunFolder(Path(out)).manifest_file.is_file():
        train(None, None, out, resume=True, hardware=hardware, echo=_quiet)
    else:
        train(SAMPLES, load_recipe("default", SETTINGS), out, hardware=hardware, echo=_quiet)


def _quiet(line: str) -> None:
    """Nobody reads it."""


def start(work: Callable[..., None], *arguments: Any) -> BaseProcess:
    """Begin work in a process of its own."""
    assert SERVER is not None
    process = SERVER.Process(target=work, args=arguments)
    process.start()
    return process


def killed_at_random(
    work: Callable[..., None], out: Path, seconds: float, kills: int, generator: np.random.Generator
) -> int:
    """Kill work so often, each time at a random instant, then let it come to its end.

    Args:
        work: called with ``out``.
        out: its folder.
        seconds: how long it takes unbroken.
        kills: at most so many.
        generator: of the instants.

    Returns:
        How often it was killed; less often where it was quicker.
    """
    done = 0
    for _ in range(kills):
        process = start(work, str(out))
        process.join(float(generator.uniform(0, seconds)))
        if process.is_alive():
            process.kill()
            done += 1
        process.join()
        assert process.exitcode in (0, -9), f"exit code {process.exitcode} in {out}"
        if RunFolder(out).manifest_file.is_file() and RunFolder(out).manifest["status"] == "finished":
            return done
    process = start(work, str(out))
    process.join(300)
    assert process.exitcode == 0, f"exit code {process.exitcode} in {out}"
    return done


def result(out: Path) -> dict[str, Any]:
    """All that a run holds, without what the clock decides."""
    run = RunFolder.open(out)
    table = run.metrics_file.read_text(encoding="utf-8").splitlines()
    place = table[0].split(",").index("seconds")
    rows = [[cell for column, cell in enumerate(line.split(",")) if column != place] for line in table]
    names = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
    return {
        "weights": run.weights.read_bytes(),
        "model": run.model.read_bytes(),
        "recipe": run.recipe_file.read_text(encoding="utf-8"),
        "rows": rows,
        "manifest": {key: value for key, value in run.manifest.items() if key not in VARYING},
        "files": sorted(name for name in names if not name.startswith("events.")),
    }


def timed(work: Callable[..., None], out: Path) -> float:
    """Seconds that work takes unbroken."""
    started = time.monotonic()
    process = start(work, str(out))
    process.join(300)
    assert process.exitcode == 0
    return time.monotonic() - started

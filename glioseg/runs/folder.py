"""A run is a folder that a person can read.

``recipe.toml`` every setting, ``manifest.json`` versions, machine, data, split, seed and command,
``metrics.csv`` a row an epoch, ``events.*`` for TensorBoard, ``best.ckpt`` and ``last.ckpt``,
``start.safetensors`` what ``--from`` began with,
``weights.safetensors`` and ``model.onnx`` the result, ``figures/``.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from glioseg.environment import environment
from glioseg.errors import Fault, InputError, raise_all
from glioseg.files import make_folder, write_json
from glioseg.recipe import Recipe, load_recipe
from glioseg.runs.manifest import read_manifest


class RunFolder:
    """Paths and records of one run."""

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        self.recipe_file = self.path / "recipe.toml"
        self.manifest_file = self.path / "manifest.json"
        self.metrics_file = self.path / "metrics.csv"
        self.best = self.path / "best.ckpt"
        self.last = self.path / "last.ckpt"
        self.weights = self.path / "weights.safetensors"
        self.start_weights = self.path / "start.safetensors"
        self.model = self.path / "model.onnx"
        self.figures = self.path / "figures"
        self.evaluation = self.path / "evaluation"
        self.metrics = self.evaluation / "metrics.json"

    @classmethod
    def create(cls, path: Path, recipe: Recipe, facts: dict[str, Any]) -> RunFolder:
        """Start a new run in a folder that does not hold one yet.

        Raises:
            InputError: there is a run in it already, or it cannot be written.
        """
        run = cls(path)
        if run.manifest_file.exists():
            raise InputError(Fault("runs.exists", path))
        make_folder(run.path)
        recipe.write(run.recipe_file)
        write_json(run.manifest_file, {**environment(), **facts, "status": "started"})
        return run

    @classmethod
    def open(cls, path: Path) -> RunFolder:
        """Open a run that exists.

        Raises:
            InputError: it is not a run folder, or its manifest or its recipe is damaged.
        """
        run = cls(path)
        if not run.manifest_file.is_file() or not run.recipe_file.is_file():
            raise InputError(Fault("runs.not_a_run", path))
        faults: list[Fault] = []
        for name in ("manifest", "recipe"):
            try:
                getattr(run, name)
            except InputError as error:
                faults += error.faults
        raise_all(faults)
        return run

    @property
    def recipe(self) -> Recipe:
        """The recipe of the run."""
        return load_recipe(self.recipe_file)

    @property
    def manifest(self) -> dict[str, Any]:
        """What was recorded."""
        try:
            return read_manifest(self.manifest_file)
        except ValueError as error:
            raise InputError(Fault("runs.manifest", self.manifest_file, reason=error)) from error

    def sweep(self) -> None:
        """Remove what a killed process left half-written; only for who holds the lock of the run."""
        for part in self.path.glob(".part-*"):
            part.unlink(missing_ok=True)

    def discard(self) -> None:
        """Remove what a training has written here before its first checkpoint."""
        self.sweep()
        for path in (self.recipe_file, self.manifest_file, self.metrics_file, *self.path.glob("events.*")):
            path.unlink(missing_ok=True)

    def note(self, **facts: Any) -> None:
        """Add facts to the manifest."""
        write_json(self.manifest_file, {**self.manifest, **facts})


def missing_folders(path: Path) -> list[Path]:
    """A folder and those above it that are not there yet, the innermost first."""
    return [folder for folder in (path, *path.parents) if not folder.exists()]


def check_writable(folder: Path) -> None:
    """Refuse a folder that nothing can be written into.

    Raises:
        InputError: it says why.
    """
    if not os.access(folder, os.W_OK):
        raise InputError(Fault("files.no_permission", folder))

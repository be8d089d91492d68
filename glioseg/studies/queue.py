"""Train and score a list of runs: what is done is skipped, what was begun is resumed.

Each run is a ``glioseg train`` and a ``glioseg evaluate`` in a process of its own. So the command in its
manifest is the one that repeats it, a crash of one does not take the others along, and small networks
can share a machine. How that command is started is told by whoever asks: nothing here knows the command line.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from glioseg.errors import Fault, InputError, TrainingError, raise_all
from glioseg.recipe import Recipe, load_recipe
from glioseg.runs.folder import RunFolder

LEAST_MINUTES = 0.5
"""Less time than this is not enough to begin anything."""


class OutOfTimeError(Exception):
    """The time that was given is up before all runs are done.

    Attributes:
        left: names of the runs that are not at their end.
    """

    def __init__(self, left: list[str]) -> None:
        super().__init__(f"{len(left)} runs are left: {', '.join(left)}")
        self.left = left


@dataclass(frozen=True)
class PlannedRun:
    """One training to be done.

    Attributes:
        name: of its folder.
        recipe: name of a recipe, or a TOML file.
        settings: changes to it, as for ``--set``.
    """

    name: str
    recipe: str
    settings: tuple[str, ...] = ()

    def load(self) -> Recipe:
        """The recipe with its changes."""
        return load_recipe(self.recipe, self.settings)


@dataclass(frozen=True)
class Workers:
    """How the runs share the machine.

    Attributes:
        program: what starts ``glioseg`` in a process of its own, before the verb and its options.
        jobs: runs at the same time.
        threads: CPU threads of each; an equal share of the cores by default.
        device: as for ``glioseg train --device``.
        train_options, evaluate_options: passed on as they are.
        minutes: begin no work that would not end in this time; ``None``: until all is done.
    """

    program: tuple[str, ...]
    jobs: int = 1
    threads: int | None = None
    device: str = "auto"
    train_options: tuple[str, ...] = ()
    evaluate_options: tuple[str, ...] = ("--no-pictures",)
    minutes: float | None = None

    @property
    def share(self) -> int:
        """CPU threads of one run."""
        return self.threads or max(1, (os.cpu_count() or 1) // self.jobs)


def carry_out(
    plan: Sequence[PlannedRun],
    data: Path,
    folder: Path,
    workers: Workers,
    echo: Callable[[str], None] = print,
) -> list[Path]:
    """Bring every run to its end: trained and evaluated, or failed with a diagnosis.

    Args:
        plan: the runs, in the order they begin.
        data: folder of labelled scans.
        folder: where the run folders are.
        workers: the program, how many at a time, threads, device.
        echo: where lines for the reader go.

    Returns:
        The run folders in the order of the plan. A run whose training diagnosed a failure (``status`` is
        ``"failed"`` in its manifest) is among them and is not tried again: a failure is a result.

    Raises:
        InputError: a recipe cannot be read, or a folder holds a run with other settings.
        TrainingError: a run stopped for another reason; the others were brought to their end.
        OutOfTimeError: the time was up; the same call goes on.
    """
    end = None if workers.minutes is None else time.monotonic() + 60 * workers.minutes
    paths = [folder / planned.name for planned in plan]
    faults: list[Fault] = []
    for planned, path in zip(plan, paths, strict=True):
        faults += _faults(planned, path)
    raise_all(faults)
    running: list[subprocess.Popen[str]] = []

    left: list[str] = []

    def bring_to_end(planned: PlannedRun) -> str | None:
        path = folder / planned.name
        for command in iter(lambda: _next_command(planned, path, data, workers), None):
            before = _state(path)
            if end is not None:
                minutes = (end - time.monotonic()) / 60
                if minutes < LEAST_MINUTES:
                    left.append(planned.name)
                    return None
                if command[0] == "train":
                    command += ["--minutes", f"{minutes:.2f}"]
            echo(f"[{planned.name}] glioseg {' '.join(command)}")
            code = _run([*workers.program, *command], planned.name, running, echo)
            if _state(path)[0] == "stopped" and code == 0:
                left.append(planned.name)
                return None
            if _state(path) == before:
                return f"{planned.name}: glioseg {command[0]} ended with code {code}"
        echo(f"[{planned.name}] {_state(path)[0]}")
        return None

    try:
        with ThreadPoolExecutor(workers.jobs) as pool:
            stopped = [reason for reason in pool.map(bring_to_end, plan) if reason]
    except KeyboardInterrupt:
        for process in running:
            process.terminate()
        raise
    if stopped:
        raise TrainingError(f"{'; '.join(stopped)}. What it said stands above; the same command goes on.")
    if left:
        raise OutOfTimeError(sorted(left))
    return paths


def _faults(planned: PlannedRun, path: Path) -> list[Fault]:
    """What keeps a run from being begun or resumed."""
    try:
        recipe = planned.load()
        if RunFolder(path).manifest_file.is_file() and RunFolder.open(path).recipe != recipe:
            return [Fault("studies.other_settings", path)]
    except InputError as error:
        return list(error.faults)
    return []


def _state(path: Path) -> tuple[Any, bool]:
    """Status of a run (``None``: not begun), and whether it was evaluated."""
    run = RunFolder(path)
    status = run.manifest.get("status") if run.manifest_file.is_file() else None
    return status, run.metrics.is_file()


def _next_command(planned: PlannedRun, path: Path, data: Path, workers: Workers) -> list[str] | None:
    """What takes a run one step on; ``None`` when it is at its end."""
    status, evaluated = _state(path)
    threads = ["--threads", str(workers.share)]
    if status == "failed" or (status == "finished" and evaluated):
        return None
    if status == "finished":
        return ["evaluate", str(path), str(data), *threads, *workers.evaluate_options]
    options = [*threads, "--device", workers.device, *workers.train_options]
    if status is not None:
        return ["train", str(data), "--resume", str(path), *options]
    changes = [part for setting in planned.settings for part in ("--set", setting)]
    return ["train", str(data), "--recipe", planned.recipe, *changes, "--out", str(path), *options]


def _run(
    command: Sequence[str], name: str, running: list[subprocess.Popen[str]], echo: Callable[[str], None]
) -> int:
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
        env={**os.environ, "PYTHONUNBUFFERED": "1", "PYTHONUTF8": "1"},
    )
    running.append(process)
    assert process.stdout is not None
    for line in process.stdout:
        echo(f"[{name}] {line.rstrip()}")
    running.remove(process)
    return process.wait()

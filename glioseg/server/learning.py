"""Improve the model in use from corrected cases: one training at a time, in a process of its own."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from glioseg.errors import Fault, InputError
from glioseg.files import make_folder, write_json
from glioseg.model.weights import find_model, named
from glioseg.recipe import load_recipe
from glioseg.server.faults import UnfitError, as_dict, unforeseen, without_folder
from glioseg.server.jobs import Stopped
from glioseg.server.learning_cases import (
    FEWEST,
    LabelledCases,
    collect,
    find_labelled,
    held_out,
    patient_of,
)
from glioseg.server.scans import StoreFull
from glioseg.server.settings import Settings
from glioseg.server.worker import Worker
from glioseg.server.worklist.rows import WorkList
from glioseg.training.extra import require_train

AS_STARTED = "as-started"
"""Name of the model that the server was started with, once it could be another that is in use."""

IN_USE = "in-use.json"


@dataclass(frozen=True)
class Plan:
    """What a training learns from.

    Attributes:
        cases: all that there are.
        held_out: patients that are not learned from.
        learned_from: patients that the model in use has learned from before.
    """

    cases: LabelledCases
    held_out: tuple[str, ...]
    learned_from: frozenset[str]

    @property
    def reason(self) -> str | None:
        """Why nobody is held out: ``few`` are corrected, or the model has ``seen`` nearly all of them."""
        if self.held_out:
            return None
        return "few" if len(self.cases.corrected) < FEWEST else "seen"


class Learning:
    """The trainings of a server, each with a folder below that of the work list.

    ``<name>/job.json`` what was begun, ``result.json`` how it ended, ``<name>/<name>`` the run folder,
    ``log.txt`` what the training said; ``data`` and ``split.json`` the cases. ``in-use.json`` names the model
    that a person switched to.

    Args:
        settings, rows, worker: of the server.

    Attributes:
        program: what does the training of a folder that follows.
        changes: settings of the recipe ``finetune`` that are others, as for ``glioseg train --set``.
    """

    def __init__(self, settings: Settings, rows: WorkList, worker: Worker) -> None:
        self.settings, self.rows, self.worker = settings, rows, worker
        self.folder = rows.folder.path / "learning"
        self.program: tuple[str, ...] = (sys.executable, "-m", "glioseg.server.learning_run")
        self.changes: tuple[str, ...] = ()
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._collected = (0, 0)
        self._started_with = worker.models["default"]
        self.jobs: dict[str, dict[str, Any]] = {}
        self.results: dict[str, dict[str, Any]] = {}
        for path in sorted(self.folder.glob("*/job.json")):
            self._restore(path.parent)
        self._restore_choice()

    # ------------------------------------------------------------ what was there before

    def _restore(self, folder: Path) -> None:
        job = _read(folder / "job.json")
        if job is None:
            return
        result = _read(folder / "result.json")
        if result is None:  # the server ended before the training did
            result = {"state": "interrupted", "epoch": len(self._epochs(folder.name))}
            write_json(folder / "result.json", result)
        self.jobs[folder.name], self.results[folder.name] = job, result
        self._offer(folder.name)

    def _restore_choice(self) -> None:
        models = self.worker.models
        chosen = _read(self.folder / IN_USE) or {}
        if chosen.get("instead_of") == str(self.settings.model) and chosen.get("model") in models:
            models["default"] = models[chosen["model"]]

    def _offer(self, name: str) -> None:
        """Let a model be chosen that was learned."""
        run = self.folder / name / name
        if self.results[name]["state"] == "done" and (run / "model.onnx").is_file():
            self.worker.models.setdefault(AS_STARTED, self._started_with)
            self.worker.models[name] = run

    # ------------------------------------------------------------ telling

    @property
    def running(self) -> bool:
        """Whether a training is going on."""
        return self._thread is not None and self._thread.is_alive()

    def plan(self) -> Plan:
        """What a training would learn from now."""
        cases, learned_from = find_labelled(self.rows, self.settings.corrected), self._learned_from()
        return Plan(cases, held_out(cases.corrected, learned_from), frozenset(learned_from))

    def progress(self, name: str) -> dict[str, Any]:
        """How far a training is: ``state``, epochs that are done and left, seconds that are left if known."""
        job, result = self.jobs[name], self.results.get(name)
        seconds = self._epochs(name)
        epoch, epochs = len(seconds), job["epochs"]
        if result is not None:
            return {**result, "epoch": result.get("epoch", epoch), "epochs": epochs}
        done, count = self._collected
        state = "collecting" if self._process is None else "preparing" if not epoch else "training"
        left = (epochs - epoch) * sum(seconds[-5:]) / len(seconds[-5:]) if seconds else None
        if epoch == epochs:
            state, left = "comparing", None
        return {
            "state": state,
            "epoch": epoch,
            "epochs": epochs,
            "seconds_left": left,
            "collected": [done, count],
        }

    def _epochs(self, name: str) -> list[float]:
        """Seconds that each epoch of a training took."""
        try:
            text = (self.folder / name / name / "metrics.csv").read_text(encoding="utf-8")
        except OSError:
            return []
        return [float(row["seconds"]) for row in csv.DictReader(text.splitlines())]

    @property
    def latest(self) -> str | None:
        """The training that was begun last."""
        return max(self.jobs, default=None)

    def in_use(self) -> str:
        """Name of the model in use, as it can be asked for."""
        models = self.worker.models
        names = (*self.jobs, AS_STARTED, "default")
        return next(name for name in names if models.get(name) == models["default"])

    def _learned_from(self) -> set[str]:
        """Patients that the model in use, or one that it came from, has learned from."""
        job = self.jobs.get(self.in_use(), {})
        trained_on = learned_from(find_model(self.worker.models["default"])).patients
        return {*job.get("learned_from", []), *trained_on}

    @property
    def unfit(self) -> Fault | None:
        """Why the model in use cannot learn here, if it cannot."""
        classes = learned_from(find_model(self.worker.models["default"])).classes
        return Fault("learning.classes", self.worker.name_of("default")) if classes else None

    # ------------------------------------------------------------ doing

    def start(self) -> str:
        """Begin a training.

        Returns:
            Its name, which the model will have.

        Raises:
            InputError: the extra ``train`` is missing.
            UnfitError: one is going on, there is nothing to learn from, or the model tells classes apart.
        """
        with self._lock:
            if self.running:
                raise UnfitError(Fault("learning.running"))
            require_train()
            if (unfit := self.unfit) is not None:
                raise UnfitError(unfit)
            plan = self.plan()
            if not plan.cases.corrected | plan.cases.checked:
                raise UnfitError(Fault("learning.nothing"))
            self._tidy()
            name = self._new_name()
            job = self._job(name, plan)
            make_folder(self.folder / name)
            write_json(self.folder / name / "job.json", job)
            self.jobs[name] = job
            self._stop.clear()
            self._process, self._collected = None, (0, 0)
            self._thread = threading.Thread(
                target=self._work, args=(name, plan), name="glioseg-learning", daemon=True
            )
            self._thread.start()
        return name

    def _job(self, name: str, plan: Plan) -> dict[str, Any]:
        base = self.worker.models["default"]
        corrected, checked = plan.cases.corrected, plan.cases.checked
        return {
            "name": name,
            "started": datetime.now().astimezone().isoformat(timespec="seconds"),
            "base": str(Path(base).resolve()) if Path(base).exists() else str(base),
            "base_name": self.worker.name_of("default"),
            "settings": list(self.changes),
            "epochs": load_recipe("finetune", list(self.changes)).train.epochs,
            "corrected": len(corrected),
            "checked": len(checked),
            "held_out": list(plan.held_out),
            "reason": plan.reason,
            "learned_from": sorted((plan.learned_from | corrected | checked) - set(plan.held_out)),
        }

    def _new_name(self) -> str:
        stem = f"learned-{datetime.now():%Y%m%d-%H%M%S}"
        name, number = stem, 1
        while name in self.jobs or (self.folder / name).exists():
            number += 1
            name = f"{stem}-{number}"
        return name

    def _tidy(self) -> None:
        """Remove trainings that came to nothing, and the cases of the others."""
        for name, result in list(self.results.items()):
            folder = self.folder / name
            if result["state"] == "done":
                shutil.rmtree(folder / "data", ignore_errors=True)
            else:
                shutil.rmtree(folder, ignore_errors=True)
                del self.jobs[name], self.results[name]

    def _work(self, name: str, plan: Plan) -> None:
        folder = self.folder / name
        try:
            self._collect(folder, plan)
            self._train(folder)
            result = _read(folder / "result.json")
            if result is None:
                code = self._process.returncode if self._process else 0
                result = _failed(Fault("learning.ended", number=code))
        except Stopped:
            result = {"state": "stopped"}
        except InputError as error:
            result = _failed(*without_folder(error.faults, folder))
        except StoreFull as error:
            result = _failed(Fault("server.store_full", seconds=error.seconds))
        except Exception as error:  # a training that fails is told, whatever it was
            result = _failed(unforeseen(error))
        result["epoch"] = len(self._epochs(name))
        with suppress(InputError):
            write_json(folder / "result.json", result)
        shutil.rmtree(folder / "cache", ignore_errors=True)
        self.results[name] = result
        self._offer(name)

    def _collect(self, folder: Path, plan: Plan) -> None:
        cases = plan.cases
        count = len(cases.rows) + len(cases.saved)
        self._collected = (0, count)

        def next_case() -> None:
            self._go_on()
            self._collected = (self._collected[0] + 1, count)

        collect(cases, self.rows, self.settings.corrected, folder / "data", plan.held_out, next_case)
        self._go_on()

    def _go_on(self) -> None:
        if self._stop.is_set():
            raise Stopped

    def _train(self, folder: Path) -> None:
        """Wait for the process that trains."""
        quiet = {"OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1", "PYTHONUTF8": "1"}
        with (folder / "log.txt").open("wb") as log:
            self._process = process = subprocess.Popen(
                [*self.program, str(folder)],
                stdin=subprocess.PIPE,  # it ends when this closes, which the end of the server does
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **quiet},
                cwd=folder,
            )
            try:
                while True:
                    with suppress(subprocess.TimeoutExpired):
                        process.wait(0.2)
                        break
                    self._go_on()
            finally:
                process.kill()
                process.wait()
                assert process.stdin is not None
                process.stdin.close()

    def stop(self) -> None:
        """End the training that is going on; nothing of it stays."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=30)

    def close(self) -> None:
        """End with the server: a training that is going on is told as interrupted when it comes back."""
        if not self.running:
            return
        name = self.latest
        self.stop()
        if name is not None and self.results.get(name, {}).get("state") == "stopped":
            with suppress(InputError):
                write_json(self.folder / name / "result.json", {**self.results[name], "state": "interrupted"})

    def use(self, name: str) -> None:
        """Make a model the one in use: for the work list, and where no other is asked for.

        Args:
            name: one of those of the worker.
        """
        models = self.worker.models
        models["default"] = models[name]
        make_folder(self.folder)
        write_json(self.folder / IN_USE, {"model": name, "instead_of": str(self.settings.model)})


def _failed(*faults: Fault) -> dict[str, Any]:
    return {"state": "failed", "faults": [as_dict(fault) for fault in faults]}


def model_file(model: str | Path) -> Path | None:
    """The file of a model; ``None`` where it is not there any more."""
    try:
        return find_model(*named(model)).resolve()
    except InputError:
        return None


def _read(path: Path) -> dict[str, Any] | None:
    """A JSON file; ``None`` where there is none that can be read."""
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return content


class LearnedFrom(NamedTuple):
    """What a model was trained on: patients, whether it tells classes apart, whether all were gliomas."""

    patients: frozenset[str]
    classes: bool
    gliomas: bool


@lru_cache(maxsize=8)
def learned_from(model: Path) -> LearnedFrom:
    """What a model was trained on, as its file says."""
    from glioseg.model.predictor import load_model

    description = load_model(model, threads=1).description
    patients = frozenset(map(patient_of, description.trained_on.get("train", [])))
    return LearnedFrom(patients, bool(description.labels.values), description.learned_gliomas)

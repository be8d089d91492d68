"""Train a recipe on a folder of labelled scans, so that it can be killed at any moment and resumed."""

from __future__ import annotations

import logging
import os
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytorch_lightning as lightning
import torch
from filelock import FileLock, Timeout
from pytorch_lightning.callbacks import Callback, EarlyStopping, ModelCheckpoint
from pytorch_lightning.plugins.io import AsyncCheckpointIO

from glioseg.dataset.cache import PreparedCase, fingerprint, prepare_cases
from glioseg.dataset.find import Case, find_cases
from glioseg.dataset.split import Split, split_patients
from glioseg.errors import Fault, InputError, TrainingError, raise_all
from glioseg.losses import build_loss
from glioseg.networks import find_network
from glioseg.recipe import Recipe, load_recipe
from glioseg.runs.folder import RunFolder
from glioseg.training.allocator import keep_freed_memory
from glioseg.training.callbacks import (
    Averaging,
    Curves,
    LearningRate,
    MetricsTable,
    Pictures,
    Progress,
    TimeLimit,
    WholeCheckpointIO,
)
from glioseg.training.data import EpochBatches
from glioseg.training.graphed import Graphs, is_small
from glioseg.training.module import SegmentationModule, log_every
from glioseg.training.result import save_result
from glioseg.training.supply import SuppliedData


@dataclass(frozen=True)
class Hardware:
    """Where to train; passed through to Lightning. None of it changes what the recipe says.

    Attributes:
        device, devices, nodes, strategy, precision, threads: as ``glioseg train`` has them.
        compiled: let PyTorch fuse kernels first.
        workers: processes that load ahead when the data set does not fit on the GPU; up to 8 if not given.
    """

    device: str = "auto"
    devices: int = 1
    nodes: int = 1
    strategy: str = "auto"
    precision: str = "auto"
    threads: int | None = None
    compiled: bool = False
    workers: int | None = None

    @property
    def on_cuda(self) -> bool:
        """Whether a CUDA GPU does the work."""
        return self.device.partition(":")[0] in ("auto", "cuda", "gpu") and torch.cuda.is_available()

    @property
    def accelerator(self) -> str:
        """Lightning's name of the kind of device."""
        kind = self.device.partition(":")[0]
        return "gpu" if kind == "cuda" else kind

    @property
    def chosen(self) -> int | list[int]:
        """How many devices, or which one: ``cuda:1`` is the second GPU."""
        number = self.device.partition(":")[2]
        return [int(number)] if number else self.devices


def train(
    data: str | Path | None,
    recipe: Recipe | str | Path | None = None,
    out: str | Path | None = None,
    *,
    resume: bool = False,
    hardware: Hardware | None = None,
    cache: Path | None = None,
    patient_rule: str | None = None,
    minutes: float | None = None,
    echo: Callable[[str], None] = print,
) -> RunFolder:
    """Train, or go on with a training.

    Args:
        data: folder of labelled scans, or a pack of it; with ``resume`` it may be left out, or be another
            place of the same data.
        recipe: what to train: a recipe, or what :func:`glioseg.load_recipe` takes; ``default`` if it is left
            out. With ``resume`` it is read from the run.
        out: the run folder; ``runs/<recipe>-<date>-<time>`` if it is left out, which a training on several
            devices refuses, since each process would take another.
        resume: go on from ``last.ckpt`` in ``out``.
        hardware: device, number of devices, precision, threads.
        cache: folder for prepared slices.
        patient_rule: regular expression that finds the patient in a file name (layout images/ and masks/).
        minutes: stop between two epochs in this time; the run can then be resumed.
        echo: where lines for the reader go.

    Returns:
        The run: finished, or with ``minutes`` perhaps stopped.

    Raises:
        InputError: bad data, a bad recipe, or nothing to resume.
        TrainingError: the training went wrong, with a diagnosis.

    >>> import glioseg
    >>> recipe = glioseg.load_recipe("default", ["train.epochs=20"])
    >>> run = glioseg.train("kaggle_3m", recipe, "runs/first")  # doctest: +SKIP
    >>> glioseg.load_model(run.path)                            # doctest: +SKIP
    """
    hardware = hardware or Hardware()
    data = None if data is None else Path(data)
    if not isinstance(recipe, Recipe) and not resume:
        recipe = load_recipe("default" if recipe is None else recipe)
    if out is None:
        if resume or hardware.devices * hardware.nodes > 1 or not isinstance(recipe, Recipe):
            raise InputError(Fault("train.out"))
        out = default_run_folder(recipe)
    out = Path(out)
    limit = TimeLimit(minutes, time.monotonic()) if minutes is not None else None
    torch.set_num_threads(hardware.threads or torch.get_num_threads())
    keep_freed_memory()
    given = recipe if isinstance(recipe, Recipe) else None
    run, recipe, data = _begin(data, given, out, resume)
    if resume and patient_rule is None:
        patient_rule = run.manifest.get("patient_rule")
    cases = find_cases(data, patient_rule, cache)
    split = split_patients(recipe.split, [case.id for case in cases], [case.site for case in cases])
    if split.note and _rank() == 0:
        echo(split.note)
    print_hash = fingerprint(cases, cache)
    started = time.monotonic()
    prepared = _prepare(cases, split, recipe, cache, echo)
    train_cases, validation_cases = prepared
    facts = {
        "recipe": recipe.name,
        "data": str(data),
        "data_fingerprint": print_hash,
        "patient_rule": patient_rule,
        "split": {"name": split.name, "train": list(split.train), "validation": list(split.validation)},
        "seed": recipe.train.seed,
        "training_slices": sum(len(case.lesion) for case in train_cases),
        "lesion_slices": int(sum((case.lesion >= 0.5).sum() for case in train_cases)),
    }
    if _rank() == 0:
        if resume:
            _same_data(run, facts)
            run.note(data=str(data))
        else:
            RunFolder.create(out, recipe, facts)
        echo(
            f"{len(train_cases)} patients train, {len(validation_cases)} validate; ready after "
            f"{time.monotonic() - started:.1f} s. Run folder: {run.path}"
        )
    with _alone(run):
        try:
            _fit(run, recipe, train_cases, validation_cases, resume, hardware, limit, echo)
        except TrainingError as error:
            if _rank() == 0:
                run.note(status="failed", failure=str(error))
            raise
    return run


@contextmanager
def _alone(run: RunFolder) -> Iterator[None]:
    """Keep a second process from training in the same folder; the lock ends with the process."""
    if _rank() != 0:
        yield
        return
    try:
        with FileLock(run.path / ".lock", timeout=0):
            yield
    except Timeout:
        raise InputError(Fault("training.being_trained", run.path)) from None


def default_run_folder(recipe: Recipe) -> Path:
    """``runs/<recipe>-<date>-<time>``."""
    return Path("runs") / f"{recipe.name}-{datetime.now():%Y%m%d-%H%M%S}"


def _begin(
    data: Path | None, recipe: Recipe | None, out: Path, resume: bool
) -> tuple[RunFolder, Recipe, Path]:
    """Settle run folder, recipe and data before anything costs time."""
    if resume:
        run = RunFolder.open(out)
        if run.manifest.get("status") == "finished":
            raise InputError(Fault("training.finished", out))
        if data is None:
            data = Path(run.manifest["data"])
        recipe = run.recipe
    else:
        run = RunFolder(out)
        if recipe is None or data is None:
            raise ValueError("a new training needs data and a recipe")
        if run.manifest_file.exists() and _rank() == 0:
            raise InputError(Fault("runs.exists", out))
    multiple = find_network(recipe.network.name).multiple
    faults = []
    if recipe.prepare.size % multiple:
        near = max(multiple, round(recipe.prepare.size / multiple) * multiple)
        faults.append(
            Fault(
                "training.prepare_size",
                "prepare.size",
                multiple=multiple,
                network=recipe.network.name,
                size=recipe.prepare.size,
                near=near,
            )
        )
    if recipe.split.name == "all" and recipe.train.checkpoint == "best":
        faults.append(Fault("training.nobody_validates", "train.checkpoint"))
    categorical = build_loss(recipe.loss.name, **recipe.loss.arguments).categorical
    if categorical != recipe.labels.given:
        code = "training.loss_of_classes" if recipe.labels.given else "training.loss_of_lesion"
        faults.append(Fault(code, "loss.name", loss=recipe.loss.name))
    raise_all(faults)
    return run, recipe, data.resolve()


def _prepare(
    cases: list[Case], split: Split, recipe: Recipe, cache: Path | None, echo: Callable[[str], None]
) -> tuple[list[PreparedCase], list[PreparedCase]]:
    chosen = set(split.train) | set(split.validation)
    by_id = {
        case.id: case
        for case in prepare_cases(
            [case for case in cases if case.id in chosen], recipe.prepare, cache, labels=recipe.labels
        )
    }
    return [by_id[patient] for patient in split.train], [by_id[patient] for patient in split.validation]


def _same_data(run: RunFolder, facts: dict[str, Any]) -> None:
    for key in ("data_fingerprint", "split"):
        if run.manifest.get(key) != facts[key]:
            raise InputError(Fault("training.other_data", facts["data"]))


def _fit(
    run: RunFolder,
    recipe: Recipe,
    train_cases: list[PreparedCase],
    validation_cases: list[PreparedCase],
    resume: bool,
    hardware: Hardware,
    limit: TimeLimit | None,
    echo: Callable[[str], None],
) -> None:
    _quiet_lightning()
    world = hardware.devices * hardware.nodes
    steps = len(EpochBatches(recipe, train_cases, 0, 0, 1))
    module = SegmentationModule(
        recipe, tuple(case.id for case in validation_cases), steps * recipe.train.epochs
    )
    if hardware.compiled:
        module.network.compile(dynamic=False)
    start = getattr(module.network, "start", None)
    if start is not None and not resume and _rank() == 0:
        run.note(network_start=start)
        echo(start)
    data = SuppliedData(recipe, train_cases, validation_cases, world, echo, hardware.workers)
    table = MetricsTable(run.metrics_file)
    callbacks: list[Callback] = [LearningRate(), table, Progress(table, echo)]
    if _wants_graphs(hardware, module):
        callbacks.append(Graphs(echo))
    if recipe.train.ema:
        callbacks.append(Averaging(recipe.train.ema))
    if validation_cases:
        if recipe.train.vis_freq:
            callbacks.append(Pictures(recipe.train.vis_freq, recipe.train.vis_images))
        if recipe.train.early_stopping:
            callbacks.append(EarlyStopping("val_loss", patience=recipe.train.early_stopping))
        monitor = recipe.train.monitor
        callbacks.append(_keep(run, "best", monitor, "min" if monitor == "val_loss" else "max"))
    callbacks.append(_keep(run, "last"))
    if limit is not None:
        callbacks.append(limit)
    checkpoint = run.last if resume and run.last.is_file() else None
    step = _step_of(checkpoint)
    device = torch.device("cuda" if hardware.on_cuda else "cpu")
    trainer = lightning.Trainer(
        accelerator=hardware.accelerator,
        devices=hardware.chosen,
        num_nodes=hardware.nodes,
        strategy=hardware.strategy,
        precision=_precision(hardware),
        sync_batchnorm=world > 1 and hardware.on_cuda,
        max_epochs=recipe.train.epochs,
        gradient_clip_val=recipe.optimizer.clip_norm,
        logger=Curves(run.path, name="", version="", purge_step=step),
        callbacks=callbacks,
        # A fast device does not wait for the disk.
        plugins=[AsyncCheckpointIO(WholeCheckpointIO()) if device.type == "cuda" else WholeCheckpointIO()],
        use_distributed_sampler=False,
        reload_dataloaders_every_n_epochs=1,
        num_sanity_val_steps=0,
        limit_val_batches=None if validation_cases else 0,
        log_every_n_steps=log_every(device),
        benchmark=device.type == "cuda",
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=run.path,
    )
    trainer.fit(module, datamodule=data, ckpt_path=checkpoint, weights_only=True)
    if not trainer.is_global_zero:
        return
    if limit is not None and limit.reached:
        run.note(status="stopped")
        echo(f"The time is up: {len(table.rows)} of {recipe.train.epochs} epochs are done.")
        echo(f"Next: glioseg train --resume {run.path}")
    else:
        save_result(run, recipe, train_cases, table.rows, echo)


def _keep(run: RunFolder, name: str, monitor: str | None = None, mode: str = "min") -> ModelCheckpoint:
    return ModelCheckpoint(
        dirpath=run.path,
        filename=name,
        monitor=monitor,
        mode=mode,
        save_top_k=1,
        save_on_train_epoch_end=True,
        enable_version_counter=False,
    )


def _wants_graphs(hardware: Hardware, module: SegmentationModule) -> bool:
    """Whether the host would be what the device waits for."""
    alone = hardware.devices * hardware.nodes == 1
    return hardware.on_cuda and alone and not hardware.compiled and is_small(module.network)


def _step_of(checkpoint: Path | None) -> int | None:
    """Optimiser steps in a checkpoint: TensorBoard drops what a killed run logged after them."""
    if checkpoint is None:
        return None
    content = torch.load(checkpoint, map_location="cpu", weights_only=True, mmap=True)
    return int(content["global_step"]) + 1


def _precision(hardware: Hardware) -> Any:
    """Mixed precision only where the hardware is made for it."""
    if hardware.precision != "auto":
        return hardware.precision
    if hardware.on_cuda:
        return "bf16-mixed" if torch.cuda.is_bf16_supported() else "16-mixed"
    return "32-true"


def _rank() -> int:
    return int(os.environ.get("LOCAL_RANK", "0")) + int(os.environ.get("NODE_RANK", "0"))


def _quiet_lightning() -> None:
    """Lightning's tips are not for our readers; its errors are."""
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="pytorch_lightning")
    warnings.filterwarnings("ignore", module="lightning")
    warnings.filterwarnings("ignore", message=".*does not have many workers.*")

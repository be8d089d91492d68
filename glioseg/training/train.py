"""Train a recipe on a folder of labelled scans, so that it can be killed at any moment and resumed."""

from __future__ import annotations

import logging
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import pytorch_lightning as lightning
import torch
from filelock import FileLock, Timeout
from pytorch_lightning.callbacks import Callback, EarlyStopping, ModelCheckpoint

from glioseg.dataset.cache import PreparedCase, fingerprint, prepare_cases
from glioseg.dataset.find import Case, find_cases
from glioseg.dataset.split import Split, split_cases
from glioseg.errors import Fault, InputError, TrainingError, raise_all
from glioseg.files import make_folder
from glioseg.networks import without_pretrained
from glioseg.networks.weights import save_weights
from glioseg.recipe import Recipe, load_recipe
from glioseg.runs.folder import RunFolder, check_writable, missing_folders
from glioseg.training.allocator import keep_freed_memory
from glioseg.training.callbacks import (
    Averaging,
    Curves,
    LatestCheckpointIO,
    LearningRate,
    MetricsTable,
    Pictures,
    Progress,
    TimeLimit,
    WholeCheckpointIO,
)
from glioseg.training.checkpoint import check_checkpoint, step_of
from glioseg.training.data import EpochBatches
from glioseg.training.graphed import Graphs, is_small
from glioseg.training.hardware import Hardware
from glioseg.training.module import SegmentationModule, log_every
from glioseg.training.rehearsal import recipe_faults
from glioseg.training.result import save_result
from glioseg.training.start import Start, load_start, network_of, read_start
from glioseg.training.supply import SuppliedData


def train(
    data: str | Path | None,
    recipe: Recipe | str | Path | None = None,
    out: str | Path | None = None,
    *,
    resume: bool = False,
    hardware: Hardware | None = None,
    cache: Path | None = None,
    patient_rule: str | None = None,
    layout: str | None = None,
    channels: str = "",
    minutes: float | None = None,
    start: str | Path | Start | None = None,
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
        layout: the layout of the data, see :func:`glioseg.dataset.find.find_cases`; recognised by default.
        channels: what lies along the fourth axis of volumes, see there.
        minutes: stop between two epochs in this time; the run can then be resumed.
        start: go on from these weights: what :func:`glioseg.load_model` takes, or a ``.safetensors`` file.
            Without a recipe it is ``finetune``, which takes the network and the preparation over.
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
    if start is not None and not isinstance(start, Start):
        start = read_start(start)
    if not isinstance(recipe, Recipe) and not resume:
        recipe = load_recipe(
            recipe or ("default" if start is None else "finetune"), base=start.tables if start else None
        )
    if out is None:
        if resume or hardware.world > 1 or not isinstance(recipe, Recipe):
            raise InputError(Fault("train.out"))
        out = default_run_folder(recipe)
    out = Path(out)
    limit = TimeLimit(minutes, time.monotonic()) if minutes is not None else None
    torch.set_num_threads(hardware.threads or torch.get_num_threads())
    keep_freed_memory()
    given = recipe if isinstance(recipe, Recipe) else None
    _quiet_lightning()
    run, recipe, data = _begin(data, given, out, resume, hardware)
    if start is not None:
        # Wrong weights are told of before the data are prepared.
        load_start(network_of(recipe, pretrained=False), recipe, start)
    if resume and patient_rule is None:
        patient_rule = run.manifest.get("patient_rule")
    if resume and layout is None:
        layout = run.manifest.get("layout")
    if resume:
        channels = run.manifest.get("channels", "")
    cases = find_cases(data, patient_rule, cache, layout, channels)
    cases = [case.with_sequences(recipe.input.sequences) for case in cases]
    split = split_cases(recipe.split, cases)
    if split.note and hardware.writes:
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
        "layout": layout,
        "channels": channels,
        "split": {"name": split.name, "train": list(split.train), "validation": list(split.validation)},
        "seed": recipe.train.seed,
        "start": {"model": start.name, "fingerprint": start.fingerprint} if start else None,
        "training_slices": sum(len(case.lesion) for case in train_cases),
        "lesion_slices": int(sum((case.lesion >= 0.5).sum() for case in train_cases)),
    }
    begun = _resumed(run, facts) if resume else _created(run, recipe, facts)
    with ExitStack() as stack:
        if hardware.writes:
            for each in (_removed_if_new(run), _locked(run), begun):
                stack.enter_context(each)
            echo(
                f"{len(train_cases)} patients train, {len(validation_cases)} validate; ready after "
                f"{time.monotonic() - started:.1f} s. Run folder: {run.path}"
            )
        _fit(run, recipe, train_cases, validation_cases, resume, hardware, limit, start, echo)
    return run


@contextmanager
def _removed_if_new(run: RunFolder) -> Iterator[None]:
    """Make the folder of a run, and remove again what is empty in the end: a failed start leaves nothing."""
    missing = missing_folders(run.path)
    make_folder(run.path)
    try:
        yield
    finally:
        for folder in missing:
            with suppress(OSError):
                folder.rmdir()


@contextmanager
def _created(run: RunFolder, recipe: Recipe, facts: dict[str, Any]) -> Iterator[None]:
    """A new run. Unless it fails with a diagnosis, a failure before its first checkpoint removes it."""
    run.sweep()
    RunFolder.create(run.path, recipe, facts)
    try:
        with _diagnosed(run, recipe):
            yield
    except Exception:
        if not run.last.is_file() and run.manifest.get("status") == "started":
            run.discard()
        raise


@contextmanager
def _resumed(run: RunFolder, facts: dict[str, Any]) -> Iterator[None]:
    """A run that goes on, on the same data."""
    run.sweep()
    _same_data(run, facts)
    run.note(data=facts["data"])
    with _diagnosed(run, run.recipe):
        yield


@contextmanager
def _diagnosed(run: RunFolder, recipe: Recipe) -> Iterator[None]:
    """Record a diagnosis in the manifest; a device without enough memory is none of the network's faults."""
    try:
        yield
    except TrainingError as error:
        run.note(status="failed", failure=str(error))
        raise
    except torch.OutOfMemoryError as error:
        half = max(1, recipe.train.batch_size // 2)
        raise InputError(
            Fault("training.out_of_memory", "train.batch_size", size=recipe.train.batch_size, half=half)
        ) from error


@contextmanager
def _locked(run: RunFolder) -> Iterator[None]:
    """Keep a second process from training in the same folder; the lock ends with the process."""
    lock = FileLock(run.path / ".lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise InputError(Fault("training.being_trained", run.path)) from None
    try:
        yield
    finally:
        lock.release()
        if not run.manifest_file.is_file():
            Path(lock.lock_file).unlink(missing_ok=True)


def default_run_folder(recipe: Recipe) -> Path:
    """``runs/<recipe>-<date>-<time>``."""
    return Path("runs") / f"{recipe.name}-{datetime.now():%Y%m%d-%H%M%S}"


def _begin(
    data: Path | None, recipe: Recipe | None, out: Path, resume: bool, hardware: Hardware
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
        if hardware.writes:
            if run.manifest_file.exists():
                raise InputError(Fault("runs.exists", out))
            with _removed_if_new(run):
                check_writable(out)
    hardware.check()
    if resume and run.last.is_file():
        # The weights come from the checkpoint, not from where the recipe took them at first.
        network = recipe.network.model_copy(
            update={"arguments": without_pretrained(recipe.network.name, recipe.network.arguments)}
        )
        recipe = recipe.model_copy(update={"network": network})
    raise_all(recipe_faults(recipe))
    if resume and run.last.is_file():
        check_checkpoint(run, SegmentationModule(recipe, (), 1))
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
    if not any(by_id[patient].lesion.any() for patient in split.train):
        raise InputError(Fault("training.no_lesion", cases[0].source.place.parent, count=len(split.train)))
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
    start: Start | None,
    echo: Callable[[str], None],
) -> None:
    world = hardware.world
    steps = len(EpochBatches(recipe, train_cases, 0, 0, 1))
    module = SegmentationModule(
        recipe, tuple(case.id for case in validation_cases), steps * recipe.train.epochs
    )
    if hardware.compiled:
        module.network.compile(dynamic=False)
    if not resume:
        if start is not None:
            said = [f"The training goes on from {start.name}.", *load_start(module.network, recipe, start)]
        else:
            said = [str(module.network.start)] if hasattr(module.network, "start") else []
        if start is not None and hardware.writes and recipe.train.start_share:
            save_weights(module.network, run.start_weights)
        if said and hardware.writes:
            run.note(network_start=" ".join(said))
            for sentence in said:
                echo(sentence)
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
    # TensorBoard drops what a killed run logged after the steps of its checkpoint.
    step = None if checkpoint is None else step_of(checkpoint) + 1
    device = torch.device("cuda" if hardware.on_cuda else "cpu")
    trainer = lightning.Trainer(
        accelerator=hardware.accelerator,
        devices=hardware.chosen,
        num_nodes=hardware.number_of_nodes,
        strategy=hardware.strategy,
        precision=hardware.lightning_precision,  # type: ignore[arg-type]
        sync_batchnorm=world > 1 and hardware.on_cuda,
        max_epochs=recipe.train.epochs,
        gradient_clip_val=recipe.optimizer.clip_norm,
        logger=Curves(run.path, name="", version="", purge_step=step),
        callbacks=callbacks,
        # A fast device does not wait for the disk.
        plugins=[LatestCheckpointIO(WholeCheckpointIO()) if device.type == "cuda" else WholeCheckpointIO()],
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
    alone = hardware.world == 1
    return hardware.on_cuda and alone and not hardware.compiled and is_small(module.network)


def _quiet_lightning() -> None:
    """Lightning's tips are not for our readers; its errors are."""
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="pytorch_lightning")
    warnings.filterwarnings("ignore", module="lightning")
    warnings.filterwarnings("ignore", message=".*does not have many workers.*")

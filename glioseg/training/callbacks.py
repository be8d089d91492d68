"""What happens beside the training: progress, the metrics table, pictures, whole checkpoints."""

from __future__ import annotations

import csv
import io
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytorch_lightning as lightning
import torch
from lightning_utilities.core.apply_func import apply_to_collection
from pytorch_lightning.callbacks import Callback, WeightAveraging
from pytorch_lightning.loggers import TensorBoardLogger
from pytorch_lightning.plugins.io import AsyncCheckpointIO, CheckpointIO, TorchCheckpointIO
from torch.optim.swa_utils import get_ema_multi_avg_fn

from glioseg.files import write_text, written_whole
from glioseg.scan import FLAIR
from glioseg.training.module import SegmentationModule


class WholeCheckpointIO(TorchCheckpointIO):
    """Writes a checkpoint beside its target and renames it: a kill leaves the old one or the new one."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        """Save whole."""
        with written_whole(Path(path)) as part:
            torch.save(checkpoint, part)
            with part.open("rb+") as handle:
                os.fsync(handle.fileno())


class LatestCheckpointIO(AsyncCheckpointIO):
    """Writes checkpoints in the background, of those that wait for one file the latest alone.

    A fast device makes them faster than a slow disk takes them. Each that waits is a copy on the device: all
    of them would fill its memory, and the end of the training would wait for files that the next replaces.
    """

    def __init__(self, checkpoint_io: CheckpointIO) -> None:
        super().__init__(checkpoint_io)
        self._waiting: dict[Path, tuple[dict[str, Any], Any]] = {}
        self._lock = threading.Lock()

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        """Copy, and have it written.

        Raises:
            Exception: an earlier one could not be written.
        """
        self._ensure_setup()
        assert self._executor is not None
        copy = apply_to_collection(checkpoint, torch.Tensor, lambda tensor: tensor.detach().clone())
        with self._lock:
            is_first = Path(path) not in self._waiting
            self._waiting[Path(path)] = copy, storage_options
        if is_first:
            self._executor.submit(self._write, Path(path))
        if self._error:
            raise self._error

    def _write(self, path: Path) -> None:
        with self._lock:
            checkpoint, storage_options = self._waiting.pop(path)
        try:
            assert self.checkpoint_io is not None
            self.checkpoint_io.save_checkpoint(checkpoint, path, storage_options)
        except BaseException as error:  # raised where the training can be stopped
            self._error = error


class Curves(TensorBoardLogger):
    """TensorBoard's event file alone: the recipe stands in ``recipe.toml``, no ``hparams.yaml`` needed."""

    def save(self) -> None:
        """Flush the events."""
        self.experiment.flush()


class LearningRate(Callback):
    """The learning rate beside the loss, every so many steps."""

    def on_train_batch_end(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Log the rate of the last group, which is not the slow encoder's."""
        pl_module.log("learning_rate", trainer.optimizers[0].param_groups[-1]["lr"])


class Averaging(WeightAveraging):
    """Exponential moving average of the weights, with a short memory in the first steps.

    Step ``t`` uses the decay ``min(decay, (1 + t) / (10 + t))`` (as TensorFlow's and timm's do), so
    that a short training is not dominated by its first weights.
    """

    def __init__(self, decay: float) -> None:
        super().__init__(multi_avg_fn=self._average)
        self.decay = decay

    def _average(self, averaged: Any, current: Any, count: Any) -> None:
        step = float(count)
        get_ema_multi_avg_fn(min(self.decay, (1 + step) / (10 + step)))(averaged, current, count)


class MetricsTable(Callback):
    """``metrics.csv``: a row an epoch. Rows travel in the checkpoint: a resumed run's table is whole."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows: list[dict[str, float]] = []
        self.started = time.monotonic()

    def on_train_epoch_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Start the clock."""
        self.started = time.monotonic()

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Add the epoch's row."""
        assert isinstance(pl_module, SegmentationModule)
        metrics = trainer.callback_metrics
        row: dict[str, float] = {"epoch": trainer.current_epoch + 1, "step": trainer.global_step}
        for ours, theirs in (("loss", "loss_epoch"), ("val_loss", "val_loss"), ("val_dsc", "val_dsc")):
            if theirs in metrics:
                row[ours] = round(float(metrics[theirs]), 6)
        row["learning_rate"] = float(trainer.optimizers[0].param_groups[-1]["lr"])
        row["seconds"] = round(time.monotonic() - self.started, 2)
        row |= {f"val_dsc_{title}": round(value, 6) for title, value in pl_module.class_dsc.items()}
        row |= {f"dsc:{patient}": round(value, 6) for patient, value in pl_module.dsc.items()}
        self.rows.append(row)
        if trainer.is_global_zero:
            self._write()

    def state_dict(self) -> dict[str, Any]:
        """All rows so far."""
        return {"rows": self.rows}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Rows up to the checkpoint."""
        self.rows = [dict(row) for row in state_dict["rows"]]

    def _write(self) -> None:
        text = io.StringIO()
        table = csv.DictWriter(text, list(self.rows[-1]), lineterminator="\n", extrasaction="ignore")
        table.writeheader()
        table.writerows(self.rows)
        write_text(self.path, text.getvalue())


class Progress(Callback):
    """One line an epoch; on a terminal it also counts the steps of the running epoch."""

    def __init__(self, table: MetricsTable, echo: Callable[[str], None]) -> None:
        self.table, self.echo = table, echo
        self.live = sys.stderr.isatty()
        self.started = time.monotonic()
        self.loss = float("nan")

    def on_train_batch_end(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Count steps on a terminal."""
        if self.live and trainer.is_global_zero and batch_idx % LIVE_EVERY == 0:
            loss = float(outputs["loss"] if isinstance(outputs, dict) else outputs)
            sys.stderr.write(
                f"\repoch {trainer.current_epoch + 1}/{trainer.max_epochs}  "
                f"step {batch_idx + 1}/{trainer.num_training_batches}  loss {loss:.4f} "
            )
            sys.stderr.flush()

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Say how the epoch went."""
        if not trainer.is_global_zero:
            return
        row = self.table.rows[-1]
        words = [
            f"epoch {int(row['epoch'])}/{trainer.max_epochs}",
            f"loss {row.get('loss', float('nan')):.4f}",
        ]
        if "val_dsc" in row:
            best = max(self.table.rows, key=lambda r: r.get("val_dsc", 0.0))
            words += [
                f"val_loss {row['val_loss']:.4f}",
                f"val_dsc {row['val_dsc']:.4f} (best {best['val_dsc']:.4f}, epoch {int(best['epoch'])})",
            ]
        left = (trainer.max_epochs or 0) - int(row["epoch"])
        recent = [r["seconds"] for r in self.table.rows[-5:]]
        words.append(f"{row['seconds']:.0f} s")
        if left:
            words.append(f"{_duration(left * sum(recent) / len(recent))} left")
        if self.live:
            sys.stderr.write("\r\033[K")
        self.echo("  ".join(words))


LIVE_EVERY = 5


class TimeLimit(Callback):
    """Ends a training between two epochs when the next one would not fit into the time that is left.

    Args:
        minutes: from ``started`` on.
        started: reading of :func:`time.monotonic`.

    Attributes:
        reached: whether it did.
    """

    def __init__(self, minutes: float, started: float) -> None:
        self.end = started + 60 * minutes
        self.reached = False
        self.longest = 0.0
        self.begun = time.monotonic()

    def on_train_epoch_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Start the clock of an epoch."""
        self.begun = time.monotonic()

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Compare the time left with the longest epoch so far and the time that a result takes."""
        now = time.monotonic()
        self.longest = max(self.longest, now - self.begun)
        last = trainer.current_epoch + 1 >= (trainer.max_epochs or 0)
        if not last and now + self.longest + RESULT_SECONDS > self.end:
            self.reached = True
            trainer.should_stop = True


RESULT_SECONDS = 10
"""What is kept of a time limit for checkpoints and the model file."""


class Pictures(Callback):
    """Validation slices to TensorBoard with red (predicted) and green (true) outlines.

    Args:
        every: how many epochs apart.
        most: how many pictures each time; one a patient if not given.
    """

    def __init__(self, every: int, most: int | None = None) -> None:
        self.every, self.most = every, most

    def on_validation_epoch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """Each ``every`` epochs: the patients in turn, of each the slice with the largest lesion first."""
        assert isinstance(pl_module, SegmentationModule)
        due = (trainer.current_epoch + 1) % self.every == 0 or trainer.current_epoch == 0
        if not due or trainer.sanity_checking or not trainer.is_global_zero or trainer.logger is None:
            return
        from glioseg.draw import overlay

        writer = trainer.logger.experiment  # type: ignore[attr-defined]
        cases: Any = trainer.datamodule.validation_cases  # type: ignore[attr-defined]
        scored = {
            patient: (np.concatenate(pl_module.predicted[patient]) > 0, np.concatenate(parts) > 0)
            for patient, parts in pl_module.true.items()
        }
        areas = {patient: true.sum(axis=(1, 2)) for patient, (_, true) in scored.items()}
        for patient, rank, place in chosen_slices(areas, self.most):
            predicted, true = scored[patient]
            image = np.asarray(cases[pl_module.validation.index(patient)].images[place], np.float32)
            flair = image[..., min(FLAIR, image.shape[-1] - 1)]
            low, high = float(flair.min()), float(np.percentile(flair, 99.8))
            grey = np.clip((flair - low) / max(high - low, 1e-6) * 255, 0, 255).astype(np.uint8)
            picture = overlay(grey, predicted[place], true[place], scale=2)
            title = f"slices/{patient}" if rank == 0 else f"slices/{patient}_{rank + 1}"
            writer.add_image(title, picture, trainer.global_step, dataformats="HWC")


def chosen_slices(
    areas: Mapping[str, npt.NDArray[Any]], most: int | None = None
) -> Iterator[tuple[str, int, int]]:
    """Slices to look at: the patients in turn, of each the slice with the largest lesion, then the next.

    Args:
        areas: of each patient the lesion's size in each slice.
        most: how many slices; one a patient if not given.

    Yields:
        Patient, how many of its slices came before, and the slice.
    """
    ranked = {patient: np.argsort(-sizes, kind="stable") for patient, sizes in areas.items()}
    left = len(areas) if most is None else most
    for rank in range(max((len(order) for order in ranked.values()), default=0)):
        for patient, order in ranked.items():
            if rank < len(order) and left > 0:
                left -= 1
                yield patient, rank, int(order[rank])


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"

"""Where Lightning gets its batches from: the device itself, or processes that load ahead."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytorch_lightning as lightning

from glioseg.dataset.cache import PreparedCase
from glioseg.recipe import Recipe
from glioseg.training.data import training_loader, validation_loader
from glioseg.training.resident import ResidentData, fits


class SuppliedData(lightning.LightningDataModule):
    """A fresh loader each epoch: which slices it has is a function of (seed, epoch).

    On a GPU whose memory holds the data set, batches are made there; otherwise processes load ahead.
    """

    def __init__(
        self,
        recipe: Recipe,
        train_cases: list[PreparedCase],
        validation_cases: list[PreparedCase],
        world: int,
        echo: Callable[[str], None],
        ahead: int | None = None,
    ) -> None:
        super().__init__()
        self.ahead = ahead
        self.recipe, self.train_cases, self.validation_cases = recipe, train_cases, validation_cases
        self.world, self.echo = world, echo
        self.resident: ResidentData | None = None
        self.workers = 0

    def setup(self, stage: str) -> None:
        """Put the data set on the GPU if it fits there."""
        assert self.trainer is not None
        device = self.trainer.strategy.root_device
        if device.type != "cuda" or self.resident is not None:
            return
        if fits([*self.train_cases, *self.validation_cases], device):
            self.resident = ResidentData(self.recipe, self.train_cases, self.validation_cases, device)
        else:
            self.workers = self.ahead if self.ahead is not None else min(8, os.cpu_count() or 1)
            self.echo(f"The data set does not fit on the GPU: {self.workers} processes load it ahead.")

    def train_dataloader(self) -> Any:
        """Batches of the running epoch."""
        assert self.trainer is not None
        epoch, rank = self.trainer.current_epoch, self.trainer.global_rank
        if self.resident is not None:
            return self.resident.training_loader(epoch, rank, self.world)
        return training_loader(self.recipe, self.train_cases, epoch, rank, self.world, self.workers)

    def val_dataloader(self) -> Any:
        """All slices of this process's validation patients."""
        assert self.trainer is not None
        rank = self.trainer.global_rank
        if self.resident is not None:
            return self.resident.validation_loader(rank, self.world)
        return validation_loader(self.recipe, self.validation_cases, rank, self.world, self.workers)

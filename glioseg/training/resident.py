"""The whole prepared data set on an accelerator: batches are gathered and augmented there.

A training step then copies nothing from the host, so that a fast device does not wait for it. Which slices a
batch has, and what is drawn for their augmentation, is what :mod:`glioseg.training.data` would give.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from glioseg.augment import Augmentation, Draws
from glioseg.dataset.cache import PreparedCase
from glioseg.recipe import Recipe
from glioseg.scan import FLAIR
from glioseg.training.data import EpochBatches, validation_batches

SHARE_OF_MEMORY = 0.5
"""Most of a device's free memory that a data set may take; the rest is for the training."""


class ResidentSlices:
    """Prepared slices of many patients in the memory of a device.

    Args:
        cases: prepared patients.
        neighbours: slices on each side whose FLAIR a network sees.
        device: where they are to be.

    Attributes:
        images: float16 ``(slices, size, size, channels)``, the patients one after the other.
        targets: uint8 ``(slices, size, size)`` or ``(slices, size, size, classes)``; 255 is all lesion.
    """

    def __init__(self, cases: Sequence[PreparedCase], neighbours: int, device: torch.device) -> None:
        counts = np.array([len(case.lesion) for case in cases])
        ends = np.cumsum(counts)
        self.neighbours = neighbours
        self.first = torch.from_numpy(ends - counts).to(device)
        self.last = torch.from_numpy(ends - 1).to(device)
        self.images = torch.empty(
            (int(ends[-1]), *cases[0].images.shape[1:]), dtype=torch.float16, device=device
        )
        self.targets = torch.empty(
            (int(ends[-1]), *cases[0].targets.shape[1:]), dtype=torch.uint8, device=device
        )
        for case, end, count in zip(cases, ends.tolist(), counts.tolist(), strict=True):
            # The arrays are mapped read-only, which torch does not take.
            self.images[end - count : end] = torch.from_numpy(np.array(case.images)).to(device)
            self.targets[end - count : end] = torch.from_numpy(np.array(case.targets)).to(device)

    def gather(self, case: Tensor, place: Tensor) -> tuple[Tensor, Tensor]:
        """Some slices as :func:`glioseg.prepare.stack_neighbours` stacks them, and their targets.

        Args:
            case, place: ``(batch,)`` number of the patient, number of the slice in it; on the device.

        Returns:
            float32 images ``(batch, channels + 2 neighbours, size, size)`` and targets
            ``(batch, classes, size, size)`` in 0..1, channels last in memory.
        """
        row = self.first[case] + place
        images = self.images[row].permute(0, 3, 1, 2)
        flair = min(FLAIR, images.shape[1] - 1)
        around = [
            self.images[(row + offset).clamp(self.first[case], self.last[case]), :, :, flair][:, None]
            for offset in range(-self.neighbours, self.neighbours + 1)
            if offset
        ]
        if around:
            images = torch.cat((images, *around), dim=1)
        targets = self.targets[row]
        targets = targets[:, None] if targets.dim() == 3 else targets.permute(0, 3, 1, 2)
        return images.float(), targets.float() / 255


def fits(cases: Sequence[PreparedCase], device: torch.device) -> bool:
    """Whether the prepared slices leave a device the memory that a training needs."""
    if device.type != "cuda":
        return False
    free, _ = torch.cuda.mem_get_info(device)
    return sum(case.images.nbytes + case.targets.nbytes for case in cases) < SHARE_OF_MEMORY * free


@dataclass(frozen=True)
class ResidentEpoch:
    """The batches of one training epoch, as Lightning takes them; each has its draws with it.

    Attributes:
        slices: the data set.
        batches: which slices each batch has.
        augmentation: what draws for them.
        seed, epoch: all randomness comes from these two.
    """

    slices: ResidentSlices
    batches: EpochBatches
    augmentation: Augmentation
    seed: int
    epoch: int

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        device = self.slices.images.device
        # Draws cost the host more than a step costs the device: they are made while the device works.
        with ThreadPoolExecutor(1) as pool:
            ahead = pool.map(self._draw, self.batches)
            for items, draws in ahead:
                case, place = items.to(device, non_blocking=True)
                images, targets = self.slices.gather(case, place)
                yield {"image": images, "target": targets, "draws": draws.to(device)}

    def _draw(self, batch: list[tuple[int, int, int]]) -> tuple[Tensor, Draws]:
        items = torch.tensor(batch).T
        draws = self.augmentation.draw(self.seed, self.epoch, items[0].numpy())
        chosen = items[1:].contiguous()
        if self.slices.images.device.type != "cuda":
            return chosen, draws
        return chosen.pin_memory(), draws.pin_memory()


@dataclass(frozen=True)
class ResidentValidation:
    """The validation slices, patient by patient.

    Attributes:
        slices: the data set.
        batches: which slices each batch has; never two patients in one.
    """

    slices: ResidentSlices
    batches: list[list[tuple[int, int, int]]]

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        device = self.slices.images.device
        for batch in self.batches:
            _, case, place = torch.tensor(batch).T
            images, targets = self.slices.gather(case.to(device), place.to(device))
            yield {"image": images, "target": targets, "case": case}


class ResidentData:
    """Training and validation slices of a recipe on a device, with the loaders of each epoch."""

    def __init__(
        self,
        recipe: Recipe,
        train_cases: Sequence[PreparedCase],
        validation_cases: Sequence[PreparedCase],
        device: torch.device,
    ) -> None:
        self.recipe, self.train_cases, self.validation_cases = recipe, train_cases, validation_cases
        self.augmentation = Augmentation(recipe.augment, recipe.input.sequences)
        self.train = ResidentSlices(train_cases, recipe.input.neighbours, device)
        self.validation = (
            ResidentSlices(validation_cases, recipe.input.neighbours, device) if validation_cases else None
        )

    def training_loader(self, epoch: int, rank: int, world: int) -> ResidentEpoch:
        """Batches of one training epoch."""
        batches = EpochBatches(self.recipe, self.train_cases, epoch, rank, world)
        return ResidentEpoch(self.train, batches, self.augmentation, self.recipe.train.seed, epoch)

    def validation_loader(self, rank: int, world: int) -> ResidentValidation:
        """All slices of this process's validation patients."""
        assert self.validation is not None
        return ResidentValidation(self.validation, validation_batches(self.validation_cases, rank, world))

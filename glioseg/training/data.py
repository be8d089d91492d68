"""Batches of prepared slices. Which slices an epoch has is a function of (seed, epoch) alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from glioseg.dataset.cache import PreparedCase
from glioseg.prepare import stack_neighbours
from glioseg.recipe import Recipe, SamplingChoice

VALIDATION_SLICES = 32
"""Most slices in one validation batch; a batch never mixes patients."""

Slices = npt.NDArray[np.intp]
"""``(count, 2)``: number of the case, number of the slice in it."""


def draw_epoch(choice: SamplingChoice, cases: Sequence[PreparedCase], seed: int, epoch: int) -> Slices:
    """The slices of one epoch, in order.

    Args:
        choice: the rule.
        cases: training cases.
        seed, epoch: all randomness comes from these two.
    """
    generator = np.random.default_rng([seed, epoch])
    everything = np.array([(c, s) for c, case in enumerate(cases) for s in range(len(case.lesion))], np.intp)
    if choice.name == "every_slice":
        return generator.permutation(everything)
    if choice.name == "all_lesion":
        lesion = np.concatenate([case.lesion >= 0.5 for case in cases])
        empty = everything[~lesion]
        count = min(len(empty), round(choice.empty_per_lesion * int(lesion.sum())))
        chosen = empty[generator.choice(len(empty), count, replace=False)]
        filled = everything[lesion]
        if choice.patient_balance:
            filled = _balanced(filled, choice.patient_balance, generator)
        return generator.permutation(np.concatenate((filled, chosen)))
    patients = generator.integers(len(cases), size=len(everything))
    places = generator.random(len(everything))
    drawn = [
        (patient, np.searchsorted(_cumulative(cases[patient].lesion), place, side="right"))
        for patient, place in zip(patients.tolist(), places, strict=True)
    ]
    return np.array(drawn, np.intp)


def _balanced(slices: Slices, balance: float, generator: np.random.Generator) -> Slices:
    """As many slices, in proportion to ``n ** (1 - balance)`` of a patient that has ``n`` of them.

    Shares are rounded at random, but so that every epoch has the same number: the schedule counts steps.
    """
    patients, counts = np.unique(slices[:, 0], return_counts=True)
    shares = np.cumsum(counts ** (1 - balance))
    ends = np.floor(len(slices) * shares / shares[-1] + generator.random()).astype(int)
    ends[-1] = len(slices)
    wanted = np.diff(ends, prepend=0)
    return np.concatenate(
        [
            np.resize(generator.permutation(slices[slices[:, 0] == patient]), (count, 2))
            for patient, count in zip(patients, wanted, strict=True)
        ]
    )


def _cumulative(lesion: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Cumulative chance of each slice: (s + 0.1 S / n) / (1.1 S); uniform where there is no lesion."""
    total = lesion.sum()
    weights = (
        (lesion + 0.1 * total / len(lesion)) / (1.1 * total)
        if total
        else np.full(len(lesion), 1 / len(lesion))
    )
    summed = np.cumsum(weights)
    return summed / summed[-1]


class SliceBatches(Dataset[dict[str, Tensor]]):
    """Batches by (position in the epoch, case, slice)."""

    def __init__(self, cases: Sequence[PreparedCase], neighbours: int) -> None:
        self.cases, self.neighbours = cases, neighbours

    def __getitems__(self, items: list[tuple[int, int, int]]) -> dict[str, Tensor]:
        """``image`` and ``target`` float32 ``(batch, channels, size, size)``, ``position`` and ``case``."""
        images, targets = [], []
        for _, case, place in items:
            chosen = np.array([place])
            images.append(stack_neighbours(self.cases[case].images, chosen, self.neighbours))
            targets.append(self.cases[case].targets[chosen])
        return {
            "image": torch.from_numpy(np.concatenate(images)),
            "target": _channels_first(torch.from_numpy(np.concatenate(targets).astype(np.float32) / 255)),
            "position": torch.tensor([position for position, _, _ in items]),
            "case": torch.tensor([case for _, case, _ in items]),
        }


def _channels_first(targets: Tensor) -> Tensor:
    return targets[:, None] if targets.dim() == 3 else targets.movedim(-1, 1)


class EpochBatches:
    """Batch sampler of one epoch: each process takes its share of every batch.

    The shares of all processes together are exactly the batches that one process would see.
    """

    def __init__(
        self, recipe: Recipe, cases: Sequence[PreparedCase], epoch: int, rank: int, world: int
    ) -> None:
        slices = draw_epoch(recipe.sampling, cases, recipe.train.seed, epoch)
        size = recipe.train.batch_size
        steps = recipe.train.steps_per_epoch or max(1, len(slices) // size)
        # A short epoch is cut, a long one goes round again.
        wanted = np.resize(np.arange(len(slices)), min(steps * size, max(steps * size, len(slices))))
        self.items = [(place, *slices[number].tolist()) for place, number in enumerate(wanted)]
        self.size, self.rank, self.world, self.steps = size, rank, world, steps

    def __len__(self) -> int:
        return self.steps

    def __iter__(self) -> Iterator[list[tuple[int, int, int]]]:
        for step in range(self.steps):
            batch = self.items[step * self.size : (step + 1) * self.size]
            yield batch[self.rank :: self.world]


def training_loader(
    recipe: Recipe,
    cases: Sequence[PreparedCase],
    epoch: int,
    rank: int = 0,
    world: int = 1,
    workers: int = 0,
) -> DataLoader[Any]:
    """Loader of one training epoch; ``workers`` processes load ahead, with 0 the training's own loads."""
    return DataLoader(
        SliceBatches(cases, recipe.input.neighbours),
        batch_sampler=EpochBatches(recipe, cases, epoch, rank, world),
        collate_fn=_as_is,
        **_loading(workers),
    )


def validation_loader(
    recipe: Recipe, cases: Sequence[PreparedCase], rank: int = 0, world: int = 1, workers: int = 0
) -> DataLoader[Any]:
    """Loader of all slices of the validation patients; each process has whole patients, each patient once."""
    return DataLoader(
        SliceBatches(cases, recipe.input.neighbours),
        batch_sampler=_Listed(validation_batches(cases, rank, world)),
        collate_fn=_as_is,
        **_loading(workers),
    )


def validation_batches(
    cases: Sequence[PreparedCase], rank: int = 0, world: int = 1
) -> list[list[tuple[int, int, int]]]:
    """All slices of this process's patients, in batches of one patient each."""
    batches = []
    for number in range(rank, len(cases), world):
        count = len(cases[number].lesion)
        for start in range(0, count, VALIDATION_SLICES):
            stop = min(start + VALIDATION_SLICES, count)
            batches.append([(place, number, place) for place in range(start, stop)])
    return batches


def _loading(workers: int) -> dict[str, Any]:
    """Options of a loader: with processes of its own it loads ahead into memory that a device reads from."""
    return {"num_workers": workers, "pin_memory": True, "prefetch_factor": 4} if workers else {}


class _Listed:
    """A batch sampler of batches that are known."""

    def __init__(self, batches: list[list[tuple[int, int, int]]]) -> None:
        self.batches = batches

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[list[tuple[int, int, int]]]:
        return iter(self.batches)


def _as_is(batch: Any) -> Any:
    return batch

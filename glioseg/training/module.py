"""The Lightning module: one training step, one validation, and what is logged."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytorch_lightning as lightning
import torch
from torch import Tensor, nn

from glioseg.augment import Augmentation
from glioseg.errors import TrainingError
from glioseg.losses import build_loss
from glioseg.measure import dice
from glioseg.postprocess import class_probabilities, probabilities, to_labels, to_mask
from glioseg.prepare import choose_sequences, neighbour_channels
from glioseg.recipe import PostprocessChoice, Recipe
from glioseg.training.start import network_of

LOG_EVERY = 10
FIRST_DIVISOR = 25.0
"""What the greatest rate is divided by at the beginning of one_cycle, as PyTorch has it."""
LEAST_FINAL = 4e-6
"""Share of the greatest rate at its end where the recipe says 0, as PyTorch has it."""


class SegmentationModule(lightning.LightningModule):
    """Trains a recipe's network.

    Args:
        recipe: what to train.
        validation: ids of the validation patients, in the order of the validation data.
        steps: optimiser steps of the whole training, for the schedule.
    """

    def __init__(self, recipe: Recipe, validation: tuple[str, ...], steps: int) -> None:
        super().__init__()
        self.recipe, self.validation, self.steps = recipe, validation, steps
        channels = neighbour_channels(recipe.input.sequences, recipe.input.neighbours)
        # The first weights depend on the seed alone, not on what was drawn before.
        torch.manual_seed(recipe.train.seed)
        self.network = network_of(recipe)
        if recipe.train.channels_last:
            self.network = self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.loss = build_loss(recipe.loss.name, **recipe.loss.arguments)
        self.augment = Augmentation(recipe.augment, recipe.input.sequences)
        self.channels = len(channels)
        # What calls the network in training steps instead of itself.
        self.graphed: Callable[[Tensor], Any] | None = None
        # Lesion or not, or with classes the number of the class from 1 on.
        self.predicted: dict[str, list[npt.NDArray[Any]]] = {}
        self.true: dict[str, list[npt.NDArray[Any]]] = {}
        self.losses: list[tuple[float, int]] = []
        # Loss, logits and targets of a patient that may be on their way from the device.
        self.waiting: list[tuple[str, Tensor, Tensor, Tensor]] = []
        self.dsc: dict[str, float] = {}
        self.class_dsc: dict[str, float] = {}
        self.stuck = 0

    def forward(self, images: Tensor) -> Tensor:
        """Logits of a batch."""
        logits: Tensor = self.network(self._laid_out(images))
        return logits

    def transfer_batch_to_device(self, batch: Any, device: torch.device, dataloader_idx: int) -> Any:
        """Move a batch, unless it was made where it is used."""
        if batch["image"].device == device:
            return batch
        return super().transfer_batch_to_device(batch, device, dataloader_idx)

    def on_train_epoch_start(self) -> None:
        """Keep the statistics of batches that the training starts with, if the recipe says so."""
        if self.recipe.train.frozen_norms:
            for module in self.network.modules():
                if isinstance(module, nn.modules.batchnorm._BatchNorm):
                    module.eval()

    def on_fit_start(self) -> None:
        """Lay the weights out as the device reads them fastest; the numbers stay what they are."""
        if self.device.type == "cuda":
            self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def training_step(self, batch: dict[str, Any], batch_idx: int) -> Tensor:
        """Augment, predict, loss."""
        seed = self.recipe.train.seed
        draws = batch.get("draws")
        if draws is None:
            draws = self.augment.draw(seed, self.current_epoch, batch["position"].cpu().numpy())
        small = self.current_epoch < self.recipe.train.small_epochs
        size = self.recipe.train.small_size if small else None
        # Half precision is for the network: places in an image need all of float32.
        with torch.autocast(self.device.type, enabled=False):
            images, targets = self.augment(batch["image"], batch["target"], draws, size)
        # Dropout too is a function of (seed, epoch, step).
        torch.manual_seed(seed * 1_000_003 + self.current_epoch * 10_007 + batch_idx)
        logits = (self.graphed or self.network)(self._laid_out(images))
        loss: Tensor = self.loss(logits, targets)
        if self.global_step % log_every(self.device) == 0 or self.device.type == "cpu":
            self._check_finite(loss, batch_idx)
        self.log("loss", loss, on_step=True, on_epoch=False)
        self.log("loss_epoch", loss, on_step=False, on_epoch=True, batch_size=len(images), sync_dist=True)
        return loss

    def on_validation_epoch_start(self) -> None:
        """Forget the last validation."""
        self.predicted, self.true, self.losses = {}, {}, []
        self.waiting = []

    def validation_step(self, batch: dict[str, Any], batch_idx: int) -> None:
        """Predict some slices of one patient and keep masks, not floats."""
        # Not by way of a compiled call, which would be compiled anew for each number of slices.
        logits = self.network.forward(self._laid_out(batch["image"]))
        loss: Tensor = self.loss(logits, batch["target"])
        patient = self.validation[int(batch["case"][0])]
        answers = (_on_host(loss), _on_host(logits.float()), _on_host(batch["target"]))
        self.waiting.append((patient, *answers))
        # A device goes on while its answers are on their way.
        if self.device.type == "cpu":
            self._take_in()

    def _take_in(self) -> None:
        """Turn the logits that wait into masks."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        for patient, loss, logits, target in self.waiting:
            self.losses.append((float(loss) * len(logits), len(logits)))
            self._keep_masks(patient, logits.numpy(), target.numpy())
        self.waiting = []

    def _keep_masks(self, patient: str, scores: npt.NDArray[Any], target: npt.NDArray[Any]) -> None:
        # The threshold is applied now; components wait until the volume is whole.
        choice = PostprocessChoice(threshold=self.recipe.postprocess.threshold)
        predicted: npt.NDArray[Any]
        true: npt.NDArray[Any]
        if self.recipe.labels.given:
            numbers = range(1, self.recipe.labels.channels)
            predicted = to_labels(class_probabilities(scores).swapaxes(0, 1)[1:], choice, numbers)
            true = to_labels(target.swapaxes(0, 1)[1:], PostprocessChoice(), numbers)
        else:
            predicted = probabilities(scores[:, 0]) >= choice.threshold
            true = target[:, 0] >= 0.5
        self.predicted.setdefault(patient, []).append(predicted)
        self.true.setdefault(patient, []).append(true)

    def on_validation_epoch_end(self) -> None:
        """DSC per patient on the prepared grid, their mean, and the diagnosis of a stuck training."""
        self._take_in()
        own: dict[str, tuple[list[float], float]] = {}
        for patient, parts in self.predicted.items():
            predicted, true = np.concatenate(parts), np.concatenate(self.true[patient])
            own[patient] = (self._dice(predicted, true), float((predicted > 0).mean()))
        gathered = self._gathered((own, self.losses))
        scores = {patient: score for part, _ in gathered for patient, score in part.items()}
        losses = [loss for _, part in gathered for loss in part]
        self.dsc = {patient: float(np.mean(scores[patient][0])) for patient in sorted(scores)}
        for number, title in enumerate(self.recipe.labels.titles):
            self.class_dsc[title] = float(np.mean([classes[number] for classes, _ in scores.values()]))
            self.log(f"val_dsc_{title}", self.class_dsc[title])
        self.log("val_loss", sum(loss for loss, _ in losses) / sum(count for _, count in losses))
        self.log("val_dsc", float(np.mean(list(self.dsc.values()))))
        self._check_stuck([share for _, share in scores.values()])

    def _dice(self, predicted: npt.NDArray[Any], true: npt.NDArray[Any]) -> list[float]:
        """DSC of a volume: of the lesion, or of each class."""
        # Predicted masks are kept, but not the FLAIR that this rule looks at.
        choice = self.recipe.postprocess.model_copy(update={"minimum_contrast": 0.0})
        if not self.recipe.labels.given:
            return [dice(to_mask(predicted.astype(np.float32), choice), true)]
        numbers = range(1, self.recipe.labels.channels)
        return [
            dice(to_mask((predicted == number).astype(np.float32), choice), true == number)
            for number in numbers
        ]

    def configure_optimizers(self) -> Any:
        """The recipe's optimiser and schedule; norms and biases are not decayed."""
        choice = self.recipe.optimizer
        groups = _parameter_groups(self.network, choice.rate, choice.encoder_rate, choice.weight_decay)
        optimizer: torch.optim.Optimizer
        # One kernel for all weights where there is one; on a CPU results stay what they were.
        fused = True if self.device.type == "cuda" else None
        if choice.name == "sgd":
            optimizer = torch.optim.SGD(
                groups, lr=choice.rate, momentum=choice.momentum, nesterov=choice.momentum > 0, fused=fused
            )
        else:
            kind = torch.optim.AdamW if choice.name == "adamw" else torch.optim.Adam
            optimizer = kind(groups, lr=choice.rate, fused=fused)
        schedule = self.recipe.schedule
        if schedule.name == "constant":
            return optimizer
        if schedule.name == "plateau":
            plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(
                optimizer, factor=schedule.factor, patience=schedule.patience
            )
            return {"optimizer": optimizer, "lr_scheduler": {"scheduler": plateau, "monitor": "val_loss"}}
        stepped: torch.optim.lr_scheduler.LRScheduler
        if schedule.name == "one_cycle":
            stepped = torch.optim.lr_scheduler.OneCycleLR(
                optimizer,
                max_lr=[group["lr"] for group in groups],
                total_steps=self.steps,
                # A rise of exactly one step has no length, by which PyTorch divides.
                pct_start=schedule.warmup * (1 + 1e-9 * (schedule.warmup * self.steps == 1)),
                cycle_momentum=False,
                div_factor=FIRST_DIVISOR,
                final_div_factor=1 / (FIRST_DIVISOR * (schedule.final or LEAST_FINAL)),
            )
        else:
            # A share of each group's own rate, which CosineAnnealingLR cannot give.
            stepped = torch.optim.lr_scheduler.LambdaLR(
                optimizer,
                lambda step: (
                    schedule.final + (1 - schedule.final) * (1 + math.cos(math.pi * step / self.steps)) / 2
                ),
            )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": stepped, "interval": "step"}}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep what the diagnosis counts, so that a resumed training stops where an unbroken one would."""
        checkpoint["glioseg_stuck"] = self.stuck

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take it back."""
        self.stuck = int(checkpoint.get("glioseg_stuck", 0))

    def _laid_out(self, images: Tensor) -> Tensor:
        # Chosen after augmentation, whose draws belong to sequences.
        images = choose_sequences(images, self.recipe.input.sequences)
        if self.recipe.train.channels_last or self.device.type == "cuda":
            return images.contiguous(memory_format=torch.channels_last)
        return images

    def _gathered(self, own: Any) -> list[Any]:
        if self.trainer.world_size == 1:
            return [own]
        parts: list[Any] = [None] * self.trainer.world_size
        torch.distributed.all_gather_object(parts, own)
        return parts

    def _check_finite(self, loss: Tensor, step: int) -> None:
        if not torch.isfinite(loss.detach()):
            rate = self.optimizers().param_groups[0]["lr"]  # type: ignore[union-attr]
            raise TrainingError(
                f"The loss became {float(loss.detach()):g} in epoch {self.current_epoch + 1}, "
                f"step {step + 1}. The learning rate there was {rate:g}: try a tenth of it "
                f"(--set optimizer.rate={rate / 10:g}), or --set optimizer.clip_norm=1, "
                "and check the data with glioseg check."
            )

    def _check_stuck(self, shares: list[float]) -> None:
        limit = self.recipe.train.stuck_epochs
        if self.trainer.sanity_checking or limit == 0:
            return
        empty, full = all(share == 0 for share in shares), all(share > 0.95 for share in shares)
        self.stuck = self.stuck + 1 if empty or full else 0
        if self.stuck >= limit:
            kind = "empty" if empty else "full"
            raise TrainingError(
                f"All predictions on the validation patients have been {kind} for {self.stuck} epochs: "
                "the network does not learn. Usual reasons: masks that do not belong to the images "
                "(glioseg check shows the census), a learning rate far too high or low, a loss that does "
                "not take logits. To go on regardless: --set train.stuck_epochs=0."
            )


def log_every(device: torch.device) -> int:
    """Steps from one logged loss to the next: each look at a number waits for the device."""
    return LOG_EVERY if device.type == "cpu" else 5 * LOG_EVERY


def _on_host(values: Tensor) -> Tensor:
    """The values on the host: from a GPU they arrive by the next time that it is waited for."""
    if values.device.type != "cuda":
        return values.detach().cpu()
    host = torch.empty(values.shape, dtype=values.dtype, pin_memory=True)
    return host.copy_(values.detach(), non_blocking=True)


def _parameter_groups(
    network: nn.Module, rate: float, encoder_rate: float | None, weight_decay: float
) -> list[dict[str, Any]]:
    """Parameters by learning rate (encoder or not) and by whether they are decayed."""
    groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
    for name, parameter in network.named_parameters():
        slow = encoder_rate is not None and name.startswith("encoder.")
        groups.setdefault((slow, parameter.dim() > 1), []).append(parameter)
    return [
        {
            "params": parameters,
            "lr": encoder_rate if slow else rate,
            "weight_decay": weight_decay if decayed else 0.0,
        }
        for (slow, decayed), parameters in groups.items()
    ]

"""Augmentation of whole batches, on tensors, on whatever device they are.

All geometry (scale, rotation, shear, shift, flip, elastic) is one sampling grid, so each image is
interpolated once. Every draw is a function of (seed, epoch, position in the epoch), never of a global
generator: a resumed training sees the same images, whatever machine, batch order or process count. Only with
``carve_mix`` an image also depends on its batch, from which the other lesion comes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from glioseg.augment.draws import LATE_STREAMS, STREAMS, Draws
from glioseg.augment.elsewhere import cut, hollow, strip, where_chosen
from glioseg.augment.regions import SOFT_EDGE, lesion_of, soft_region
from glioseg.recipe import AugmentChoice
from glioseg.scan import CHANNELS, FLAIR, SEQUENCES

CARVE_MARGIN = 0.03
"""How far around a lesion the tissue goes with it, as a share of the image's side."""


class Augmentation:
    """What a recipe's ``[augment]`` table asks for, done to batches.

    Missing corners are filled with background (each channel's darkest value), not with the mean; or, with
    ``fill = "nearest"``, the border is repeated.

    Args:
        choice: the table.
        sequences: those that the network takes; images have the channels that these need, see
            :func:`glioseg.scan.channels_for`.
    """

    def __init__(self, choice: AugmentChoice, sequences: Sequence[str] = CHANNELS) -> None:
        self.choice = choice
        self.with_t2 = "t2" in sequences

    def draw(self, seed: int, epoch: int, positions: npt.ArrayLike) -> Draws:
        """Random numbers for the images at these positions of an epoch."""
        rows, bends, seeds = [], [], []
        for position in np.asarray(positions).tolist():
            generator = np.random.Generator(
                np.random.Philox(key=[(seed << 32 | epoch) & (2**64 - 1), position])
            )
            early = generator.random(sum(STREAMS.values()), np.float32)
            bends.append(
                generator.standard_normal((2, self.choice.elastic_grid, self.choice.elastic_grid), np.float32)
            )
            seeds.append(int(generator.integers(2**62)))
            late = generator.random(sum(LATE_STREAMS.values()), np.float32)
            rows.append(np.append(early, late))
        return Draws(torch.from_numpy(np.stack(rows)), torch.from_numpy(np.stack(bends)), tuple(seeds))

    def __call__(
        self, images: Tensor, targets: Tensor, draws: Draws, size: int | None = None
    ) -> tuple[Tensor, Tensor]:
        """Augment a batch.

        Args:
            images: float ``(batch, channels, height, width)``; the first channels are pre, FLAIR, post and,
                if it was asked for, T2; any further ones FLAIR of other slices.
            targets: float ``(batch, 1, height, width)`` in 0..1, or one channel a class, background first.
            draws: from :meth:`draw`, one row an image.
            size: pixels a side of what comes out; as they are when not given.

        Returns:
            New tensors, of the same shapes unless there is a size; targets stay in 0..1.
        """
        draws = draws.to(images.device)
        if self.choice.carve_mix and len(images) > 1:
            images, targets = self._mix(images, targets, draws)
        if self.choice.fade:
            images = self._fade(images, targets, draws)
        if self.choice.core:
            images = where_chosen(draws.of("core") < self.choice.core, hollow, images, targets, draws)
        if self.choice.strip:
            images = where_chosen(draws.of("strip") < self.choice.strip, strip, images, targets, draws)
        if self.choice.cut:
            images, targets = cut(images, targets, draws, self.choice.cut)
        images = self._drop_sequences(images, draws)
        if size is not None or any(
            (
                self.choice.scale,
                self.choice.rotation,
                self.choice.shear,
                self.choice.shear_degrees,
                self.choice.shift,
                self.choice.flip,
                self.choice.elastic,
            )
        ):
            out = (size, size) if size is not None else (images.shape[-2], images.shape[-1])
            images, targets = self._move(images, targets, draws, out)
        images = self._shade(images, draws)
        if self.choice.noise:
            deviation = (self.choice.noise * draws.of("noise")).view(-1, 1, 1, 1)
            images = images + deviation * _noise(images, draws.seeds)
        return images, targets

    def _mix(self, images: Tensor, targets: Tensor, draws: Draws) -> tuple[Tensor, Tensor]:
        """CarveMix (Zhang et al. 2023, doi 10.1016/j.neuroimage.2023.120041), mirrored half of the time.

        The lesion of another image with some tissue around it replaces what is there, with a soft edge
        instead of the published hard one. The network meets lesions in other places and other brains.
        """
        chance, which = draws.of("carve_mix"), draws.of("carve_mix_partner")
        count = len(images)
        partner = (torch.arange(count, device=images.device) + 1 + (which * (count - 1)).long()) % count
        other, others = images[partner], targets[partner]
        mirrored = (chance < self.choice.carve_mix / 2)[:, None, None, None]
        other = torch.where(mirrored, other.flip(-1), other)
        others = torch.where(mirrored, others.flip(-1), others)
        weight = soft_region(lesion_of(others), 2 * CARVE_MARGIN, CARVE_MARGIN)
        weight = weight * (chance < self.choice.carve_mix)[:, None, None, None]
        return torch.lerp(images, other, weight), torch.lerp(targets, others, weight)

    def _fade(self, images: Tensor, targets: Tensor, draws: Draws) -> Tensor:
        """Make the lesion of every other image fainter: values move towards 0, which is average tissue.

        Lesions that are hardly brighter than the brain are rare in training, and what networks miss.
        """
        share = self.choice.fade * draws.signed("fade").clamp_min(0)
        weight = soft_region(lesion_of(targets), SOFT_EDGE, SOFT_EDGE)
        return images * (1 - share[:, None, None, None] * weight)

    def _drop_sequences(self, images: Tensor, draws: Draws) -> Tensor:
        if not self.choice.missing or images.shape[1] < 3:
            return images
        chance, which = draws.of("missing"), draws.of("missing_which")
        drop_pre = (chance < self.choice.missing) & (which < 2 / 3)
        drop_post = (chance < self.choice.missing) & (which > 1 / 3)
        # Chosen without looking at the numbers: a look waits for the device.
        drops = {CHANNELS.index("pre"): drop_pre, CHANNELS.index("post"): drop_post}
        if self.with_t2:
            drops[SEQUENCES.index("t2")] = draws.of("missing_t2") < self.choice.missing
        channels = list(images.unbind(dim=1))
        for place, drop in drops.items():
            channels[place] = torch.where(drop[:, None, None], channels[FLAIR], channels[place])
        return torch.stack(channels, dim=1)

    def _move(
        self, images: Tensor, targets: Tensor, draws: Draws, out: tuple[int, int]
    ) -> tuple[Tensor, Tensor]:
        """All geometry, and the way to another size, in one interpolation."""
        zoom = 1 / (1 + self.choice.scale * draws.signed("scale"))
        angle = math.radians(self.choice.rotation) * draws.signed("rotation")
        mirror = torch.where(draws.of("flip") < self.choice.flip, -1.0, 1.0)
        shear = self.choice.shear * draws.signed("shear")
        if self.choice.shear_degrees:
            shear = shear + torch.tan(math.radians(self.choice.shear_degrees) * draws.signed("shear"))
        cosine, sine = zoom * torch.cos(angle), zoom * torch.sin(angle)
        height, width = images.shape[-2:]
        # Rows of the 2x3 matrix from output to input coordinates in -1..1, whatever the sides.
        down, across = mirror * (shear * cosine - sine) * (height / width), sine * (width / height)
        shift = 2 * self.choice.shift * draws.signed("shift")
        first = torch.stack((mirror * cosine, down, shift[:, 0]), dim=1)
        second = torch.stack((across, shear * sine + cosine, shift[:, 1]), dim=1)
        grid = F.affine_grid(torch.stack((first, second), dim=1), [len(images), 1, *out], align_corners=False)
        if self.choice.elastic:
            bend = F.interpolate(
                2 * self.choice.elastic * draws.elastic, out, mode="bicubic", align_corners=True
            )
            grid = grid + bend.permute(0, 2, 3, 1)
        grid = grid.to(images.dtype)
        padding = "border" if self.choice.fill == "nearest" else "zeros"
        # Zeros are what comes in from beyond the image: each channel's darkest value, and no lesion.
        air = images.amin(dim=(2, 3), keepdim=True)
        nothing = targets.new_zeros(1, targets.shape[1], 1, 1)
        if targets.shape[1] > 1:
            nothing[:, 0] = 1
        if self.choice.targets == "linear":
            channels = images.shape[1]
            sampled = _sample(torch.cat((images - air, targets - nothing), dim=1), grid, "bilinear", padding)
            return sampled[:, :channels] + air, (sampled[:, channels:] + nothing).clamp(0, 1)
        moved = _sample(targets - nothing, grid, "nearest", padding) + nothing
        return _sample(images - air, grid, "bilinear", padding) + air, moved.clamp(0, 1)

    def _shade(self, images: Tensor, draws: Draws) -> Tensor:
        """Intensity changes; FLAIR of other slices changes as FLAIR does."""

        def each(kind: str) -> Tensor:
            """Numbers of a kind in -1..1 for all channels, ``(batch, channels, 1, 1)``."""
            numbers = draws.signed(kind)
            if self.with_t2:
                numbers = torch.cat((numbers, draws.signed(f"{kind}_t2")[:, None]), dim=1)
            around = numbers[:, FLAIR : FLAIR + 1].expand(-1, max(0, images.shape[1] - numbers.shape[1]))
            return torch.cat((numbers, around), dim=1)[:, : images.shape[1], None, None]

        if self.choice.gamma:
            low = images.amin(dim=(2, 3), keepdim=True)
            width = (images.amax(dim=(2, 3), keepdim=True) - low).clamp_min(1e-6)
            exponent = torch.exp(self.choice.gamma * each("gamma"))
            images = ((images - low) / width).clamp_min(0).pow(exponent) * width + low
        if self.choice.bias_field:
            # A plane and a bump, smooth as coil shading is.
            line = torch.linspace(-1, 1, images.shape[-1], device=images.device)
            column = torch.linspace(-1, 1, images.shape[-2], device=images.device)
            weights = draws.signed("bias_field")[:, :, None, None]
            field = weights[:, 0] * line + weights[:, 1] * column[:, None]
            field = field + weights[:, 2] * (line**2 + column[:, None] ** 2 - 1)
            low = images.amin(dim=(2, 3), keepdim=True)
            images = (images - low) * torch.exp(self.choice.bias_field / 2 * field)[:, None] + low
        if self.choice.gain:
            images = images * (1 + self.choice.gain * each("gain"))
        if self.choice.offset:
            images = images + self.choice.offset * each("offset")
        if self.choice.blur:
            soft = F.avg_pool2d(F.pad(images, (1, 1, 1, 1), mode="replicate"), 3, stride=1)
            images = torch.where((draws.of("blur") < self.choice.blur)[:, None, None, None], soft, images)
        return images


def _sample(values: Tensor, grid: Tensor, mode: str, padding: str) -> Tensor:
    return F.grid_sample(values, grid, mode=mode, padding_mode=padding, align_corners=False)


def _noise(images: Tensor, seeds: tuple[int, ...]) -> Tensor:
    """Standard normal of the images' shape, a function of the seeds and of the kind of device.

    Drawn where the images are: on a CPU it takes longer than a whole step of a fast device.
    """
    where = images.device if images.device.type == "cuda" else torch.device("cpu")
    rows: list[Any] = []
    for seed in seeds:
        generator = torch.Generator(where).manual_seed(seed)
        rows.append(torch.randn(images.shape[1:], generator=generator, device=where))
    return torch.stack(rows).to(images)

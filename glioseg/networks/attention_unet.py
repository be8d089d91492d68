"""U-Net with attention gates where its skips arrive, in three forms."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from glioseg.networks.unet import UNet

Gate = Literal["as_published", "skip_1x1", "additive"]
GATES: tuple[Gate, ...] = ("as_published", "skip_1x1", "additive")


class AttentionUNet(UNet):
    """The reference U-Net with gates where encoder and decoder meet.

    Args:
        in_channels: input channels.
        out_channels: classes.
        features: channels of the first level; each level doubles them.
        gate: ``"as_published"`` is the one of a published write-up of this task (:class:`PublishedGate`), at
            all four levels. It gates the decoder's features and leaves the skip as it is: 7,850,561
            parameters and 12.3 GMAC at 256 x 256 (3 channels in, 1 out, 32 features). ``"skip_1x1"`` gates
            the skip instead, with a 1x1 convolution of the deeper features (:class:`SkipGate`), at all four
            levels: 7,937,601 parameters and 12.2 GMAC. ``"additive"`` is the one of Oktay et al. 2018
            (:class:`AdditiveGate`), at all levels but the first, as there: 8,280,036 parameters and 12.4
            GMAC.
    """

    def __init__(
        self,
        in_channels: int = 3,
        out_channels: int = 1,
        features: int = 32,
        gate: Gate = "as_published",
    ) -> None:
        super().__init__(in_channels, out_channels, features)
        if gate not in GATES:
            raise ValueError(f"gate is one of {', '.join(GATES)}, not '{gate}'")
        kind = {"as_published": PublishedGate, "skip_1x1": SkipGate, "additive": AdditiveGate}[gate]
        self.gate4 = kind(8 * features)
        self.gate3 = kind(4 * features)
        self.gate2 = kind(2 * features)
        self.gate1 = None if gate == "additive" else kind(features)

    def forward(self, images: Tensor) -> Tensor:
        """Logits ``(batch, classes, height, width)``; height and width must be multiples of 16."""
        level1 = self.encoder1(images)
        level2 = self.encoder2(self.pool(level1))
        level3 = self.encoder3(self.pool(level2))
        level4 = self.encoder4(self.pool(level3))
        deep = self.bottleneck(self.pool(level4))
        deep = self.decoder4(_joined(self.gate4, level4, deep, self.upconv4(deep)))
        deep = self.decoder3(_joined(self.gate3, level3, deep, self.upconv3(deep)))
        deep = self.decoder2(_joined(self.gate2, level2, deep, self.upconv2(deep)))
        logits: Tensor = self.conv(self.decoder1(_joined(self.gate1, level1, deep, self.upconv1(deep))))
        return logits


class PublishedGate(nn.Module):
    """1x1 convolution of the encoder's features, sigmoid, times the up-sampled decoder's.

    The published code resizes between the two, bilinearly, to the size of the decoder's features. Both have
    the same size in this network, so there is nothing to resize.

    Args:
        channels: of the encoder's features and of the up-sampled decoder's.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 1)

    def forward(self, skip: Tensor, deep: Tensor, up: Tensor) -> tuple[Tensor, Tensor]:
        """The up-sampled features, each value weighted by 0..1, and the skip as it is."""
        return up * torch.sigmoid(self.conv(skip)), skip


class SkipGate(nn.Module):
    """1x1 convolution of the deeper features, bilinear resize, sigmoid, times the skip, channel by channel.

    Args:
        channels: of the skip; the deeper features have twice as many at half the size.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2 * channels, channels, 1)

    def forward(self, skip: Tensor, deep: Tensor, up: Tensor) -> tuple[Tensor, Tensor]:
        """The up-sampled features as they are, and the skip, each value weighted by 0..1."""
        return up, skip * torch.sigmoid(_double(self.conv(deep)))


class AdditiveGate(nn.Module):
    """Attention gate of Oktay et al. 2018, eq. 1: one weight a pixel, from skip and gating signal together.

    ``sigmoid(psi(relu(W_x x + W_g g + b_g)) + b_psi)``, computed on the coarse grid of the gating signal and
    resized bilinearly; ``W_x`` is a 2x2 convolution with stride 2, as in the authors' code.

    Args:
        channels: of the skip and inside the gate; the gating signal has twice as many at half the size.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.skip = nn.Conv2d(channels, channels, 2, stride=2, bias=False)
        self.signal = nn.Conv2d(2 * channels, channels, 1)
        self.psi = nn.Conv2d(channels, 1, 1)

    def forward(self, skip: Tensor, deep: Tensor, up: Tensor) -> tuple[Tensor, Tensor]:
        """The up-sampled features as they are, and the skip, each pixel weighted by 0..1."""
        weight = torch.sigmoid(self.psi(F.relu(self.skip(skip) + self.signal(deep))))
        return up, skip * _double(weight)


def _joined(gate: nn.Module | None, skip: Tensor, deep: Tensor, up: Tensor) -> Tensor:
    """What a decoder block takes: up-sampled features, then the skip, one of them gated."""
    if gate is not None:
        up, skip = gate(skip, deep, up)
    return torch.cat((up, skip), dim=1)


def _double(features: Tensor) -> Tensor:
    return F.interpolate(features, scale_factor=2.0, mode="bilinear", align_corners=False)

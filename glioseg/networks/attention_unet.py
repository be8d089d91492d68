"""U-Net with attention gates on its skips, in two forms."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from glioseg.networks.unet import UNet


class AttentionUNet(UNet):
    """The reference U-Net whose decoder decides what of each skip it takes.

    Args:
        in_channels: input channels.
        out_channels: classes.
        features: channels of the first level; each level doubles them.
        gate: ``"simple"`` is the one of a published write-up of this task (:class:`SimpleGate`), on all four
            skips: 7,937,601 parameters and 12.2 GMAC at 256 x 256 (3 channels in, 1 out, 32 features).
            ``"additive"`` is the one of Oktay et al. 2018 (:class:`AdditiveGate`), on all skips but the
            first, as there: 8,280,036 parameters and 12.4 GMAC.
    """

    def __init__(
        self,
        in_channels: int = 3,
        out_channels: int = 1,
        features: int = 32,
        gate: Literal["simple", "additive"] = "simple",
    ) -> None:
        super().__init__(in_channels, out_channels, features)
        if gate not in ("simple", "additive"):
            raise ValueError(f"gate is 'simple' or 'additive', not '{gate}'")
        kind = SimpleGate if gate == "simple" else AdditiveGate
        self.gate4 = kind(8 * features)
        self.gate3 = kind(4 * features)
        self.gate2 = kind(2 * features)
        self.gate1 = SimpleGate(features) if gate == "simple" else None

    def forward(self, images: Tensor) -> Tensor:
        """Logits ``(batch, classes, height, width)``; height and width must be multiples of 16."""
        level1 = self.encoder1(images)
        level2 = self.encoder2(self.pool(level1))
        level3 = self.encoder3(self.pool(level2))
        level4 = self.encoder4(self.pool(level3))
        deep = self.bottleneck(self.pool(level4))
        deep = self.decoder4(torch.cat((self.upconv4(deep), self.gate4(level4, deep)), dim=1))
        deep = self.decoder3(torch.cat((self.upconv3(deep), self.gate3(level3, deep)), dim=1))
        deep = self.decoder2(torch.cat((self.upconv2(deep), self.gate2(level2, deep)), dim=1))
        skip = level1 if self.gate1 is None else self.gate1(level1, deep)
        logits: Tensor = self.conv(self.decoder1(torch.cat((self.upconv1(deep), skip), dim=1)))
        return logits


class SimpleGate(nn.Module):
    """1x1 convolution of the deeper features, bilinear resize, sigmoid, times the skip, channel by channel.

    Args:
        channels: of the skip; the deeper features have twice as many at half the size.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2 * channels, channels, 1)

    def forward(self, skip: Tensor, deep: Tensor) -> Tensor:
        """The skip, each value weighted by 0..1."""
        return skip * torch.sigmoid(_double(self.conv(deep)))


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

    def forward(self, skip: Tensor, deep: Tensor) -> Tensor:
        """The skip, each pixel weighted by 0..1."""
        weight = torch.sigmoid(self.psi(F.relu(self.skip(skip) + self.signal(deep))))
        return skip * _double(weight)


def _double(features: Tensor) -> Tensor:
    return F.interpolate(features, scale_factor=2.0, mode="bilinear", align_corners=False)

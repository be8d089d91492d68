"""The U-Net of the Keras tutorials: no batch normalisation, dropout in the depth."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class KerasUNet(nn.Module):
    """U-Net (Ronneberger et al. 2015) as the Keras code of the write-up of this task builds it.

    Convolutions with ReLU and He-normal weights, no batch normalisation, dropout in the two deepest blocks,
    nearest up-sampling and a 2x2 convolution, and a 3x3 convolution at the end. It returns logits: for N
    classes their softmax belongs into the loss (``categorical_cross_entropy``). 7,760,066 parameters and
    13.7 GMAC at 256 x 256 (1 channel in, 2 out, 32 features).

    Args:
        in_channels: input channels.
        out_channels: classes.
        features: channels of the first level; each level doubles them.
        dropout: rate in the two deepest blocks.
    """

    def __init__(
        self, in_channels: int = 3, out_channels: int = 1, features: int = 32, dropout: float = 0.5
    ) -> None:
        super().__init__()
        widths = [features * 2**level for level in range(5)]
        self.pool = nn.MaxPool2d(2)
        self.dropout = nn.Dropout(dropout)
        self.encoder = nn.ModuleList(
            _block(below, width) for below, width in zip([in_channels, *widths], widths, strict=False)
        )
        self.ups = nn.ModuleList(_UpConv(2 * width, width) for width in reversed(widths[:-1]))
        self.decoder = nn.ModuleList(_block(2 * width, width) for width in reversed(widths[:-1]))
        self.head = nn.Conv2d(widths[0], out_channels, 3, padding=1)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                _he_normal(module)

    def forward(self, images: Tensor) -> Tensor:
        """Logits ``(batch, classes, height, width)``; height and width must be multiples of 16."""
        skips: list[Tensor] = []
        features = images
        for level, block in enumerate(self.encoder):
            features = block(features if level == 0 else self.pool(features))
            if level >= 3:
                features = self.dropout(features)
            skips.append(features)
        skips.pop()
        for up, block in zip(self.ups, self.decoder, strict=True):
            features = block(torch.cat((skips.pop(), up(features)), dim=1))
        logits: Tensor = self.head(features)
        return logits


class _UpConv(nn.Conv2d):
    """Nearest up-sampling, 2x2 convolution, ReLU; padded below and right, as Keras pads an even kernel."""

    def __init__(self, in_channels: int, features: int) -> None:
        super().__init__(in_channels, features, 2)

    def forward(self, features: Tensor) -> Tensor:
        up = F.interpolate(features, scale_factor=2.0, mode="nearest")
        return F.relu(super().forward(F.pad(up, (0, 1, 0, 1))))


def _block(in_channels: int, features: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(in_channels, features, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.Conv2d(features, features, 3, padding=1),
        nn.ReLU(inplace=True),
    )


def _he_normal(layer: nn.Conv2d) -> None:
    """He et al. 2015 as Keras draws it: cut at two deviations, widened so that the variance is 2 / fan-in."""
    fan_in = layer.in_channels * layer.kernel_size[0] * layer.kernel_size[1]
    deviation = (2 / fan_in) ** 0.5 / 0.87962566103423978
    nn.init.trunc_normal_(layer.weight, std=deviation, a=-2 * deviation, b=2 * deviation)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)

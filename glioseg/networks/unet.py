"""The reference U-Net.

Ronneberger et al. 2015 with batch normalisation, as in M. Buda's brain-segmentation-pytorch: the
parameter names are the published ones, so its state dict loads. Unlike there, no sigmoid at the end.
"""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import Tensor, nn


class UNet(nn.Module):
    """U-Net with four levels; 7,763,041 parameters and 12.1 GMAC at 256 x 256 (3 in, 1 out, 32 features).

    Args:
        in_channels: input channels.
        out_channels: classes.
        features: channels of the first level; each level doubles them.
    """

    def __init__(self, in_channels: int = 3, out_channels: int = 1, features: int = 32) -> None:
        super().__init__()
        widths = [features * 2**level for level in range(5)]
        self.encoder1 = _block(in_channels, widths[0], "enc1")
        self.encoder2 = _block(widths[0], widths[1], "enc2")
        self.encoder3 = _block(widths[1], widths[2], "enc3")
        self.encoder4 = _block(widths[2], widths[3], "enc4")
        self.pool = nn.MaxPool2d(2, 2)
        self.bottleneck = _block(widths[3], widths[4], "bottleneck")
        self.upconv4 = nn.ConvTranspose2d(widths[4], widths[3], 2, 2)
        self.decoder4 = _block(2 * widths[3], widths[3], "dec4")
        self.upconv3 = nn.ConvTranspose2d(widths[3], widths[2], 2, 2)
        self.decoder3 = _block(2 * widths[2], widths[2], "dec3")
        self.upconv2 = nn.ConvTranspose2d(widths[2], widths[1], 2, 2)
        self.decoder2 = _block(2 * widths[1], widths[1], "dec2")
        self.upconv1 = nn.ConvTranspose2d(widths[1], widths[0], 2, 2)
        self.decoder1 = _block(2 * widths[0], widths[0], "dec1")
        self.conv = nn.Conv2d(widths[0], out_channels, 1)

    def forward(self, images: Tensor) -> Tensor:
        """Logits ``(batch, classes, height, width)``; height and width must be multiples of 16."""
        level1 = self.encoder1(images)
        level2 = self.encoder2(self.pool(level1))
        level3 = self.encoder3(self.pool(level2))
        level4 = self.encoder4(self.pool(level3))
        up = self.upconv4(self.bottleneck(self.pool(level4)))
        up = self.upconv3(self.decoder4(torch.cat((up, level4), dim=1)))
        up = self.upconv2(self.decoder3(torch.cat((up, level3), dim=1)))
        up = self.upconv1(self.decoder2(torch.cat((up, level2), dim=1)))
        logits: Tensor = self.conv(self.decoder1(torch.cat((up, level1), dim=1)))
        return logits


def _block(in_channels: int, features: int, name: str) -> nn.Sequential:
    """Two 3x3 convolutions, each with batch normalisation and ReLU, under the published names."""
    return nn.Sequential(
        OrderedDict(
            [
                (f"{name}conv1", nn.Conv2d(in_channels, features, 3, padding=1, bias=False)),
                (f"{name}norm1", nn.BatchNorm2d(features)),
                (f"{name}relu1", nn.ReLU(inplace=True)),
                (f"{name}conv2", nn.Conv2d(features, features, 3, padding=1, bias=False)),
                (f"{name}norm2", nn.BatchNorm2d(features)),
                (f"{name}relu2", nn.ReLU(inplace=True)),
            ]
        )
    )

"""U-Net with a ResNet-34 encoder and a light decoder with additive skips, as in LinkNet."""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from glioseg.errors import Fault, InputError
from glioseg.networks.weights import read_weights

WEIGHTS_URL = "https://download.pytorch.org/models/resnet34-b627a593.pth"
"""ImageNet weights as torchvision publishes them (87 MB); the name ends in the start of their SHA-256."""

BLOCKS = (3, 4, 6, 3)
"""Residual blocks of each stage (He et al. 2016, table 1)."""


class ResNet34UNet(nn.Module):
    """ResNet-34 encoder (He et al. 2016), decoder of LinkNet (Chaurasia and Culurciello 2017).

    21,656,897 parameters and 6.0 GMAC at 256 x 256 (3 channels in, 1 out).

    Args:
        in_channels: input channels. Of pretrained weights a stem with other than 3 channels takes
            the mean over the three, scaled so that activations keep their size.
        out_channels: classes.
        pretrained: ``"none"`` starts from scratch; ``"download"`` fetches torchvision's ImageNet weights
            once into torch's own cache; anything else is the path of such a file (``.pth`` or
            ``.safetensors``).

    Attributes:
        start: a sentence that says where the weights of the encoder come from.

    Raises:
        InputError: the weights cannot be read or fetched, or are not those of a ResNet-34.
    """

    def __init__(self, in_channels: int = 3, out_channels: int = 1, pretrained: str = "none") -> None:
        super().__init__()
        self.encoder = ResNet34Encoder(in_channels)
        self.start = self.encoder.load_pretrained(pretrained)
        self.decoder4 = _DecoderBlock(512, 256)
        self.decoder3 = _DecoderBlock(256, 128)
        self.decoder2 = _DecoderBlock(128, 64)
        self.decoder1 = _DecoderBlock(64, 64)
        self.head = nn.Sequential(
            nn.ConvTranspose2d(64, 32, 4, stride=2, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(32, 32, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(32, out_channels, 3, padding=1),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Logits ``(batch, classes, height, width)``; height and width must be multiples of 32."""
        stage1, stage2, stage3, stage4 = self.encoder(images)
        deep = self.decoder4(stage4) + stage3
        deep = self.decoder3(deep) + stage2
        deep = self.decoder2(deep) + stage1
        logits: Tensor = self.head(self.decoder1(deep))
        return logits


class ResNet34Encoder(nn.Module):
    """ResNet-34 without its classifier, under torchvision's parameter names."""

    def __init__(self, in_channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, 64, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        self.layer1 = _stage(64, 64, BLOCKS[0], stride=1)
        self.layer2 = _stage(64, 128, BLOCKS[1], stride=2)
        self.layer3 = _stage(128, 256, BLOCKS[2], stride=2)
        self.layer4 = _stage(256, 512, BLOCKS[3], stride=2)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Feature maps with 64, 128, 256 and 512 channels at strides 4, 8, 16 and 32."""
        stage1 = self.layer1(self.maxpool(F.relu(self.bn1(self.conv1(images)))))
        stage2 = self.layer2(stage1)
        stage3 = self.layer3(stage2)
        return stage1, stage2, stage3, self.layer4(stage3)

    def load_pretrained(self, pretrained: str) -> str:
        """Load torchvision's state dict (its classifier is left out), and say what was loaded.

        Raises:
            InputError: the file cannot be read or fetched, or is no such state dict.
        """
        if pretrained == "none":
            return "The ResNet-34 encoder starts from scratch (pretrained = 'none')."
        try:
            state = _fetched() if pretrained == "download" else read_weights(Path(pretrained))
            stem, channels = state["conv1.weight"], self.conv1.in_channels
            if channels != 3:
                stem = stem.mean(dim=1, keepdim=True).repeat(1, channels, 1, 1) * (3 / channels)
            own = {name: value for name, value in state.items() if not name.startswith("fc.")}
            self.load_state_dict({**own, "conv1.weight": stem})
        except Exception as error:  # a network, a disk and torch.load fail in many ways
            where = WEIGHTS_URL if pretrained == "download" else pretrained
            reason = f"{type(error).__name__}: {(str(error) or 'no reason given').splitlines()[0]}"
            raise InputError(
                Fault("networks.resnet34_weights", where, reason=reason, address=WEIGHTS_URL)
            ) from error
        return f"The ResNet-34 encoder starts from {WEIGHTS_URL if pretrained == 'download' else pretrained}."


class _Residual(nn.Module):
    """Two 3x3 convolutions and a shortcut, under torchvision's names."""

    def __init__(self, in_channels: int, channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, channels, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.downsample: nn.Module = nn.Identity()
        if stride != 1 or in_channels != channels:
            self.downsample = nn.Sequential(
                nn.Conv2d(in_channels, channels, 1, stride=stride, bias=False), nn.BatchNorm2d(channels)
            )

    def forward(self, features: Tensor) -> Tensor:
        inside = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(features)))))
        return F.relu(inside + self.downsample(features))


class _DecoderBlock(nn.Sequential):
    """1x1 convolution to a quarter of the channels, transposed convolution with stride 2, 1x1 convolution."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        inner = in_channels // 4
        super().__init__(
            nn.Conv2d(in_channels, inner, 1),
            nn.BatchNorm2d(inner),
            nn.ReLU(inplace=True),
            nn.ConvTranspose2d(inner, inner, 3, stride=2, padding=1, output_padding=1),
            nn.BatchNorm2d(inner),
            nn.ReLU(inplace=True),
            nn.Conv2d(inner, out_channels, 1),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(inplace=True),
        )


def _stage(in_channels: int, channels: int, blocks: int, stride: int) -> nn.Sequential:
    first = _Residual(in_channels, channels, stride)
    return nn.Sequential(first, *(_Residual(channels, channels, 1) for _ in range(blocks - 1)))


def _fetched() -> dict[str, Tensor]:
    state: dict[str, Tensor] = torch.hub.load_state_dict_from_url(
        WEIGHTS_URL, map_location="cpu", check_hash=True, weights_only=True
    )
    return state

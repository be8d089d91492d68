"""U-Net++: a U-Net whose skips are dense chains of further nodes."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

FEATURES = (64, 128, 256, 512, 1024)

DEPTH = len(FEATURES)


class UNetPlusPlus(nn.Module):
    """Nested U-Net (Zhou et al. 2018).

    Node ``(level, column)`` takes every earlier node of its level and the up-sampled node below
    (eq. 1 of the paper). 9,046,244 parameters and 29.8 GMAC at 256 x 256 with the defaults; 36,166,084 and
    119.0 with ``feature_scale=1``.

    Args:
        in_channels: input channels.
        out_channels: classes.
        feature_scale: the levels have 64, 128, 256, 512, 1024 channels divided by this.
        up: ``"transposed"`` convolution, or ``"bilinear"`` up-sampling and a 1x1 convolution.
        batch_norm: in the ``"encoder"`` only, as in the implementation that the write-up of this task used;
            in ``"all"`` nodes; or ``"none"``.
        heads: each of the four nodes of the top level can end in logits. ``"last"``: only the last one
            does. ``"mean"``: the mean of all four, trained as one. ``"each"``: deep supervision; while it
            trains, the network returns a tuple of four logits, and each has its own loss; otherwise their
            mean.
    """

    def __init__(
        self,
        in_channels: int = 3,
        out_channels: int = 1,
        feature_scale: int = 2,
        up: Literal["transposed", "bilinear"] = "transposed",
        batch_norm: Literal["encoder", "all", "none"] = "encoder",
        heads: Literal["last", "mean", "each"] = "mean",
    ) -> None:
        super().__init__()
        for name, choice, known in (
            ("up", up, ("transposed", "bilinear")),
            ("batch_norm", batch_norm, ("encoder", "all", "none")),
            ("heads", heads, ("last", "mean", "each")),
        ):
            if choice not in known:
                raise ValueError(f"{name} is one of {', '.join(known)}, not '{choice}'")
        if not 1 <= feature_scale <= FEATURES[0]:
            raise ValueError(f"feature_scale lies in 1..{FEATURES[0]}, not {feature_scale}")
        widths = [features // feature_scale for features in FEATURES]
        self.pool = nn.MaxPool2d(2)
        self.encoder = nn.ModuleList(
            _block(below, width, batch_norm != "none")
            for below, width in zip([in_channels, *widths], widths, strict=False)
        )
        self.ups, self.nodes = nn.ModuleDict(), nn.ModuleDict()
        for column in range(1, DEPTH):
            for level in range(DEPTH - column):
                name, width = _name(level, column), widths[level]
                self.ups[name] = _up(widths[level + 1], width, up)
                self.nodes[name] = _block((column + 1) * width, width, batch_norm == "all")
        self.heads, self.columns = heads, (DEPTH - 1,) if heads == "last" else tuple(range(1, DEPTH))
        self.ends = nn.ModuleList(nn.Conv2d(widths[0], out_channels, 1) for _ in self.columns)
        for module in self.modules():
            if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
                nn.init.kaiming_normal_(module.weight)

    def forward(self, images: Tensor) -> Tensor | tuple[Tensor, ...]:
        """Logits ``(batch, classes, height, width)``; height and width must be multiples of 16.

        In training with ``heads="each"`` a tuple of four.
        """
        grid: list[list[Tensor]] = []
        features = images
        for level, block in enumerate(self.encoder):
            features = block(features if level == 0 else self.pool(features))
            grid.append([features])
        for column in range(1, DEPTH):
            for level in range(DEPTH - column):
                name = _name(level, column)
                up = self.ups[name](grid[level + 1][column - 1])
                grid[level].append(self.nodes[name](torch.cat((up, *grid[level]), dim=1)))
        logits = tuple(end(grid[0][column]) for end, column in zip(self.ends, self.columns, strict=True))
        if self.training and self.heads == "each":
            return logits
        return torch.stack(logits).mean(dim=0) if len(logits) > 1 else logits[0]


def _name(level: int, column: int) -> str:
    return f"level{level}_column{column}"


def _block(in_channels: int, features: int, batch_norm: bool) -> nn.Sequential:
    """Two 3x3 convolutions with ReLU, and batch normalisation if asked for."""
    layers: list[nn.Module] = []
    for below in (in_channels, features):
        layers.append(nn.Conv2d(below, features, 3, padding=1))
        if batch_norm:
            layers.append(nn.BatchNorm2d(features))
        layers.append(nn.ReLU(inplace=True))
    return nn.Sequential(*layers)


def _up(in_channels: int, features: int, kind: str) -> nn.Module:
    if kind == "transposed":
        return nn.ConvTranspose2d(in_channels, features, 2, stride=2)
    return nn.Sequential(
        nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False),
        nn.Conv2d(in_channels, features, 1),
    )

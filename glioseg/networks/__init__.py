"""Networks, one file each, all returning logits, and the registry that finds them by name.

A network takes float32 ``(batch, channels, height, width)`` and returns logits
``(batch, classes, height, width)``. No sigmoid inside: losses take logits, and one
place in :mod:`glioseg.postprocess` turns logits into probabilities. While it trains, a network with
deep supervision may return a tuple of such logits, one a head, which every loss of
:mod:`glioseg.losses` takes; in evaluation it returns one tensor.
"""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from glioseg.errors import Fault, GliosegError, InputError, require_extra
from glioseg.settings import check_arguments
from glioseg.words import Joined

if TYPE_CHECKING:
    from torch import nn

CHANNELS = ("in_channels", "out_channels")
"""What every network is called with; the recipe says it elsewhere."""
MONAI = "monai:"
"""Prefix of the networks that MONAI brings, as in ``monai:SegResNet``."""


@dataclass(frozen=True)
class NetworkEntry:
    """Where a network is defined and what it is; nothing is imported until it is built.

    Attributes:
        home: module and class.
        summary: one line for a list.
        multiple: heights and widths must be a multiple of this.
        pretrained: whether it has an argument ``pretrained``.
    """

    home: str
    summary: str
    multiple: int = 16
    pretrained: bool = False


REGISTRY: dict[str, NetworkEntry] = {
    "unet": NetworkEntry("glioseg.networks.unet:UNet", "the reference U-Net (Buda et al. 2019)"),
    "attention_unet": NetworkEntry(
        "glioseg.networks.attention_unet:AttentionUNet",
        "U-Net with attention gates: of the write-up, on the skips, or Oktay et al. 2018",
    ),
    "resnet34_unet": NetworkEntry(
        "glioseg.networks.resnet34_unet:ResNet34UNet",
        "ResNet-34 encoder, LinkNet decoder; ImageNet weights from a file or on request",
        multiple=32,
        pretrained=True,
    ),
    "unet_plus_plus": NetworkEntry(
        "glioseg.networks.unet_plus_plus:UNetPlusPlus",
        "nested U-Net (Zhou et al. 2018), deep supervision or not",
    ),
    "keras_unet": NetworkEntry(
        "glioseg.networks.keras_unet:KerasUNet", "U-Net of the Keras tutorials: no batch norm, dropout"
    ),
    "lite0_unet": NetworkEntry(
        "glioseg.networks.lite_unet:Lite0UNet",
        "EfficientNet-Lite0 encoder, ImageNet weights, light decoder",
        multiple=32,
        pretrained=True,
    ),
    "lite2_unet": NetworkEntry(
        "glioseg.networks.lite_unet:Lite2UNet",
        "EfficientNet-Lite2 encoder, ImageNet weights, light decoder",
        multiple=32,
        pretrained=True,
    ),
}


def find_network(name: str) -> NetworkEntry:
    """The entry of a network.

    Raises:
        InputError: there is none of that name; says the nearest.
    """
    if name in REGISTRY:
        return REGISTRY[name]
    if name.startswith(MONAI):
        # Five levels are the most that MONAI's have by default.
        return NetworkEntry(
            "glioseg.networks.monai_network:MonaiNetwork", f"MONAI's {name[len(MONAI) :]}", 32
        )
    near = get_close_matches(name, REGISTRY, n=1)
    if near:
        raise InputError(
            Fault("networks.name_with_nearest", name=name, names=Joined(REGISTRY), nearest=near[0])
        )
    raise InputError(Fault("networks.name", name=name, names=Joined(REGISTRY)))


def build_network(name: str, in_channels: int, out_channels: int = 1, **arguments: Any) -> nn.Module:
    """Build a network by name.

    Args:
        name: a key of :data:`REGISTRY`, or ``monai:`` and the name of a class in ``monai.networks.nets``.
        in_channels: input channels.
        out_channels: classes; 1 means lesion against the rest.
        arguments: the network's own settings.

    Raises:
        InputError: the name or an argument is not known.
    """
    entry = find_network(name)
    require_extra("train", "torch")
    if name.startswith(MONAI):
        arguments = {"architecture": name.removeprefix(MONAI), **arguments}
    module, _, attribute = entry.home.partition(":")
    try:
        architecture = getattr(import_module(module), attribute)
        check_arguments(architecture, arguments, "networks.unknown_argument", name, apart=CHANNELS)
        network: nn.Module = architecture(in_channels, out_channels, **arguments)
    except GliosegError:
        raise
    except Exception as error:  # arguments of the wrong kind or size fail in many ways
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise InputError(Fault("networks.arguments", name=name, reason=reason)) from error
    return network


def without_pretrained(name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """The arguments that build the same network without looking for pretrained weights.

    For a network whose weights come from a checkpoint anyway.
    """
    return {**arguments, "pretrained": "none"} if find_network(name).pretrained else dict(arguments)


def pad_to_multiple(images: npt.NDArray[Any], multiple: int) -> tuple[npt.NDArray[Any], tuple[slice, slice]]:
    """Enlarge images to a size that a network takes, and say where they lie in it.

    ``network(padded)[..., rows, columns]`` has the size of ``images`` again. The border is repeated
    outwards, half of it on each side, so that background goes on as background.

    Args:
        images: ``(..., height, width)``.
        multiple: of the network (:class:`NetworkEntry`).

    Returns:
        The padded images, and the rows and columns of the original ones.
    """
    height, width = images.shape[-2:]
    above, left = (-height % multiple) // 2, (-width % multiple) // 2
    below, right = -height % multiple - above, -width % multiple - left
    edges = [(0, 0)] * (images.ndim - 2) + [(above, below), (left, right)]
    padded = np.pad(images, edges, mode="edge")
    return padded, (slice(above, above + height), slice(left, left + width))

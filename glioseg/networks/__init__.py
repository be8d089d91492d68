"""Networks, one file each, all returning logits, and the registry that finds them by name.

A network takes float32 ``(batch, channels, height, width)`` and returns logits
``(batch, classes, height, width)``. No sigmoid inside: losses take logits, and one
place in :mod:`glioseg.inference` turns logits into probabilities.
"""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from importlib import import_module
from typing import TYPE_CHECKING, Any

from glioseg.errors import Fault, InputError, require_extra

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class NetworkEntry:
    """Where a network is defined and what it is; nothing is imported until it is built."""

    home: str
    summary: str
    multiple: int = 16
    """Heights and widths must be a multiple of this."""


REGISTRY: dict[str, NetworkEntry] = {
    "unet": NetworkEntry("glioseg.networks.unet:UNet", "the reference U-Net (Buda et al. 2019)"),
    "lite0_unet": NetworkEntry(
        "glioseg.networks.lite0_unet:Lite0UNet",
        "EfficientNet-Lite0 encoder, ImageNet weights, light decoder",
        multiple=32,
    ),
}


def build_network(name: str, in_channels: int, out_channels: int = 1, **arguments: Any) -> nn.Module:
    """Build a network by name.

    Args:
        name: a key of :data:`REGISTRY`.
        in_channels: input channels.
        out_channels: classes; 1 means lesion against the rest.
        arguments: the network's own settings.

    Raises:
        InputError: the name or an argument is not known.
    """
    require_extra("train", "torch")
    entry = REGISTRY.get(name)
    if entry is None:
        near = get_close_matches(name, REGISTRY, n=1)
        raise InputError(
            Fault(
                "network.name",
                f"one of {', '.join(REGISTRY)}",
                f"'{name}'",
                f"Did you mean '{near[0]}'?" if near else "Choose one of them.",
            )
        )
    module, _, attribute = entry.home.partition(":")
    try:
        network: nn.Module = getattr(import_module(module), attribute)(in_channels, out_channels, **arguments)
    except TypeError as error:
        raise InputError(
            Fault(f"network '{name}'", "its own arguments", str(error), "Mend [network.arguments].")
        ) from error
    return network

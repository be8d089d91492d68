"""Any two-dimensional segmentation network of MONAI, by its name there."""

from __future__ import annotations

import inspect
from difflib import get_close_matches
from typing import Any

from torch import Tensor, nn

from glioseg.errors import Fault, InputError, WrongKindError, require_extra
from glioseg.networks import MONAI
from glioseg.words import Joined

LEVELS = 5

DEFAULTS: dict[str, dict[str, Any]] = {
    "UNet": {"channels": [32, 64, 128, 256, 512], "strides": [2] * (LEVELS - 1)},
    "AttentionUnet": {"channels": [32, 64, 128, 256, 512], "strides": [2] * (LEVELS - 1)},
    "DynUNet": {
        "kernel_size": [3] * LEVELS,
        "strides": [1] + [2] * (LEVELS - 1),
        "upsample_kernel_size": [2] * (LEVELS - 1),
    },
}
"""Arguments that MONAI demands and for which there is a usual choice."""


class MonaiNetwork(nn.Module):
    """A network of ``monai.networks.nets``, in two dimensions, made to keep the contract of this package.

    Where MONAI returns several heads, this returns a tuple of them in training and the last of full size in
    evaluation.

    Args:
        in_channels: input channels.
        out_channels: classes.
        architecture: name of the class there, such as ``"SegResNet"``.
        arguments: its own arguments, by MONAI's names.

    Raises:
        InputError: there is no such network, or it needs a package that is not there.
        TypeError, ValueError: MONAI does not accept the arguments.
        WrongKindError: when called, the network gives no map of the size of its input.
    """

    def __init__(self, in_channels: int, out_channels: int, architecture: str, **arguments: Any) -> None:
        super().__init__()
        kind = _find(architecture)
        if "spatial_dims" in inspect.signature(kind).parameters:
            arguments.setdefault("spatial_dims", 2)
        arguments = {**DEFAULTS.get(architecture, {}), **arguments}
        try:
            self.network = kind(in_channels=in_channels, out_channels=out_channels, **arguments)
        except ImportError as error:
            reason = str(error).splitlines()[0]
            raise InputError(
                Fault("networks.monai_packages", name=f"{MONAI}{architecture}", reason=reason)
            ) from error

    def forward(self, images: Tensor) -> Tensor | tuple[Tensor, ...]:
        """Logits ``(batch, classes, height, width)``, or in training a tuple of such, one a head."""
        output: Any = self.network(images)
        if isinstance(output, Tensor):
            # DynUNet stacks its heads: (batch, heads, classes, height, width).
            heads: tuple[Tensor, ...] = output.unbind(dim=1) if output.dim() == 5 else (output,)
            self._let_go()
        else:
            heads = tuple(output)
        if self.training and len(heads) > 1:
            return heads
        whole = [head for head in heads if head.dim() == 4 and head.shape[-2:] == images.shape[-2:]]
        if not whole:
            raise WrongKindError(
                f"{type(self.network).__name__} of MONAI returns {[tuple(head.shape) for head in heads]} for "
                f"images of {tuple(images.shape)}: it does not segment them pixel by pixel"
            )
        return whole[-1]

    def _let_go(self) -> None:
        """DynUNet keeps the heads of its last call with their graph, and then cannot be copied."""
        kept = getattr(self.network, "heads", None)
        if isinstance(kept, list):
            kept[:] = [head.detach() for head in kept]


def monai_names() -> list[str]:
    """Names of MONAI's networks that map an image to an image: they take input and output channels."""
    from monai.networks import nets

    return sorted(
        name
        for name, kind in vars(nets).items()
        if inspect.isclass(kind)
        and issubclass(kind, nn.Module)
        and kind.__name__ == name
        and {"in_channels", "out_channels"} <= set(inspect.signature(kind).parameters)
    )


def _find(architecture: str) -> type[nn.Module]:
    require_extra("train", "monai")
    from monai.networks import nets

    names = monai_names()
    if architecture not in names:
        lower = {name.casefold(): name for name in names}
        near = get_close_matches(architecture.casefold(), lower, n=1)
        name = f"{MONAI}{architecture}"
        if near:
            nearest = f"{MONAI}{lower[near[0]]}"
            raise InputError(Fault("networks.monai_name_with_nearest", name=name, nearest=nearest))
        raise InputError(Fault("networks.monai_name", name=name, names=Joined(names)))
    kind: type[nn.Module] = getattr(nets, architecture)
    return kind

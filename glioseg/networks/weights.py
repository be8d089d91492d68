"""Weights of networks in files."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from glioseg.files import written_whole


def save_weights(network: nn.Module, path: Path) -> Path:
    """Write the state dict of a network as safetensors."""
    from safetensors.torch import save_file

    # Copies, since safetensors refuses tensors that share memory, as MONAI's DynUNet has them.
    state = {name: value.detach().cpu().clone().contiguous() for name, value in network.state_dict().items()}
    with written_whole(path) as part:
        save_file(state, part)
    return path


def read_weights(path: Path) -> dict[str, Tensor]:
    """A state dict from ``.safetensors`` or from a file of ``torch.save``; no code in it is ever run."""
    if path.suffix == ".safetensors":
        from safetensors.torch import load_file

        return load_file(path)
    state: dict[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    return state

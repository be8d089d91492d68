"""From a torch network to a TorchScript file that computes the same and says nothing of the machine."""

from __future__ import annotations

import io
import warnings
import zipfile
from copy import deepcopy
from pathlib import Path
from typing import Any

from glioseg.errors import GliosegError
from glioseg.files import written_whole
from glioseg.model.export import TOLERANCE


def save_torchscript(network: Any, path: Path, in_channels: int, size: int) -> Path:
    """Write a network as one TorchScript file for batches of any number of slices.

    Args:
        network: a ``torch.nn.Module``; it is left as it is.
        path: the file to write.
        in_channels: input channels.
        size: height and width in pixels.

    Raises:
        GliosegError: the network cannot be traced, or what was traced computes something else.
        InputError: the file cannot be written.
    """
    import torch

    copy = deepcopy(network).cpu().float().eval()
    generator = torch.Generator().manual_seed(0)
    # Another number of slices than the one that is traced with shows whether that was taken for a constant.
    traced_with, other = (torch.randn(n, in_channels, size, size, generator=generator) for n in (2, 3))
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")  # that torch.export is to come in the place of tracing
            buffer = io.BytesIO()
            torch.jit.save(torch.jit.trace(copy, traced_with, check_trace=False), buffer)
            content = _without_source_places(buffer.getvalue())
            found, expected = torch.jit.load(io.BytesIO(content))(other), copy(other)
            difference = float((found - expected).abs().max() / max(1.0, float(expected.abs().max())))
    except Exception as error:  # tracing fails in many ways
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise GliosegError(f"The network could not be traced, nothing was written: {reason}") from error
    if not difference <= TOLERANCE:
        raise GliosegError(f"The traced network gives other logits ({difference:.3g}), nothing was written.")
    with written_whole(path) as part:
        part.write_bytes(content)
    return path


def _without_source_places(content: bytes) -> bytes:
    """A TorchScript file without the tables that name the files of source code on this machine."""
    kept = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(kept, "w") as new:
        for entry in old.infolist():
            if not entry.filename.endswith(".debug_pkl"):
                new.writestr(entry, old.read(entry))
    return kept.getvalue()

"""``glioseg``, whose ``evaluate`` computes the network of a run with PyTorch on the GPU, in float32.

ONNX Runtime would take all cores of the machine for minutes, which the trainings beside it have not.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import torch

from glioseg.model import predictor
from glioseg.model.export import TOLERANCE
from glioseg.model.runtime import Array, OnnxRuntime
from glioseg.networks.weights import read_weights
from glioseg.runs.folder import RunFolder
from glioseg.training.start import network_of

DEVICE = os.environ.get("DEVICE", "cuda")


class OnGpu(OnnxRuntime):
    """The network of a run folder; ONNX Runtime in its place if the GPU does not agree with it."""

    def __init__(self, path: Path, threads: int | None = None, device: str = "cpu") -> None:
        super().__init__(path, threads)
        torch.set_num_threads(threads or 1)
        self.network: torch.nn.Module | None = None
        try:
            run = RunFolder.open(path.parent)
            self.network = network_of(run.recipe, pretrained=False)
            self.network.load_state_dict(read_weights(run.weights))
            self.network.eval().to(DEVICE)
            images = np.random.default_rng(0).standard_normal((1, *self.input.shape[1:]), np.float32)
            expected, found = super().__call__(images), self(images)
            difference = float(np.abs(found - expected).max()) / max(1.0, float(np.abs(expected).max()))
            if found.shape != expected.shape or not difference <= TOLERANCE:
                raise ValueError(f"logits that differ by {difference:g} from ONNX Runtime's")
            print(f"PyTorch on {DEVICE}; logits differ by {difference:.1g} from those of ONNX Runtime")
        except Exception as error:  # a score a little later is better than none
            print(f"ONNX Runtime computes the network: {type(error).__name__}: {error}")
            self.network = None

    def __call__(self, images: Array) -> Array:
        """Logits of a batch."""
        if self.network is None:
            return super().__call__(images)
        with torch.inference_mode():
            logits: Array = self.network(torch.from_numpy(images.astype(np.float32)).to(DEVICE)).cpu().numpy()
        return logits


if __name__ == "__main__":
    sys.argv[0] = "glioseg"  # what the records say
    if sys.argv[1:2] == ["evaluate"]:
        torch.backends.cudnn.allow_tf32 = False
        predictor.OnnxRuntime = OnGpu  # type: ignore[misc]
    from glioseg.cli import main

    main()

"""What computes the network: ONNX Runtime. Core only, no torch."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from glioseg.errors import Fault, InputError

Array = npt.NDArray[np.float32]


class Runtime(Protocol):
    """Maps ``(batch, channels, height, width)`` to logits ``(batch, classes, height, width)``."""

    def __call__(self, images: Array) -> Array:
        """Logits of a batch."""
        ...


class OnnxRuntime:
    """A network in ONNX Runtime on the CPU.

    Args:
        path: the ``.onnx`` file.
        threads: threads of one call; by default as many as the process may use.

    Attributes:
        fingerprint: hash of the file.
        input: name and shape of the input, sizes that are free as text.
        metadata: what the file says of itself.

    Raises:
        InputError: the file is not an ONNX model.
    """

    def __init__(self, path: Path, threads: int | None = None) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads or usable_cores()
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        # Waiting threads sleep instead of spinning: the scan after this one is being read meanwhile.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            content = path.read_bytes()
            self.session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        except OSError as error:
            raise InputError(Fault(path, "a readable file", str(error), "Check the path.")) from error
        except Exception as error:  # ONNX Runtime has no public base class for its errors
            raise InputError(
                Fault(
                    path,
                    "an ONNX model",
                    str(error).splitlines()[0],
                    "Export it again, or use another model.",
                )
            ) from error
        self.fingerprint = hashlib.sha256(content).hexdigest()[:16]
        self.input = self.session.get_inputs()[0]
        self.metadata: dict[str, str] = dict(self.session.get_modelmeta().custom_metadata_map)

    def __call__(self, images: Array) -> Array:
        """Logits of a batch."""
        result: Any = self.session.run(None, {self.input.name: np.ascontiguousarray(images, np.float32)})[0]
        logits: Array = result
        return logits


def usable_cores() -> int:
    """Cores this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count() or 1

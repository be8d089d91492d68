"""What computes the network: ONNX Runtime on CPU or GPU, or OpenVINO for 8-bit ones. No torch."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from glioseg.errors import Fault, InputError

Array = npt.NDArray[np.float32]

CPU, CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"
"""ONNX Runtime's names."""


class Runtime(Protocol):
    """Maps ``(batch, channels, height, width)`` to logits ``(batch, classes, height, width)``."""

    def __call__(self, images: Array) -> Array:
        """Logits of a batch."""
        ...


class OnnxRuntime:
    """A network in ONNX Runtime.

    Args:
        path: the ``.onnx`` file.
        threads: threads of one call; by default as many as the process may use.
        device: ``cpu``; ``cuda``, or ``cuda:1`` for the second GPU; or ``auto``, a GPU where ONNX Runtime has
            one. Only the CPU gives the same masks everywhere, voxel by voxel.

    Attributes:
        fingerprint: hash of the file.
        input: name and shape of the input, sizes that are free as text.
        metadata: what the file says of itself.

    Raises:
        InputError: the file is not an ONNX model, or there is no such device.
    """

    def __init__(self, path: Path, threads: int | None = None, device: str = "cpu") -> None:
        import onnxruntime

        providers = providers_of(device, onnxruntime.get_available_providers())
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads or usable_cores()
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        # Otherwise it keeps room for a batch laid out for the best, which is no faster and takes 20 MB more.
        options.enable_mem_pattern = False
        # Waiting threads sleep instead of spinning: the scan after this one is being read meanwhile.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            content = path.read_bytes()
            self.session = onnxruntime.InferenceSession(content, options, providers=providers)
            # Names and metadata that are no text cannot even be asked for.
            self.input = self.session.get_inputs()[0]
            self.metadata: dict[str, str] = dict(self.session.get_modelmeta().custom_metadata_map)
        except OSError as error:
            raise InputError(Fault("model.unreadable", path, reason=error)) from error
        except Exception as error:  # ONNX Runtime has no public base class for its errors
            reason = (str(error) or type(error).__name__).splitlines()[0]
            raise InputError(Fault("model.not_onnx", path, reason=reason)) from error
        if device.startswith("cuda") and CUDA not in self.session.get_providers():
            # ONNX Runtime falls back on the CPU where the driver or a library of CUDA is missing.
            raise InputError(_no_cuda(self.session.get_providers()))
        self.fingerprint = hashlib.sha256(content).hexdigest()[:16]
        self._size: tuple[int, ...] | None = None  # of the images of the last batch

    def shrink(self) -> None:
        """Give back the memory that is kept for the next batch, which takes the time of one image.

        ONNX Runtime keeps the memory of the largest batch in an arena of its own for as long as the model is
        loaded, unless a run is told to shrink it.
        """
        if self._size is None:
            return
        import onnxruntime

        options = onnxruntime.RunOptions()
        options.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")
        self.session.run(None, {self.input.name: np.zeros((1, *self._size), np.float32)}, options)
        self._size = None

    def __call__(self, images: Array) -> Array:
        """Logits of a batch."""
        self._size = images.shape[1:]
        result: Any = self.session.run(None, {self.input.name: np.ascontiguousarray(images, np.float32)})[0]
        logits: Array = result
        return logits


class OpenVino(OnnxRuntime):
    """A network in OpenVINO on the CPU, which computes 8-bit networks faster than ONNX Runtime does.

    Arguments, attributes and errors are those of :class:`OnnxRuntime`, which still reads the file.
    """

    def __init__(self, path: Path, threads: int | None = None) -> None:
        import openvino

        super().__init__(path, threads)
        settings = {
            "INFERENCE_NUM_THREADS": threads or usable_cores(),
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": "f32",
        }
        self.request = openvino.Core().compile_model(str(path), "CPU", settings).create_infer_request()

    def __call__(self, images: Array) -> Array:
        """Logits of a batch."""
        logits: Array = self.request.infer([np.ascontiguousarray(images, np.float32)])[0].copy()
        return logits


class Greatest(OnnxRuntime):
    """Two networks for the same input: a voxel is as likely to be lesion as the surer of them says.

    What one network misses the other may find. Attributes are those of the first; errors those of
    :class:`OnnxRuntime`.

    Args:
        path: the first network's ``.onnx`` file.
        other: the second one's.
        threads, device: as for :class:`OnnxRuntime`.
    """

    def __init__(self, path: Path, other: Path, threads: int | None = None, device: str = "cpu") -> None:
        super().__init__(path, threads, device)
        self.other = OnnxRuntime(other, threads, device)
        self.fingerprint += self.other.fingerprint

    def shrink(self) -> None:
        """Give back the memory that both networks keep for the next batch."""
        super().shrink()
        self.other.shrink()

    def __call__(self, images: Array) -> Array:
        """The greater logits of a batch."""
        return np.maximum(super().__call__(images), self.other(images))


def providers_of(device: str, available: Sequence[str]) -> list[str | tuple[str, dict[str, int]]]:
    """What ONNX Runtime is told to compute with, in order of preference.

    Args:
        device: as for :class:`OnnxRuntime`.
        available: what it was built with.

    Raises:
        InputError: no such device is known, or a GPU is wanted and ONNX Runtime was built without.
    """
    kind, _, number = device.partition(":")
    if kind not in ("auto", "cpu", "cuda") or (number and not (kind == "cuda" and number.isdecimal())):
        raise InputError(Fault("model.device", "--device", device=device))
    if kind == "cuda" and CUDA not in available:
        raise InputError(_no_cuda(available))
    if kind == "cpu" or CUDA not in available:
        return [CPU]
    return [(CUDA, {"device_id": int(number or 0)}), CPU]


def _no_cuda(providers: Sequence[str]) -> Fault:
    return Fault("model.no_cuda", "--device", providers=", ".join(providers))


def openvino_is_there() -> bool:
    """Whether OpenVINO is installed."""
    return find_spec("openvino") is not None


def usable_cores() -> int:
    """Cores this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count() or 1

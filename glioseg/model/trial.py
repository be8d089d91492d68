"""A model from a file is tried in a process of its own before it is used.

A damaged or hostile file can make ONNX Runtime crash, take all memory or never come back. In a process of its
own that harms nothing, and it ends in a fault with a reason.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from glioseg.errors import Fault, InputError, raise_all
from glioseg.model import weights
from glioseg.model.description import ModelDescription, read_description
from glioseg.model.runtime import OnnxRuntime, usable_cores
from glioseg.prepare import neighbour_channels

SECONDS = 60.0
"""Most time for loading a model and predicting two slices; usual ones take less than five seconds."""
MOST_BYTES = 2 * 2**30
"""More than an ONNX file can have, whose format counts to 2 GB."""
SLICES = 2
_sound: set[str] = set()
"""Hashes of the files that were tried in this process and are models."""
PROGRAM = "import sys; from glioseg.model.trial import main; main(sys.argv[1])"


def check_model(path: Path) -> None:
    """Refuse a file that is no model which glioseg can use; those that ship are not tried.

    Raises:
        InputError: it is no ONNX file or not one of glioseg's, its input or output is not what its
            description says, it crashes, or it takes too long.
    """
    if path.resolve().parent == weights.WEIGHTS.resolve():
        return
    try:
        size = path.stat().st_size
        if size > MOST_BYTES:
            raise InputError(Fault("model.large", path, size=f"{size:,}"))
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise InputError(Fault("model.unreadable", path, reason=error)) from error
    if digest not in _sound:
        raise_all(fault.at(path) for fault in _tried(path.resolve(), SECONDS))
        _sound.add(digest)


def _tried(path: Path, seconds: float) -> tuple[Fault, ...]:
    """The faults of a model, found in a process of its own."""
    here = str(Path(__file__).parent.parent.parent)
    paths = os.pathsep.join(filter(None, (here, os.environ.get("PYTHONPATH"))))
    try:
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, str(path)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=seconds,
            env={**os.environ, "PYTHONPATH": paths, "PYTHONUTF8": "1"},
            check=False,
        )
        told = json.loads(done.stdout.decode("utf-8").splitlines()[-1])
    except subprocess.TimeoutExpired:
        return (Fault("model.endless", path, seconds=f"{seconds:g}"),)
    except (ValueError, IndexError):
        return (Fault("model.crashes", path, exit=done.returncode),)
    return tuple(Fault(code, where, **parameters) for code, where, parameters in told)


def main(path: str) -> None:
    """Try a model in this process and print its faults as JSON."""
    _bound_memory()
    faults: tuple[Fault, ...] = ()
    try:
        _try(Path(path))
    except InputError as error:
        faults = error.faults
    print("\n" + json.dumps([(fault.code, fault.where, fault.parameters) for fault in faults]))


def _try(path: Path) -> None:
    """Load a model and let it predict empty slices."""
    runtime = OnnxRuntime(path, usable_cores())
    description = read_description(path, runtime.metadata)
    wanted = input_shape(description)
    inputs = runtime.session.get_inputs()
    found = tuple(runtime.input.shape[1:])
    # A size that the file leaves free stands there as text.
    if len(found) != 3 or any(
        isinstance(own, int) and own != said for own, said in zip(found, wanted, strict=True)
    ):
        raise InputError(Fault("model.input_size", path, wanted=_sizes(wanted), size=_sizes(found)))
    if len(inputs) != 1 or runtime.input.type != "tensor(float)":
        kinds = ", ".join(each.type for each in inputs)
        raise InputError(Fault("model.inputs", path, kinds=kinds))
    try:
        logits: Any = runtime(np.zeros((SLICES, *wanted), np.float32))
    except Exception as error:  # ONNX Runtime has no public base class for its errors
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise InputError(Fault("model.does_not_run", path, reason=reason)) from error
    expected = (SLICES, description.labels.channels, *wanted[1:])
    shape = tuple(getattr(logits, "shape", ()))
    if shape != expected or logits.dtype != np.float32:
        kind = getattr(logits, "dtype", type(logits).__name__)
        raise InputError(
            Fault("model.output", path, wanted=_sizes(expected), size=_sizes(shape) or "-", kind=kind)
        )
    if not np.isfinite(logits).all():
        raise InputError(Fault("model.not_finite", path))


def input_shape(description: ModelDescription) -> tuple[int, int, int]:
    """Channels, height and width that a model takes."""
    size = description.prepare.size
    return len(neighbour_channels(description.sequences, description.neighbours)), size, size


def _bound_memory() -> None:
    """No more than the machine has: a file of a hundred bytes can ask for any amount."""
    with suppress(ImportError, ValueError, OSError):
        import resource

        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
        limit = int(SECONDS * usable_cores()) + 1
        resource.setrlimit(resource.RLIMIT_CPU, (limit, limit))


def _sizes(shape: tuple[Any, ...]) -> str:
    return " x ".join(str(one) for one in shape)

"""Scan in, segmentation on the scan's own grid out."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from glioseg.errors import Fault, InputError
from glioseg.model.description import ModelDescription, read_description
from glioseg.model.runtime import Greatest, OnnxRuntime, OpenVino, Runtime, openvino_is_there
from glioseg.model.steps import class_maps, finished, network_input, of_any
from glioseg.model.trial import check_model
from glioseg.model.weights import find_model, named
from glioseg.prediction import Prediction
from glioseg.prepare import Frame, Prepared
from glioseg.scan import Scan, channels_for

BATCH = 4
"""Slices per call of the network; more is not faster on a CPU and costs memory."""
TOGETHER = 16
"""Slices that are prepared and carried back together, in whole batches."""


class Predictor:
    """A network with its preparation and its postprocessing.

    Args:
        runtime: what computes the network.
        description: how it wants its input and what its output means.
        flips: average with the left-right mirrored slices; in twice the time.
        batch: slices per call.
        fingerprint: hash of the weights, if they come from a file.

    One that :func:`load_model` made can be pickled, so that other processes and machines can use it: it is
    loaded again where it arrives, from the model of the same name or path, and refused if the weights there
    are others.
    """

    def __init__(
        self,
        runtime: Runtime,
        description: ModelDescription,
        flips: bool = False,
        batch: int = BATCH,
        fingerprint: str | None = None,
    ) -> None:
        self.runtime, self.description, self.flips = runtime, description, flips
        self.batch, self.fingerprint = batch, fingerprint
        self.arguments: dict[str, Any] | None = None
        """What :func:`load_model` was given, if that made it."""

    @property
    def channels(self) -> tuple[str, ...]:
        """The channels that a scan needs to have."""
        return channels_for(self.description.sequences)

    def __reduce__(self) -> tuple[Any, ...]:
        if self.arguments is None:
            raise TypeError("only a Predictor that load_model() gave can be pickled")
        return _load_again, (tuple(self.arguments.items()), self.fingerprint)

    def __call__(self, scan: Scan, probability: bool = True) -> Prediction:
        """Segment a scan.

        Args:
            scan: what is to be segmented.
            probability: whether the prediction is to have the probability map, four bytes a voxel.

        Raises:
            InputError: the scan has other channels than :attr:`channels`, or
                shows no head.
        """
        if scan.channels != self.channels:
            raise InputError(
                Fault(
                    "model.channels",
                    scan.source or scan.id,
                    wanted=", ".join(self.channels),
                    channels=", ".join(scan.channels),
                )
            )
        started = time.perf_counter()
        prepared = self.description.prepare(scan)
        return finished(self.description, scan, prepared, self._maps(prepared), started, probability)

    def prepared_probability(self, scan: Scan) -> tuple[npt.NDArray[np.float32], Frame]:
        """Probability of any label on the prepared grid, before it is carried back to the scan's own.

        Returns:
            Array ``(slices, size, size)`` in 0..1, and how the two grids lie to each other.
        """
        prepared = self.description.prepare(scan)
        return np.concatenate([of_any(some) for _, some in self._maps(prepared)]), prepared.frame

    def _maps(self, prepared: Prepared) -> Iterator[tuple[int, npt.NDArray[np.float32]]]:
        """``(classes, some slices, size, size)`` with the number of the first slice, until all are through;
        background left out; lesion or not is one class."""
        step, around = -(-TOGETHER // self.batch) * self.batch, self.description.neighbours
        for start in range(0, len(prepared), step):
            stop = min(start + step, len(prepared))
            first = max(0, start - around)
            images = prepared.some(first, min(stop + around, len(prepared)))
            batches = [
                self._of_batch(images, np.arange(low, min(low + self.batch, stop)) - first)
                for low in range(start, stop, self.batch)
            ]
            yield start, np.concatenate(batches, axis=1)

    def _of_batch(self, images: npt.NDArray[Any], chosen: npt.NDArray[np.intp]) -> npt.NDArray[np.float32]:
        batch = network_input(self.description, images, chosen)
        probability = class_maps(self.description, self.runtime(batch))
        if self.flips:
            mirrored = class_maps(self.description, self.runtime(batch[..., ::-1]))[..., ::-1]
            probability = np.float32(0.5) * (probability + mirrored)
        return probability


def load_model(
    model: str | Path = "default",
    flips: bool = False,
    threads: int | None = None,
    threshold: float | None = None,
    fast: bool = False,
    best: bool = False,
    device: str = "cpu",
) -> Predictor:
    """Load a model by name, run folder or file.

    Args:
        model: name of a model that ships, a run folder, or an ``.onnx`` file that glioseg wrote;
            ``default:fast`` and ``default:best`` say ``fast`` and ``best`` too.
        flips: average with the left-right mirrored slices.
        threads: threads of the network; all usable cores by default.
        threshold: instead of the model's own.
        fast: the 8-bit variant of a model that ships; in OpenVINO if that is installed.
        best: both networks of a model that ships with two, in twice the time.
        device: ``cpu``, ``cuda``, ``cuda:1`` or ``auto``; see :class:`glioseg.model.runtime.OnnxRuntime`.

    Raises:
        InputError: there is no such model, or it cannot be used: see :func:`glioseg.model.trial.check_model`.

    >>> import glioseg
    >>> model = glioseg.load_model(threshold=0.9)
    >>> model.description.postprocess.threshold
    0.9
    """
    model, variant = named(model)
    fast, best = fast or variant == "fast", best or variant == "second"
    if fast and best:
        raise InputError(Fault("model.fast_and_best"))
    path = find_model(model, "fast" if fast else "file")
    check_model(path)
    runtime: OnnxRuntime
    if best:
        runtime = Greatest(path, find_model(model, "second"), threads, device)
    elif fast and device == "cpu" and openvino_is_there():
        runtime = OpenVino(path, threads)
    else:
        runtime = OnnxRuntime(path, threads, device)
    description = read_description(path, runtime.metadata)
    if threshold is not None:
        if not 0 < threshold < 1:
            raise InputError(Fault("model.threshold", threshold=threshold))
        own = description.postprocess.model_copy(update={"threshold": threshold})
        description = description.model_copy(update={"postprocess": own})
    predictor = Predictor(runtime, description, flips, fingerprint=runtime.fingerprint)
    if os.path.exists(model):
        model = os.path.abspath(model)
    predictor.arguments = {
        "model": str(model),
        "flips": flips,
        "threads": threads,
        "threshold": threshold,
        "fast": fast,
        "best": best,
        "device": device,
    }
    return predictor


@lru_cache(maxsize=2)
def _load_again(arguments: tuple[tuple[str, Any], ...], fingerprint: str) -> Predictor:
    """Load a model that was pickled; once a process, however often it arrives.

    Raises:
        InputError: as :func:`load_model`, or the weights are others than those that were pickled.
    """
    options = dict(arguments)
    predictor = load_model(**options)
    if predictor.fingerprint != fingerprint:
        found = str(predictor.fingerprint)
        raise InputError(Fault("model.other_weights", options["model"], wanted=fingerprint, found=found))
    return predictor

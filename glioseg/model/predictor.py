"""Scan in, mask on the scan's own grid out."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from glioseg.errors import Fault, InputError
from glioseg.model.calibration import Evidence, doubts, evidence
from glioseg.model.description import ModelDescription, read_description
from glioseg.model.runtime import Greatest, OnnxRuntime, OpenVino, Runtime, openvino_is_there
from glioseg.model.weights import find_model
from glioseg.postprocess import class_probabilities, probabilities, to_labels, to_mask
from glioseg.prepare import Frame, choose_sequences, neighbour_channels, stack_neighbours
from glioseg.scan import CHANNELS, LabelMap, Mask, Scan

BATCH = 8
"""Slices per call of the network; more is not faster on a CPU and costs memory."""


@dataclass(frozen=True, eq=False)
class Prediction:
    """What a network says of one scan.

    Attributes:
        mask: the lesion on the scan's own grid; of a network with classes, all of them together.
        probability: float32 ``(slices, height, width)`` in 0..1 on the scan's own grid.
        prepared: the same on the prepared grid, before it was carried back.
        frame: how the two grids lie to each other.
        seconds: wall time, without reading the scan.
        labels: the classes on the scan's own grid, if the network tells them.
        evidence: what the mask can be judged by; ``None`` for an empty mask.
        expected_dice: DSC to expect by the model's calibration; ``None`` for an empty mask.
        doubts: keys of :data:`glioseg.model.calibration.DOUBTS`.
    """

    mask: Mask
    probability: npt.NDArray[np.float32]
    prepared: npt.NDArray[np.float32]
    frame: Frame
    seconds: float
    labels: LabelMap | None = None
    evidence: Evidence | None = None
    expected_dice: float | None = None
    doubts: tuple[str, ...] = ()


class Predictor:
    """A network with its preparation and its postprocessing.

    Args:
        runtime: what computes the network.
        description: how it wants its input and what its output means.
        flips: average with the left-right mirrored slices; in twice the time.
        batch: slices per call.
        fingerprint: hash of the weights, if they come from a file.
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

    def __call__(self, scan: Scan) -> Prediction:
        """Segment a scan.

        Raises:
            InputError: the scan has other channels than pre, flair, post, or shows no head.
        """
        if scan.channels != CHANNELS:
            raise InputError(
                Fault(
                    "model.channels",
                    scan.source or scan.id,
                    wanted=", ".join(CHANNELS),
                    channels=", ".join(scan.channels),
                )
            )
        started = time.perf_counter()
        prepared = self.description.prepare(scan)
        classes = self._probability(prepared.images)
        flair = prepared.images[..., prepared.images.shape[-1] // 2]
        flair_on_own_grid = partial(prepared.frame.restore, flair)
        choice, labels = self.description.postprocess, None
        if self.description.labels.given:
            each = np.stack([prepared.frame.restore(one) for one in classes])
            values = self.description.labels.values
            labels = LabelMap(to_labels(each, choice, values, flair_on_own_grid), scan.grid, scan.id)
            mask = labels.mask()
            restored, probability = (np.minimum(one.sum(axis=0), 1) for one in (each, classes))
        else:
            probability = classes[0]
            restored = prepared.frame.restore(probability)
            mask = Mask(to_mask(restored, choice, flair_on_own_grid), scan.grid, scan.id)
        clues = evidence(restored, mask.voxels)
        expected = None if clues is None else self.description.calibration(clues)
        appearance, sequences = self.description.appearance, self.description.sequences
        found = doubts(scan, mask.voxels, expected, appearance, flair, sequences)
        return Prediction(
            mask=mask,
            probability=restored,
            prepared=probability,
            frame=prepared.frame,
            seconds=time.perf_counter() - started,
            labels=labels,
            evidence=clues,
            expected_dice=expected,
            doubts=found,
        )

    def _probability(self, images: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """``(classes, slices, size, size)``, background left out; lesion or not is one class."""
        neighbours = self.description.neighbours
        result = np.empty((max(1, len(self.description.labels.values)), *images.shape[:3]), np.float32)
        for start in range(0, len(images), self.batch):
            chosen = np.arange(start, min(start + self.batch, len(images)))
            batch = stack_neighbours(images, chosen, neighbours)
            batch = choose_sequences(batch, self.description.sequences)
            probability = self._classes(self.runtime(batch))
            if self.flips:
                mirrored = self._classes(self.runtime(batch[..., ::-1]))[..., ::-1]
                probability = np.float32(0.5) * (probability + mirrored)
            result[:, chosen] = probability
        return result

    def _classes(self, logits: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Probabilities ``(classes, slices, height, width)`` of a batch of logits."""
        if self.description.labels.given:
            return class_probabilities(logits).swapaxes(0, 1)[1:]
        return probabilities(logits[:, 0])[None]


def load_predictor(
    model: str | Path = "default",
    flips: bool = False,
    threads: int | None = None,
    threshold: float | None = None,
    fast: bool = False,
    best: bool = False,
) -> Predictor:
    """Load a model by name, run folder or file.

    Args:
        model: name of a model that ships, a run folder, or an ``.onnx`` file that glioseg wrote.
        flips: average with the left-right mirrored slices.
        threads: threads of the network; all usable cores by default.
        threshold: instead of the model's own.
        fast: the 8-bit variant of a model that ships; in OpenVINO if that is installed.
        best: both networks of a model that ships with two, in twice the time.

    Raises:
        InputError: there is no such model, or its input is not what it says.
    """
    if fast and best:
        raise InputError(Fault("model.fast_and_best"))
    path = find_model(model, "fast" if fast else "file")
    runtime: OnnxRuntime
    if best:
        runtime = Greatest(path, find_model(model, "second"), threads)
    elif fast and openvino_is_there():
        runtime = OpenVino(path, threads)
    else:
        runtime = OnnxRuntime(path, threads)
    description = read_description(path, runtime.metadata)
    size = description.prepare.size
    expected = (len(neighbour_channels(description.sequences, description.neighbours)), size, size)
    found = tuple(runtime.input.shape[1:])
    # A size that the file leaves free stands there as text.
    if len(found) != 3 or any(
        isinstance(own, int) and own != said for own, said in zip(found, expected, strict=True)
    ):
        raise InputError(Fault("model.input_size", path, wanted=_sizes(expected), size=_sizes(found)))
    if threshold is not None:
        if not 0 < threshold < 1:
            raise InputError(Fault("model.threshold", threshold=threshold))
        own = description.postprocess.model_copy(update={"threshold": threshold})
        description = description.model_copy(update={"postprocess": own})
    return Predictor(runtime, description, flips, fingerprint=runtime.fingerprint)


def _sizes(shape: tuple[Any, ...]) -> str:
    return " x ".join(str(one) for one in shape)

"""One thread owns the model; segmentations queue for it, up to a limit."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from glioseg.errors import InputError
from glioseg.io.sequences import with_all_channels
from glioseg.server.jobs import Choice, Job, QueueFull, Stopped
from glioseg.server.memory import give_back
from glioseg.server.scans import Entry
from glioseg.server.settings import Settings

if TYPE_CHECKING:
    from glioseg.model.predictor import Predictor
    from glioseg.model.runtime import Runtime
    from glioseg.prediction import Prediction
    from glioseg.recipe import PostprocessChoice
    from glioseg.scan import Scan

    Made = tuple[Prediction, PostprocessChoice, str]
    """A prediction, how its mask was made of it, and what the model is called."""


class Watched:
    """A runtime that counts the slices of a job and stops between batches."""

    def __init__(self, runtime: Runtime, job: Job) -> None:
        self.runtime, self.job = runtime, job

    def __call__(self, images: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Logits of a batch."""
        self.job.advance(0)
        logits = self.runtime(images)
        self.job.advance(len(images))
        return logits


class Worker(threading.Thread):
    """The thread that segments."""

    def __init__(self, settings: Settings, models: dict[str, str | Path]) -> None:
        super().__init__(name="glioseg-worker", daemon=True)
        self.settings, self.models = settings, models
        self._waiting: deque[tuple[Job, Entry]] = deque()
        self._later: deque[tuple[Job, Entry]] = deque()
        self._running: Job | None = None
        self._change = threading.Condition()
        self._closed = False
        # By the model itself, since a name may come to mean another one.
        self._predictors: dict[str | Path, Predictor] = {}
        self._samples: dict[tuple[str, str | Path, Choice], Made] = {}
        self._seconds = 2.0  # of one segmentation, a running mean

    def submit(self, entry: Entry, choice: Choice) -> Job:
        """Queue a segmentation.

        Raises:
            QueueFull: as many wait as may.
        """
        with self._change:
            self._waiting = deque(each for each in self._waiting if not each[0].cancelled)
            if len(self._waiting) >= self.settings.queue:
                raise QueueFull(max(1, math.ceil(self._seconds * (len(self._waiting) + 1) / 2)))
            job = Job(choice)
            entry.job = job
            self._waiting.append((job, entry))
            if self._running is not None and self._running.yields:
                self._running.cancel()
            self._change.notify()
        return job

    def submit_later(self, entry: Entry, choice: Choice) -> Job:
        """Queue a segmentation that nobody waits for: it runs while the queue is empty.

        It is cancelled when somebody asks for another one meanwhile; whoever queued it does so again.
        """
        job = Job(choice, yields=True)
        entry.job = job
        with self._change:
            self._later.append((job, entry))
            self._change.notify()
        return job

    def name_of(self, model: str) -> str:
        """What a model is called, where clients may ask for the server's own choice as ``default``."""
        return _called(self.models[model])

    def position(self, job: Job) -> int:
        """How many come before a job that waits."""
        with self._change:
            waiting = [each for each, _ in self._waiting if not each.cancelled]
            return waiting.index(job) + (self._running is not None) if job in waiting else 0

    def close(self) -> None:
        """End the thread once the batch that is running is done."""
        with self._change:
            self._closed = True
            for job in (*(each for each, _ in (*self._waiting, *self._later)), self._running):
                if job is not None:
                    job.cancel()
            self._change.notify()
        if self.is_alive():
            self.join(timeout=10)

    def run(self) -> None:
        """Work until closed."""
        while True:
            with self._change:
                while not (self._waiting or self._later or self._closed):
                    self._change.wait()
                if self._closed:
                    for job, _ in (*self._waiting, *self._later):
                        job.end("cancelled")
                    return
                job, entry = (self._waiting or self._later).popleft()
                self._running = job
            self._work(job, entry)
            self._running = None
            del job, entry  # a thread that waits would hold the last scan
            self._rest()

    def _work(self, job: Job, entry: Entry) -> None:
        if job.cancelled:
            job.end("cancelled")
            return
        started = time.monotonic()
        job.begin(self.settings.segment_seconds)
        try:
            made = self._segment(job, entry)
        except Stopped:
            job.end("cancelled")
            return
        except InputError as error:
            job.faults = error.faults
            job.end("failed")
            return
        except BaseException as error:  # whatever happens, the client hears of it and the thread goes on
            job.error = error
            job.end("failed")
            return
        _give(entry, *made)
        self._seconds = 0.7 * self._seconds + 0.3 * (time.monotonic() - started)
        job.end("done")

    def _rest(self) -> None:
        """Give the memory of the last segmentation back, if no other one waits for it."""
        from glioseg.model.runtime import OnnxRuntime

        if not self._waiting:
            for loaded in self._predictors.values():
                if isinstance(loaded.runtime, OnnxRuntime):
                    loaded.runtime.shrink()
        give_back()

    def recall(self, entry: Entry) -> None:
        """Give a bundled scan the mask that the default model made of it before, if it did."""
        known = self._samples.get((entry.sample or "", self.models["default"], Choice()))
        if known is not None:
            _give(entry, *known)

    def _segment(self, job: Job, entry: Entry) -> Made:
        from glioseg.model.predictor import Predictor, load_model

        choice = job.choice
        model = self.models[choice.model]
        loaded = self._predictors.get(model)
        if loaded is None:
            loaded = load_model(model, threads=self.settings.threads)
            if len(self._predictors) >= 4:  # models are large
                self._predictors.clear()
            self._predictors[model] = loaded
        description = loaded.description
        if choice.threshold is not None:
            own = description.postprocess.model_copy(update={"threshold": choice.threshold})
            description = description.model_copy(update={"postprocess": own})
        predictor = Predictor(Watched(loaded.runtime, job), description, choice.flips, loaded.batch)
        sample, scan = entry.sample, entry.scan
        if scan.channels != predictor.channels:
            scan = _with_sequences(entry, predictor)
        if sample is None:
            return predictor(scan), description.postprocess, _called(model)
        # The bundled scans never change: their masks are kept, so that the demo stands at once.
        key = (sample, model, choice)
        if key not in self._samples:
            self._samples[key] = predictor(scan), description.postprocess, _called(model)
        return self._samples[key]


def _with_sequences(entry: Entry, predictor: Predictor) -> Scan:
    """The scan with the channels that a network takes: T2 is read from its files for the time it is needed.

    Raises:
        InputError: the files cannot be read any more.
    """
    if entry.source is not None and set(predictor.channels) & set(entry.source.further):
        return replace(entry.source.with_sequences(predictor.channels).read(), id=entry.scan.id)
    return with_all_channels(entry.scan, predictor.channels)


def _called(model: str | Path) -> str:
    """What a model is called: its own name, or that of its file or its run."""
    from glioseg.model.weights import find_model

    name, colon, variant = str(model).partition(":")
    if name == "default":
        return find_model(model).stem + colon + variant
    path = Path(model)
    return path.parent.name if path.name == "model.onnx" else path.name


def _give(entry: Entry, prediction: Prediction, how: PostprocessChoice, model: str) -> None:
    if entry.mask is not prediction.segmentation:
        entry.revision += 1
    entry.predicted, entry.probability = prediction.segmentation, prediction.probability
    entry.corrected, entry.threshold = None, how.threshold
    entry.expected_dice, entry.doubts = prediction.expected_dice, prediction.doubts
    entry.postprocessing, entry.model = how.describe(), model

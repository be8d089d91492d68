"""One thread owns the model; segmentations queue for it, up to a limit."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from glioseg.errors import Fault, InputError
from glioseg.server.settings import Settings

if TYPE_CHECKING:
    from glioseg.model.predictor import Prediction, Predictor
    from glioseg.model.runtime import Runtime
    from glioseg.recipe import PostprocessChoice
    from glioseg.server.store import Entry


@dataclass(frozen=True)
class Choice:
    """How to segment: the model by its name on this server, mirrored slices too, another threshold."""

    model: str = "default"
    flips: bool = False
    threshold: float | None = None


class QueueFull(Exception):
    """As many segmentations wait as may; ``seconds`` until it is worth asking again."""

    def __init__(self, seconds: int) -> None:
        super().__init__("the queue is full")
        self.seconds = seconds


class Stopped(Exception):
    """The job was cancelled, or ran out of time, between two batches."""


class Job:
    """One segmentation. ``state`` is queued, running, done, failed or cancelled."""

    def __init__(self, entry: Entry, choice: Choice) -> None:
        self.entry, self.choice = entry, choice
        self.state = "queued"
        self.faults: tuple[Fault, ...] = ()
        self.error: BaseException | None = None
        self.slices_done = 0
        self.finished = threading.Event()
        self._cancelled = False
        self._deadline = math.inf

    def cancel(self) -> None:
        """Take it from the queue, or stop it after the batch that is running."""
        self._cancelled = True

    @property
    def cancelled(self) -> bool:
        """Whether nobody waits for it any more."""
        return self._cancelled

    def begin(self, seconds: float) -> None:
        """Say that it runs now, for at most so long."""
        self.state, self._deadline = "running", time.monotonic() + seconds

    def advance(self, slices: int) -> None:
        """Count slices; raises :class:`Stopped` when it shall not go on."""
        self.slices_done += slices
        if self._cancelled:
            raise Stopped
        if time.monotonic() > self._deadline:
            cure = "Try a smaller scan, or a machine with more cores."
            raise InputError(Fault("the segmentation", "an end within the time limit", "none", cure))

    def end(self, state: str) -> None:
        """Say how it ended."""
        self.state = state
        self.finished.set()


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
        self._waiting: deque[Job] = deque()
        self._running: Job | None = None
        self._change = threading.Condition()
        self._closed = False
        self._predictors: dict[str, Predictor] = {}
        self._samples: dict[tuple[str, Choice], tuple[Prediction, PostprocessChoice]] = {}
        self._seconds = 2.0  # of one segmentation, a running mean

    def submit(self, entry: Entry, choice: Choice) -> Job:
        """Queue a segmentation.

        Raises:
            QueueFull: as many wait as may.
        """
        with self._change:
            self._waiting = deque(job for job in self._waiting if not job.cancelled)
            if len(self._waiting) >= self.settings.queue:
                raise QueueFull(max(1, math.ceil(self._seconds * (len(self._waiting) + 1) / 2)))
            job = Job(entry, choice)
            entry.job = job
            self._waiting.append(job)
            self._change.notify()
        return job

    def position(self, job: Job) -> int:
        """How many come before a job that waits."""
        with self._change:
            waiting = [each for each in self._waiting if not each.cancelled]
            return waiting.index(job) + (self._running is not None) if job in waiting else 0

    def close(self) -> None:
        """End the thread once the batch that is running is done."""
        with self._change:
            self._closed = True
            for job in (*self._waiting, self._running):
                if job is not None:
                    job.cancel()
            self._change.notify()
        if self.is_alive():
            self.join(timeout=10)

    def run(self) -> None:
        """Work until closed."""
        while True:
            with self._change:
                while not self._waiting and not self._closed:
                    self._change.wait()
                if self._closed:
                    for job in self._waiting:
                        job.end("cancelled")
                    return
                job = self._running = self._waiting.popleft()
            self._work(job)
            self._running = None

    def _work(self, job: Job) -> None:
        if job.cancelled:
            job.end("cancelled")
            return
        started = time.monotonic()
        job.begin(self.settings.segment_seconds)
        try:
            prediction, how = self._segment(job)
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
        _give(job.entry, prediction, how)
        self._seconds = 0.7 * self._seconds + 0.3 * (time.monotonic() - started)
        job.end("done")

    def recall(self, entry: Entry) -> None:
        """Give a bundled scan the mask that the default model made of it before, if it did."""
        known = self._samples.get((entry.sample or "", Choice()))
        if known is not None:
            _give(entry, *known)

    def _segment(self, job: Job) -> tuple[Prediction, PostprocessChoice]:
        from glioseg.model.predictor import Predictor, load_predictor

        choice = job.choice
        loaded = self._predictors.get(choice.model)
        if loaded is None:
            loaded = load_predictor(self.models[choice.model], threads=self.settings.threads)
            if len(self._predictors) >= 4:  # models are large
                self._predictors.clear()
            self._predictors[choice.model] = loaded
        description = loaded.description
        if choice.threshold is not None:
            own = description.postprocess.model_copy(update={"threshold": choice.threshold})
            description = description.model_copy(update={"postprocess": own})
        predictor = Predictor(Watched(loaded.runtime, job), description, choice.flips, loaded.batch)
        sample = job.entry.sample
        if sample is None:
            return predictor(job.entry.scan), description.postprocess
        # The bundled scans never change: their masks are kept, so that the demo stands at once.
        if (sample, choice) not in self._samples:
            self._samples[sample, choice] = predictor(job.entry.scan), description.postprocess
        return self._samples[sample, choice]


def _give(entry: Entry, prediction: Prediction, how: PostprocessChoice) -> None:
    entry.predicted, entry.probability = prediction.mask, prediction.probability
    entry.corrected, entry.threshold = None, how.threshold
    entry.expected_dice, entry.doubts = prediction.expected_dice, prediction.doubts
    entry.postprocessing = how.describe()

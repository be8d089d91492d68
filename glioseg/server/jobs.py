"""A segmentation that a client asked for: what was chosen, how far it is, how it ended."""

from __future__ import annotations

import math
import threading
import time
from dataclasses import dataclass

from glioseg.errors import Fault, InputError


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
    """One segmentation. ``state`` is queued, running, done, failed or cancelled.

    Args:
        choice: how to segment.
        yields: it makes room for those that somebody waits for.
    """

    def __init__(self, choice: Choice, yields: bool = False) -> None:
        self.choice, self.yields = choice, yields
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
            raise InputError(Fault("server.slow_segmentation"))

    def end(self, state: str) -> None:
        """Say how it ended."""
        self.state = state
        self.finished.set()

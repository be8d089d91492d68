"""Waiting for a segmentation on behalf of a client."""

from __future__ import annotations

import asyncio

from fastapi import Request

from glioseg.errors import Fault
from glioseg.server.faults import Refused, UnfitError, without_folder
from glioseg.server.jobs import Choice, Job
from glioseg.server.scans import Entry
from glioseg.server.service import Service

GIVEN = "given"
"""What stands for a model where the mask that came with a scan is taken instead."""


async def segmented(request: Request, entry: Entry, service: Service, choice: Choice) -> None:
    """Segment an entry, or take the mask that came with it; hanging up cancels what waits for its turn.

    Raises:
        Refused: there is no such model, or no mask that was given, or it was cancelled.
        UnfitError: the scan cannot be segmented.
        QueueFull: as many wait as may.
    """
    if choice.model == GIVEN:
        _take_given(entry)
        return
    if choice.model not in service.worker.models:
        raise Refused(404, Fault("server.unknown_model", known=", ".join(service.worker.models)))
    job = service.worker.submit(entry, choice)
    await _finished(job, request)
    service.store.settle()
    if job.faults:
        raise UnfitError(*without_folder(job.faults, entry.folder))
    if job.error is not None:
        raise job.error
    if job.state != "done":
        raise Refused(409, Fault("server.cancelled", ""))


def _take_given(entry: Entry) -> None:
    """Put the mask that came with a scan, with its labels, where a network's mask stands."""
    given = entry.given
    if given is None:
        raise Refused(409, Fault("server.no_truth", ""))
    with entry.changing:
        entry.predicted, entry.probability, entry.corrected = given, None, None
        entry.expected_dice, entry.doubts = None, tuple(entry.scan.notes)
        entry.model, entry.threshold, entry.postprocessing = GIVEN, 0.5, "none"
        entry.revision += 1
    entry.job = None


async def _finished(job: Job, request: Request) -> None:
    """Wait for a job; cancel it when the client has gone."""
    try:
        while not job.finished.is_set():
            if await request.is_disconnected():
                job.cancel()
                return
            await asyncio.sleep(0.05)
    except asyncio.CancelledError:
        job.cancel()
        raise

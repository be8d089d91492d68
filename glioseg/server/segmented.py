"""Waiting for a segmentation on behalf of a client."""

from __future__ import annotations

import asyncio

from fastapi import Request

from glioseg.errors import Fault
from glioseg.server.faults import Refused, UnfitError, without_folder
from glioseg.server.jobs import Choice, Job
from glioseg.server.scans import Entry
from glioseg.server.service import Service


async def segmented(request: Request, entry: Entry, service: Service, choice: Choice) -> None:
    """Segment an entry; it waits for its turn, and hanging up cancels it.

    Raises:
        Refused: there is no such model, or it was cancelled.
        UnfitError: the scan cannot be segmented.
        QueueFull: as many wait as may.
    """
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

"""What the routes share: the store, the worker, the threads that read uploads."""

from __future__ import annotations

import asyncio
import shutil
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Annotated

from fastapi import Depends, Request

from glioseg.errors import Fault, InputError
from glioseg.scan import Scan, Segmentation
from glioseg.server import display, numbers, runs, schemas
from glioseg.server.faults import SeriesModel, UnfitError, without_folder
from glioseg.server.jobs import Choice
from glioseg.server.learning import Learning
from glioseg.server.memory import give_back
from glioseg.server.scans import Entry, Store
from glioseg.server.settings import Settings
from glioseg.server.worker import Worker
from glioseg.server.worklist.adding import Adding
from glioseg.server.worklist.rows import WorkList
from glioseg.server.worklist.segmenting import Segmenter

REHEARSAL_SECONDS = 60
"""How long a server with ``--demo`` waits for its first mask before it says where it is."""


class Service:
    """What the routes share: store, worker, threads that read uploads."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.store = Store(settings)
        self.worker = Worker(settings, _models(settings))
        self.worklist = WorkList(settings, self.store)
        self.learning = Learning(settings, self.worklist, self.worker)
        self.adding = Adding(self.worklist)
        self.segmenter = Segmenter(self.worklist, self.worker)
        self.readers = ThreadPoolExecutor(2, thread_name_prefix="glioseg-reader")
        self.saving = threading.Lock()

    @property
    def demo(self) -> str | None:
        """The bundled scan that the page opens by itself, with ``--demo``."""
        from glioseg.samples import sample_cases

        return sample_cases()[0].id if self.settings.demo else None

    def start(self) -> None:
        """Start the worker; with ``--demo``, first do all that its page will ask for."""
        self.worker.start()
        self.segmenter.start()
        if self.demo is not None:
            self._rehearse(self.demo)

    def _rehearse(self, name: str) -> None:
        """Segment a bundled scan and make its layers and numbers: imports and caches are filled then."""
        entry = Entry("", self.store.folder, *read_sample(name), sample=name)
        job = self.worker.submit(entry, Choice())
        if job.finished.wait(REHEARSAL_SECONDS) and job.state == "done" and entry.predicted is not None:
            info(entry, self)
            display.channel_volume(entry.scan, "flair")
            display.mask_volume(entry.predicted.voxels, entry.scan.grid)
            numbers.numbers_of(entry)

    def close(self) -> None:
        """End the worker and remove everything."""
        self.learning.close()
        self.worker.close()
        self.segmenter.close()
        self.worklist.close()
        self.readers.shutdown(wait=False, cancel_futures=True)
        self.store.close()

    async def new_entry(self, read: Callable[[str, Path], Entry]) -> Entry:
        """Read a scan in a thread, within the time limit and with clean faults, and keep it.

        Args:
            read: makes the entry, of an id and of a new private folder; reserves memory in the store under
                that id before it decodes anything.
        """
        id, folder = self.store.new_folder()
        reading = self.readers.submit(self._kept, read, id, folder)
        try:
            return await asyncio.wait_for(asyncio.wrap_future(reading), self.settings.read_seconds)
        except asyncio.TimeoutError:
            self._abandon(reading, id, folder)
            raise InputError(Fault("server.slow_upload")) from None
        except InputError as error:
            self._abandon(reading, id, folder)
            kind = UnfitError if isinstance(error, UnfitError) else InputError
            raise kind(*without_folder(error.faults, folder)) from None
        except BaseException:
            self._abandon(reading, id, folder)
            raise

    def _kept(self, read: Callable[[str, Path], Entry], id: str, folder: Path) -> Entry:
        try:
            return self.store.add(read(id, folder))
        finally:
            self.store.release(id)
            give_back()

    def _abandon(self, reading: Future[Entry], id: str, folder: Path) -> None:
        """Remove what an upload has left, also what a thread that still reads it makes afterwards."""

        def remove(_: Future[Entry]) -> None:
            self.store.drop(id)
            shutil.rmtree(folder, ignore_errors=True)

        reading.cancel()
        shutil.rmtree(folder, ignore_errors=True)
        reading.add_done_callback(remove)


def _models(settings: Settings) -> dict[str, str | Path]:
    """Models by the name that clients use: the server's own first, those that ship, finished runs."""
    from glioseg.model.weights import find_model, named, shipped_names

    find_model(*named(settings.model))
    found: dict[str, str | Path] = {"default": settings.model, **{name: name for name in shipped_names()}}
    for name, run in runs.find_runs(settings.runs).items():
        if run.model.is_file():
            found[f"run:{name}"] = run.model
    return found


@lru_cache
def read_sample(name: str) -> tuple[Scan, Segmentation | None]:
    """A bundled scan with its truth; read once, since both never change."""
    from glioseg.dataset.find import read_case
    from glioseg.samples import sample_cases

    return read_case(next(case for case in sample_cases() if case.id == name))


def info(entry: Entry, service: Service) -> schemas.ScanInfo:
    """What is known of an entry."""
    scan, job = entry.scan, entry.job
    windows = display.windows(scan)
    state = "done" if entry.predicted is not None else "new"
    if job is not None and job.state != "done":
        state = job.state
    left = service.settings.keep_seconds - (time.monotonic() - entry.used)
    return schemas.ScanInfo(
        id=entry.id,
        name=scan.id,
        shape=list(scan.grid.shape),
        slice_numbers=list(scan.grid.slice_numbers),
        spacing=None if scan.grid.spacing is None else [round(size, 6) for size in scan.grid.spacing],
        axial=display.is_radiological(scan.grid),
        channels=list(scan.channels),
        filled=list(scan.filled),
        windows={name: schemas.Window(low=low, high=high) for name, (low, high) in windows.items()},
        format=scan.storage.format,
        series=[SeriesModel.model_validate(asdict(each)) for each in entry.series],
        truth=entry.truth is not None,
        state=state,  # type: ignore[arg-type]
        ahead=service.worker.position(job) if job is not None else 0,
        progress=1.0 if state == "done" else min(1.0, job.slices_done / len(scan.voxels)) if job else 0.0,
        probability=entry.probability is not None,
        model=entry.model,
        threshold=entry.threshold,
        labels=[schemas.LabelModel(value=value, name=name) for value, name in entry.labels.items()],
        truth_labels=_truth_labels(entry),
        corrected=entry.corrected is not None,
        revision=entry.revision,
        expires_in=max(0, round(left)),
    )


def _truth_labels(entry: Entry) -> list[schemas.TruthLabel]:
    if entry.labelled is None:
        return []
    counts = entry.labelled.counts
    return [
        schemas.TruthLabel(
            value=value, name=name, voxels=counts.get(value, 0), chosen=value in entry.chosen_labels
        )
        for value, name in entry.labelled.labels.items()
    ]


def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


Serving = Annotated[Service, Depends(_service)]

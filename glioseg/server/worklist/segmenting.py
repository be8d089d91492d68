"""The thread that segments the rows of the list one after the other while people read others."""

from __future__ import annotations

import secrets
import threading
import time
from functools import partial

from glioseg.errors import InputError
from glioseg.server.faults import unforeseen
from glioseg.server.jobs import Choice
from glioseg.server.memory import give_back
from glioseg.server.scans import StoreFull
from glioseg.server.worker import Worker
from glioseg.server.worklist.rows import PatientRow, WorkList

PAUSE_SECONDS = 1.0
"""How long it waits for room in memory before it asks again."""

SPARED_SECONDS = 120.0
"""How long it leaves a scan in memory that somebody has used, and may use again."""

ASIDE_SECONDS = 5.0
"""How long it stands aside when somebody needs the memory: until that scan is there."""


class Segmenter(threading.Thread):
    """Finds the scans of a list, then segments what nobody has segmented; requests of people go first."""

    def __init__(self, rows: WorkList, worker: Worker) -> None:
        super().__init__(name="glioseg-worklist", daemon=True)
        self.rows, self.worker = rows, worker
        self._closed = threading.Event()
        self._holds_nothing = threading.Event()
        self._holds_nothing.set()
        self._aside_until = 0.0
        self._row: PatientRow | None = None

    def close(self) -> None:
        """End it; the worker has to be closed before."""
        self._closed.set()
        with self.rows.change:
            self.rows.change.notify_all()
        if self.is_alive():
            self.join(timeout=10)

    def stand_aside(self) -> bool:
        """Let the scan go that is being segmented, since somebody needs its memory.

        Returns:
            Whether that is free now.
        """
        self._aside_until = time.monotonic() + ASIDE_SECONDS
        row = self._row
        if row is not None and row.job is not None:
            row.job.cancel()
        return self._holds_nothing.wait(ASIDE_SECONDS)

    def run(self) -> None:
        """Work until closed."""
        self.rows.find()
        while not self._closed.wait(max(0.0, self._aside_until - time.monotonic())):
            row = self.rows.next_waiting()
            if row is not None:
                self._try(row)
                continue
            with self.rows.change:
                if not self._closed.is_set():
                    self.rows.change.wait(timeout=60)

    def _try(self, row: PatientRow) -> None:
        self._row = row
        self._holds_nothing.clear()
        try:
            self._segment(row)
        except StoreFull:
            self._closed.wait(PAUSE_SECONDS)
        except InputError as error:
            row.faults = error.faults
        except Exception as error:  # one bad scan never stops the others
            row.faults = (unforeseen(error),)
        finally:
            row.job = self._row = None
            self._holds_nothing.set()
            self.rows.tell(row)
            give_back()

    def _segment(self, row: PatientRow) -> None:
        store, id, source = self.rows.store, secrets.token_urlsafe(18), row.source
        try:
            entry = self.rows.read(row, id, store.folder, partial(store.reserve, id, spared=SPARED_SECONDS))
            if row.record is not None or time.monotonic() < self._aside_until:
                return
            store.reserve(id, entry.bytes)  # reading took more
            row.job = job = self.worker.submit_later(entry, Choice())
            self.rows.tell(row)
            while not job.finished.wait(0.5):
                if self._closed.is_set():
                    return
            if job.faults:
                raise InputError(*job.faults)
            if job.error is not None:
                raise job.error
            with row.saving:
                # A person may have opened and segmented it meanwhile, or taken another series.
                if job.state == "done" and row.record is None and row.source is source:
                    self.rows.keep(entry, entry.model)
        finally:
            store.release(id)

"""The thread that segments the rows of the list one after the other while people read others."""

from __future__ import annotations

import secrets
import threading
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


class Segmenter(threading.Thread):
    """Finds the scans of a list, then segments what nobody has segmented; requests of people go first."""

    def __init__(self, rows: WorkList, worker: Worker) -> None:
        super().__init__(name="glioseg-worklist", daemon=True)
        self.rows, self.worker = rows, worker
        self._closed = threading.Event()

    def close(self) -> None:
        """End it; the worker has to be closed before."""
        self._closed.set()
        with self.rows.change:
            self.rows.change.notify_all()
        if self.is_alive():
            self.join(timeout=10)

    def run(self) -> None:
        """Work until closed."""
        self.rows.find()
        while not self._closed.is_set():
            row = self.rows.next_waiting()
            if row is not None:
                self._try(row)
                continue
            with self.rows.change:
                if not self._closed.is_set():
                    self.rows.change.wait(timeout=60)

    def _try(self, row: PatientRow) -> None:
        try:
            self._segment(row)
        except StoreFull:
            self._closed.wait(PAUSE_SECONDS)
        except InputError as error:
            row.faults = error.faults
        except Exception as error:  # one bad scan never stops the others
            row.faults = (unforeseen(error),)
        finally:
            row.job = None
            self.rows.tell(row)
            give_back()

    def _segment(self, row: PatientRow) -> None:
        id, folder = secrets.token_urlsafe(18), self.rows.store.folder
        try:
            entry = self.rows.read(row, id, folder, partial(self.rows.store.reserve, id))
            if row.record is not None:
                return
            row.job = self.worker.submit_later(entry, Choice())
            self.rows.tell(row)
            while not row.job.finished.wait(0.5):
                if self._closed.is_set():
                    return
            if row.job.faults:
                raise InputError(*row.job.faults)
            if row.job.error is not None:
                raise row.job.error
            with row.saving:
                # A person may have opened and segmented it meanwhile: that mask holds.
                if row.job.state == "done" and row.record is None:
                    self.rows.keep(entry, self.worker.name_of("default"))
        finally:
            self.rows.store.release(id)

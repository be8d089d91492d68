"""The folder of a work list. One server writes to it at a time, and nothing in it is ever half-written.

``rows/<key>/record.json`` is the record of a patient, replaced whole; the masks that it names lie beside it
and are written before it, so that a kill at any instant leaves the old record with the old masks or the new
one with the new. ``uploads/`` holds what clients added, ``scans.json`` the scans that were named at a start.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import weakref
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np

from glioseg.errors import Fault, InputError
from glioseg.files import (
    PART,
    make_folder,
    owned_name,
    private_folder,
    sweep,
    sync,
    synced_later,
    write_json,
    written_whole,
)
from glioseg.results.claims import Claims
from glioseg.server.scans import Entry
from glioseg.server.worklist.record import Record, read_array, read_record, write_arrays

TEMPORARY = "glioseg-list-"
"""How the names of folders begin that do not outlive their server."""

STEPS = 255
"""Steps between 0 and 1 in which probabilities are kept: with fewer bytes, and 0.5 stays where it is."""


class WorkFolder:
    """A folder that keeps a work list.

    Args:
        path: made if it is not there; ``None`` for a private one that goes when it is closed.

    Raises:
        InputError: another server works with it, or it cannot be written.
    """

    def __init__(self, path: Path | None) -> None:
        self._end: Callable[[], object] = bool
        if path is None:
            sweep(Path(tempfile.gettempdir()), TEMPORARY)  # what servers that were killed left behind
            path = private_folder(TEMPORARY)
            self._end = weakref.finalize(self, shutil.rmtree, path, ignore_errors=True)
        self.path = Path(path).resolve()
        self.rows = make_folder(self.path / "rows")
        self.uploads = make_folder(self.path / "uploads")
        self.claims = Claims(self.path / ".claims")
        holder = self.claims.take("work list")
        if holder is not None:
            host, pid = (str(holder.get(name, "?")) for name in ("host", "pid"))
            raise InputError(Fault("server.work_in_use", path, host=host, pid=pid))
        for folder in (self.path, self.rows, self.uploads):
            sweep(folder)

    def close(self) -> None:
        """Let another server have it."""
        self.claims.close()
        self._end()

    # ------------------------------------------------------------ records

    def record(self, key: str) -> Record | None:
        """The record of a row, see :func:`read_record`."""
        return read_record(self.rows / key / "record.json")

    def store(self, key: str, record: Record, entry: Entry, network: bool) -> Record:
        """Keep a record with the masks of an entry, and remove the masks that it no longer names.

        Args:
            key: of the row.
            record: without the names of files, which this chooses.
            entry: has a mask.
            network: whether the network's mask is another than the one that is kept.

        Returns:
            The record as it is kept.

        Raises:
            InputError: they cannot be written.
        """
        folder = self.rows / key
        if network:
            assert entry.predicted is not None
            arrays = {"labels": entry.predicted.voxels}
            if entry.probability is not None:
                arrays["probability"] = np.round(entry.probability * STEPS).astype(np.uint8)
            record = replace(record, network=f"network-{record.revision}.npz")
            write_arrays(folder / record.network, **arrays)
        corrected = entry.corrected
        record = replace(record, corrected="" if corrected is None else f"corrected-{record.revision}.npz")
        if corrected is not None:
            write_arrays(folder / record.corrected, labels=corrected.voxels)
        self.store_record(key, record)
        for path in folder.glob("*.npz"):
            if path.name not in record.masks and not path.name.startswith(PART):
                path.unlink(missing_ok=True)
        return record

    def store_record(self, key: str, record: Record) -> None:
        """Keep a record whose masks are there already."""
        write_json(self.rows / key / "record.json", record.to_json())

    def restore(self, key: str, record: Record, entry: Entry) -> None:
        """Give an entry the masks that are kept of it.

        Raises:
            InputError: they are damaged, or are not of this scan.
        """
        shape, folder = entry.scan.grid.shape, self.rows / key
        labels = read_array(folder / record.network, "labels", shape)
        entry.predicted = entry.scan.segmentation(labels, record.labels)
        with suppress(InputError):  # of some masks there are none
            kept = read_array(folder / record.network, "probability", shape)
            entry.probability = kept.astype(np.float32) / np.float32(STEPS)
        if record.corrected:
            labels = read_array(folder / record.corrected, "labels", shape)
            entry.corrected = entry.scan.segmentation(labels, record.labels, "corrected")
        entry.expected_dice, entry.doubts = record.expected_dice, record.doubts
        entry.threshold, entry.postprocessing = record.threshold, record.postprocessing
        entry.revision, entry.model = record.revision, record.model

    def set_aside(self, key: str) -> None:
        """Keep what is known of a row under another name: its files have become those of another scan."""
        folder = self.rows / key
        folder.rename(self.rows / f"{key}-before-{datetime.now():%Y%m%d-%H%M%S-%f}")
        sync(self.rows)

    def thumbnail(self, key: str) -> Path:
        """Where the small picture of a row is."""
        return self.rows / key / "thumbnail.png"

    def drawn(self, key: str) -> int | None:
        """When the small picture of a row was made, in nanoseconds; ``None`` if there is none."""
        try:
            return self.thumbnail(key).stat().st_mtime_ns
        except OSError:
            return None

    def store_thumbnail(self, key: str, content: bytes) -> None:
        """Keep the small picture of a row; nobody waits for the disk, since it can be drawn again."""
        with synced_later(), written_whole(self.thumbnail(key)) as part:
            part.write_bytes(content)

    # ------------------------------------------------------------ scans

    def new_upload(self) -> Path:
        """A folder for files that come in; :meth:`finish_upload` makes it one that a restart finds."""
        folder = self.uploads / owned_name(PART)
        folder.mkdir(mode=0o700)
        return folder

    def finish_upload(self, folder: Path) -> Path:
        """Keep the files of an upload; the folder may lie elsewhere."""
        target = self.uploads / f"{datetime.now():%Y%m%d-%H%M%S-%f}"
        shutil.move(folder, target)
        sync(self.uploads)
        return target

    def finished_uploads(self) -> list[Path]:
        """The folders of all uploads, the first first."""
        return sorted(path for path in self.uploads.iterdir() if not path.name.startswith("."))

    def remember(self, scans: Iterable[Path]) -> list[Path]:
        """The scans that were named at this start and at those before it; they are kept for the next.

        Raises:
            InputError: the list cannot be read or written.
        """
        path = self.path / "scans.json"
        try:
            before = [Path(str(each)) for each in json.loads(path.read_text(encoding="utf-8"))]
        except FileNotFoundError:
            before = []
        except (OSError, ValueError, TypeError) as error:
            raise InputError(Fault("server.work_damaged", path)) from error
        known = list(dict.fromkeys([*before, *(each.absolute() for each in scans)]))
        if known != before:
            write_json(path, list(map(str, known)))
        return known

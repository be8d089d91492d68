"""The scans that a server holds: in memory and in a private folder, for an hour after their last use."""

from __future__ import annotations

import secrets
import shutil
import tempfile
import threading
import time
import weakref
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from glioseg.scan import Scan, Segmentation
from glioseg.server.jobs import Job
from glioseg.server.settings import Settings

if TYPE_CHECKING:
    from glioseg.io.dicom.match import FoundSeries


class StoreFull(Exception):
    """No room for another scan; ``seconds`` until one will be dropped."""

    def __init__(self, seconds: int) -> None:
        super().__init__("no room for another scan")
        self.seconds = seconds


@dataclass(eq=False)
class Entry:
    """One scan of one client.

    Attributes:
        id: unguessable.
        folder: its private folder.
        scan: the scan.
        truth: the mask that came with it, lesion or not.
        labelled: that mask with its labels, if there are several; ``truth`` holds those that were chosen.
        series: of a DICOM study, all there are.
        sample: name of the bundled scan that it is.
        predicted: the mask that the network made.
        probability: float32 in 0..1 on the scan's grid, behind that mask; missing for masks that were stored.
        expected_dice, doubts: what the model says of that mask.
        threshold, postprocessing: how the predicted mask was made.
        chosen_labels: labels of ``labelled`` that are the lesion.
        corrected: the mask as a person left it, if that is another than the predicted one.
        revision: counts the masks that the entry has had.
        changing: held while the mask changes.
        job: the last segmentation that was asked for.
        used: when it was last asked for, on the monotonic clock.
    """

    id: str
    folder: Path
    scan: Scan
    truth: Segmentation | None = None
    series: tuple[FoundSeries, ...] = ()
    sample: str | None = None
    predicted: Segmentation | None = None
    probability: npt.NDArray[np.float32] | None = None
    expected_dice: float | None = None
    doubts: tuple[str, ...] = ()
    threshold: float = 0.5
    postprocessing: str = "none"
    corrected: Segmentation | None = None
    revision: int = 0
    changing: threading.Lock = field(default_factory=threading.Lock)
    labelled: Segmentation | None = None
    chosen_labels: tuple[int, ...] = ()
    job: Job | None = None
    used: float = field(default_factory=time.monotonic)

    @property
    def mask(self) -> Segmentation | None:
        """The corrected mask, or else the predicted one."""
        return self.predicted if self.corrected is None else self.corrected

    def __post_init__(self) -> None:
        if self.truth is not None and not self.truth.lesion_or_not:
            self.labelled = self.truth
            self.choose_labels(tuple(self.labelled.labels))

    def choose_labels(self, labels: tuple[int, ...]) -> None:
        """Say which labels of the mask that came with the scan are the lesion; needs ``labelled``."""
        assert self.labelled is not None
        mask = np.isin(self.labelled.voxels, labels)
        self.truth = self.scan.segmentation(mask, origin=self.labelled.origin)
        self.chosen_labels = labels


class Store:
    """All entries of a server."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.folder = Path(tempfile.mkdtemp(prefix="glioseg-serve-"))  # mode 0700
        # Also when nobody closes it, at the latest when the interpreter ends.
        self._end = weakref.finalize(self, shutil.rmtree, self.folder, ignore_errors=True)
        self._entries: dict[str, Entry] = {}
        self._lock = threading.Lock()

    def new_folder(self) -> tuple[str, Path]:
        """An id and its folder, before there is a scan in it.

        Raises:
            StoreFull: there are as many scans as may be.
        """
        with self._lock:
            if len(self._entries) >= self.settings.scans:
                raise StoreFull(self._until_room())
        id = secrets.token_urlsafe(18)
        folder = self.folder / secrets.token_hex(8)
        folder.mkdir(mode=0o700)
        return id, folder

    def add(self, entry: Entry) -> Entry:
        """Keep an entry.

        Raises:
            StoreFull: there are as many scans, or as many values of them, as may be.
        """
        with self._lock:
            held = sum(each.scan.voxels.size for each in self._entries.values())
            over = held + entry.scan.voxels.size > self.settings.held_values
            if over or len(self._entries) >= self.settings.scans:
                raise StoreFull(self._until_room())
            self._entries[entry.id] = entry
        return entry

    def get(self, id: str) -> Entry | None:
        """The entry of an id, which counts as a use."""
        with self._lock:
            entry = self._entries.get(id)
            if entry is not None:
                entry.used = time.monotonic()
            return entry

    def drop(self, id: str) -> bool:
        """Forget an entry and remove its files; whether there was one."""
        with self._lock:
            entry = self._entries.pop(id, None)
        if entry is None:
            return False
        if entry.job is not None:
            entry.job.cancel()
        shutil.rmtree(entry.folder, ignore_errors=True)
        return True

    def drop_old(self) -> None:
        """Drop what was not used for longer than the settings say."""
        limit = time.monotonic() - self.settings.keep_seconds
        with self._lock:
            old = [entry.id for entry in self._entries.values() if entry.used < limit]
        for id in old:
            self.drop(id)

    def close(self) -> None:
        """Drop everything and remove the private folder."""
        for id in list(self._entries):
            self.drop(id)
        self._end()

    def __len__(self) -> int:
        return len(self._entries)

    def _until_room(self) -> int:
        oldest = min((entry.used for entry in self._entries.values()), default=time.monotonic())
        return max(1, round(oldest + self.settings.keep_seconds - time.monotonic()))

"""The scans that a server holds: in memory and in a private folder, for an hour after their last use."""

from __future__ import annotations

import math
import secrets
import shutil
import tempfile
import threading
import time
import weakref
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from glioseg.errors import Fault, InputError
from glioseg.files import private_folder, sweep
from glioseg.scan import LESION, Scan, Segmentation
from glioseg.server.jobs import Job
from glioseg.server.memory import give_back
from glioseg.server.settings import Settings

if TYPE_CHECKING:
    from glioseg.io.dicom.match import FoundSeries
    from glioseg.io.source import Source


PROTECTED = {"new": 60.0, "segmented": 5.0, "corrected": 600.0}
"""Seconds after its last use in which a scan keeps its place although others want it.

A client of a new scan is about to have it segmented; one that looks at a corrected scan thinks.
"""


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
        source: its files, for networks that take sequences which are not held.
        sample: name of the bundled scan that it is.
        row: key of its row in the work list, which keeps its masks.
        predicted: the mask that the network made.
        probability: float32 in 0..1 on the scan's grid, behind that mask; missing for masks that were stored.
        expected_dice, doubts: what the model says of that mask.
        model, threshold, postprocessing: how the predicted mask was made; the model is empty if not known.
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
    source: Source | None = None
    sample: str | None = None
    row: str | None = None
    predicted: Segmentation | None = None
    probability: npt.NDArray[np.float32] | None = None
    expected_dice: float | None = None
    doubts: tuple[str, ...] = ()
    model: str = ""
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
    def bytes(self) -> int:
        """Bytes of memory that it holds: voxels, masks and probability."""
        masks = (self.truth, self.labelled, self.predicted, self.corrected)
        voxels = [each.voxels for each in masks if each is not None]
        return sum(map(held_bytes, (self.scan.voxels, self.probability, *voxels)))

    @property
    def busy(self) -> bool:
        """Whether a segmentation of it waits or runs."""
        return self.job is not None and not self.job.cancelled and not self.job.finished.is_set()

    def kept_until(self) -> float:
        """Until when, on the monotonic clock, no other scan may take its place."""
        if self.busy:
            return math.inf
        lost = self.corrected is not None and self.row is None  # the work list keeps its corrections
        return self.used + PROTECTED["corrected" if lost else "segmented" if self.predicted else "new"]

    @property
    def labels(self) -> Mapping[int, str]:
        """The labels that its mask may have: those of the mask that the network made, or lesion or not."""
        return LESION if self.predicted is None else self.predicted.labels

    @property
    def given(self) -> Segmentation | None:
        """The mask that came with the scan, with its labels as far as they were chosen."""
        if self.labelled is None:
            return self.truth
        kept = np.isin(self.labelled.voxels, self.chosen_labels)
        return replace(self.labelled, voxels=np.where(kept, self.labelled.voxels, np.uint8(0)))

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


FOLDER_PREFIX = "glioseg-serve-"


class Store:
    """All entries of a server, and the memory that they and the readers of others take."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        # What servers that were killed left behind.
        sweep(Path(tempfile.gettempdir()), FOLDER_PREFIX)
        self.folder = private_folder(FOLDER_PREFIX)
        # Also when nobody closes it, at the latest when the interpreter ends.
        self._end = weakref.finalize(self, shutil.rmtree, self.folder, ignore_errors=True)
        self._entries: dict[str, Entry] = {}
        self._reserved: dict[str, int] = {}
        self._lock = threading.Lock()

    def new_folder(self) -> tuple[str, Path]:
        """An id and its folder, before there is a scan in it."""
        id = secrets.token_urlsafe(18)
        folder = self.folder / secrets.token_hex(8)
        folder.mkdir(mode=0o700)
        return id, folder

    def reserve(self, id: str, size: int, spared: float = 0.0) -> None:
        """Make room for one more scan, whose reading takes ``size`` bytes; drops scans that nobody uses.

        The scans that were used least recently go first. What is reserved counts until :meth:`add` or
        :meth:`release`; a second call for one id replaces the first.

        Args:
            id: of the new scan.
            size: bytes.
            spared: seconds that scans stay longer than otherwise, if nobody waits for the new one.

        Raises:
            InputError: a scan of that size never has room.
            StoreFull: all other scans are in use.
        """
        most = self.settings.memory_bytes
        if size > most:
            raise InputError(
                Fault("server.too_much_memory", most=f"{most >> 20:,}", size=f"{(size >> 20) + 1:,}")
            )
        end = time.monotonic() + self.settings.room_seconds
        while True:
            with self._lock:
                self._reserved.pop(id, None)
                dropped, room_at = self._room(size, 1, spared)
                if room_at is None:
                    self._reserved[id] = size
            self._forget(dropped)
            if room_at is None:
                return
            if room_at > end:
                raise StoreFull(max(1, math.ceil(room_at - time.monotonic())))
            time.sleep(0.05)

    def release(self, id: str) -> None:
        """Give back what was reserved."""
        with self._lock:
            self._reserved.pop(id, None)

    def add(self, entry: Entry) -> Entry:
        """Keep an entry, in the place of what was reserved for it.

        Raises:
            StoreFull: nothing was reserved, and all other scans are in use.
        """
        with self._lock:
            reserved = self._reserved.pop(entry.id, 0)
            dropped, room_at = self._room(entry.bytes, 1)
            if room_at is None or entry.bytes <= reserved:
                self._entries[entry.id] = entry
        self._forget(dropped)
        if room_at is not None and entry.bytes > reserved:
            raise StoreFull(max(1, math.ceil(min(room_at - time.monotonic(), 60))))
        return entry

    def settle(self) -> None:
        """Drop idle scans where results have made the others larger than all may be."""
        with self._lock:
            dropped, _ = self._room(0, 0)
        self._forget(dropped)

    def _room(self, size: int, more: int, spared: float = 0.0) -> tuple[list[Entry], float | None]:
        """Take idle scans out until ``more`` scans of ``size`` bytes have room; the lock is held.

        Returns:
            What was taken out, and when there may be room, ``None`` for now.
        """
        now = time.monotonic()
        bytes = {entry.id: entry.bytes for entry in self._entries.values()}
        held = sum(bytes.values()) + sum(self._reserved.values())
        count = len(self._entries) + len(self._reserved)
        dropped: list[Entry] = []
        for entry in sorted(self._entries.values(), key=lambda each: each.used):
            if held + size <= self.settings.memory_bytes and count + more <= self.settings.scans:
                break
            if entry.kept_until() + spared <= now:
                dropped.append(self._entries.pop(entry.id))
                held, count = held - bytes[entry.id], count - 1
        if held + size <= self.settings.memory_bytes and count + more <= self.settings.scans:
            return dropped, None
        soonest = min((entry.kept_until() for entry in self._entries.values()), default=math.inf)
        return dropped, min(soonest, now + max(PROTECTED.values()))

    def _forget(self, entries: list[Entry]) -> None:
        """Stop what is done for entries that were taken out, and give back their files and memory."""
        if not entries:
            return
        for entry in entries:
            if entry.job is not None:
                entry.job.cancel()
            shutil.rmtree(entry.folder, ignore_errors=True)
        entries.clear()
        give_back()

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
        gone = [entry]
        del entry  # so that nothing holds its voxels when memory is given back
        self._forget(gone)
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


def held_bytes(array: npt.NDArray[Any] | None) -> int:
    """Bytes of memory behind an array; what is only seen several times (a stride of 0) counts once."""
    if array is None:
        return 0
    sizes = [size for size, stride in zip(array.shape, array.strides, strict=True) if stride != 0]
    return math.prod(sizes) * array.itemsize

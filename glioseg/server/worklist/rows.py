"""The work list: its rows, which of them are open, and what is known of each."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from glioseg.errors import Fault, InputError
from glioseg.io import find_scans
from glioseg.io.archive import is_archive, laid_out
from glioseg.io.source import Source
from glioseg.results.record import content_of, key_of, origin_of
from glioseg.server import promises
from glioseg.server.faults import unforeseen, without_folder
from glioseg.server.jobs import Job
from glioseg.server.numbers import numbers_of
from glioseg.server.scans import Entry, Store
from glioseg.server.settings import Settings
from glioseg.server.uploads import read_source
from glioseg.server.worklist.choices import Choices, undecided, with_series
from glioseg.server.worklist.folder import WorkFolder
from glioseg.server.worklist.record import Record, kept_numbers
from glioseg.server.worklist.thumbnail import thumbnail


@dataclass(eq=False)
class PatientRow:
    """One patient.

    Attributes:
        key: names it in addresses and in the folder.
        source: where its scan is; without the headers of DICOM, which are read again when it is opened.
        root: the folder that a client does not learn of.
        number: its place in the order in which scans were found.
        record: what is kept of it, once it was segmented.
        faults: why it cannot be read or segmented.
        others: whether its files have become those of another scan since a mask was kept.
        removed: whether a person removed it from the list.
        job: of the segmentation in the background, while that runs.
        entry: id of the scan in the store, once it was opened.
        version: that of the list when the row last changed.
        opening: held while it is read for the store.
        saving: held while its record changes.
    """

    key: str
    source: Source
    root: Path
    number: int = 0
    record: Record | None = None
    faults: tuple[Fault, ...] = ()
    others: bool = False
    removed: bool = False
    job: Job | None = None
    entry: str | None = None
    version: int = 0
    opening: asyncio.Lock = field(default_factory=asyncio.Lock)
    saving: threading.RLock = field(default_factory=threading.RLock)

    @property
    def status(self) -> str:
        """``waiting``, ``running``, ``failed``, ``segmented``, ``corrected``, ``checked`` or ``removed``."""
        if self.removed:
            return "removed"
        if self.record is not None:
            return self.record.status
        return "failed" if self.faults else "waiting" if self.job is None else "running"

    @property
    def told_faults(self) -> list[Fault]:
        """Its faults without the place of its files on this machine."""
        return list(without_folder(self.faults, self.root))


class WorkList:
    """The rows of a server, by key, in the order in which their scans were found.

    Args:
        settings: name the scans and the folder.
        store: holds the scans that are open.

    Raises:
        InputError: another server works with the folder, or it cannot be read or written.
    """

    def __init__(self, settings: Settings, store: Store) -> None:
        self.settings, self.store = settings, store
        self.id = secrets.token_hex(6)
        self.folder = WorkFolder(settings.work)
        self.choices = Choices(self.folder.path / "choices.json")
        self.scans = self.folder.remember(settings.listed)
        self.rows: dict[str, PatientRow] = {}
        self.faults: list[Fault] = []
        self.finding = True
        self.version = 0
        self.change = threading.Condition()
        self.uploaded_bytes = 0

    # ------------------------------------------------------------ finding

    def find(self) -> None:
        """Find the scans that were named and those that were added before."""
        for path in self.scans:
            self._find(path, path.parent)
        for folder in self.folder.finished_uploads():
            self.uploaded_bytes += bytes_in(folder)
            self._find(folder, folder)
        with self.change:
            self.finding = False
            self._changed()

    def _find(self, path: Path, root: Path) -> None:
        """Add what is behind one path; whatever is wrong with it, the others are found."""
        try:
            if is_archive(path):
                path = laid_out(path)
                root = path.parent
            self.add([path], root)
        except InputError as error:
            with self.change:
                self.faults += without_folder(error.faults, root)
        except Exception as error:  # whatever a library runs into in a damaged file
            with self.change:
                self.faults.append(unforeseen(error).at(path.name))

    def add(self, paths: Sequence[Path], root: Path, needed: bool = False) -> int:
        """Add a row for each scan behind paths; those that have one already keep it.

        Args:
            paths: files and folders.
            root: what clients are not told of the paths.
            needed: whether it is a fault if there is none.

        Returns:
            How many scans there are.

        Raises:
            InputError: there is none.
        """
        sources, faults = find_scans(paths)
        studies, others = undecided(faults)
        if needed and not sources and not studies:
            raise InputError(*without_folder(others or [Fault("io.no_scan")], root))
        for source in sources:
            self._add(source, root)
        for source, wrong in studies:
            self._add(source, root, wrong)
        with self.change:
            self.faults += without_folder(others, root)
            self._changed()
        return len(sources) + len(studies)

    def _add(self, source: Source, root: Path, wrong: Sequence[Fault] = ()) -> None:
        """Add a row; ``wrong`` is what a choice of series cures."""
        origin = Path(origin_of(source))
        if origin.is_relative_to(self.folder.path):
            origin = origin.relative_to(self.folder.path)  # the folder may be moved
        key = hashlib.sha256(origin.as_posix().encode()).hexdigest()[:16]
        if key in self.rows:
            return
        row = PatientRow(key, _without_headers(source), root, removed=key in self.choices.removed)
        row.faults = tuple(wrong)
        try:
            if key in self.choices.series:
                row.source, row.faults = _without_headers(with_series(source, self.choices.series[key])), ()
            row.record = self.folder.record(key)
            self._check_files(row)
        except InputError as error:
            row.faults = error.faults
        with self.change:
            row.number = len(self.rows) + 1
            if self.rows.setdefault(key, row) is row:
                self._changed(row)

    def _check_files(self, row: PatientRow) -> None:
        """Set the record of a row aside if its files are no longer those that it was made of."""
        with row.saving:
            record = row.record
            if record is None or record.files == key_of(row.source, ""):
                return
            if content_of(row.source) == record.content:  # only moved, copied or touched
                row.record = replace(record, files=key_of(row.source, ""))
                self.folder.store_record(row.key, row.record)
            else:
                self.folder.set_aside(row.key)
                row.record, row.others = None, True

    # ------------------------------------------------------------ reading

    def read(self, row: PatientRow, id: str, folder: Path, reserve: Callable[[int], None]) -> Entry:
        """Read the scan of a row with the masks that are kept of it.

        Args:
            row: of this list.
            id, folder: of the new entry.
            reserve: makes room for so many bytes in the store, before anything is decoded.

        Raises:
            InputError: it cannot be read.
        """
        reserve(promises.of_files(row.source.files).reading)
        self._check_files(row)
        entry = Entry(id, folder, *read_source(self._with_headers(row), reserve), row=row.key)
        with row.saving:
            if row.record is not None:
                self.folder.restore(row.key, row.record, entry)
        return entry

    def _with_headers(self, row: PatientRow) -> Source:
        """The scan of a row, of DICOM with its headers."""
        source = row.source
        if source.format != "dicom":
            return source
        if row.key in self.choices.series:
            return with_series(source, self.choices.series[row.key])
        files: Iterable[Path] = (*source.files, *filter(None, source.truth))
        sources, faults = find_scans(files)
        if len(sources) != 1:
            raise InputError(
                *(faults or [Fault("server.several_scans", count=len(sources), scans=source.id)])
            )
        return replace(sources[0], id=source.id)

    def opened(self, row: PatientRow) -> Entry | None:
        """The scan of a row if the store holds it."""
        return None if row.entry is None else self.store.get(row.entry)

    # ------------------------------------------------------------ keeping

    def keep(self, entry: Entry, model: str | None = None) -> dict[str, Any]:
        """The numbers of an entry, whose mask and record are kept if it belongs to the list.

        Args:
            entry: has a mask that a network made.
            model: that made it, if it is new.

        Raises:
            InputError: the folder cannot be written.
        """
        row = self.rows.get(entry.row or "")
        if row is None:
            return numbers_of(entry)
        with row.saving:  # records are written in the order of the masks that they tell of
            numbers = numbers_of(entry)
            before = row.record
            if model is None and before is not None and before.revision == entry.revision:
                return numbers
            assert entry.predicted is not None
            record = Record(
                files=before.files if before is not None else key_of(row.source, ""),
                content=before.content if before is not None else content_of(row.source),
                revision=numbers["revision"],
                network=before.network if before is not None else "",
                model=model or (before.model if before is not None else ""),
                threshold=entry.threshold,
                postprocessing=entry.postprocessing,
                labels=dict(entry.predicted.labels),
                expected_dice=None if entry.expected_dice is None else round(entry.expected_dice, 4),
                doubts=tuple(map(str, entry.doubts)),
                numbers=kept_numbers(numbers),
            )
            row.record = self.folder.store(row.key, record, entry, network=model is not None)
            row.faults = ()
            if entry.mask is not None:
                self.folder.store_thumbnail(row.key, thumbnail(entry.scan, entry.mask))
        self.tell(row)
        return numbers

    def check(self, row: PatientRow, checked: bool) -> None:
        """Say that a person looked at the mask of a row and found it right, or no longer so.

        Raises:
            InputError: the folder cannot be written.
        """
        with row.saving:
            assert row.record is not None
            record = replace(row.record, checked=checked)
            self.folder.store_record(row.key, record)
            row.record = record
        self.tell(row)

    def remove(self, row: PatientRow, removed: bool) -> None:
        """Take a row out of the list, or back into it. Its files and masks stay where they are.

        Raises:
            InputError: the folder cannot be written.
        """
        with self.change:
            self.choices.remove(row.key, removed)
            row.removed = removed
            if removed and row.job is not None:
                row.job.cancel()
            self._changed(row)

    def choose_series(self, row: PatientRow, series: Sequence[str]) -> None:
        """Take other series of a study for its sequences: it is segmented anew, and its masks are set aside.

        Raises:
            InputError: there are no such series, they do not go together, or the folder cannot be written.
        """
        source = _without_headers(with_series(row.source, series))
        with row.saving:
            if row.record is not None:
                self.folder.set_aside(row.key)
            with self.change:
                self.choices.choose(row.key, series)
                row.source, row.record, row.faults, row.others = source, None, (), False
                opened, row.entry = self.opened(row), None
                if row.job is not None:
                    row.job.cancel()
                self._changed(row)
        if opened is not None:
            opened.row = None  # whoever still draws on it draws on another scan
            self.store.drop(opened.id)

    # ------------------------------------------------------------ telling

    def tell(self, row: PatientRow) -> None:
        """Note that a row has changed."""
        with self.change:
            self._changed(row)

    def _changed(self, *rows: PatientRow) -> None:
        self.version += 1
        for row in rows:
            row.version = self.version
        self.change.notify_all()

    def next_waiting(self) -> PatientRow | None:
        """The first row that nobody has segmented."""
        with self.change:
            return next((row for row in self.rows.values() if row.status == "waiting"), None)

    def since(self, version: int) -> tuple[int, list[PatientRow]]:
        """The version of the list, and the rows that have changed since one."""
        with self.change:
            return self.version, [row for row in self.rows.values() if row.version > version]

    def present(self) -> list[PatientRow]:
        """The rows that nobody removed."""
        with self.change:
            return [row for row in self.rows.values() if not row.removed]

    def close(self) -> None:
        """Let another server have the folder."""
        with suppress(InputError):
            self.folder.close()


def _without_headers(source: Source) -> Source:
    """Rows do not hold the headers of studies: those of 500 would take more than their scans."""
    return replace(source, chosen={})


def bytes_in(folder: Path) -> int:
    """Bytes of all files below a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())

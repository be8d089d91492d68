"""What leaves the list as a whole: one table, and one archive of all masks that is made while it is sent."""

from __future__ import annotations

import shutil
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from itertools import chain, count
from pathlib import Path
from typing import Any

from glioseg.errors import InputError
from glioseg.server.downloads import mask_files, plain_name
from glioseg.server.faults import without_folder
from glioseg.server.memory import give_back
from glioseg.server.numbers import label_cells, table_of
from glioseg.server.scans import Entry, StoreFull
from glioseg.server.worklist.rows import PatientRow, WorkList

COLUMNS = (
    "id",
    "status",
    "corrected",
    "checked",
    "expected_dice",
    "slices",
    "slices_with_lesion",
    "lesion_voxels",
    "lesion_mm3",
    "largest_diameter",
    "diameter_unit",
    "label_voxels",
    "label_names",
    "flags",
    "filled",
    "model",
    "threshold",
    "fault",
)
PATIENCE_SECONDS = 120.0
"""How long an archive waits for room in memory to read the next scan."""
TABLE, FAULTS = "work-list.csv", "faults.txt"


def table(rows: WorkList) -> str:
    """All rows as CSV; ``expected_dice`` is that of the network's mask, also where it was corrected."""
    cells = [_cells(row, name) for row, name in named(rows)]
    several = any(each.get("label_voxels") for each in cells)
    return table_of(cells, [name for name in COLUMNS if several or not name.startswith("label_")])


def named(rows: WorkList) -> list[tuple[PatientRow, str]]:
    """The rows, each with a name for files that no other has."""
    taken: set[str] = set()
    found = []
    for row in rows.present():
        plain = plain_name(row.source.id)
        names = chain([plain], (f"{plain}-{number}" for number in count(2)))
        name = next(each for each in names if each.casefold() not in taken)
        taken.add(name.casefold())
        found.append((row, name))
    return found


def _cells(row: PatientRow, name: str) -> dict[str, Any]:
    cells: dict[str, Any] = {"id": name, "status": row.status}
    record = row.record
    if record is None:
        return {**cells, "fault": " ".join(map(str, row.told_faults))}
    numbers = {name: record.numbers[name] for name in COLUMNS if name in record.numbers}
    cells |= label_cells(record.numbers["labels"]) if "labels" in record.numbers else {}
    for name in ("flags", "filled"):
        numbers[name] = " ".join(numbers[name])
    return {
        **cells,
        **numbers,
        "corrected": bool(record.corrected),
        "checked": record.checked,
        "expected_dice": record.expected_dice,
        "model": record.model,
        "threshold": record.threshold,
    }


def masks(rows: WorkList, format: str, anonymise: bool = False) -> Iterator[bytes]:
    """A zip of all masks and of the table, in parts.

    One scan at a time is read for it. What cannot be read is told in ``faults.txt``, and never stops the
    others.

    Args:
        rows: the list.
        format, anonymise: see :func:`glioseg.server.downloads.mask_file`; ``dicom`` leaves out what is none.
    """
    sent = _Parts()
    faults: list[str] = []
    with zipfile.ZipFile(sent, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:  # type: ignore[call-overload]
        archive.writestr(TABLE, table(rows))
        for row, name in named(rows):
            if row.record is None:
                continue
            try:
                _write_masks(rows, row, archive, name, format, anonymise)
            except (InputError, OSError, StoreFull) as error:
                told = without_folder(error.faults, row.root) if isinstance(error, InputError) else [error]
                faults += [f"{name}: {each}" for each in told]
            yield sent.taken()
        if faults:
            archive.writestr(FAULTS, "\n".join(faults) + "\n")
    yield sent.taken()


def _write_masks(
    rows: WorkList, row: PatientRow, archive: zipfile.ZipFile, name: str, format: str, anonymise: bool
) -> None:
    with for_a_moment(rows, row) as (entry, folder):
        if entry.mask is None:
            return
        for path in mask_files(entry.mask, folder, name, format, anonymise):
            archive.write(path, path.relative_to(folder).as_posix())


@contextmanager
def for_a_moment(rows: WorkList, row: PatientRow) -> Iterator[tuple[Entry, Path]]:
    """The scan of a row with its masks, and an empty folder; both go when it is left.

    Raises:
        InputError: it cannot be read.
        StoreFull: there was no room in memory for :data:`PATIENCE_SECONDS`.
    """
    id, folder = rows.store.new_folder()
    try:
        yield rows.opened(row) or _read(rows, row, id, folder), folder
    finally:
        rows.store.release(id)
        shutil.rmtree(folder, ignore_errors=True)
        give_back()


def _read(rows: WorkList, row: PatientRow, id: str, folder: Path) -> Entry:
    end = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return rows.read(row, id, folder, partial(rows.store.reserve, id))
        except StoreFull:
            if time.monotonic() > end:
                raise
            time.sleep(1)


class _Parts:
    """A file that cannot be sought in, and whose bytes are taken away as they come."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []

    def write(self, part: bytes) -> int:
        self.parts.append(bytes(part))
        return len(part)

    def flush(self) -> None:
        pass

    def taken(self) -> bytes:
        """What was written since the last time."""
        whole = b"".join(self.parts)
        self.parts.clear()
        return whole

"""The directories of a TIFF, one a page, looked at before any library follows them."""

from __future__ import annotations

import os
import struct
from pathlib import Path


def check_directories(path: Path) -> None:
    """Refuse a TIFF whose directories take more room than the file has.

    In a damaged file they can lie over each other. A library that reads each of them anew is busy for minutes
    with a file of a thousand bytes.

    Raises:
        ValueError: the directories lie over each other or beyond the end of the file, or are endless.
    """
    size = os.stat(path).st_size
    with path.open("rb") as file:
        start = file.read(8)
        order = {b"II": "<", b"MM": ">"}.get(start[:2])
        if order is None or len(start) < 8:
            return
        big = struct.unpack(f"{order}H", start[2:4])[0] == 43
        count_form, offset_form, entry = ("Q", "Q", 20) if big else ("H", "I", 12)
        count_size, offset_size = struct.calcsize(count_form), struct.calcsize(offset_form)
        file.seek(8 if big else 4)
        taken = 0
        while offset := _number(file.read(offset_size), order + offset_form):
            file.seek(offset)
            count = _number(file.read(count_size), order + count_form)
            taken += count_size + count * entry + offset_size
            if taken > size:
                raise ValueError("directories that take more room than the file has")
            file.seek(offset + count_size + count * entry)


def _number(data: bytes, form: str) -> int:
    """A number of a file; 0, which ends the chain, where the file ends before it."""
    return int(struct.unpack(form, data)[0]) if len(data) == struct.calcsize(form) else 0

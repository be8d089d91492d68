"""The directories of a TIFF, one a page, looked at before any library follows them."""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import Any

from glioseg.io.refuse import quiet


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


def is_thumbnail(page: Any) -> bool:
    """Whether a page is a smaller version or the transparency of another (NewSubfileType, or SubfileType).

    Args:
        page: as tifffile has it.
    """
    return bool(int(page.subfiletype) & 5) or page.tags.valueof(255, default=1) == 2


def count_pages(path: Path) -> int:
    """How many pages a TIFF has besides thumbnails; 0 of a damaged one, reading which says what is wrong."""
    import tifffile

    try:
        check_directories(path)
        with quiet("tifffile"), tifffile.TiffFile(path, _multifile=False) as opened:
            thumbnails = [is_thumbnail(page.aspage()) for page in opened.pages]
            return len(thumbnails) - sum(thumbnails) or len(thumbnails)
    except Exception:  # whatever tifffile runs into while parsing
        return 0

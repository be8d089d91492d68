"""Which files are DICOM: by their first bytes, whatever they are called."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from glioseg.errors import InputError, require_extra
from glioseg.io.names import holds_slices, is_hidden, is_picture, is_volume, suffix_of

SUFFIXES = (".dcm", ".dicom", ".ima")


def is_dicom(file: Path) -> bool:
    """Whether a file is named as DICOM or has its preamble. One that cannot be read is not."""
    if suffix_of(file) in SUFFIXES:
        return True
    if is_picture(file) or is_volume(file):
        return False
    try:
        state = file.stat()
        if not stat.S_ISREG(state.st_mode):  # a pipe would be waited for without end
            return False
        return _has_preamble(str(file), state.st_ino, state.st_size, state.st_mtime_ns)
    except OSError:
        return False


@lru_cache(1 << 14)
def _has_preamble(file: str, *_state: int) -> bool:
    """Whether a file in this state begins as DICOM does; each is looked at once."""
    with open(file, "rb") as opened:
        return opened.read(132)[128:] == b"DICM"


def dicom_files(path: Path) -> list[Path]:
    """The DICOM files that a path is or holds, hidden ones aside."""
    return list(_dicom_below(path)) if path.is_dir() else [path]


def _dicom_below(folder: Path) -> Iterator[Path]:
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            file = Path(place, name)
            if not is_hidden(file) and is_dicom(file) and file.is_file():
                yield file


def takes(path: Path) -> bool:
    """Whether a path is a DICOM file, or a folder that holds DICOM and no image of another kind beside it.

    DICOM may lie at any depth. Pictures in one folder with DICOM are previews of it and do not count.
    """
    if not path.is_dir():
        return is_dicom(path)
    try:
        if holds_slices(path) and not any(is_dicom(file) for file in path.iterdir()):
            return False
    except OSError:
        return False
    return next(_dicom_below(path), None) is not None


def require_dicom() -> None:
    """Refuse, with the pip line that helps, when the extra is not installed.

    Raises:
        InputError: pydicom or highdicom cannot be found.
    """
    require_extra("dicom", "pydicom", "highdicom")


def has_dicom() -> bool:
    """Whether the extra is installed."""
    try:
        require_dicom()
    except InputError:
        return False
    return True

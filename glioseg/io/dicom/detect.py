"""Which files are DICOM: by their first bytes, whatever they are called."""

from __future__ import annotations

import os
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
        if not file.is_file():  # a pipe would be waited for without end
            return False
        with open(file, "rb") as opened:
            return opened.read(132)[128:] == b"DICM"
    except OSError:
        return False


def takes(path: Path) -> bool:
    """Whether a path is a DICOM file, or a folder without images of its own and with DICOM at some depth."""
    if not path.is_dir():
        return is_dicom(path)
    try:
        if holds_slices(path):
            return False
    except OSError:
        return False
    for folder, folders, files in os.walk(path):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            file = Path(folder, name)
            if not is_hidden(file) and is_dicom(file) and file.is_file():
                return True
    return False


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

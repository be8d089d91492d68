"""Small texts that git-annex and git LFS leave in the place of a file whose content was not fetched."""

from __future__ import annotations

from pathlib import Path

from glioseg.errors import Fault, InputError

_LFS = b"version https://git-lfs.github.com/spec/"
_ANNEX = b"annex/objects/"


def check_fetched(path: Path, start: bytes) -> None:
    """Refuse a file that only points to its content.

    Args:
        path: the file.
        start: its first bytes, 200 or more if there are so many.

    Raises:
        InputError: git-annex or git LFS holds the content elsewhere.
    """
    if start.startswith(_LFS):
        raise InputError(Fault("io.lfs_pointer", path, name=path.name))
    if _ANNEX in start[:200]:
        raise InputError(Fault("io.annex_pointer", path, name=path.name))

"""Writing so that nothing is ever half-written, and names in the order people count."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from glioseg.errors import Fault, InputError


def natural_key(name: str | Path) -> list[tuple[int, int | str]]:
    """Sort key that puts ``slice_2`` before ``slice_10``."""
    return [
        (0, int(part)) if part.isdecimal() else (1, part.casefold())
        for part in re.split(r"(\d+)", str(name))
        if part
    ]


def write_fault(path: Path, error: OSError) -> Fault:
    """Say why a path cannot be written, with the cure."""
    # NumPy reports a short write, which is what a full disk gives it, without a number.
    short_write = error.errno is None and "written" in str(error)
    if error.errno in (errno.ENOSPC, errno.EDQUOT) or short_write:
        return Fault("files.full", path)
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return Fault("files.no_permission", path)
    if error.errno in (errno.EEXIST, errno.ENOTDIR):
        return Fault("files.file_in_the_way", path)
    if error.errno == errno.EISDIR:
        return Fault("files.folder_in_the_way", path)
    if error.errno == errno.ENAMETOOLONG:
        return Fault("files.long_name", path)
    return Fault("files.not_written", path, reason=error)


def make_folder(path: Path) -> Path:
    """Make a folder and its parents; an :class:`InputError` says why where that fails."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(write_fault(path, error)) from error
    return path


def default_cache() -> Path:
    """Folder for caches: ``GLIOSEG_CACHE`` if set, otherwise the user's cache folder."""
    from platformdirs import user_cache_path

    chosen = os.environ.get("GLIOSEG_CACHE")
    return Path(chosen) if chosen else user_cache_path("glioseg", appauthor=False)


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path`` that replaces it once the block ends without an error.

    The temporary name keeps the suffixes of the target, since many writers
    choose the format by it. On any error the temporary file is removed and the
    target stays as it was.

    Raises:
        InputError: the disk is full, the folder read-only, and the like.
    """
    path = Path(path)
    make_folder(path.parent)
    try:
        part = _beside(path, "".join(path.suffixes[-2:]))
        part.open("xb").close()
    except OSError as error:
        raise InputError(write_fault(path, error)) from error
    try:
        yield part
        os.replace(part, path)
    except OSError as error:
        if error.filename is not None and Path(error.filename) not in (part, path):
            raise
        raise InputError(write_fault(path, error)) from error
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def folder_written_whole(path: Path) -> Iterator[Path]:
    """Yield a temporary folder beside ``path`` that becomes ``path`` once the block ends.

    When another process has made ``path`` meanwhile, its folder is kept and
    ours is dropped, so two processes may start at once.

    Raises:
        InputError: the disk is full, the folder above read-only, and the like.
    """
    path = Path(path)
    make_folder(path.parent)
    part = _beside(path)
    try:
        part.mkdir()
        yield part
        try:
            os.replace(part, path)
        except OSError:
            if not path.is_dir():
                raise
    except OSError as error:
        if error.filename is not None and not Path(error.filename).is_relative_to(part):
            raise
        raise InputError(write_fault(path, error)) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)


def write_text(path: Path, text: str) -> Path:
    """Write UTF-8 text whole."""
    with written_whole(path) as part:
        part.write_text(text, encoding="utf-8", newline="\n")
    return path


def write_json(path: Path, content: Any) -> Path:
    """Write JSON whole, readable, with keys in the order given."""
    return write_text(path, json.dumps(content, indent=2, ensure_ascii=False, default=str) + "\n")


def _beside(path: Path, suffix: str = "") -> Path:
    """A hidden name beside ``path`` that nobody else has; unlike tempfile's, made with usual permissions."""
    return path.parent / f".part-{os.urandom(8).hex()}{suffix}"

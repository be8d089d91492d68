"""Writing so that nothing is ever half-written, and names in the order people count."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import stat
import tempfile
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from glioseg.errors import Fault, InputError
from glioseg.owner import TOKEN, Owner, owner_of, this_process

PART = ".part-"
"""How the names of files and folders begin that are being written."""

_synced_later: ContextVar[bool] = ContextVar("_synced_later", default=False)
_tidied: set[Path] = set()
"""Folders that this process has looked through for what others left half-written."""


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
        return Fault(FULL, path)
    if error.errno in (errno.EMFILE, errno.ENFILE):
        return Fault("files.handles", path)
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return Fault("files.no_permission", path)
    if error.errno in (errno.EEXIST, errno.ENOTDIR):
        return Fault("files.file_in_the_way", path)
    if error.errno == errno.EISDIR:
        return Fault("files.folder_in_the_way", path)
    if error.errno == errno.ENAMETOOLONG:
        return Fault("files.long_name", path)
    return Fault("files.not_written", path, reason=error)


FULL = "files.full"
"""Code of the fault of a disk without room: nothing else can be written either."""


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
    target stays as it was. When the block has ended the file is on the disk, also after a power cut, unless
    :func:`synced_later`; and it may be read by whom the user's umask says, whatever the writer chose.
    The first file that a process writes into a folder removes what killed processes left half-written there.

    Raises:
        InputError: the disk is full, the folder read-only, and the like.
    """
    path = Path(path)
    make_folder(path.parent)
    _tidy(path.parent)
    try:
        part = path.parent / owned_name(PART, "".join(path.suffixes[-2:]))
        with part.open("xb") as handle:
            mode = stat.S_IMODE(os.fstat(handle.fileno()).st_mode)
    except OSError as error:
        raise InputError(write_fault(path, error)) from error
    try:
        yield part
        if stat.S_IMODE(part.stat().st_mode) != mode:
            part.chmod(mode)
        if not _synced_later.get():
            sync(part)
        os.replace(part, path)
        if not _synced_later.get():
            sync(path.parent)
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
    ours is dropped, so two processes may start at once. When the block has ended the folder and all that is
    in it are on the disk. What killed processes left half-written beside it is removed first.

    Raises:
        InputError: the disk is full, the folder above read-only, and the like.
    """
    path = Path(path)
    make_folder(path.parent)
    sweep(path.parent)
    part = path.parent / owned_name(PART)
    try:
        part.mkdir()
        with synced_later():
            yield part
        sync_all(part)
        try:
            os.replace(part, path)
        except OSError:
            if not path.is_dir():
                raise
        sync(path.parent)
    except OSError as error:
        if error.filename is not None and not Path(error.filename).is_relative_to(part):
            raise
        raise InputError(write_fault(path, error)) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)


@contextmanager
def synced_later() -> Iterator[None]:
    """Within the block nobody waits for the disk: the caller does so once for all files, see :func:`sync`."""
    before = _synced_later.set(True)
    try:
        yield
    finally:
        _synced_later.reset(before)


def sync(path: Path) -> None:
    """Wait until a file, or the list of names of a folder, is on the disk.

    Raises:
        OSError: the disk reports that it could not be written.
    """
    windows = os.name == "nt"
    if windows and path.is_dir():
        return  # Windows has no such call for folders
    number = os.open(path, os.O_RDWR if windows else os.O_RDONLY)
    try:
        os.fsync(number)
    except OSError as error:
        # Devices and some network disks have no such call.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.ENOSYS):
            raise
    finally:
        os.close(number)


def sync_all(folder: Path) -> None:
    """Wait until a folder and all that is in it are on the disk."""
    for place, _, names in os.walk(folder):
        for name in names:
            sync(Path(place, name))
        sync(Path(place))


def owned_name(prefix: str, suffix: str = "") -> str:
    """A name that nobody else has and that tells which process made it, see :func:`sweep`."""
    return f"{prefix}{this_process().token}-{os.urandom(6).hex()}{suffix}"


def owner_of_name(name: str, prefix: str = PART) -> Owner | None:
    """The process that a name of :func:`owned_name` tells of; ``None`` for other names."""
    found = re.match(rf"{re.escape(prefix)}({TOKEN})-[0-9a-f]{{12}}(?:$|\.)", name)
    return None if found is None else owner_of(found[1])


def private_folder(prefix: str) -> Path:
    """Make a folder for temporary files that only this user can open; :func:`sweep` finds it after a kill.

    Raises:
        InputError: the system's folder for temporary files cannot be written.
    """
    folder = Path(tempfile.gettempdir()) / owned_name(prefix)
    try:
        folder.mkdir(mode=0o700)
    except OSError as error:
        raise InputError(write_fault(folder, error)) from error
    return folder


def _tidy(folder: Path) -> None:
    """Remove half-written files of killed processes, once in a process. Folders may hold more than that."""
    if folder in _tidied:
        return
    _tidied.add(folder)
    for path in remains(folder):
        if path.is_file() or path.is_symlink():
            with suppress(OSError):
                path.unlink()


def sweep(folder: Path, prefix: str = PART, ended: Collection[str] = ()) -> list[Path]:
    """Remove what processes that have ended left behind in a folder; what others are writing stays.

    Args:
        folder: where to look; not in the folders below it.
        prefix: how the names begin, ``glioseg-serve-`` for instance.
        ended: tokens of owners on other machines that are known to have ended.

    Returns:
        What was removed. What cannot be removed is left there.
    """
    removed = []
    for path in remains(folder, prefix, ended):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            with suppress(OSError):
                path.unlink()
        removed.append(path)
    return removed


def sweep_all(folder: Path) -> list[Path]:
    """:func:`sweep` a folder and all those below it that a person can see.

    Returns:
        What was removed.
    """
    removed = sweep(folder)
    for place, folders, _ in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in folders:
            removed += sweep(Path(place, name))
    return removed


def remains(folder: Path, prefix: str = PART, ended: Collection[str] = ()) -> list[Path]:
    """What :func:`sweep` removes."""
    try:
        names = [entry.name for entry in os.scandir(folder) if entry.name.startswith(prefix)]
    except OSError:
        return []
    found = []
    for name in sorted(names):
        owner = owner_of_name(name, prefix)
        if owner is not None:
            left = owner.is_gone or owner.token in ended
        else:
            left = _is_old_remains(folder / name, prefix)
        if left:
            found.append(folder / name)
    return found


def _is_old_remains(path: Path, prefix: str) -> bool:
    """Whether a version before this one, which did not name the owner, left it at least a day ago."""
    if prefix != PART or not re.match(rf"{re.escape(PART)}[0-9a-f]{{16}}(?:$|\.)", path.name):
        return False
    try:
        return time.time() - path.stat().st_mtime > 86400
    except OSError:
        return False


def write_text(path: Path, text: str) -> Path:
    """Write UTF-8 text whole."""
    with written_whole(path) as part:
        part.write_text(text, encoding="utf-8", newline="\n")
    return path


def write_json(path: Path, content: Any) -> Path:
    """Write JSON whole, readable, with keys in the order given."""
    return write_text(path, json.dumps(content, indent=2, ensure_ascii=False, default=str) + "\n")

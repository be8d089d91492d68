"""What every reader refuses: paths that cannot be read, and sizes that no brain scan has.

Sizes are checked on what the header promises, before anything is decoded, so that a small
file cannot ask for all the memory of the machine.
"""

from __future__ import annotations

import errno
import logging
import os
import stat
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from glioseg.errors import Fault, InputError
from glioseg.io.memory import check_memory
from glioseg.words import Phrase

MAX_SIDE = 8192
"""Most pixels along a side of a slice. The largest brain MRI in use has about 1024."""

MAX_SLICES = 5000
"""Most slices of a volume."""

MAX_VALUES = 1_000_000_000
"""Most values (slices x height x width x channels) of a scan: 2 GB at 16 bit."""

MAX_EXPANSION = 1100
"""Most bytes that one byte of deflated data (PNG, gzip) can become; the format's bound is 1032."""


_thread = threading.local()


def _heard(record: logging.LogRecord) -> bool:
    return not getattr(_thread, "quiet", False)


@contextmanager
def quiet(logger_name: str) -> Iterator[None]:
    """Silence a library's log in this thread: its remarks on damaged files would stand among ours."""
    logging.getLogger(logger_name).addFilter(_heard)  # adding it again changes nothing
    before = getattr(_thread, "quiet", False)
    _thread.quiet = True
    try:
        yield
    finally:
        _thread.quiet = before


_warnings_lock = threading.RLock()  # the filters of warnings belong to the whole process


@contextmanager
def without_warnings() -> Iterator[None]:
    """Keep warnings back, one thread at a time; where it matters an error follows."""
    with _warnings_lock, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def read_fault(path: Path, error: OSError) -> Fault:
    """Say why a path cannot be read, with the cure."""
    if error.errno == errno.ELOOP or (error.errno == errno.ENOENT and os.path.islink(path)):
        if "annex/objects/" in os.readlink(path).replace("\\", "/"):
            return Fault("io.annex_pointer", path, name=os.path.basename(path))
        return Fault("io.broken_link", path)
    if isinstance(error, NotADirectoryError) and os.path.exists(path):
        return Fault("io.file_for_folder", path)
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        return Fault("io.nothing_there", path)
    if error.errno in (errno.EACCES, errno.EPERM):
        return Fault("io.no_permission", path)
    if error.errno == errno.EISDIR:
        return Fault("io.folder_for_file", path)
    if error.errno == errno.ENAMETOOLONG:
        return Fault("io.long_name", path)
    if error.errno in (errno.EMFILE, errno.ENFILE):
        return Fault("files.handles", path)
    return Fault("io.not_read", path, reason=error.strerror or error)


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn the system's errors about ``path`` into an :class:`InputError` that names it."""
    try:
        yield
    except OSError as error:
        raise InputError(read_fault(path, error)) from error


def check_exists(path: Path) -> None:
    """Refuse a path that is not there, a link that leads nowhere, and what would be waited for without end.

    Raises:
        InputError: neither a file nor a folder can be found at ``path``.
    """
    with reading(path):
        mode = os.stat(path).st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise InputError(Fault("io.pipe", path))


def check_size(path: Path, shape: Sequence[int], *, stored_bytes: int | None = None) -> None:
    """Refuse what a header promises when no scan is that large, or when the file cannot hold it.

    Args:
        path: the file.
        shape: ``(slices, height, width, channels)``.
        stored_bytes: most bytes of voxels that the file can hold, if that is known.

    Raises:
        InputError: a size is 0 or too large, or the memory cannot hold it.
    """
    slices, height, width, channels = (int(size) for size in shape)
    values = slices * height * width * channels
    if values < 1:
        raise InputError(Fault("io.no_voxel", path, size=_size(slices, height, width, channels)))
    if max(height, width) > MAX_SIDE or slices > MAX_SLICES or values > MAX_VALUES:
        most = {"slices": MAX_SLICES, "side": MAX_SIDE, "values": f"{MAX_VALUES:,}"}
        raise InputError(Fault("io.too_large", path, size=_size(slices, height, width, channels), **most))
    if stored_bytes is not None and values > stored_bytes:
        raise InputError(Fault("io.too_short", path, size=_size(slices, height, width, channels)))
    check_memory(path, slices * height * width, channels)


def _size(slices: int, height: int, width: int, channels: int) -> Phrase:
    """A size in words; only where there is a fault, for all sentences are read to say it."""
    key = "io.size_of_one_value" if channels == 1 else "io.size"
    one_slice = Phrase(key, width=width, height=height, values=channels)
    return one_slice if slices == 1 else Phrase("io.slices_of_size", slices=slices, size=one_slice)

"""Whether the memory that is there will do, asked before anything is decoded."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path

from glioseg.errors import Fault, InputError

READING = 8
"""Bytes for each value while a file is read: stored, scaled, and turned into the scan's order."""

SEGMENTING = 22
"""Bytes for each voxel at the peak of reading, segmenting and writing one scan, whatever is stored. On
volumes of 512 x 512 x 200, besides what a small scan takes: 7 of FLAIR alone as int16, 11 and 15 as float32
and float64, 16 where a header scales, 20 of three sequences whose probability map is kept."""

SMALL = 256_000_000
"""Bytes below which nothing is asked: every machine that can run the program has them."""

_bytes_each: ContextVar[int] = ContextVar("_bytes_each", default=READING)


@contextmanager
def memory_for(bytes_each: int) -> Iterator[None]:
    """Within the block a scan that is read has to leave room for what is done with it afterwards.

    Args:
        bytes_each: for each voxel, :data:`SEGMENTING` for instance.
    """
    before = _bytes_each.set(bytes_each)
    try:
        yield
    finally:
        _bytes_each.reset(before)


def check_memory(path: Path, voxels: int, channels: int = 1) -> None:
    """Refuse a scan that the memory cannot hold, with what it needs and what is there.

    Args:
        path: the file or folder of the scan.
        voxels: slices x height x width, as the header promises.
        channels: values of each voxel.

    Raises:
        InputError: it needs more than there is.
    """
    needed = voxels * max(_bytes_each.get(), READING * channels)
    if needed < SMALL:
        return
    there = available()
    if there is not None and needed > there:
        amounts = {"needed": _giga(needed), "there": _giga(there)}
        raise InputError(Fault("memory.too_little", path, **amounts))


def _giga(count: int) -> str:
    return f"{count / 1e9:.1f}"


def available() -> int | None:
    """Bytes of memory that this process can still have; ``None`` where the system does not say.

    The least of: what is free on the machine, what is left to the container or service that the process
    runs in, and what is left of the limit on its addresses (``ulimit -v``).
    """
    known = [count for count in (_free(), *_left_to_groups(), _left_of_limit()) if count is not None]
    return max(0, min(known)) if known else None


def _free() -> int | None:
    if sys.platform == "win32":
        return _free_on_windows()
    for line in _text(Path("/proc/meminfo")).splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    with suppress(ValueError, OSError, AttributeError):
        # Elsewhere what is free is not told; the whole memory of the machine is.
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return None


def _free_on_windows() -> int | None:
    if sys.platform != "win32":
        return None
    import ctypes

    class Status(ctypes.Structure):
        _fields_ = (
            ("length", ctypes.c_ulong),
            ("load", ctypes.c_ulong),
            *((name, ctypes.c_ulonglong) for name in ("total", "free", "total_page", "free_page")),
            *((name, ctypes.c_ulonglong) for name in ("total_virtual", "free_virtual", "extended")),
        )

    status = Status()
    status.length = ctypes.sizeof(status)
    if not ctypes.windll.kernel32.GlobalMemoryStatusEx(ctypes.byref(status)):
        return None
    return min(status.free, status.free_page)


def _left_to_groups() -> list[int]:
    """What is left in each control group of Linux that the process is in."""
    left = []
    for line in _text(Path("/proc/self/cgroup")).splitlines():
        _, _, rest = line.partition(":")
        controllers, _, place = rest.partition(":")
        if controllers == "":
            top, most, used = Path("/sys/fs/cgroup"), "memory.max", "memory.current"
        elif "memory" in controllers.split(","):
            top, most = Path("/sys/fs/cgroup/memory"), "memory.limit_in_bytes"
            used = "memory.usage_in_bytes"
        else:
            continue
        # Inside a container its own group is the top, whatever its name is outside.
        for folder in {top, top / place.strip("/")}:
            limit, now = _text(folder / most).strip(), _text(folder / used).strip()
            if limit.isdecimal() and now.isdecimal():
                left.append(int(limit) - int(now) + _reclaimable(folder))
    return left


def _reclaimable(group: Path) -> int:
    """Bytes of files in a group's memory that the system gives up when it needs room."""
    for line in _text(group / "memory.stat").splitlines():
        name, _, count = line.partition(" ")
        if name in ("inactive_file", "total_inactive_file") and count.strip().isdecimal():
            return int(count)
    return 0


def _left_of_limit() -> int | None:
    if sys.platform == "win32":
        return None
    import resource

    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    pages = _text(Path("/proc/self/statm")).split()
    if limit == resource.RLIM_INFINITY or not pages:
        return None
    return limit - int(pages[0]) * resource.getpagesize()


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
